"""Code that the scripts share, which write pages comparing published results.

The first line of the docstring of a script is the title of its page. The rest of the
docstring is its introduction. The function ``run(page)`` of the script adds the
results.
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

# The documents train to the last epoch, regardless of the loss.
UNTIL_THE_END = {"tol": 0, "n_iter_no_change": np.inf}
GRADIENT_DESCENT = {"solver": "sgd", "momentum": 0, "alpha": 0, **UNTIL_THE_END}

UNKNOWN = "–"  # noqa: RUF001


@dataclass
class Figure:
    """A published result and the result of skmlp.

    Attributes
    ----------
    what : str
        What was measured.

    published : str
        Result as stated in the document; `UNKNOWN` if there is none.

    ours : str
        Result of skmlp.

    peer : str, default=""
        Result of the method of the document, or of another library, run here.

    seconds : float, default=None
        Training time of skmlp, in seconds.

    peer_seconds : float, default=None
        Training time of the peer, in seconds, measured in alternation.

    why : str, default=""
        Reason for the difference.
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
        """Return the time of the peer divided by that of skmlp, as text."""
        if self.seconds is None or self.peer_seconds is None:
            return ""
        ratio = self.peer_seconds / self.seconds
        return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"


class Page:
    """A page in Markdown, with its pictures in the same folder.

    Parameters
    ----------
    name : str
        Name of the file of the page, and of the script that writes it.

    doc : str
        Title and introduction of the page.

    folder : Path or None
        Folder of the page; None to print its text only.
    """

    def __init__(self, name, doc, folder):
        self.name = name
        self.folder = folder
        title, _, text = doc.strip().partition("\n")
        self.title = title.rstrip(".")
        self.lines = []
        self.published = []  # figures with a published result, and the peer
        command = f"This page is written by `python examples/papers/{name}.py`"
        self.add(f"# {self.title}\n\n{text.strip()}\n\n{command}, on {machine()}.")

    def add(self, text):
        """Add a paragraph in Markdown."""
        self.lines.append(text + "\n")
        print(text + "\n", flush=True)

    def heading(self, title):
        """Begin a section."""
        self.add(f"## {title}")

    def figures(self, figures, peer="plain loop"):
        """Add a table of figures, and the reasons for differences.

        Parameters
        ----------
        figures : list of Figure

        peer : str, default="plain loop"
            Method or library that `skmlp` is compared with.
        """
        self.published += [
            (figure, peer)
            for figure in figures
            if figure.published not in ("", UNKNOWN)
        ]
        columns = {
            "experiment": [figure.what for figure in figures],
            "published": [figure.published for figure in figures],
            f"{peer} (run here)": [figure.peer for figure in figures],
            "skmlp": [figure.ours for figure in figures],
            f"time: {peer}": [in_seconds(figure.peer_seconds) for figure in figures],
            "time: skmlp": [in_seconds(figure.seconds) for figure in figures],
            "time ratio": [figure.ratio for figure in figures],
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
            self.add("\n".join(["Reasons for the differences:", "", *reasons]))

    def table(self, columns):
        """Add a table, a dict of columns of text."""
        self.add(as_table(columns))

    def picture(self, fig, name, caption):
        """Save a Matplotlib figure and add it to the page."""
        if self.folder is not None:
            path = self.path(name, "png")
            # Without the version of Matplotlib, equal pictures give equal files.
            fig.savefig(path, dpi=100, metadata={"Software": None})
            self.show(path, caption)
        matplotlib.pyplot.close(fig)

    def path(self, name, extension):
        """Return the path for a picture; None if there is no folder."""
        if self.folder is None:
            return None
        return self.folder / f"{self.name}_{name}.{extension}"

    def show(self, path, caption):
        """Add a picture that has been written to `path`."""
        self.add(f"![{caption}]({path.name})\n\n*{caption}*")

    def write(self):
        """Write the page."""
        if self.folder is not None:
            path = self.folder / f"{self.name}.md"
            path.write_text("\n".join(self.lines), encoding="utf-8")


def as_table(columns):
    """Return a dict of columns of text as a table in Markdown."""
    rows = [list(columns), ["---"] * len(columns)]
    rows += [list(row) for row in zip(*columns.values(), strict=True)]
    cells = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def in_seconds(value):
    """Return a time in seconds as text."""
    if value is None:
        return ""
    return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"


def as_code(params):
    """Return parameters as they are written in a call."""
    return ", ".join(
        f"`{name}={getattr(value, '__name__', repr(value))}`"
        for name, value in params.items()
    )


def largest(pairs):
    """Return the largest difference between the two arrays of any pair."""
    return max(np.abs(np.ravel(a) - np.ravel(b)).max() for a, b in pairs)


def agreement(difference):
    """Describe the difference of two results, as the predicate of a sentence."""
    if difference == 0:
        return "are bitwise identical"
    text = f"differ by at most {difference:.0e}"
    return f"{text} (rounding error)" if difference < 1e-9 else text


def machine():
    """Return the machine and the versions of the packages, as text."""
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
    """Return the result of a call and its time in seconds."""
    start = time.perf_counter()
    result = function(*args, **kwargs)
    return result, time.perf_counter() - start


def timed_again(function, seconds=0.2):
    """Call a function repeatedly, and return the last result and all times.

    The calls take at least `seconds` in total. Short trainings are thus timed several
    times, because the first call after a pause is slower.
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
        Number of rounds. A peer is not called again after it has taken 5 seconds in
        total.

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
    """Return the initial weights and biases of the training of an estimator.

    Returns
    -------
    coefs, intercepts : list of ndarray
    """
    recorder = WeightRecorder()
    clone(estimator).set_params(callbacks=recorder, max_iter=1).fit(X, y)
    return recorder.coefs_[0], recorder.intercepts_[0]


def make_page(script, folder):
    """Run a script and write its page.

    Parameters
    ----------
    script : module

    folder : Path or None
        Folder for the page and its pictures.
    """
    matplotlib.use("Agg")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    page = Page(Path(script.__file__).stem, script.__doc__, folder)
    # Use one thread for all methods, because the plain loop cannot use more.
    with warnings.catch_warnings(), threadpool_limits(1):
        # The documents always train for max_iter epochs.
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        script.run(page)
    page.write()
    return page


def make_parser(description):
    """Return the parser of the command line of a script."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--output", type=Path, help="folder for the page and its pictures"
    )
    return parser


def main(script):
    """Run one script from the command line."""
    args = make_parser(script.__doc__.splitlines()[0]).parse_args()
    make_page(script, args.output)
