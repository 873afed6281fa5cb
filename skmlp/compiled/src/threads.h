/* The number of threads, chosen by timing.
 *
 * The gain from threads depends on the network, the batch, the machine and its load, so
 * it is measured. A level is a number of threads: 1, 2, 4, ... up to the maximum. Steps run
 * at one level. From time to time, a trial of a few steps runs at the next higher or lower
 * level, and this level is selected if it is faster. The pause between trials is a multiple
 * of the cost of the last trial.
 *
 * On a busy machine, more threads are faster until one of them is not scheduled. Therefore
 * the time that is lost against the lower level is added up. If it is too long, the lower
 * level is selected immediately.
 */

#ifndef SKMLP_THREADS_H
#define SKMLP_THREADS_H

#include "team.h"

#define MAX_LEVELS 8

typedef struct {
    int max_threads; /* maximum number of threads */
    int is_single;   /* there is only one thread now */
    int is_fixed;    /* always use the maximum */
    Team *team;      /* NULL as long as there is one thread */

    int level, trial;        /* current level; level of the trial, or -1 */
    int n_steps;             /* number of measured steps of this level or trial */
    int goes_down;           /* whether the next trial is of the lower level */
    double rate[MAX_LEVELS]; /* seconds per unit of work; 0 if unknown */
    double work, seconds;    /* of recent steps of the level, or of the trial */
    double excess;           /* seconds lost against the lower level */
    double cost;             /* seconds lost by the trial */
    double since, pause;     /* seconds since the last trial, and until the next */
    double start;
} Threads;

/* Begin a series of steps with at most `max_threads` threads. `guess` is an estimate of the work
 * of a step in multiplications.
 */
void threads_begin(Threads *threads, int max_threads, int is_fixed, double guess);

/* Called before and after a step. The unit of `work` is arbitrary. */
void threads_start(Threads *threads);
void threads_stop(Threads *threads, double work);

/* The rule: choose the number of threads of the next step, and record its time. */
int threads_choose(Threads *threads);
void threads_record(Threads *threads, double work, double seconds);

/* End the series. The measurements are kept for the next one. */
void threads_end(Threads *threads);

#endif
