/* Steps of the optimizers, over a part of the parameters.
 *
 * The formulas are those of skmlp/core/optimizers, and of skmlp/core/penalties.py and
 * skmlp/training/step.py for the operations before and after an update: gradient
 * clipping, weight decay and the proximal operator of the L1 penalty.
 * tests/compiled/test_formulas.py compares them.
 */

typedef struct {
    real *theta, *g;
    real *state[MAX_STATE_ARRAYS];
    real decay;     /* factor of theta before the step */
    real shorten;   /* factor of the gradient */
    real threshold; /* of the proximal operator for step size 1, or 0 */
} Slice;

/* Numbers that are equal for all parameters in a step. */
typedef struct {
    real learning_rate, momentum, beta_1, beta_2, rho, epsilon;
    real rest_1, rest_2, rest; /* 1 - beta_1, 1 - beta_2 and 1 - rho */
    real eta;                  /* step size of Adam and of its proximal operator */
    real m_share, g_share;     /* the update of Adam is -(m_share m + g_share g) / d */
    int nesterov;
} Scalars;

/* The loop of an update. The update changes the state and the parameter `w` for the
 * gradient `g`, and sets `step` to the step size of the proximal operator.
 */
#define LOOP(name, ...) /* the update */                                               \
    static inline __attribute__((always_inline)) void name##_loop(                     \
        ptrdiff_t n, const Slice *part, const Scalars *k, const int has_prox)          \
    {                                                                                  \
        real *theta = part->theta, *s0 = part->state[0], *s1 = part->state[1],         \
             *s2 = part->state[2];                                                     \
        const real *gradient = part->g;                                                \
        const real decay = part->decay, shorten = part->shorten;                       \
        const real threshold = part->threshold;                                        \
        const Scalars c = *k;                                                          \
        (void)s0, (void)s1, (void)s2, (void)c, (void)threshold;                        \
        ELEMENTWISE for (ptrdiff_t i = 0; i < n; i++)                                  \
        {                                                                              \
            const real g = gradient[i] * shorten;                                      \
            real w = theta[i] * decay;                                                 \
            __VA_ARGS__                                                                \
            theta[i] = w;                                                              \
        }                                                                              \
    }                                                                                  \
    KERNEL static void name(ptrdiff_t n, const Slice *p, const Scalars *c)             \
    {                                                                                  \
        name##_loop(n, p, c, 0);                                                       \
    }                                                                                  \
    KERNEL static void name##_prox(ptrdiff_t n, const Slice *p, const Scalars *c)      \
    {                                                                                  \
        name##_loop(n, p, c, 1);                                                       \
    }

#define PROX(step)                                                                     \
    if (has_prox) {                                                                    \
        const real t = (step) * threshold;                                             \
        w = SOFT(w, t);                                                                \
    }

/* With a proximal operator, the velocity is the actual change of the parameter. */
LOOP(sgd, {
    const real v = s0[i] * c.momentum;
    if (!has_prox) {
        s0[i] = v - c.learning_rate * g;
        w += s0[i];
    } else {
        const real t = c.learning_rate * threshold,
                   moved = w + (v - c.learning_rate * g);
        s0[i] = SOFT(moved, t) - w;
        w = SOFT(moved, t);
    }
})

LOOP(nesterov, {
    if (!has_prox) {
        const real v = s0[i] * c.momentum - c.learning_rate * g;
        s0[i] = v;
        w += v * c.momentum - c.learning_rate * g;
    } else {
        const real t = c.learning_rate * threshold, x = w - s0[i] * c.momentum;
        const real moved = w - c.learning_rate * g, next = SOFT(moved, t);
        s0[i] = next - x;
        w = next + s0[i] * c.momentum;
    }
})

LOOP(adagrad, {
    s0[i] += g * g;
    const real d = SQRT(s0[i]) + c.epsilon;
    w -= c.learning_rate * g / d;
    PROX(c.learning_rate / d)
})

LOOP(rmsprop, {
    s0[i] = s0[i] * c.rho + c.rest * (g * g);
    const real d = SQRT(s0[i]) + c.epsilon;
    w -= c.learning_rate * g / d;
    PROX(c.learning_rate / d)
})

/* Update m and v of Adam and its variants. */
#define MOMENTS                                                                        \
    const real m = s0[i] * c.beta_1 + c.rest_1 * g;                                    \
    const real v = s1[i] * c.beta_2 + c.rest_2 * (g * g);                              \
    s0[i] = m;                                                                         \
    s1[i] = v;

LOOP(adam, {
    MOMENTS
    const real d = SQRT(v) + c.epsilon;
    w -= c.m_share * m / d;
    PROX(c.eta / d)
})

LOOP(amsgrad, {
    MOMENTS
    const real v_max = MAXIMUM(v, s2[i]);
    const real d = SQRT(v_max) + c.epsilon;
    s2[i] = v_max;
    w -= c.m_share * m / d;
    PROX(c.eta / d)
})

LOOP(nadam, {
    MOMENTS
    const real d = SQRT(v) + c.epsilon;
    w -= (c.m_share * m + c.g_share * g) / d;
    PROX(c.eta / d)
})

/* The functions below compute the coefficients of a step from the hyperparameters, which
 * have the order of the Python class. o->t includes the step.
 */

static void begin_sgd(OptimizerState *o, Scalars *c)
{
    enum { MOMENTUM, NESTEROVS_MOMENTUM };
    c->momentum = (real)o->hyperparameters[MOMENTUM];
    c->nesterov = o->hyperparameters[NESTEROVS_MOMENTUM] != 0;
}

static void begin_adagrad(OptimizerState *o, Scalars *c)
{
    enum { EPSILON };
    c->epsilon = (real)o->hyperparameters[EPSILON];
}

static void begin_rmsprop(OptimizerState *o, Scalars *c)
{
    enum { RHO, EPSILON };
    c->rho = (real)o->hyperparameters[RHO];
    c->rest = (real)(1 - o->hyperparameters[RHO]);
    c->epsilon = (real)o->hyperparameters[EPSILON];
}

/* Hyperparameters of Adam and its variants. Only NAdam has the last one. */
enum { BETA_1, BETA_2, EPSILON, MOMENTUM_DECAY };

static double adam_correction(const OptimizerState *o)
{
    return sqrt(1 - pow(o->hyperparameters[BETA_2], (double)o->t));
}

static double adam_bias(const OptimizerState *o)
{
    return 1 - pow(o->hyperparameters[BETA_1], (double)o->t);
}

static void begin_adam(OptimizerState *o, Scalars *c)
{
    const double *h = o->hyperparameters;
    const double eta = o->learning_rate * adam_correction(o);
    c->beta_1 = (real)h[BETA_1];
    c->beta_2 = (real)h[BETA_2];
    c->rest_1 = (real)(1 - h[BETA_1]);
    c->rest_2 = (real)(1 - h[BETA_2]);
    c->epsilon = (real)h[EPSILON];
    c->eta = (real)eta;
    c->m_share = (real)(eta / adam_bias(o));
}

/* epsilon is added after the bias correction. */
static void begin_adamw(OptimizerState *o, Scalars *c)
{
    begin_adam(o, c);
    c->epsilon = (real)(o->hyperparameters[EPSILON] * adam_correction(o));
}

static double nadam_mu(const OptimizerState *o, double t)
{
    const double *h = o->hyperparameters;
    return h[BETA_1] * (1 - 0.5 * pow(0.96, t * h[MOMENTUM_DECAY]));
}

static void begin_nadam(OptimizerState *o, Scalars *c)
{
    const double t = (double)o->t;
    const double mu = nadam_mu(o, t), mu_next = nadam_mu(o, t + 1);
    const double eta = o->learning_rate * adam_correction(o);
    double *mu_product = &o->scalars[0];
    begin_adamw(o, c);
    *mu_product *= mu;
    const double g_share = (1 - mu) / (1 - *mu_product);
    const double m_share = mu_next / (1 - *mu_product * mu_next);
    c->g_share = (real)(eta * g_share);
    c->m_share = (real)(eta * m_share);
    c->eta = (real)(eta * (g_share + m_share * adam_bias(o)));
}

/* All optimizers: OPTIMIZER(name, begin, update). To add one, write its functions above
 * and add a line here.
 */
/* clang-format off */
#define OPTIMIZERS(OPTIMIZER)                                                          \
    OPTIMIZER(sgd, begin_sgd, c->nesterov ? UPDATE(nesterov) : UPDATE(sgd))            \
    OPTIMIZER(adagrad, begin_adagrad, UPDATE(adagrad))                                 \
    OPTIMIZER(rmsprop, begin_rmsprop, UPDATE(rmsprop))                                 \
    OPTIMIZER(adam, begin_adam, UPDATE(adam))                                          \
    OPTIMIZER(adamw, begin_adamw, UPDATE(adam))                                        \
    OPTIMIZER(amsgrad, begin_adamw, UPDATE(amsgrad))                                   \
    OPTIMIZER(nadam, begin_nadam, UPDATE(nadam))
/* clang-format on */

/* The code of an optimizer is its position in the list, from 1. */
#define CODE(name, ...) OPTIMIZER_##name,
enum { NO_OPTIMIZER, OPTIMIZERS(CODE) };
#undef CODE

/* Count a step, and compute its coefficients. */
static Scalars begin_step(OptimizerState *o, double learning_rate)
{
    Scalars c = {.learning_rate = (real)learning_rate};
    o->learning_rate = learning_rate;
    o->t += 1;
#define CASE(name, begin, update)                                                      \
    case OPTIMIZER_##name: begin(o, &c); break;
    switch (o->kind) {
        OPTIMIZERS(CASE)
    }
#undef CASE
    return c;
}

static void optimize(int kind, ptrdiff_t n, const Slice *part, const Scalars *c)
{
    const int has_prox = part->threshold > 0;
#define UPDATE(name) (has_prox ? name##_prox(n, part, c) : name(n, part, c))
#define CASE(name, begin, update)                                                      \
    case OPTIMIZER_##name: update; break;
    switch (kind) {
        OPTIMIZERS(CASE)
    }
#undef CASE
#undef UPDATE
}
