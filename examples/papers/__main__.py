"""Reproduce the figures of five published from-scratch networks.

Runs all five scripts, and writes their pages, their pictures and an index of them.
"""

from importlib import import_module

from report import as_table, machine, make_page, make_parser

SCRIPTS = (
    "a_training_pipeline",
    "b_fundamentals",
    "c_mathematics",
    "d_project",
    "e_experiment",
)

INDEX = """\
# Five published networks

`skmlp` grew from five small documents, each of which builds a neural network from
scratch. These pages repeat what they do, and put their figures beside ours. Where a
document's own method can be run, it is: its loop over the samples, one after the
other, in plain NumPy (`examples/papers/plain.py`), from the same weights and on the
same machine. `tests/test_papers.py` holds the estimators to the figures.

{pages}

These are all the figures that they print. The ratio is that of the times of the
document's own method, or of scikit-learn where it is what the document compares with,
and of `skmlp`, both run here; the pages say which, and why figures differ.

{published}

`python examples/papers --output docs/papers` makes all of it, here on {machine}.

```{{toctree}}
:hidden:

{names}
```
"""


def main():
    """Write all pages."""
    args = make_parser(__doc__.splitlines()[0]).parse_args()
    if args.output is not None:
        args.output.mkdir(parents=True, exist_ok=True)
    pages = [make_page(import_module(name), args.output) for name in SCRIPTS]
    if args.output is not None:
        links = "\n".join(f"- [{page.title}]({page.name}.md)" for page in pages)
        index = INDEX.format(
            pages=links,
            published=published(pages),
            machine=machine(),
            names="\n".join(SCRIPTS),
        )
        (args.output / "index.md").write_text(index, encoding="utf-8")


def published(pages):
    """All figures of the documents, as a table."""
    rows = [(page, figure) for page in pages for figure in page.published]
    return as_table(
        {
            "": [f"[{page.title[0]}]({page.name}.md)" for page, _ in rows],
            "what": [figure.what for _, figure in rows],
            "published": [figure.published for _, figure in rows],
            "skmlp": [figure.ours for _, figure in rows],
            "ratio of times": [figure.ratio for _, figure in rows],
        }
    )


if __name__ == "__main__":
    main()
