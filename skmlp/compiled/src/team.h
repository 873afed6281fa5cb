/* Threads that go through the same work together.
 *
 * Each runs the same function, and knows its share by its number; barriers keep them
 * in step. They live for one call: nothing spins or sleeps when none is needed, and
 * nothing is left that a fork could lose.
 */

#ifndef SKMLP_TEAM_H
#define SKMLP_TEAM_H

#include <stdatomic.h>
#include <stddef.h>

#define MAX_THREADS 64

typedef struct {
    int size;
    atomic_int waiting, round;
} Team;

/* What a thread runs; `me` is its number, from 0. */
typedef void work_t(Team *team, int me, void *argument);

/* Run `work` on up to `size` threads, the calling one among them. Where the system
 * gives fewer, the others do it all.
 */
void team_run(int size, work_t *work, void *argument);

void team_wait(Team *team);

/* Wait for all threads of the team. */
static inline void barrier(Team *team)
{
    if (team->size > 1)
        team_wait(team);
}

/* The first of `n` items that are for thread `me`; its last is before the next's. */
static inline ptrdiff_t share(const Team *team, int me, ptrdiff_t n)
{
    return n * me / team->size;
}

#endif
