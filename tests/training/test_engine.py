"""Tests of an epoch of mini-batch training: its steps and its memory."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix, issparse

from skmlp import MLPRegressorScratch
from skmlp.core.activations import HIDDEN_ACTIVATIONS
from skmlp.core.losses import LOSSES
from skmlp.core.network import Network, Tape
from skmlp.core.objective import Objective
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.parameters import Parameters
from skmlp.core.penalties import ElasticNet
from skmlp.training.engine import NumpyEngine

PENALTIES = {"none": (0.0, 0.0), "L2": (0.1, 0.0), "L1": (0.1, 1.0), "both": (0.1, 0.5)}
VARIANTS = {"sgd": [{}, {"nesterovs_momentum": False}]}
parametrize_optimizer = pytest.mark.parametrize(
    ("optimizer", "settings"),
    [(name, variant) for name in OPTIMIZERS for variant in VARIANTS.get(name, [{}])],
)
parametrize_penalty = pytest.mark.parametrize("penalty", PENALTIES)


class Spy(Objective):
    """An objective that notes the batches it is given."""

    def __init__(self, *args):
        super().__init__(*args)
        self.batches = []

    def __call__(self, X, Y, w, tape):
        assert X.shape[0] == Y.shape[0] == tape.n_samples
        self.batches.append(X)
        return super().__call__(X, Y, w, tape)


def build(optimizer="sgd", settings=None, penalty="none", **options):
    """What an engine needs: an objective and an optimizer."""
    layer_sizes = options.pop("layer_sizes", (5, 4, 3))
    activation = HIDDEN_ACTIVATIONS[options.pop("activation", "tanh")]
    network = Network(layer_sizes, activation, LOSSES[options.pop("loss", "log_loss")])
    assert not options
    theta = Parameters(layer_sizes)
    theta.flat[:] = 0.1 * np.random.RandomState(0).randn(theta.flat.size)
    objective = Spy(network, ElasticNet(*PENALTIES[penalty]), theta)
    return objective, OPTIMIZERS[optimizer](theta.flat, 0.01, **(settings or {}))


def data(n_samples=10, n_features=5, n_outputs=3, weighted=False):
    rng = np.random.RandomState(1)
    X = 0.5 * rng.randn(n_samples, n_features)
    Y = np.eye(n_outputs)[rng.randint(n_outputs, size=n_samples)]
    return X, Y, rng.rand(n_samples, 1) if weighted else None


ORDER = np.array([3, 9, 1, 0, 8, 2, 7, 6, 5, 4])


@pytest.fixture
def small_ufunc_buffers(one_blas_thread):
    """Keep NumPy's own buffers, of up to 64 kB, out of the account."""
    before = np.setbufsize(128)
    yield
    np.setbufsize(before)


@pytest.mark.parametrize("weighted", [False, True])
@parametrize_penalty
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
@parametrize_optimizer
@pytest.mark.usefixtures("small_ufunc_buffers")
def test_an_epoch_allocates_next_to_nothing(
    optimizer, settings, activation, loss, penalty, weighted
):
    """Where every array of the large case has 70 kB or more.

    Only slices of a Fortran-ordered X are out of the question: NumPy's matrix
    product copies them.
    """
    for batch_size, layer_sizes in [(10, (5, 7, 6, 3)), (150, (60, 150, 60, 80))]:
        n_samples = 2 * batch_size + batch_size // 2
        X, Y, w = data(n_samples, layer_sizes[0], layer_sizes[-1], weighted)
        if loss.endswith("log_loss"):
            Y = Y.astype(bool)  # as the classifier has them
        order = np.random.RandomState(0).permutation(n_samples)
        for source, rows in [(X, None), (X, order), (np.asfortranarray(X), order)]:
            objective, stepper = build(
                optimizer,
                settings,
                penalty,
                activation=activation,
                loss=loss,
                layer_sizes=layer_sizes,
            )
            engine = NumpyEngine(
                objective, stepper, source, Y, w, n_samples, batch_size
            )
            engine.run_epoch(rows)  # to warm up
            tracemalloc.start()
            engine.run_epoch(rows)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 20_000, (batch_size, source.flags.c_contiguous)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("order", [None, ORDER], ids=["as they lie", "shuffled"])
@parametrize_penalty
@parametrize_optimizer
def test_an_epoch_is_one_step_for_each_batch(
    optimizer, settings, penalty, order, weighted
):
    """The last batch is smaller; its share in the loss is too."""
    X, Y, w = data(weighted=weighted)
    objective, stepper = build(optimizer, settings, penalty)
    engine = NumpyEngine(objective, stepper, X, Y, w, 10, batch_size=4)
    losses = [engine.run_epoch(order) for _ in range(3)]

    reference, stepper = build(optimizer, settings, penalty)
    theta, grad = reference.theta, reference.grad
    n_weights = theta.weights.size

    def prox(flat, step):
        step = step / reference.n
        if np.ndim(step):
            step = step[:n_weights]
        reference.penalty.prox(flat[:n_weights], step, np.empty(n_weights))

    for loss in losses:
        expected = 0.0
        for rows in np.split(np.arange(10) if order is None else order, [4, 8]):
            tape = Tape((5, 4, 3), len(rows), np.float64)
            batch_w = None if w is None else w[rows]
            expected += len(rows) * reference(X[rows], Y[rows], batch_w, tape)
            has_l1 = penalty in ("L1", "both")
            stepper.step(
                theta.flat, grad.flat, reference.work, prox if has_l1 else None
            )
        np.testing.assert_allclose(loss, expected / 10, rtol=1e-12)
    np.testing.assert_allclose(objective.theta.flat, theta.flat, rtol=1e-10, atol=1e-15)
    for batch, expected in zip(objective.batches, reference.batches, strict=True):
        assert batch.shape == expected.shape


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("order", [None, ORDER], ids=["as they lie", "shuffled"])
@pytest.mark.parametrize(
    "as_input",
    [
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: X[::-1].copy()[::-1],
        csr_matrix,
        csr_array,
    ],
    ids=["Fortran", "columns apart", "backwards", "csr_matrix", "csr_array"],
)
def test_every_kind_of_input_gives_the_same_numbers(as_input, order, weighted):
    results = []
    X, Y, w = data(weighted=weighted)
    for source in (X, as_input(X)):
        objective, stepper = build("adam", penalty="both")
        engine = NumpyEngine(objective, stepper, source, Y, w, 10, batch_size=4)
        losses = [engine.run_epoch(order) for _ in range(3)]
        results.append(np.concatenate([losses, objective.theta.flat]))
        assert issparse(objective.batches[0]) == issparse(source)
    np.testing.assert_allclose(*results, rtol=1e-10)


def test_without_an_order_the_batches_are_views():
    X, Y, w = data()
    objective, stepper = build()
    NumpyEngine(objective, stepper, X, Y, w, 10, batch_size=4).run_epoch(None)
    assert [len(batch) for batch in objective.batches] == [4, 4, 2]
    assert all(np.shares_memory(batch, X) for batch in objective.batches)


@pytest.mark.parametrize("batch_size", [10, 11, 1000])
def test_a_batch_may_hold_all_the_samples(batch_size):
    X, Y, w = data()
    objective, stepper = build()
    engine = NumpyEngine(objective, stepper, X, Y, w, 10, batch_size)
    engine.run_epoch(None)
    assert [len(batch) for batch in objective.batches] == [10]


def test_rows_that_are_not_in_the_order_are_not_looked_at():
    X, Y, w = data(weighted=True)
    rows = ORDER[:6]
    unused = np.setdiff1d(ORDER, rows)
    X[unused] = Y[unused] = w[unused] = np.nan
    objective, stepper = build()
    engine = NumpyEngine(objective, stepper, X, Y, w, len(rows), batch_size=4)
    assert np.isfinite(engine.run_epoch(rows))
    assert objective.theta.isfinite()


@parametrize_penalty
@parametrize_optimizer
def test_batches_without_any_weight_are_passed_over(optimizer, settings, penalty):
    """The optimizer takes the same steps as if they were not there."""
    X, Y, w = data(weighted=True)
    w[ORDER[4:8]] = 0
    present = np.concatenate([ORDER[:4], ORDER[8:]])
    results = []
    for order in (ORDER, present):
        objective, stepper = build(optimizer, settings, penalty)
        engine = NumpyEngine(objective, stepper, X, Y, w, len(order), batch_size=4)
        losses = [engine.run_epoch(order) for _ in range(3)]
        assert len(objective.batches) == 6
        results.append(np.concatenate([losses, objective.theta.flat]))
    np.testing.assert_array_equal(*results)


def test_batches_without_any_weight_do_not_dilute_the_loss():
    """With weights of 0 and 1, and one sample in a batch, it is the mean loss."""
    X, Y, _ = data()
    y, w = Y[:, 0], np.arange(10) % 5 == 0
    reg = MLPRegressorScratch(
        hidden_layer_sizes=(3,),
        alpha=0,
        batch_size=1,
        learning_rate_init=1e-300,  # too little to move anything
        solver="sgd",
        max_iter=1,
        random_state=0,
    ).fit(X, y, w)
    expected = np.average((reg.predict(X) - y) ** 2 / 2, weights=w)
    np.testing.assert_allclose(reg.loss_, expected)
