#include "threads.h"

#include "blas.h"

#include <math.h>
#include <time.h>

/* A step with more multiplications than the first number begins with all threads. With
 * fewer than the second number, the first trial is delayed, because starting threads
 * would take a considerable part of a short fit.
 */
#define LARGE_STEP 1e8
#define SMALL_STEP 2e6
#define FIRST_PAUSE 5e-3

/* Number of steps before and in a trial. The first step is not counted, because it is
 * slow: the cache is cold and threads start. A trial also ends after some time.
 */
#define STEPS_BEFORE_TRIAL 3
#define STEPS_OF_TRIAL 4
#define SECONDS_OF_TRIAL 2e-3

/* Pause after a trial, relative to its cost. */
#define COST_FACTOR 50
#define LONGEST_PAUSE 1.0

/* Seconds over which rates are averaged. */
#define MEMORY 0.05

/* Minimum relative gain for which a level with more threads is selected. */
#define GAIN 0.97

/* Seconds that are too short for a measurement. */
#define SMALL 2e-4

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int threads_of(const Threads *t, int level)
{
    const int n = 1 << level;
    return n < t->max_threads ? n : t->max_threads;
}

static int highest(const Threads *t)
{
    int level = 0;
    while (level < MAX_LEVELS - 1 && threads_of(t, level) < t->max_threads)
        level++;
    return level;
}

/* Use a level, and pause trials. The weight of its known rate is a part of the time over
 * which rates are averaged.
 */
static void settle(Threads *t, int level, double pause)
{
    t->level = level;
    t->trial = -1;
    t->n_steps = 0;
    t->seconds = t->rate[level] > 0 ? MEMORY / 4 : 0;
    t->work = t->rate[level] > 0 ? t->seconds / t->rate[level] : 0;
    t->excess = t->since = 0;
    t->pause = fmin(pause, LONGEST_PAUSE);
}

void threads_begin(Threads *t, int max_threads, int is_fixed, double guess)
{
    max_threads = max_threads < MAX_THREADS ? max_threads : MAX_THREADS;
    t->team = NULL;
    t->is_single = max_threads == 1;
    if (t->is_single)
        return;
    if (max_threads != t->max_threads) {
        *t = (Threads){.max_threads = max_threads, .trial = -1};
        t->level = guess > LARGE_STEP ? highest(t) : 0;
        t->pause = guess < SMALL_STEP ? FIRST_PAUSE : 0;
    }
    t->is_fixed = is_fixed;
}

static void begin_trial(Threads *t)
{
    if (t->level == 0 || t->level == highest(t))
        t->goes_down = t->level > 0;
    t->trial = t->goes_down ? t->level - 1 : t->level + 1;
    t->n_steps = 0;
    t->seconds = t->work = t->cost = 0;
}

int threads_choose(Threads *t)
{
    if (t->is_single)
        return 1;
    if (t->is_fixed)
        return t->max_threads;
    if (t->trial < 0 && t->n_steps >= STEPS_BEFORE_TRIAL && t->since >= t->pause)
        begin_trial(t);
    return threads_of(t, t->trial < 0 ? t->level : t->trial);
}

void threads_start(Threads *t)
{
    if (t->is_single)
        return;
    const int n = threads_choose(t);
    if (t->team == NULL && n > 1)
        t->team = team_open();
    team_resize(t->team, n);
    t->start = now();
}

static void end_trial(Threads *t)
{
    const double rate = t->rate[t->level], other = t->seconds / t->work;
    const int level = t->trial;
    t->rate[level] = other;
    if (other < (t->goes_down ? 1 : GAIN) * rate) {
        /* Cost of a trial of the lower level. A trial of the higher level can gain more. */
        const double pause = COST_FACTOR * t->work * (rate - other);
        settle(t, level, t->goes_down || level == highest(t) ? pause : 0);
    } else {
        settle(t, t->level, fmax(COST_FACTOR * t->cost, 2 * t->pause));
        t->goes_down = !t->goes_down;
    }
}

void threads_record(Threads *t, double work, double seconds)
{
    if (t->is_single || t->is_fixed)
        return;
    const double below = t->level > 0 ? t->rate[t->level - 1] : 0;
    t->n_steps++;
    if (t->trial >= 0) {
        const double usual = work * t->rate[t->level];
        t->cost += seconds - usual;
        const int fails = t->cost > 2 * usual + SMALL;
        if (t->n_steps > 1 || fails || seconds >= SECONDS_OF_TRIAL) {
            t->seconds += seconds;
            t->work += work;
        }
        if (t->n_steps >= STEPS_OF_TRIAL || fails || t->seconds >= SECONDS_OF_TRIAL)
            end_trial(t);
        return;
    }
    t->since += seconds;
    if (t->n_steps > 1) {
        const double kept = MEMORY / (MEMORY + seconds);
        t->seconds = t->seconds * kept + seconds;
        t->work = t->work * kept + work;
        t->rate[t->level] = t->seconds / t->work;
    }
    if (t->level == 0)
        return;
    if (below == 0) {
        t->pause = COST_FACTOR * seconds;
        return;
    }
    t->excess = fmax(0, t->excess + seconds - work * below);
    if (t->excess > fmax(SMALL + 3 * work * below, 0.02 * t->since)) {
        t->goes_down = 0;
        settle(t, t->level - 1, COST_FACTOR * t->excess);
    }
}

void threads_stop(Threads *t, double work)
{
    if (!t->is_single)
        threads_record(t, work, now() - t->start);
}

void threads_end(Threads *t)
{
    team_close(t->team);
    t->team = NULL;
    blas_give_back();
}
