"""Tests of an epoch of mini-batch training: its steps and its memory."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix, issparse

from skmlp import MLPRegressorScratch
from skmlp.core.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS
from skmlp.core.losses import LOSSES
from skmlp.core.network import Workspace
from skmlp.core.objective import Objective
from skmlp.core.optimizers import OPTIMIZERS
from skmlp.core.parameters import Parameters
from skmlp.core.penalties import ElasticNet
from skmlp.core.schedules import SCHEDULES, make_schedule
from skmlp.layers import make_mlp
from skmlp.training.engine import NumpyEngine
from skmlp.training.step import make_step

PENALTIES = {"none": (0.0, 0.0), "L2": (0.1, 0.0), "L1": (0.1, 1.0), "both": (0.1, 0.5)}
VARIANTS = {"sgd": [{}, {"nesterovs_momentum": False}]}
# What the searches do in a step is tested in test_step.py.
STEPPING = [name for name in OPTIMIZERS if not OPTIMIZERS[name].full_batch]
parametrize_optimizer = pytest.mark.parametrize(
    ("optimizer", "settings"),
    [(name, variant) for name in STEPPING for variant in VARIANTS.get(name, [{}])],
)
parametrize_penalty = pytest.mark.parametrize("penalty", PENALTIES)


class Spy(Objective):
    """An objective that notes the batches it is given."""

    def __init__(self, *args):
        super().__init__(*args)
        self.batches = []

    def __call__(self, X, Y, w, workspace):
        assert X.shape[0] == Y.shape[0] == workspace.n_samples
        self.batches.append(X)
        return super().__call__(X, Y, w, workspace)


def build(optimizer="sgd", settings=None, penalty="none", **options):
    """What an engine needs: a step, of an objective and an optimizer."""
    layer_sizes = options.pop("layer_sizes", (5, 4, 3))
    loss = LOSSES[options.pop("loss", "log_loss")]()
    hidden = ACTIVATIONS[options.pop("activation", "tanh")]
    output = ACTIVATIONS[options.pop("output", loss.output_activation)]
    activations = [hidden] * (len(layer_sizes) - 2) + [output]
    network = make_mlp(layer_sizes, activations, loss, **options.pop("network", {}))
    theta = Parameters(network.layout)
    theta.flat[:] = 0.1 * np.random.RandomState(0).randn(theta.flat.size)
    objective = Spy(network, ElasticNet(*PENALTIES[penalty]), theta)
    stepper = OPTIMIZERS[optimizer](theta.flat, 0.01, **(settings or {}))
    return make_step(objective, stepper, **options)


def build_engine(step, X, Y, w=None, n_train=10, batch_size=4, **options):
    schedule = options.pop("schedule", SCHEDULES["constant"](0.01))
    return NumpyEngine(step, X, Y, w, n_train, batch_size, schedule, **options)


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


# Each of them differs in one thing from the first.
EPOCHS = [
    {},
    *({"activation": name} for name in HIDDEN_ACTIVATIONS if name != "tanh"),
    *({"loss": name} for name in LOSSES if name != "log_loss"),
    {"loss": "log_loss", "output": "logistic"},
    {"loss": "binary_log_loss", "output": "softmax"},
    *({"loss": "squared_error", "output": name} for name in ACTIVATIONS),
    *(
        {"optimizer": name, "settings": settings}
        for name in STEPPING
        for settings in VARIANTS.get(name, [{}])
    ),
    *({"penalty": name} for name in PENALTIES if name != "none"),
    *({"penalty": "L1", "optimizer": name} for name in STEPPING),
    {"weighted": True},
    {"clip_norm": 1e-3, "weight_decay": 0.1, "max_norm": 0.5},
]


@pytest.mark.parametrize("options", EPOCHS, ids=str)
@pytest.mark.usefixtures("small_ufunc_buffers")
def test_epoch_allocates_almost_no_memory(options):
    """Where every array of the large case has 400 kB or more.

    Only slices of a Fortran-ordered X are out of the question: NumPy's matrix
    product copies them. Some functions work in blocks of rows, of 64 kB.
    """
    options = dict(options)
    weighted = options.pop("weighted", False)
    for batch_size, layer_sizes in [(10, (5, 7, 6, 3)), (250, (220, 250, 230, 240))]:
        n_samples = 2 * batch_size + batch_size // 2
        X, Y, w = data(n_samples, layer_sizes[0], layer_sizes[-1], weighted)
        if options.get("loss", "log_loss").endswith("log_loss"):
            Y = Y.astype(bool)  # as the classifier has them
        order = np.random.RandomState(0).permutation(n_samples)
        for source, rows in [(X, None), (X, order), (np.asfortranarray(X), order)]:
            step = build(layer_sizes=layer_sizes, **options)
            step.optimizer.base_learning_rate = 1e-4  # so that nothing diverges
            engine = build_engine(step, source, Y, w, n_samples, batch_size)
            engine.run_epoch(rows)  # to warm up
            tracemalloc.start()
            engine.run_epoch(rows)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            limit = 20_000 if {"activation", "loss"}.isdisjoint(options) else 330_000
            assert peak < limit, (batch_size, source.flags.c_contiguous)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("order", [None, ORDER], ids=["as they lie", "shuffled"])
@parametrize_penalty
@parametrize_optimizer
def test_an_epoch_is_one_step_for_each_batch(
    optimizer, settings, penalty, order, weighted
):
    """The last batch is smaller; its share in the loss is too."""
    X, Y, w = data(weighted=weighted)
    step = build(optimizer, settings, penalty)
    engine = build_engine(step, X, Y, w)
    epochs = [(engine.run_epoch(order), engine.grad_norm) for _ in range(3)]

    twin = build(optimizer, settings, penalty)
    reference, stepper = twin.objective, twin.optimizer
    theta, grad = reference.theta, reference.grad
    n_weights = theta.weights.size

    def prox(flat, step):
        step = step / reference.n
        if np.ndim(step):
            step = step[:n_weights]
        reference.penalty.prox(flat[:n_weights], step, np.empty(n_weights))

    for loss, grad_norm in epochs:
        expected, norms = 0.0, []
        for rows in np.split(np.arange(10) if order is None else order, [4, 8]):
            workspace = Workspace(reference.network, len(rows), np.float64)
            batch_w = None if w is None else w[rows]
            expected += len(rows) * reference(X[rows], Y[rows], batch_w, workspace)
            norms.append(np.linalg.norm(grad.flat))
            has_l1 = penalty in ("L1", "both")
            stepper.step(
                theta.flat, grad.flat, reference.work, prox if has_l1 else None
            )
        np.testing.assert_allclose(loss, expected / 10, rtol=1e-12)
        np.testing.assert_allclose(grad_norm, np.mean(norms), rtol=1e-12)
    moved = step.objective.theta.flat
    np.testing.assert_allclose(moved, theta.flat, rtol=1e-10, atol=1e-15)
    for batch, expected in zip(step.objective.batches, reference.batches, strict=True):
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
        step = build("adam", penalty="both")
        engine = build_engine(step, source, Y, w)
        losses = [engine.run_epoch(order) for _ in range(3)]
        results.append(np.concatenate([losses, step.objective.theta.flat]))
        assert issparse(step.objective.batches[0]) == issparse(source)
    np.testing.assert_allclose(*results, rtol=1e-10)


def test_without_an_order_the_batches_are_views():
    X, Y, w = data()
    step = build()
    build_engine(step, X, Y, w).run_epoch(None)
    batches = step.objective.batches
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert all(np.shares_memory(batch, X) for batch in batches)


@pytest.mark.parametrize("batch_size", [10, 11, 1000])
def test_a_batch_may_hold_all_the_samples(batch_size):
    X, Y, w = data()
    step = build()
    build_engine(step, X, Y, w, 10, batch_size).run_epoch(None)
    assert [len(batch) for batch in step.objective.batches] == [10]


def test_rows_that_are_not_in_the_order_are_not_looked_at():
    X, Y, w = data(weighted=True)
    rows = ORDER[:6]
    unused = np.setdiff1d(ORDER, rows)
    X[unused] = Y[unused] = w[unused] = np.nan
    step = build()
    engine = build_engine(step, X, Y, w, len(rows))
    assert np.isfinite(engine.run_epoch(rows))
    assert step.objective.theta.isfinite()


@parametrize_penalty
@parametrize_optimizer
def test_batches_without_weight_are_skipped(optimizer, settings, penalty):
    """The optimizer takes the same steps as if they were not there."""
    X, Y, w = data(weighted=True)
    w[ORDER[4:8]] = 0
    present = np.concatenate([ORDER[:4], ORDER[8:]])
    results = []
    for order in (ORDER, present):
        step = build(optimizer, settings, penalty)
        engine = build_engine(step, X, Y, w, len(order))
        losses = [engine.run_epoch(order) for _ in range(3)]
        assert len(step.objective.batches) == 6
        assert step.optimizer.t == 6
        results.append(
            np.concatenate([losses, [engine.grad_norm], step.objective.theta.flat])
        )
    np.testing.assert_array_equal(*results)


def test_batches_without_weight_do_not_change_the_mean_loss():
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


def double(X, rng):
    return X * 2


def double_in_place(X, rng):
    X *= 2
    return X


@pytest.mark.parametrize("augment", [double, double_in_place])
@pytest.mark.parametrize("order", [None, ORDER], ids=["as they lie", "shuffled"])
@pytest.mark.parametrize("as_input", [np.asarray, np.asfortranarray, csr_matrix])
def test_augmented_batches_are_used_and_the_data_is_unchanged(as_input, order, augment):
    X, Y, w = data(weighted=True)
    source = as_input(X)
    before = source.copy()
    thetas = []
    for X_train, option in [(source, augment), (2 * source, None)]:
        step = build("adam", penalty="both")
        engine = build_engine(step, X_train, Y, w, augment=option)
        for _ in range(3):
            engine.run_epoch(order)
        thetas.append(step.objective.theta.flat)
    np.testing.assert_array_equal(*thetas)
    assert abs(source - before).max() == 0


def test_augment_is_given_each_batch_and_the_generator():
    X, Y, _ = data()
    rng, calls = np.random.default_rng(0), []

    def note(batch, generator):
        calls.append((batch, generator))
        return batch

    engine = build_engine(build(), X, Y, augment=note, rng=rng)
    engine.run_epoch(ORDER)
    assert all(generator is rng for _, generator in calls)
    np.testing.assert_array_equal(np.concatenate([b for b, _ in calls]), X[ORDER])
    assert not any(np.shares_memory(batch, X) for batch, _ in calls)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_results_of_augment_are_cast(dtype):
    X, Y, _ = data()
    step = build()
    build_engine(step, X, Y, augment=lambda X, rng: X.astype(dtype)).run_epoch(None)
    assert all(batch.dtype == np.float64 for batch in step.objective.batches)
    lists = build()
    build_engine(
        lists, X, Y, augment=lambda X, rng: X.astype(dtype).tolist()
    ).run_epoch(None)
    expected = step.objective.theta.flat
    np.testing.assert_array_equal(lists.objective.theta.flat, expected)


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        (lambda X, rng: None, r"got shape \(\) and dtype object"),
        (lambda X, rng: X[:-1], r"of shape \(4, 5\) .* got shape \(3, 5\)"),
        (lambda X, rng: X.astype(str), "dtype <U"),
        (lambda X, rng: X + 1j, "got .* dtype complex128"),
        (lambda X, rng: csr_matrix(X), "a ndarray where .* got csr_matrix"),
    ],
)
def test_invalid_results_of_augment(augment, message):
    X, Y, _ = data()
    engine = build_engine(build(), X, Y, augment=augment)
    with pytest.raises(ValueError, match=f"augment must return .*{message}"):
        engine.run_epoch(None)


@pytest.mark.parametrize("fmt", ["csc", "coo", "lil", "dia", "bsr", "dok"])
@pytest.mark.parametrize("as_sparse", [csr_matrix, csr_array])
def test_sparse_batches_may_come_back_in_any_format(as_sparse, fmt):
    """Also where dropout looks at what they store."""
    X, Y, _ = data()
    thetas = []
    for augment in (None, lambda X, rng: X.asformat(fmt)):
        step = build(network={"dropout": [0.5, 0.0]}, rng=np.random.default_rng(0))
        build_engine(step, as_sparse(X), Y, augment=augment).run_epoch(None)
        thetas.append(step.objective.theta.flat)
    np.testing.assert_allclose(*thetas, rtol=1e-12)


def test_sparse_batches_stay_sparse():
    X, Y, _ = data()
    engine = build_engine(build(), csr_matrix(X), Y, augment=lambda X, rng: X.toarray())
    with pytest.raises(
        ValueError, match=r"augment must return a csr_matrix .* ndarray"
    ):
        engine.run_epoch(None)


@pytest.mark.parametrize("name", [*SCHEDULES, "function"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_rate_of_every_step_is_the_schedules(optimizer, name):
    """Of the base rate, which may change between epochs."""
    learning_rate = (lambda step: 0.5 / (step + 1)) if name == "function" else name
    schedule = make_schedule(
        learning_rate, 0.01, warmup_steps=2, steps_per_epoch=3, total_steps=9
    )
    X, Y, _ = data()
    step, rates = build(optimizer), []
    take = step.optimizer.step

    def noting_the_rate(*args):
        rates.append(step.optimizer.learning_rate)
        take(*args)

    step.optimizer.step = noting_the_rate
    engine = build_engine(step, X, Y, schedule=schedule)
    levels = [0.01, 0.01, 0.004]
    for level in levels:
        step.optimizer.base_learning_rate = level
        engine.run_epoch(None)
        assert step.optimizer.base_learning_rate == level
    expected = [schedule.at_step(levels[k // 3], k) for k in range(9)]
    assert rates == expected
    assert expected[0] == pytest.approx(schedule.rate(0.01, 0, 0) / 2)


@pytest.mark.parametrize("optimizer", STEPPING)
def test_gradient_is_kept_on_request(optimizer):
    """That of the last batch, before it is bounded, and the loss's alone."""
    X, Y, _ = data()
    step = build(optimizer, penalty="both", clip_norm=1e-3)
    engine = build_engine(step, X, Y, keep_gradient=True)
    seen = []
    evaluate = step.objective.__class__.__call__

    def noting_the_gradient(objective, *args):
        E = evaluate(objective, *args)
        seen.append(objective.grad.flat.copy())
        return E

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Spy, "__call__", noting_the_gradient)
        engine.run_epoch(None)
    np.testing.assert_array_equal(engine.gradient, seen[-1])
    norms = [np.linalg.norm(g) for g in seen]
    assert engine.grad_norm == pytest.approx(np.mean(norms), rel=1e-12)
    assert build_engine(build(optimizer), X, Y).gradient is None


@pytest.mark.parametrize("kind", [np.array, csr_matrix])
def test_all_samples_as_they_lie_are_not_copied(kind):
    X, Y, _ = data()
    X = kind(X)
    step = build("sgd")
    build_engine(step, X, Y, batch_size=10).run_epoch(None)
    (batch,) = step.objective.batches
    assert batch is X
