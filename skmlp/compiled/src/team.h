/* Threads that go through the same work together.
 *
 * Each runs the same function. Between two barriers it claims one task after the
 * other, so that a thread that the system holds up leaves the rest to the others, or
 * takes a share by its number. The threads live for one call: nothing spins or sleeps
 * when none is needed, and nothing is left that a fork could lose.
 */

#ifndef SKMLP_TEAM_H
#define SKMLP_TEAM_H

#include <stdatomic.h>
#include <stddef.h>

#define MAX_THREADS 64

typedef struct {
    int size;
    atomic_int waiting, round;
    atomic_int next; /* task to be claimed */
} Team;

/* What a thread runs; `me` is its number, from 0. */
typedef void work_t(Team *team, int me, void *argument);

/* Run `work` on up to `size` threads, the calling one among them. Where the system
 * gives fewer, the others do it all.
 */
void team_run(int size, work_t *work, void *argument);

void team_wait(Team *team);

/* Wait for all threads of the team; after that, tasks are claimed from 0 again. */
static inline void barrier(Team *team)
{
    if (team->size > 1)
        team_wait(team);
    else
        atomic_store_explicit(&team->next, 0, memory_order_relaxed);
}

/* Number of a task that no thread has claimed yet. */
static inline ptrdiff_t claim(Team *team)
{
    if (team->size > 1)
        return atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed);
    const int next = atomic_load_explicit(&team->next, memory_order_relaxed);
    atomic_store_explicit(&team->next, next + 1, memory_order_relaxed);
    return next;
}

/* The first of `n` items that are for thread `me`; its last is before the next's. */
static inline ptrdiff_t share(const Team *team, int me, ptrdiff_t n)
{
    return n * me / team->size;
}

#endif
