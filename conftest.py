"""What pytest collects."""

from skmlp import compiled

# Most modules of the compiled engine cannot be imported without it.
collect_ignore_glob = [] if compiled.UNAVAILABLE is None else ["skmlp/compiled/*.py"]

# What builds the documentation, and what it builds.
collect_ignore = ["docs/conf.py", "docs/_build"]
