"""Pages with published figures beside ours: what all the scripts share.

A script has a docstring, whose first line is the title of its page and whose rest
opens it, and a function ``run(page)`` that adds what it measures.
"""

import argparse
import os
import platform
import statistics
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import scipy
import sklearn
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

import skmlp
from skmlp.callbacks import WeightRecorder

# The documents train to the last epoch, whatever the loss does.
UNTIL_THE_END = {"tol": 0, "n_iter_no_change": np.inf}
GRADIENT_DESCENT = {"solver": "sgd", "momentum": 0, "alpha": 0, **UNTIL_THE_END}

UNKNOWN = "–"  # noqa: RUF001


@dataclass
class Figure:
    """A published figure, and ours.

    Attributes
    ----------
    what : str
        What was measured.

    published : str
        The document's figure, as it gives it; `UNKNOWN` if it has none.

    ours : str
        The same of skmlp.

    peer : str, default=""
        The same of the document's own method, or of another library, run here.

    seconds : float, default=None
        Time of skmlp's training, in seconds.

    peer_seconds : float, default=None
        Time of the peer's, in seconds, measured beside it.

    why : str, default=""
        Why they differ.
    """

    what: str
    published: str
    ours: str
    peer: str = ""
    seconds: float | None = None
    peer_seconds: float | None = None
    why: str = ""

    @property
    def ratio(self):
        """How many times as fast as the peer skmlp is, as text."""
        if self.seconds is None or self.peer_seconds is None:
            return ""
        ratio = self.peer_seconds / self.seconds
        return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"


class Page:
    """A page in Markdown, with its pictures beside it.

    Parameters
    ----------
    name : str
        Name of the page's file, and of the script that makes it.

    doc : str
        Title and text that open the page.

    folder : Path or None
        Where the page goes; None to print its text only.
    """

    def __init__(self, name, doc, folder):
        self.name = name
        self.folder = folder
        title, _, text = doc.strip().partition("\n")
        self.title = title.rstrip(".")
        self.lines = []
        self.published = []  # the figures that the document has too, and the peer
        command = f"Printed by `python examples/papers/{name}.py`"
        self.add(f"# {self.title}\n\n{text.strip()}\n\n{command}, on {machine()}.")

    def add(self, text):
        """Add a paragraph in Markdown."""
        self.lines.append(text + "\n")
        print(text + "\n", flush=True)

    def heading(self, title):
        """Begin a section."""
        self.add(f"## {title}")

    def figures(self, figures, peer="plain loop"):
        """Add a table of figures, and the reasons why some of them differ.

        Parameters
        ----------
        figures : list of Figure

        peer : str, default="plain loop"
            What `skmlp` is compared with.
        """
        self.published += [
            (figure, peer)
            for figure in figures
            if figure.published not in ("", UNKNOWN)
        ]
        columns = {
            "what": [figure.what for figure in figures],
            "published": [figure.published for figure in figures],
            f"{peer}, run here": [figure.peer for figure in figures],
            "skmlp": [figure.ours for figure in figures],
            f"time: {peer}": [in_seconds(figure.peer_seconds) for figure in figures],
            "time: skmlp": [in_seconds(figure.seconds) for figure in figures],
            "ratio of times": [figure.ratio for figure in figures],
        }
        self.table(
            {
                name: cells
                for name, cells in columns.items()
                if any(cell not in ("", UNKNOWN) for cell in cells)
            }
        )
        reasons = [f"- {figure.what}: {figure.why}" for figure in figures if figure.why]
        if reasons:
            self.add("\n".join(["Why they differ:", "", *reasons]))

    def table(self, columns):
        """Add a table, a dict of columns of text."""
        self.add(as_table(columns))

    def picture(self, fig, name, caption):
        """Save a figure of Matplotlib beside the page, and show it there."""
        if self.folder is not None:
            path = self.path(name, "png")
            # No version of Matplotlib in it: the same picture is the same file.
            fig.savefig(path, dpi=100, metadata={"Software": None})
            self.show(path, caption)
        matplotlib.pyplot.close(fig)

    def path(self, name, extension):
        """Where a picture goes that is written elsewhere; None if nowhere."""
        if self.folder is None:
            return None
        return self.folder / f"{self.name}_{name}.{extension}"

    def show(self, path, caption):
        """Show a picture that has been written to `path`."""
        self.add(f"![{caption}]({path.name})\n\n*{caption}*")

    def write(self):
        """Write the page."""
        if self.folder is not None:
            path = self.folder / f"{self.name}.md"
            path.write_text("\n".join(self.lines), encoding="utf-8")


def as_table(columns):
    """A dict of columns of text as a table in Markdown."""
    rows = [list(columns), ["---"] * len(columns)]
    rows += [list(row) for row in zip(*columns.values(), strict=True)]
    cells = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def in_seconds(value):
    """A time in seconds as text."""
    if value is None:
        return ""
    return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"


def as_code(params):
    """Parameters as they are written in a call."""
    return ", ".join(
        f"`{name}={getattr(value, '__name__', repr(value))}`"
        for name, value in params.items()
    )


def largest(pairs):
    """The largest difference between the two arrays of any pair."""
    return max(np.abs(np.ravel(a) - np.ravel(b)).max() for a, b in pairs)


def agreement(difference):
    """How far two results are apart, after "they", as text."""
    if difference == 0:
        return "agree to the last bit"
    text = f"differ by at most {difference:.0e}"
    return f"{text}, which is rounding" if difference < 1e-9 else text


def machine():
    """The machine and the versions of what is measured, as text."""
    name = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    name = line.split(":")[1].strip()
                    break
    return (
        f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, SciPy {scipy.__version__}, "
        f"scikit-learn {sklearn.__version__}, skmlp {skmlp.__version__}"
    )


def timed(function, *args, **kwargs):
    """The result of a call, and how many seconds it took."""
    start = time.perf_counter()
    result = function(*args, **kwargs)
    return result, time.perf_counter() - start


def timed_again(function, seconds=0.2):
    """The last result of calls that take so many seconds in all, and their times.

    Short trainings are thus timed several times in a row: the first call after a pause
    is slower, whoever makes it, and would be all that is seen of them.
    """
    times = []
    while sum(times) < seconds:
        result, time_of_call = timed(function)
        times.append(time_of_call)
    return result, times


def side_by_side(ours, peer, rounds=3):
    """Time two functions in turn.

    Parameters
    ----------
    ours, peer : callable
        Called without arguments.

    rounds : int, default=3
        How often it is the turn of each of them. A peer is not called again once it
        has taken 5 seconds.

    Returns
    -------
    our_result, our_seconds, peer_result, peer_seconds
        The last results, and the median times.
    """
    our_times, peer_times = [], []
    for _ in range(rounds):
        our_result, times = timed_again(ours)
        our_times += times
        if sum(peer_times) < 5:
            peer_result, times = timed_again(peer)
            peer_times += times
    return (
        our_result,
        statistics.median(our_times),
        peer_result,
        statistics.median(peer_times),
    )


def initial_weights(estimator, X, y):
    """The weights and biases from which the training of an estimator starts.

    Returns
    -------
    coefs, intercepts : list of ndarray
    """
    recorder = WeightRecorder()
    clone(estimator).set_params(callbacks=recorder, max_iter=1).fit(X, y)
    return recorder.coefs_[0], recorder.intercepts_[0]


def make_page(script, folder):
    """Run one script, and write its page.

    Parameters
    ----------
    script : module

    folder : Path or None
        Where the page and its pictures go.
    """
    matplotlib.use("Agg")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    page = Page(Path(script.__file__).stem, script.__doc__, folder)
    # One thread for everybody: the plain loop could not use a second one.
    with warnings.catch_warnings(), threadpool_limits(1):
        # The documents train for max_iter epochs, converged or not.
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        script.run(page)
    page.write()
    return page


def make_parser(description):
    """The command line of a script."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--output", type=Path, help="folder for the page and its pictures"
    )
    return parser


def main(script):
    """Run one script from the command line."""
    args = make_parser(script.__doc__.splitlines()[0]).parse_args()
    make_page(script, args.output)
