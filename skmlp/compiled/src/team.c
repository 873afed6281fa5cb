#include "team.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#if defined(__x86_64__) || defined(__i386__)
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("yield")
#else
#define PAUSE() ((void)0)
#endif

/* Iterations of a waiting loop before the thread sleeps. They take some tens of
 * microseconds, about as long as waking a thread.
 */
#define SPINS 1000

/* Size of a cache line. Variables that other threads write are in separate lines. */
#define LINE 64

struct Team {
    /* Written by the owner of the team between jobs, and read while a task is claimed. */
    task_t *task;
    void *argument;
    ptrdiff_t n_tasks;
    int n_helpers; /* started */
    int n_threads;

    _Alignas(LINE) atomic_ptrdiff_t unclaimed; /* number of tasks; can be negative */
    _Alignas(LINE) atomic_ptrdiff_t undone;    /* number of tasks */
    _Alignas(LINE) atomic_int active;          /* threads that may claim tasks */
    atomic_int closed, sleepers, is_awaited, references;

    pthread_mutex_t lock;
    pthread_cond_t called, done;
};

typedef struct {
    Team *team;
    int me;
} Helper;

Team *team_open(void)
{
    Team *team = aligned_alloc(LINE, (sizeof(Team) + LINE - 1) / LINE * LINE);
    if (team == NULL)
        return NULL;
    team->n_helpers = 0;
    team->n_threads = 1;
    atomic_init(&team->unclaimed, 0);
    atomic_init(&team->undone, 0);
    atomic_init(&team->active, 1);
    atomic_init(&team->closed, 0);
    atomic_init(&team->sleepers, 0);
    atomic_init(&team->is_awaited, 0);
    atomic_init(&team->references, 1);
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->called, NULL);
    pthread_cond_init(&team->done, NULL);
    return team;
}

static void release(Team *team)
{
    if (atomic_fetch_sub_explicit(&team->references, 1, memory_order_acq_rel) > 1)
        return;
    pthread_cond_destroy(&team->called);
    pthread_cond_destroy(&team->done);
    pthread_mutex_destroy(&team->lock);
    free(team);
}

/* Claim and run tasks until none is left. Return the number of tasks. */
static ptrdiff_t work(Team *team, int me)
{
    ptrdiff_t n_done = 0, left;
    while (atomic_load_explicit(&team->unclaimed, memory_order_relaxed) > 0 &&
           (left = atomic_fetch_sub_explicit(&team->unclaimed, 1,
                                             memory_order_acquire)) > 0) {
        team->task(team->argument, team->n_tasks - left, me);
        n_done++;
        if (me == 0)
            continue; /* counted at the end */
        if (atomic_fetch_sub(&team->undone, 1) == 1 && atomic_load(&team->is_awaited)) {
            pthread_mutex_lock(&team->lock);
            pthread_cond_signal(&team->done);
            pthread_mutex_unlock(&team->lock);
        }
    }
    return n_done;
}

static int is_called(Team *team, int me)
{
    return atomic_load(&team->closed) ||
           (me < atomic_load(&team->active) && atomic_load(&team->unclaimed) > 0);
}

static void *help(void *argument)
{
    const Helper helper = *(Helper *)argument;
    Team *team = helper.team;
    free(argument);
    for (;;) {
        for (int spins = 0; spins < SPINS && !is_called(team, helper.me); spins++)
            PAUSE();
        if (!is_called(team, helper.me)) {
            pthread_mutex_lock(&team->lock);
            atomic_fetch_add(&team->sleepers, 1);
            while (!is_called(team, helper.me))
                pthread_cond_wait(&team->called, &team->lock);
            atomic_fetch_sub(&team->sleepers, 1);
            pthread_mutex_unlock(&team->lock);
        }
        if (atomic_load(&team->closed))
            break;
        work(team, helper.me);
    }
    release(team);
    return NULL;
}

static void wake_helpers(Team *team)
{
    if (atomic_load(&team->sleepers) == 0)
        return;
    pthread_mutex_lock(&team->lock);
    pthread_cond_broadcast(&team->called);
    pthread_mutex_unlock(&team->lock);
}

/* Start helpers up to the number of threads, or fewer if the system refuses. */
static void start_helpers(Team *team)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    while (team->n_helpers < team->n_threads - 1) {
        pthread_t thread;
        Helper *helper = malloc(sizeof(Helper));
        if (helper == NULL)
            break;
        *helper = (Helper){team, team->n_helpers + 1};
        atomic_fetch_add(&team->references, 1);
        if (pthread_create(&thread, &attributes, help, helper) != 0) {
            atomic_fetch_sub(&team->references, 1);
            free(helper);
            break;
        }
        team->n_helpers++;
    }
    pthread_attr_destroy(&attributes);
}

void team_resize(Team *team, int n_threads)
{
    if (team == NULL || n_threads == team->n_threads)
        return;
    team->n_threads = n_threads < MAX_THREADS ? n_threads : MAX_THREADS;
    atomic_store(&team->active, team->n_threads);
}

void team_run(Team *team, ptrdiff_t n, task_t *task, void *argument)
{
    if (team == NULL || team->n_threads == 1 || n == 1) {
        for (ptrdiff_t i = 0; i < n; i++)
            task(argument, i, 0);
        return;
    }
    team->task = task;
    team->argument = argument;
    team->n_tasks = n;
    atomic_store(&team->undone, n);
    atomic_store(&team->unclaimed, n);
    if (team->n_helpers < team->n_threads - 1)
        start_helpers(team);
    wake_helpers(team);

    const ptrdiff_t n_done = work(team, 0);
    if (atomic_fetch_sub(&team->undone, n_done) == n_done)
        return;
    for (int spins = 0; spins < SPINS && atomic_load(&team->undone) > 0; spins++)
        PAUSE();
    if (atomic_load(&team->undone) > 0) {
        pthread_mutex_lock(&team->lock);
        atomic_store(&team->is_awaited, 1);
        while (atomic_load(&team->undone) > 0)
            pthread_cond_wait(&team->done, &team->lock);
        atomic_store(&team->is_awaited, 0);
        pthread_mutex_unlock(&team->lock);
    }
}

void team_close(Team *team)
{
    if (team == NULL)
        return;
    atomic_store(&team->closed, 1);
    wake_helpers(team);
    release(team);
}
