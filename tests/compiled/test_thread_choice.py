"""Tests of the rule that chooses the number of threads, by simulated times."""

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from skmlp import MLPRegressorScratch, compiled
from skmlp.compiled import threads

if compiled.UNAVAILABLE is None:
    from skmlp.compiled._engine import Tuner

ROWS = 64


def simulate(seconds_of, *, most=2, duration=0.3, tuner=None, work=lambda step: ROWS):
    """Run steps for some time, of which each takes ``seconds_of(n_threads, clock)``.

    Returns
    -------
    mean : float
        Mean time of a unit of work.

    log : list of tuple
        Time at which each step began, and its number of threads.
    """
    if tuner is None:
        tuner = Tuner()
    tuner.begin(most)
    clock, total, log = 0.0, 0.0, []
    while clock < duration:
        n, amount = tuner.choose(), work(len(log))
        seconds = seconds_of(n, clock) * amount / ROWS
        tuner.record(amount, seconds)
        log.append((clock, n))
        clock += seconds
        total += amount
    return clock / total * ROWS, log


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize(
    ("one", "two"),
    [(130, 180), (180, 130), (250, 178), (250, 245), (50, 90), (3000, 1700)],
)
def test_trials_cost_little_on_an_idle_machine(one, two, noise):
    """Times are in microseconds."""
    rng = np.random.default_rng(0)

    def seconds(n, clock):
        return {1: one, 2: two}[n] * 1e-6 * (1 + noise * rng.standard_exponential())

    best = min(one, two) * 1e-6 * (1 + noise)
    assert simulate(seconds)[0] < 1.05 * best


@pytest.mark.parametrize("best", [1, 2, 4, 8, 16])
def test_the_best_of_many_numbers_is_found(best):
    def seconds(n, clock):
        return 1e-4 * (1 + abs(np.log2(n / best)))

    _, log = simulate(seconds, most=16, duration=1.0)
    late = [n for clock, n in log if clock > 0.1]
    assert late.count(best) > 0.9 * len(late)


def test_number_that_is_not_a_power_of_two():
    _, log = simulate(lambda n, clock: 1e-3 / n, most=6)
    assert [n for _, n in log][-1] == 6
    assert {n for _, n in log} == {1, 2, 4, 6}


@pytest.mark.parametrize("seed", range(5))
def test_thread_that_is_often_preempted_is_not_used(seed):
    """Two threads are faster, but every 3 ms on average they lose 4 ms."""
    rng = np.random.default_rng(seed)

    def seconds(n, clock):
        if n == 1:
            return 130e-6
        return 80e-6 + 4e-3 * (rng.random() < 80e-6 / 3e-3)

    assert simulate(seconds, duration=1.0)[0] < 1.1 * 130e-6


def test_threads_that_become_slow_are_left_at_once():
    """After 0.2 s, when other processes start."""

    def seconds(n, clock):
        return 1e-4 if n == 1 else (6e-5 if clock < 0.2 else 5e-3)

    _, log = simulate(seconds, duration=0.4)
    assert [n for clock, n in log if 0.1 < clock < 0.2].count(2) > 100
    assert sum(n == 2 for clock, n in log if clock > 0.2) <= 3


def test_threads_that_become_fast_are_used_again():
    """After 1 s, when other processes have ended."""

    def seconds(n, clock):
        return 1e-4 if n == 1 else (5e-3 if clock < 1 else 6e-5)

    _, log = simulate(seconds, duration=4.0)
    late = [n for clock, n in log if clock > 3]
    assert late.count(2) > 0.9 * len(late)


def test_times_go_by_the_work():
    """The last batch of an epoch may be small."""
    mean, log = simulate(
        lambda n, clock: 2e-4 / n, work=lambda step: 5 if step % 4 == 3 else ROWS
    )
    assert mean < 1.05 * 1e-4
    assert log[-1][1] == 2


def test_measurements_are_kept_between_fits():
    """Also if there was only one thread for one of them."""
    tuner = Tuner()
    simulate(lambda n, clock: 2e-4 / n, tuner=tuner)
    assert simulate(lambda n, clock: 2e-4, most=1, tuner=tuner)[1][0] == (0.0, 1)
    assert simulate(lambda n, clock: 2e-4 / n, tuner=tuner)[1][0] == (0.0, 2)


def test_large_steps_begin_with_all_threads():
    tuner = Tuner()
    tuner.begin(8, 1e9)
    assert tuner.choose() == 8
    tuner = Tuner()
    tuner.begin(8, 1e7)
    assert tuner.choose() == 1


def fit(**params):
    """A fit whose steps are large enough for several threads."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 80))
    estimator = MLPRegressorScratch(
        hidden_layer_sizes=(200, 100),
        max_iter=30,
        tol=0,
        n_iter_no_change=np.inf,
        random_state=0,
        engine="compiled",
        **params,
    )
    return estimator.fit(X, X[:, 0])


def bits(estimator):
    return b"".join(a.tobytes() for a in (*estimator.coefs_, *estimator.intercepts_))


@pytest.mark.parametrize("params", [{}, {"batch_norm": True, "dropout": 0.2}])
def test_the_bits_do_not_depend_on_the_choice(monkeypatch, params):
    results = set()
    for n in (1, 2, 5, 5):
        monkeypatch.setattr(threads, "n_threads", lambda *_, n=n: n)
        results.add(bits(fit(**params)))
        with ThreadPoolExecutor(3) as pool:
            results.update(pool.map(lambda _: bits(fit(**params)), range(3)))
    assert len(results) == 1


def spin():
    while True:
        pass


def test_busy_processes_do_not_hold_up_a_fit(monkeypatch):
    """It took 40 times as long when threads waited for those that were not running."""
    context = multiprocessing.get_context("fork")
    busy = [context.Process(target=spin, daemon=True) for _ in range(4)]

    def seconds(n):
        monkeypatch.setattr(threads, "n_threads", lambda *_: n)
        start = time.perf_counter()
        fit(batch_size=150)
        return time.perf_counter() - start

    seconds(2)
    for process in busy:
        process.start()
    try:
        assert min(seconds(2) for _ in range(4)) < 4 * min(seconds(1) for _ in range(4))
    finally:
        for process in busy:
            process.kill()
            process.join()
