"""scikit-learn's own tests of its MLP, run on ours.

They are read from the installed version, so they are as old or as new as that.
"""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import sklearn.neural_network

from skmlp import MLPClassifierScratch, MLPRegressorScratch

pytestmark = pytest.mark.usefixtures("one_blas_thread")

# Tests that reach a private attribute that ours do not have, with its name. What
# `_loss_grad_lbfgs` is tested for, check_gradient tests here.
EXCLUDED = {"test_gradient": "_loss_grad_lbfgs"}

PATH = Path(sklearn.neural_network.__file__).parent / "tests" / "test_mlp.py"
IMPORT = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
# On one line, so that the line numbers stay right.
OURS = "MLPClassifier, MLPRegressor = MLPClassifierScratch, MLPRegressorScratch"


def read_tests():
    """The names that scikit-learn's module defines when it is run with ours."""
    source = PATH.read_text(encoding="utf-8")
    source, n_imports = re.subn(f"^{IMPORT}$", OURS, source, flags=re.MULTILINE)
    others = re.findall(r"^\s*(?:from|import) sklearn\.neural_network.*", source, re.M)
    if n_imports != 1 or others:
        raise ImportError(
            f"{PATH} does not import its estimators by '{IMPORT}' alone: found that "
            f"{n_imports} times, and {others}."
        )
    names = {
        "__name__": __name__,
        "MLPClassifierScratch": MLPClassifierScratch,
        "MLPRegressorScratch": MLPRegressorScratch,
    }
    exec(compile(source, PATH, "exec"), names)
    return {name: value for name, value in names.items() if not name.startswith("__")}


_theirs = read_tests()
globals().update({k: v for k, v in _theirs.items() if k not in EXCLUDED})


@pytest.fixture(autouse=True)
def global_random_state():
    """Some of the tests leave random_state to NumPy's global one."""
    np.random.seed(0)  # noqa: NPY002


@pytest.mark.parametrize(("name", "attribute"), EXCLUDED.items())
def test_excluded_tests_use_private_names_that_do_not_exist_here(name, attribute):
    if name not in _theirs:
        pytest.skip("this version of scikit-learn does not have that test")
    assert attribute.startswith("_")
    assert attribute in inspect.getsource(_theirs[name])
    for Estimator in (MLPClassifierScratch, MLPRegressorScratch):
        assert not hasattr(Estimator, attribute)
