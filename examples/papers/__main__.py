"""Reproduce the results of five published networks written from scratch.

Run all five scripts, and write their pages, their pictures and an index.
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
# Reproduced results of five published networks

`skmlp` is based on five short documents, each of which implements a neural network from
scratch. These pages repeat the experiments of the documents and compare the published
results with those of `skmlp`.

Where possible, the method of the document is also run: the plain loop, which processes
one sample after the other in plain NumPy (`examples/papers/plain.py`). It starts from
the same weights and runs on the same machine. `tests/test_papers.py` compares the
estimators with the published results.

{pages}

## Summary

The table shows all results that the documents state.{silent} The times of `skmlp` were
measured here. The time ratio is the time of another method, divided by the time of
`skmlp`, measured on the same machine. The other method is the plain loop or
scikit-learn. The pages show the results of both methods, and give reasons for
differences.

{published}

`python examples/papers --output docs/papers` writes all these pages. The results were
measured on {machine}.

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
    """Return the text of the index page."""
    return INDEX.format(
        pages="\n".join(f"- [{page.title}]({page.name}.md)" for page in pages),
        published=published(pages),
        silent="".join(
            f" {page.title[0]} states none." for page in pages if not page.published
        ),
        machine=machine(),
        names="\n".join(page.name for page in pages),
    )


def published(pages):
    """Return all published results as a table."""
    rows = [(page, *row) for page in pages for row in page.published]
    return as_table(
        {
            "": [f"[{page.title[0]}]({page.name}.md)" for page, *_ in rows],
            "experiment": [figure.what for _, figure, _ in rows],
            "published": [figure.published for _, figure, _ in rows],
            "skmlp": [figure.ours for _, figure, _ in rows],
            "time: skmlp": [in_seconds(figure.seconds) for _, figure, _ in rows],
            "time ratio": [
                figure.ratio and f"{figure.ratio} ({peer})" for _, figure, peer in rows
            ],
        }
    )


if __name__ == "__main__":
    main()
