#include "team.h"

#include <pthread.h>
#include <sched.h>

typedef struct {
    Team *team;
    int me;
    work_t *work;
    void *argument;
    atomic_int *is_complete; /* the team's size is known: 1 */
} Member;

/* Turns of the loop below before the processor is offered to others. */
#define SPINS 4000

static inline void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void wait_while(atomic_int *value, int old)
{
    for (int spins = 0;
         atomic_load_explicit(value, memory_order_acquire) == old; spins++) {
        if (spins < SPINS)
            pause_briefly();
        else
            sched_yield();
    }
}

void team_wait(Team *team)
{
    const int round = atomic_load_explicit(&team->round, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&team->waiting, 1, memory_order_acq_rel) ==
        team->size - 1) {
        atomic_store_explicit(&team->waiting, 0, memory_order_relaxed);
        atomic_store_explicit(&team->next, 0, memory_order_relaxed);
        atomic_store_explicit(&team->round, round + 1, memory_order_release);
    } else {
        wait_while(&team->round, round);
    }
}

static void *run_member(void *argument)
{
    Member *member = argument;
    wait_while(member->is_complete, 0);
    member->work(member->team, member->me, member->argument);
    return NULL;
}

void team_run(int size, work_t *work, void *argument)
{
    Team team = {.size = 1};
    Member members[MAX_THREADS];
    pthread_t threads[MAX_THREADS];
    atomic_int is_complete = 0;

    if (size > MAX_THREADS)
        size = MAX_THREADS;
    for (; team.size < size; team.size++) {
        const int me = team.size;
        members[me] = (Member){&team, me, work, argument, &is_complete};
        if (pthread_create(&threads[me], NULL, run_member, &members[me]) != 0)
            break;
    }
    atomic_store_explicit(&is_complete, 1, memory_order_release);
    work(&team, 0, argument);
    for (int i = 1; i < team.size; i++)
        pthread_join(threads[i], NULL);
}
