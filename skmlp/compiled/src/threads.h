/* The number of threads, chosen by timing.
 *
 * How much threads bring depends on the network, the batch, the machine and its other
 * work, so it is measured. Levels are numbers of threads: 1, 2, 4, ... up to the most
 * that are allowed. Work is done at one level, and now and then a few steps are done on
 * trial at the next one above or below, which is taken if it is faster. Trials cost time,
 * so the time between them is a multiple of what the last one has cost.
 *
 * On a busy machine more threads are faster for a while, until one is not running when
 * the others need it. So the time above the level below, which is what more threads
 * cost, is added up, and too much of it ends their use at once.
 */

#ifndef SKMLP_THREADS_H
#define SKMLP_THREADS_H

#include "team.h"

#define MAX_LEVELS 8

typedef struct {
    int most;      /* largest number of threads */
    int is_single; /* there is one only, now */
    int is_fixed;  /* always use the most */
    Team *team;    /* NULL as long as one thread does it all */

    int level, trial;        /* in use; on trial, or -1 */
    int n_steps;             /* timed at this level, or of this trial */
    int goes_down;           /* next trial */
    double rate[MAX_LEVELS]; /* seconds per unit of work; 0 if unknown */
    double work, seconds;    /* recent ones of the level, or those of the trial */
    double excess;           /* seconds lost against the level below */
    double cost;             /* seconds that the trial has taken too much */
    double since, pause;     /* seconds since the last trial, and until the next */
    double start;
} Threads;

/* Begin a series of steps with at most so many threads. `guess` is the work of a step in
 * multiplications, for a start.
 */
void threads_begin(Threads *threads, int most, int is_fixed, double guess);

/* Before and after a step, whose work is in a unit of the caller's. */
void threads_start(Threads *threads);
void threads_stop(Threads *threads, double work);

/* The rule that they follow: the number of threads of the next step, and its time. */
int threads_choose(Threads *threads);
void threads_record(Threads *threads, double work, double seconds);

/* End the series, and the call of the engine. What was learned is kept for the next. */
void threads_end(Threads *threads);

#endif
