"""Time of fits and predictions with the number of threads that the engine chooses.

The same work is timed with the number that the compiled engine chooses, with one
thread and with as many as there are cores: on an idle machine, beside busy processes,
in several processes at once, on one core, and under a CPU quota.

This is run by hand; pytest collects nothing here. It prints Markdown, of which
docs/threads.md is made::

    python tests/benchmarks/threads.py                     # all, in about 40 minutes
    python tests/benchmarks/threads.py --busy 0 --kind fit --filter 80x10
    python tests/benchmarks/threads.py --output docs/threads.md

Run it on a machine that is idle otherwise. The CPU quota needs Linux and permission to
make a control group; without it, that table is left out.
"""

import argparse
import multiprocessing
import os
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from compare import DTYPES, describe_machine, table_head, table_line
from sklearn.exceptions import ConvergenceWarning

warnings.simplefilter("ignore", ConvergenceWarning)  # in processes that it starts, too

ROWS = (80, 1000, 50_000)
WIDTHS = (10, 100, 800)
BATCH_SIZES = (64, "full")
N_FEATURES = 50
SECONDS = 0.15  # of a fit with one thread on an idle machine, about
LONGEST = 0.9  # seconds for each round of a row; slow rows have fewer rounds
CHOSEN = "chosen"

# How many times as long as with the best fixed number of threads.
TARGETS = {0: 1.05, 2: 1.3, 8: 1.3}
PROCESSES, PROCESSES_TARGET = 4, 1.2
LIMIT_TARGET = 1.05

INTRODUCTION = f"""\
# Benchmarks of the number of threads

Printed by `python tests/benchmarks/threads.py`. The compiled engine times its steps
and chooses how many threads it uses; see [performance](guide/performance.md). Each row
compares that with fixed numbers of threads, for the same work: {N_FEATURES} features
and two hidden layers of the same width with tanh. "fit" trains with Adam, "lbfgs" with
five iterations of L-BFGS, "predict" predicts from all rows, each as often as takes one
thread about {SECONDS} s. All take turns in one process, in another order each round.
Milliseconds are medians over the rounds. The ratio is that of the chosen number to the
best fixed one: the median over the rounds on an idle machine, and the ratio of the mean
times beside others.
"""


@dataclass(frozen=True)
class Case:
    """What is timed: a fit by mini-batches, by L-BFGS, or a prediction."""

    kind: str
    rows: int
    width: int
    batch_size: int | str
    dtype: str

    @property
    def name(self):
        return f"{self.rows}x{self.width}"

    def prepare(self, epochs):
        """A function to time."""
        from skmlp import MLPRegressorScratch

        rng = np.random.default_rng(0)
        X = rng.normal(size=(self.rows, N_FEATURES)).astype(self.dtype)
        y = np.sin(X[:, 0]) + X[:, 1]
        estimator = MLPRegressorScratch(
            hidden_layer_sizes=(self.width, self.width),
            activation="tanh",
            solver="lbfgs" if self.kind == "lbfgs" else "adam",
            batch_size=self.batch_size,
            max_iter={"fit": epochs, "lbfgs": 5, "predict": 1}[self.kind],
            tol=0,
            n_iter_no_change=np.inf,
            random_state=0,
            engine="compiled",
        )
        if self.kind == "fit":
            return partial(estimator.fit, X, y)
        if self.kind == "lbfgs":
            return partial(repeat, epochs, estimator.fit, X, y)
        estimator.fit(X[:10], y[:10])
        return partial(repeat, epochs, estimator.predict, X)


def repeat(n, function, *args):
    for _ in range(n):
        function(*args)


def all_cases():
    for rows in ROWS:
        for width in WIDTHS:
            for dtype in DTYPES:
                for batch_size in BATCH_SIZES:
                    yield Case("fit", rows, width, batch_size, dtype)
                yield Case("lbfgs", rows, width, "full", dtype)
                yield Case("predict", rows, width, "full", dtype)


@contextmanager
def number_of_threads(n):
    """Fix the number of threads that the engine uses, or let it choose."""
    from skmlp.compiled import threads

    if n == CHOSEN:
        yield
        return
    before = threads.n_threads
    threads.n_threads, threads.is_fixed = (lambda *_: n), True
    try:
        yield
    finally:
        threads.n_threads, threads.is_fixed = before, False


def measure(function, n):
    with number_of_threads(n):
        start = time.perf_counter()
        function()
        return time.perf_counter() - start


def count_epochs(case):
    """Epochs, or fits by L-BFGS, or predictions, that take one thread `SECONDS`."""
    epochs = 1
    while True:
        seconds = measure(case.prepare(epochs), 1)
        if seconds > SECONDS / 4:
            return max(2, round(epochs * SECONDS / seconds))
        epochs *= 4


def take_turns(function, players, repeats):
    """Seconds of each player, a row each round."""
    rounds, rng = [], np.random.default_rng(0)
    if measure(function, players[0]) < 1:  # to warm up
        for n in players[1:]:
            measure(function, n)
    while len(rounds) < repeats and np.sum(rounds) < repeats * LONGEST:
        seconds = dict.fromkeys(players, 0.0)
        for i in rng.permutation(len(players)):
            time.sleep(0.01)
            seconds[players[i]] = measure(function, players[i])
        rounds.append([seconds[n] for n in players])
    return np.array(rounds)


def ratio_to_best(rounds, is_idle):
    """Time of the chosen number of threads, relative to the best fixed one."""
    if is_idle:
        best = 1 + np.median(rounds[:, 1:], axis=0).argmin()
        return np.median(rounds[:, 0] / rounds[:, best])
    # Beside others a turn is slow or fast by chance: what counts is the sum.
    mean = rounds.mean(axis=0)
    return mean[0] / mean[1:].min()


def spin():
    while True:
        pass


@contextmanager
def busy_processes(n):
    """Processes that keep a core busy each."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=spin, daemon=True) for _ in range(n)]
    for process in processes:
        process.start()
    if n:
        time.sleep(1)
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def players():
    most = os.cpu_count()
    return [CHOSEN, *([1, most] if most > 1 else [1])]


def report_contention(cases, levels, repeats, verdicts):
    names = players()
    epochs = {case: count_epochs(case) for case in cases}
    for n in levels:
        yield f"\n## Beside {n} busy processes\n" if n else "\n## On an idle machine\n"
        target = TARGETS.get(n, 1.3)
        yield f"Target: at most {target} times the best fixed number.\n"
        titles = [f"{name} (ms)" for name in names]
        yield from table_head(
            "kind", "rows x width", "batch", "dtype", "rounds", *titles, "ratio", ""
        )
        with busy_processes(n):
            for case in cases:
                rounds = take_turns(case.prepare(epochs[case]), names, repeats)
                ratio = ratio_to_best(rounds, is_idle=n == 0)
                verdicts.setdefault(n, []).append((ratio, target))
                cells = [case.kind, case.name, case.batch_size, case.dtype]
                medians = [f"{1e3 * t:.0f}" for t in np.median(rounds, axis=0)]
                verdict = "pass" if ratio <= target else "miss"
                yield table_line(
                    [*cells, len(rounds), *medians, f"{ratio:.2f}", verdict]
                )


def summary(verdicts):
    for n, ratios in verdicts.items():
        values = np.array([ratio for ratio, _ in ratios])
        passed = sum(ratio <= target for ratio, target in ratios)
        yield (
            f"- {n} busy processes: {passed} of {len(ratios)} rows pass; the ratio has "
            f"the median {np.median(values):.2f} and the maximum {values.max():.2f}."
        )


# Several processes at once


def fit_when_told(case, epochs, n, start):
    function = case.prepare(epochs)
    measure(function, n)
    time.sleep(max(0.0, start - time.time()))
    measure(function, n)
    return time.time() - start


def time_processes(pool, case, epochs, n):
    """Seconds until the last of several processes has fitted."""
    start = time.time() + 4 * SECONDS * PROCESSES
    futures = [
        pool.submit(fit_when_told, case, epochs, n, start) for _ in range(PROCESSES)
    ]
    return max(future.result() for future in futures)


def report_processes(cases, repeats):
    yield f"\n## {PROCESSES} processes that fit at once\n"
    yield (
        "Milliseconds until the last one has ended. Target: at most "
        f"{PROCESSES_TARGET} times that of one thread for each.\n"
    )
    yield from table_head(
        "rows x width", "batch", "dtype", "chosen (ms)", "1 (ms)", "ratio", ""
    )
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        for case in cases:
            epochs = count_epochs(case)
            time_processes(pool, case, epochs, 1)  # to warm up
            rounds = np.array(
                [
                    [time_processes(pool, case, epochs, n) for n in (CHOSEN, 1)]
                    for _ in range(repeats)
                ]
            )
            yield limit_line(case, rounds, PROCESSES_TARGET)


def limit_line(case, rounds, target):
    chosen, one = rounds.mean(axis=0)
    medians = [f"{1e3 * t:.0f}" for t in np.median(rounds, axis=0)]
    verdict = "pass" if chosen / one <= target else "miss"
    cells = [case.name, case.batch_size, case.dtype, *medians]
    return table_line([*cells, f"{chosen / one:.2f}", verdict])


# On one core, and under a quota


@contextmanager
def one_core():
    """Keep this process to one core, which it does not know of."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def half_a_core():
    """Give this process half a core, by a control group of Linux."""
    for root in Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"):
        if (root / "cgroup.procs").exists():
            break
    group = root / f"skmlp-benchmark-{os.getpid()}"
    group.mkdir()
    try:
        if (group / "cpu.cfs_quota_us").exists():
            (group / "cpu.cfs_quota_us").write_text("50000")
        else:
            (group / "cpu.max").write_text("50000 100000")
        (group / "cgroup.procs").write_text(str(os.getpid()))
        yield
    finally:
        with suppress(OSError):
            (root / "cgroup.procs").write_text(str(os.getpid()))
        group.rmdir()


def report_limits(cases, repeats):
    limits = {"On one core": one_core, "With half a core": half_a_core}
    for title, limit in limits.items():
        epochs = {case: 2 * count_epochs(case) for case in cases}
        with ExitStack() as stack:
            try:
                stack.enter_context(limit())
            except (OSError, AttributeError) as error:
                yield f"\n{title}: not measured ({error})."
                continue
            yield f"\n## {title}\n"
            yield (
                "The process learns of it only by its timing. Target: at most "
                f"{LIMIT_TARGET} times one thread.\n"
            )
            yield from table_head(
                "rows x width", "batch", "dtype", "chosen (ms)", "1 (ms)", "ratio", ""
            )
            for case in cases:
                function = case.prepare(epochs[case])
                rounds = take_turns(function, [CHOSEN, 1], repeats)
                yield limit_line(case, rounds, LIMIT_TARGET)


def report(args):
    cases = [
        case
        for case in all_cases()
        if case.kind in args.kind and args.filter in f"{case.name},{case.batch_size}"
    ]
    yield INTRODUCTION
    yield "\n## Machine\n"
    yield from describe_machine(["skmlp"])
    verdicts = {}
    yield from report_contention(cases, args.busy, args.repeats, verdicts)
    fits = [
        case
        for case in cases
        if case.kind == "fit" and (case.width > 10 or case.rows > 10_000)
    ]
    if not args.skip_limits:
        yield from report_processes(fits, max(2, args.repeats // 3))
        yield from report_limits(fits, args.repeats)
    yield "\n## Summary\n"
    yield from summary(verdicts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = ["fit", "lbfgs", "predict"]
    parser.add_argument("--busy", type=int, nargs="*", default=list(TARGETS))
    parser.add_argument("--kind", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--filter", default="", help="part of ROWSxWIDTH,BATCH")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--skip-limits", action="store_true")
    parser.add_argument("--output", type=Path, metavar="FILE.md")
    args = parser.parse_args()
    lines = []
    for line in report(args):
        print(line, flush=True)
        lines.append(line)
    if args.output is not None:
        args.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
