"""Reproduce the figures of five published from-scratch networks.

Runs all five scripts, and writes their pages and pictures and an index.
"""

from importlib import import_module

from report import as_table, in_seconds, machine, make_page, make_parser

SCRIPTS = (
    "a_training_pipeline",
    "b_fundamentals",
    "c_mathematics",
    "d_project",
    "e_experiment",
)

INDEX = """\
# Five published networks

`skmlp` grew out of five small documents, each of which builds a neural network from
scratch. These pages repeat their experiments and put the published figures beside ours.
Where a document's own method can be run, it is: a loop over the samples, one after the
other, in plain NumPy (`examples/papers/plain.py`), from the same weights and on the
same machine. `tests/test_papers.py` checks the estimators against the figures.

{pages}

These are the figures that the documents print.{silent} The times of `skmlp` were
measured here. The ratio says how many times as long the other method took, run beside
it: mostly the document's own, which is the plain loop, or else scikit-learn. The pages
have the results of both methods, and say why figures differ.

{published}

`python examples/papers --output docs/papers` makes all these pages, here on {machine}.

```{{toctree}}
:hidden:

{names}
```
"""


def main():
    """Write all pages."""
    args = make_parser(__doc__.splitlines()[0]).parse_args()
    pages = [make_page(import_module(name), args.output) for name in SCRIPTS]
    if args.output is not None:
        (args.output / "index.md").write_text(index(pages), encoding="utf-8")


def index(pages):
    """The page that leads to the others."""
    return INDEX.format(
        pages="\n".join(f"- [{page.title}]({page.name}.md)" for page in pages),
        published=published(pages),
        silent="".join(
            f" {page.title[0]} prints none." for page in pages if not page.published
        ),
        machine=machine(),
        names="\n".join(page.name for page in pages),
    )


def published(pages):
    """All figures of the documents, as a table."""
    rows = [(page, *row) for page in pages for row in page.published]
    return as_table(
        {
            "": [f"[{page.title[0]}]({page.name}.md)" for page, *_ in rows],
            "what": [figure.what for _, figure, _ in rows],
            "published": [figure.published for _, figure, _ in rows],
            "skmlp": [figure.ours for _, figure, _ in rows],
            "time: skmlp": [in_seconds(figure.seconds) for _, figure, _ in rows],
            "ratio of times": [
                figure.ratio and f"{figure.ratio} ({peer})" for _, figure, peer in rows
            ],
        }
    )


if __name__ == "__main__":
    main()
