"""What pytest collects."""

from importlib.util import find_spec

from skmlp import compiled

collect_ignore_glob = []
# Most modules of the compiled engine cannot be imported without it.
if compiled.UNAVAILABLE is not None:
    collect_ignore_glob.append("skmlp/compiled/*.py")
# The examples of the pictures draw them.
if find_spec("matplotlib") is None:
    collect_ignore_glob.append("skmlp/plotting/*.py")
