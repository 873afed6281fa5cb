"""What pytest collects."""

from importlib.util import find_spec

from skmlp import compiled

# Most modules of the compiled engine cannot be imported without it.
collect_ignore_glob = [] if compiled.UNAVAILABLE is None else ["skmlp/compiled/*.py"]
# The examples of pictures draw them.
if find_spec("matplotlib") is None:
    collect_ignore_glob += ["skmlp/plotting/*.py"]
