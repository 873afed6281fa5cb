"""What pytest collects."""

from skmlp import compiled

# Most modules of the compiled engine cannot be imported without it.
collect_ignore_glob = [] if compiled.UNAVAILABLE is None else ["skmlp/compiled/*.py"]
