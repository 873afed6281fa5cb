"""Tests that count the places at which a new part is added to the package.

Each part is added to a copy of the package, which then trains a network with it. The
table in docs/architecture.md has the numbers of places.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import skmlp

PACKAGE = Path(skmlp.__file__).parent
ROOT = PACKAGE.parent
pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").is_file(), reason="not in the source repository"
)


class Place(NamedTuple):
    """Text that is inserted into a file of the package.

    It is inserted after the line that starts with `after`, apart from white space, or
    at the end of the file. The file is new if it does not exist.
    """

    path: str
    text: str
    after: str | None = None


class Part(NamedTuple):
    """A new part: where it is added in Python and in C, and a program that uses it."""

    python: list[Place]
    c: list[Place]
    program: str


def parameter(declaration, path="parameters.py"):
    """The places of a new parameter: its declaration and its descriptions."""
    name = declaration.split(":")[0]
    description = f"    {name} : float\n        The new parameter.\n\n"
    declared = Place(f"estimators/{path}", f"    {declaration}\n", "residual: bool")
    if path == "regressor.py":
        declared = declared._replace(after="quantile: float")
    classes = ["regressor.py"] if path == "regressor.py" else CLASSES
    return [
        declared,
        *(Place(f"estimators/{p}", description, "Parameters") for p in classes),
    ]


CLASSES = ["classifier.py", "regressor.py"]

PARTS = {
    "parameter": Part(
        parameter(
            'extra: float = param(Interval(Real, 0, 1, closed="right"), default=0.5)'
        ),
        [],
        """
for cls in MLPClassifierScratch, MLPRegressorScratch:
    assert signature(cls).parameters["extra"].default == 0.5
    assert cls(extra=0.25).get_params()["extra"] == 0.25
    assert "    extra : float" in cls.__doc__
    try:
        cls(extra=0).fit(X, y)
    except ValueError as error:
        assert "'extra' parameter of" in str(error)
    else:
        raise AssertionError("an invalid value is accepted")
train(MLPRegressorScratch(extra=0.25, max_iter=20))
""",
    ),
    "activation": Part(
        [
            Place(
                "core/activations.py",
                '''

class HardTanh(Activation, name="hard_tanh"):
    """g(z) = max(-1, min(1, z)), g'(z) = 1 if -1 < a < 1, else 0."""

    def forward(self, Z, A):
        np.clip(Z, -1, 1, out=A)

    def backward(self, Z, A, delta, work):
        np.abs(A, out=work)
        delta *= work < 1
''',
            )
        ],
        [
            Place(
                "compiled/src/activations.h",
                "    FORMULA(hard_tanh, MAXIMUM(MINIMUM(z, 1), -1), FABS(a) < 1) \\\n",
                "#define ACTIVATIONS(",
            )
        ],
        """
train(MLPRegressorScratch(activation="hard_tanh"))
train(MLPRegressorScratch(hidden_layer_sizes=(8, 5), activation=["hard_tanh", "tanh"]))
""",
    ),
    "loss": Part(
        [
            Place(
                "core/losses.py",
                '''

class Charbonnier(
    Loss,
    name="charbonnier",
    hyperparameters=("charbonnier_delta",),
    tasks=("regression",),
):
    """l = sqrt(r^2 + c^2) - c, with the residual r = p - y."""

    def __init__(self, charbonnier_delta=1.0):
        self.charbonnier_delta = charbonnier_delta

    def pointwise(self, Y, P, out):
        np.subtract(P, Y, out=out)
        np.hypot(out, self.charbonnier_delta, out=out)
        out -= self.charbonnier_delta

    def gradient(self, Y, P, out):
        np.subtract(P, Y, out=out)
        out /= np.hypot(out, self.charbonnier_delta)
''',
            )
        ],
        [
            Place(
                "compiled/src/losses.h",
                "    LOSS(charbonnier, SQRT(SQUARE(p - y) + c * c) - c,"
                " (p - y) / SQRT(SQUARE(p - y) + c * c)) \\\n",
                "#define LOSSES(",
            )
        ],
        """
train(MLPRegressorScratch(loss="charbonnier"))
train(MLPRegressorScratch(loss=losses.Charbonnier(0.25)))
""",
    ),
    "optimizer": Part(
        [
            Place(
                "core/optimizers/sgd.py",
                '''

class Signum(
    Optimizer, name="signum", hyperparameters=("beta",), state=("t", "m")
):
    """m = beta m + (1 - beta) g, theta = theta - eta sign(m)."""

    def __init__(self, theta=NO_PARAMETERS, learning_rate=0.001, beta=0.9):
        super().__init__(learning_rate)
        self.beta = beta
        self.m = np.zeros_like(theta)

    def step(self, theta, grad, work, prox=None):
        self.t += 1
        self.m *= self.beta
        grad *= 1 - self.beta
        self.m += grad
        np.sign(self.m, out=work)
        work *= self.learning_rate
        theta -= work
''',
            )
        ],
        [
            Place(
                "compiled/src/optimizers.h",
                """
LOOP(signum, {
    s0[i] = s0[i] * c.momentum + c.rest * g;
    w -= c.learning_rate * SIGN(s0[i]);
})

static void begin_signum(OptimizerState *o, Scalars *c)
{
    c->momentum = (real)o->hyperparameters[0];
    c->rest = (real)(1 - o->hyperparameters[0]);
}

""",
                "/* clang-format off */",
            ),
            Place(
                "compiled/src/optimizers.h",
                "    OPTIMIZER(signum, begin_signum, UPDATE(signum)) \\\n",
                "#define OPTIMIZERS(",
            ),
        ],
        """
train(MLPRegressorScratch(solver="signum", learning_rate_init=0.01))
train(MLPRegressorScratch(solver=sgd.Signum(beta=0.5), learning_rate_init=0.01))
""",
    ),
    "schedule": Part(
        [
            Place(
                "core/schedules.py",
                '''

class Polynomial(Schedule, name="polynomial", hyperparameters=("decay_power",)):
    """eta = level (1 - step / total_steps)^decay_power."""

    decay_power = 1.0
    ends = True

    def rate(self, level, step, position):
        return level * (1 - min(1, position / self.total_steps)) ** self.decay_power
''',
            ),
        ],
        [],
        """
history = train(MLPRegressorScratch(learning_rate="polynomial", max_iter=10)).history_
assert np.isclose(history["learning_rate"][5], 0.01 * (1 - 5.75 / 10), rtol=1e-12)
""",
    ),
    "schedule with a new parameter": Part([], [], ""),  # see below
    "penalty": Part(
        [
            Place(
                "core/penalties.py",
                '''

class Quartic(Penalty, name="quartic", hyperparameters=("alpha",)):
    """Fourth powers of the weights."""

    def __init__(self, alpha):
        self.alpha = alpha

    def value(self, theta, work):
        return self.alpha / 4 * float(np.sum(theta.weights**4))

    def add_gradient(self, theta, grad, work):
        G = grad.weights
        G += self.alpha * theta.weights**3
''',
            )
        ],
        [],
        """
class Regressor(MLPRegressorScratch):
    _penalty = "quartic"

small = train(Regressor(alpha=10.0))
large = train(Regressor(alpha=0.0))
assert abs(small.coefs_[0]).max() < 0.9 * abs(large.coefs_[0]).max()
""",
    ),
    "layer": Part(
        [
            Place(
                "layers/scale.py",
                '''"""A factor for each unit."""

import numpy as np

from skmlp.layers.base import Layer


class Scale(Layer, name="scale"):
    """The pre-activation is multiplied by a parameter for each unit."""

    option = "layer_scale"
    operation = "scale"
    parameter_groups = ("layer_scales",)
    U = None

    def __init__(self, n_units: int, frozen: bool = False):
        self.n_units = self.n_in = self.n_out = n_units
        self.frozen = frozen

    @property
    def summary(self):
        return {"scale": True}

    @property
    def buffers(self):
        return (self.U,)

    def initialize(self, arrays, random_state):
        arrays[0][...] = 1

    def allocate(self, workspace, needs_delta):
        if workspace.is_training:
            self.U = workspace.empty(self.n_units)
            self.delta = workspace.empty(self.n_units)

    def forward(self, A, arrays, context):
        if self.U is not None:
            self.U[...] = A
        A *= arrays[0]
        return A

    def backward(self, delta, arrays, grad, context):
        np.multiply(delta, arrays[0], out=self.delta)
        if self.trains:
            np.multiply(delta, self.U, out=self.U)
            np.add.reduce(self.U, axis=0, out=grad[0])
        return self.delta
''',
            ),
            Place(
                "layers/mlp.py",
                "from skmlp.layers.scale import Scale\n",
                "from skmlp.layers.residual import",
            ),
            Place(
                "layers/mlp.py", "    layer_scale: bool = False,\n", "residual: bool"
            ),
            Place(
                "layers/mlp.py",
                "        if is_hidden and layer_scale:\n"
                "            block.insert(-1, Scale(n_out, is_frozen))\n",
                "block.insert(0, Dropout",
            ),
            Place(
                "estimators/build.py",
                "        layer_scale=estimator.layer_scale,\n",
                "residual=estimator.residual,",
            ),
            *parameter('layer_scale: bool = param("boolean", default=False)'),
        ],
        [
            Place(
                "compiled/src/scale.h",
                """/* Parameters: the factors. Buffers: the input. */

static void scale_forward(const Plan *p, const Operation *op, const Rows *rows)
{
    const ptrdiff_t n = op->n_out, size = (rows->end - rows->begin) * n;
    real *u = at(op->out, rows, n);
    (void)p;
    if (op->buffers[0] != NULL)
        memcpy(at(op->buffers[0], rows, n), u, size * sizeof(real));
    for (ptrdiff_t i = 0; i < size; i++)
        u[i] *= ((const real *)op->parameters[0])[i % n];
}

static void scale_backward(const Plan *p, const Operation *op, const Rows *rows)
{
    const ptrdiff_t n = op->n_out;
    const real *delta = at(op->delta, rows, n);
    real *delta_in = at(op->delta_in, rows, n);
    (void)p;
    for (ptrdiff_t i = 0; i < (rows->end - rows->begin) * n; i++)
        delta_in[i] = delta[i] * ((const real *)op->parameters[0])[i % n];
}

static void scale_differentiate(const Plan *p, const Operation *op, const Samples *s,
                                const intptr_t *order, const Part *part, int me,
                                real *g)
{
    (void)p, (void)order, (void)part, (void)me;
    sum_rows_of_products(s->n_rows, op->n_out, op->delta, op->buffers[0], g);
}

static const Kind scale = {
    .forward = scale_forward,
    .backward = scale_backward,
    .differentiate = scale_differentiate,
};
""",
            ),
            Place(
                "compiled/src/operations.h",
                '#include "scale.h"\n',
                '#include "residual.h"',
            ),
            Place(
                "compiled/src/operations.h",
                "    KIND(scale) \\\n",
                "#define OPERATIONS(",
            ),
        ],
        """
reg = train(MLPRegressorScratch(hidden_layer_sizes=(8, 5), layer_scale=True))
assert [array.shape for array in reg.layer_scales_] == [(8,), (5,)]
assert abs(reg.layer_scales_[0] - 1).max() > 0.01
assert "scale" in str(reg.summary())
""",
    ),
    "fitted attribute": Part(
        [
            Place(
                "estimators/fitted.py",
                '    "new_": Fitted(float, is_progress=True),\n',
                "FITTED = {",
            )
        ],
        [],
        """
reg = MLPRegressorScratch(max_iter=5).fit(X, y)
reg.new_ = 1.5
assert copy_by_file(reg).new_ == 1.5
assert reg.partial_fit(X, y).new_ == 1.5
assert not hasattr(reg.fit(X, y), "new_")
reg.other_ = 1.5
try:
    copy_by_file(reg)
except TypeError as error:
    assert "other_" in str(error)
else:
    raise AssertionError("an attribute that is not declared is lost")
""",
    ),
}
schedule = PARTS["schedule"]
PARTS["schedule with a new parameter"] = Part(
    [
        *schedule.python,
        *parameter(
            'decay_power: float = param(Interval(Real, 0, 9, closed="both"), '
            "default=1.0)"
        ),
    ],
    [],
    """
reg = train(MLPRegressorScratch(learning_rate="polynomial", max_iter=10, decay_power=2))
rates = reg.history_["learning_rate"]
assert np.isclose(rates[5], 0.01 * (1 - 5.75 / 10) ** 2, rtol=1e-12)
""",
)

PREAMBLE = '''
import tempfile
from inspect import signature
from pathlib import Path

import numpy as np

import skmlp
from skmlp import MLPClassifierScratch, MLPRegressorScratch, check_gradient
from skmlp.core import losses
from skmlp.core.optimizers import sgd

rng = np.random.default_rng(0)
X = rng.standard_normal((100, 4))
y = np.sin(2 * X[:, 0]) + X[:, 1]
assert Path(skmlp.__file__).is_relative_to(Path.cwd())


def copy_by_file(estimator):
    with tempfile.TemporaryDirectory() as folder:
        skmlp.save(estimator, Path(folder) / "model.skmlp")
        return skmlp.load(Path(folder) / "model.skmlp")


def train(estimator):
    """Train with each engine, and compare them."""
    own = estimator.get_params()
    params = {"batch_size": 25, "random_state": 0, "tol": 0, "dtype": "float64"}
    params |= {"learning_rate_init": 0.01, "max_iter": min(30, own["max_iter"])}
    if own["activation"] == "relu":  # which has no derivative at 0
        params["activation"] = "tanh"
    estimator.set_params(**params, engine="numpy")
    error = check_gradient(estimator, X[:20], y[:20]).max_relative_error
    assert error < 1e-4, error
    estimator.fit(X, y)
    curve = estimator.loss_curve_
    assert curve[-1] < 0.8 * curve[0], curve
    if type(estimator) is MLPRegressorScratch:
        copy = copy_by_file(estimator)
        np.testing.assert_array_equal(copy.predict(X), estimator.predict(X))
    if ENGINE == "compiled":
        compiled = type(estimator)(**estimator.get_params())
        compiled.set_params(engine="compiled").fit(X, y)
        np.testing.assert_allclose(compiled.loss_curve_, curve, rtol=1e-9)
    auto = type(estimator)(**estimator.get_params()).set_params(engine="auto")
    np.testing.assert_allclose(auto.fit(X, y).loss_curve_, curve, rtol=1e-9)
    return estimator
'''


def insert(folder, places):
    """Insert text into a copy of the package."""
    for path, text, after in places:
        file = folder / "skmlp" / path
        lines = file.read_text("utf-8").splitlines(True) if file.exists() else []
        number = len(lines)
        if after is not None:
            number = next(
                i + 1 for i, line in enumerate(lines) if line.lstrip().startswith(after)
            )
            if after == "Parameters":  # the line below is the underline
                number += 1
        lines.insert(number, text)
        file.write_text("".join(lines), encoding="utf-8")


def copy_package(folder):
    """Copy the package, with the extension if it is built."""
    ignored = shutil.ignore_patterns("__pycache__", "_engine.c")
    shutil.copytree(PACKAGE, folder / "skmlp", ignore=ignored)


def run(folder, engine, program):
    environ = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c"]
    program = f"ENGINE = {engine!r}\n{PREAMBLE}\n{program}"
    result = subprocess.run(
        [*command, program], cwd=folder, env=environ, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", PARTS)
def test_a_new_part_works_with_numpy(tmp_path, name):
    part = PARTS[name]
    copy_package(tmp_path)
    insert(tmp_path, part.python)
    run(tmp_path, "numpy", part.program)


def test_new_parts_work_in_the_compiled_engine(tmp_path):
    """All of them in one build, without optimization, which takes less time."""
    pytest.importorskip("Cython")
    if skmlp.compiled.UNAVAILABLE:
        pytest.skip("there is no C compiler")
    parts = {name: part for name, part in PARTS.items() if part.c}
    copy_package(tmp_path)
    for extension in tmp_path.glob("skmlp/compiled/_engine.*"):
        if extension.suffix != ".pyx":
            extension.unlink()
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    (tmp_path / "pyproject.toml").write_text(
        pyproject.replace('"-O3"', '"-O0"'), encoding="utf-8"
    )
    for file in "README.md", "LICENSE":
        shutil.copy(ROOT / file, tmp_path)
    for part in parts.values():
        insert(tmp_path, part.python + part.c)
    build = "from setuptools import setup; setup()"
    subprocess.run(
        [sys.executable, "-c", build, "-q", "build_ext", "--inplace"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    run(tmp_path, "compiled", "".join(part.program for part in parts.values()))


def test_the_documentation_has_the_numbers_of_places():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| (?:an?|the) ([^|]+) \| (\d+) \| (\d+|-) \|", page, re.M)
    found = {name: (int(python), c) for name, python, c in rows}
    assert found == {
        name: (len(part.python), str(len(part.c)) if part.c else "-")
        for name, part in PARTS.items()
    }
