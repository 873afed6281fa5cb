/* The stream of random numbers of NumPy's PCG64, from any position.
 *
 * The state is a linear congruential generator of 128 bits. After n steps, it is a linear
 * function of the state before, whose coefficients take O(log n) products. Therefore each
 * thread draws the numbers of its rows, and they are those of Generator.random.
 *
 * References: M. E. O'Neill, "PCG: a family of simple fast space-efficient statistically
 * good algorithms for random number generation", 2014. F. B. Brown, "Random number
 * generation with arbitrary strides", 1994.
 */

/* The numbers of a word, of which the low half comes first. */
#if SINGLE
#define PER_WORD 2
#define RANDOM(draw) (((draw) >> 8) * (1.0f / 16777216.0f))
typedef uint32_t Draw;
#else
#define PER_WORD 1
#define RANDOM(draw) (((draw) >> 11) * (1.0 / 9007199254740992.0))
typedef uint64_t Draw;
#endif

#if HAS_STREAM

typedef unsigned __int128 uint128;

#define UINT128(high, low) ((uint128)(high) << 64 | (low))
#define MULTIPLIER UINT128(2549297995355413924u, 4865540595714422341u)
#define N_LANES 4
#define N_WORDS 256 /* that are drawn at once, a multiple of N_LANES */

/* The linear function of the state that is n steps. */
typedef struct {
    uint128 factor, constant;
} Jump;

static Jump find_jump(uint128 increment, uint64_t n)
{
    Jump jump = {.factor = 1}, power = {MULTIPLIER, increment};
    for (; n > 0; n /= 2) {
        if (n % 2) {
            jump.factor *= power.factor;
            jump.constant = jump.constant * power.factor + power.constant;
        }
        power.constant *= power.factor + 1;
        power.factor *= power.factor;
    }
    return jump;
}

static uint128 after(uint128 state, Jump jump)
{
    return state * jump.factor + jump.constant;
}

/* Return the word of a state, "XSL RR". */
static inline uint64_t word_of(uint128 state)
{
    const uint64_t high = (uint64_t)(state >> 64), x = high ^ (uint64_t)state;
    const int n = (int)(high >> 58);
    return x >> n | x << (-n & 63);
}

#define N_DRAWN (N_WORDS * PER_WORD)

/* Draw the numbers of N_WORDS words at most, from word `first` on. Several generators in
 * turn hide the latency of the products.
 */
static void draw_words(const Stream *stream, uint64_t first, ptrdiff_t n_words,
                       Draw *draws)
{
    const uint128 increment = UINT128(stream->increment[0], stream->increment[1]);
    const Jump one = {MULTIPLIER, increment}, stride = find_jump(increment, N_LANES);
    uint128 lanes[N_LANES];
    lanes[0] = after(UINT128(stream->state[0], stream->state[1]),
                     find_jump(increment, first + 1));
    for (int k = 1; k < N_LANES; k++)
        lanes[k] = after(lanes[k - 1], one);
    for (ptrdiff_t i = 0; i < n_words; i += N_LANES)
        for (int k = 0; k < N_LANES; k++) {
            const uint64_t word = word_of(lanes[k]);
            for (int half = 0; half < PER_WORD; half++)
                draws[(i + k) * PER_WORD + half] = (Draw)(word >> (32 * half));
            lanes[k] = after(lanes[k], stride);
        }
}

KERNEL static void compare_draws(ptrdiff_t n, const Draw *draws, real rate, real scale,
                                 real *mask)
{
    ELEMENTWISE for (ptrdiff_t i = 0; i < n; i++) mask[i] =
        RANDOM(draws[i]) >= rate ? scale : 0;
}

/* Write `scale` where the numbers from position `begin` on are at least `rate`, else 0. */
static void stream_mask(const Stream *stream, uint64_t begin, ptrdiff_t n, real rate,
                        real scale, real *mask)
{
    Draw draws[N_DRAWN];
    if (PER_WORD == 2 && stream->has_half) {
        if (begin > 0) {
            begin--;
        } else if (n > 0) {
            *mask++ = RANDOM((Draw)stream->half) >= rate ? scale : 0;
            n--;
        }
    }
    while (n > 0) {
        const ptrdiff_t skipped = (ptrdiff_t)(begin % PER_WORD),
                        rest = N_DRAWN - skipped;
        const ptrdiff_t m = n < rest ? n : rest;
        draw_words(stream, begin / PER_WORD, (skipped + m + PER_WORD - 1) / PER_WORD,
                   draws);
        compare_draws(m, draws + skipped, rate, scale, mask);
        mask += m;
        begin += (uint64_t)m;
        n -= m;
    }
}

/* Move the stream past n numbers. */
static void stream_skip(Stream *stream, uint64_t n)
{
    if (PER_WORD == 2) {
        if (stream->has_half && n > 0) {
            stream->has_half = 0;
            n--;
        }
        if (n >
            0) { /* like NumPy, keep the half of the last word even if it is drawn */
            Draw draws[N_LANES * PER_WORD];
            draw_words(stream, (n - 1) / 2, 1, draws);
            stream->has_half = n % 2;
            stream->half = (uint32_t)draws[1];
        }
        n = (n + 1) / 2;
    }
    const uint128 increment = UINT128(stream->increment[0], stream->increment[1]);
    const uint128 state =
        after(UINT128(stream->state[0], stream->state[1]), find_jump(increment, n));
    stream->state[0] = (uint64_t)(state >> 64);
    stream->state[1] = (uint64_t)state;
}

#else

static void stream_mask(const Stream *stream, uint64_t begin, ptrdiff_t n, real rate,
                        real scale, real *mask)
{
    (void)stream, (void)begin, (void)n, (void)rate, (void)scale, (void)mask;
}

static void stream_skip(Stream *stream, uint64_t n)
{
    (void)stream, (void)n;
}

#endif
