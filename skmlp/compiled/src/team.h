/* Threads that share out the tasks of a job.
 *
 * The thread that opens a team directs it: it gives out one job after the other, works
 * on each, and goes on when all tasks of the job are done. The other threads, the
 * helpers, claim tasks if the system lets them run. A helper that is not running delays
 * nobody unless it has claimed a task. Threads that wait spin briefly and then sleep.
 *
 * Helpers live as long as the team, and start with the first job that needs them. They
 * touch the memory of a job only while a task is claimed, so the team can be closed
 * without waiting for helpers that are not running.
 */

#ifndef SKMLP_TEAM_H
#define SKMLP_TEAM_H

#include <stddef.h>

#define MAX_THREADS 64

/* Task `i` of a job; `me` is the number of the thread, from 0. */
typedef void task_t(void *argument, ptrdiff_t i, int me);

typedef struct Team Team;

/* Open a team; NULL, which stands for the calling thread alone, if memory is short. */
Team *team_open(void);

/* Set the number of threads for the next jobs, the calling one among them. */
void team_resize(Team *team, int n_threads);

/* Run tasks 0 to n - 1, in any order. */
void team_run(Team *team, ptrdiff_t n, task_t *task, void *argument);

void team_close(Team *team);

#endif
