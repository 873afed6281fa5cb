/* Threads that run the tasks of a job.
 *
 * The thread that opens a team is its owner. It starts one job after another, runs tasks
 * of the job, and continues when all tasks are done. The other threads are helpers, which
 * claim tasks when the system schedules them. A helper that is not scheduled causes no
 * delay unless it has claimed a task. Waiting threads spin briefly and then sleep.
 *
 * Helpers start with the first job that needs them and live as long as the team. They
 * access the memory of a job only while a task is claimed. Therefore the team can be
 * closed without waiting for helpers that are not scheduled.
 */

#ifndef SKMLP_TEAM_H
#define SKMLP_TEAM_H

#include <stddef.h>

#define MAX_THREADS 64

/* Task `i` of a job. `me` is the number of the thread, from 0. */
typedef void task_t(void *argument, ptrdiff_t i, int me);

typedef struct Team Team;

/* Open a team. Return NULL, a team of the calling thread, without enough memory. */
Team *team_open(void);

/* Set the number of threads of the next jobs, including the calling thread. */
void team_resize(Team *team, int n_threads);

/* Run tasks 0 to n - 1, in any order. */
void team_run(Team *team, ptrdiff_t n, task_t *task, void *argument);

void team_close(Team *team);

#endif
