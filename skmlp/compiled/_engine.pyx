"""Extension module of the compiled engine.

It converts the objects of `skmlp.core` to the structures of src/engine.h, and calls the
functions of the engine without the GIL. The computations are in src/.
"""

from cpython.buffer cimport PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.pythread cimport PyThread_get_thread_ident
from libc.math cimport INFINITY
from libc.stdint cimport int64_t, intptr_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from scipy.linalg.cython_blas cimport dgemm, sgemm

from functools import lru_cache

import numpy as np

from skmlp.training.engine import Epoch

cdef extern from "src/blas.h" nogil:
    enum:
        BLAS_SHARES

    ctypedef int get_number_t()
    ctypedef void set_number_t(int)

    void blas_add(get_number_t *get_number, set_number_t *set_number)
    void blas_hold()
    void blas_release()

cdef extern from "src/engine.h" nogil:
    enum:
        HAS_STREAM
        MAX_GATHERED
        MAX_CONSTANTS
        MAX_STATE_ARRAYS
        MAX_HYPERPARAMETERS
        MAX_SCALARS

    ctypedef struct bitgen_t:
        pass

    ctypedef struct Stream:
        uint64_t state[2]
        uint64_t increment[2]
        int has_half, is_known
        uint32_t half

    ctypedef struct Operation:
        int kind
        ptrdiff_t n_in, n_out, n_members
        int frozen, is_output, activation, n_parameters
        double constants[MAX_CONSTANTS]
        void *parameters[2]
        void *gradients[2]
        void *statistics[2]
        const void *input
        void *out
        void *delta
        void *delta_in
        void *buffers[4]

    ctypedef struct Part:
        ptrdiff_t operation
        int parameter, is_weights
        ptrdiff_t row, n_rows, begin, size
        const void *kept

    ctypedef struct OptimizerState:
        int kind
        void *state[MAX_STATE_ARRAYS]
        double hyperparameters[MAX_HYPERPARAMETERS]
        double learning_rate
        double scalars[MAX_SCALARS]
        int64_t t

    ctypedef void gemm_t(char *, char *, int *, int *, int *, void *, void *, int *,
                         void *, int *, void *, void *, int *)

    ctypedef struct Plan:
        gemm_t *gemm
        bitgen_t *bitgen
        Stream stream
        ptrdiff_t n_operations, first
        Operation *operations
        int loss, has_canonical_output, hard_labels
        double loss_constant, loss_divisor
        void *theta
        void *grad
        void *running
        ptrdiff_t n_parameters, n_running, n_parts
        Part *parts
        double l1, l2, weight_decay, clip_norm, max_norm, norm_momentum
        OptimizerState optimizer
        void *X
        void *Y
        void *w
        ptrdiff_t X_row, X_column
        ptrdiff_t batch_size
        void *X_batch
        void *Y_batch
        void *w_batch
        double *block_loss

    ctypedef struct Batch:
        ptrdiff_t number, start, stop, n_weighted, max_weight_row
        double n, learning_rate

    ctypedef struct Totals:
        double loss, grad_norm, mean_loss, penalty

    ctypedef struct EpochResult "Epoch":
        double loss, grad_norm, seconds

    ctypedef struct Threads:
        pass

    ptrdiff_t n_blocks(ptrdiff_t)
    ptrdiff_t prediction_rows(ptrdiff_t)
    void threads_begin(Threads *, int, int, double)
    void threads_end(Threads *)
    int threads_choose(Threads *)
    void threads_record(Threads *, double, double)
    ptrdiff_t divide_f32(const Plan *, const intptr_t *, ptrdiff_t, Batch *)
    ptrdiff_t divide_f64(const Plan *, const intptr_t *, ptrdiff_t, Batch *)
    void train_f32(Plan *, const intptr_t *, ptrdiff_t, const Batch *, Threads *, Totals *)
    void train_f64(Plan *, const intptr_t *, ptrdiff_t, const Batch *, Threads *, Totals *)
    ptrdiff_t train_epochs_f32(
        Plan *, const intptr_t *, ptrdiff_t, ptrdiff_t, Batch *, ptrdiff_t,
        const double *, Threads *, EpochResult *
    )
    ptrdiff_t train_epochs_f64(
        Plan *, const intptr_t *, ptrdiff_t, ptrdiff_t, Batch *, ptrdiff_t,
        const double *, Threads *, EpochResult *
    )
    void shuffle(bitgen_t *, ptrdiff_t, intptr_t *)
    void evaluate_f32(Plan *, const Batch *, int, Threads *, Totals *)
    void evaluate_f64(Plan *, const Batch *, int, Threads *, Totals *)
    void predict_f32(const Plan *, ptrdiff_t, void *, Threads *, void *)
    void predict_f64(const Plan *, ptrdiff_t, void *, Threads *, void *)
    void activate_f32(int, const double *, ptrdiff_t, ptrdiff_t, const void *, void *)
    void activate_f64(int, const double *, ptrdiff_t, ptrdiff_t, const void *, void *)
    void differentiate_f32(int, const double *, ptrdiff_t, ptrdiff_t, const void *,
                           const void *, void *)
    void differentiate_f64(int, const double *, ptrdiff_t, ptrdiff_t, const void *,
                           const void *, void *)
    double loss_sum_f32(int, double, int, ptrdiff_t, const void *, const void *)
    double loss_sum_f64(int, double, int, ptrdiff_t, const void *, const void *)
    void loss_gradient_f32(int, double, ptrdiff_t, const void *, const void *, void *)
    void loss_gradient_f64(int, double, ptrdiff_t, const void *, const void *, void *)
    int c_vector_bytes "vector_bytes"()
    int product_f32(int, int, ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, ptrdiff_t,
                    ptrdiff_t, const void *, const void *, void *)
    int product_f64(int, int, ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, ptrdiff_t,
                    ptrdiff_t, const void *, const void *, void *)
    const char **activation_names
    const char **loss_names
    const char **optimizer_names
    const char **penalty_names
    const char **operation_names
    const char *c_instruction_set "instruction_set"()


cdef tuple names_in(const char **names):
    """Return the names in a list of C that NULL terminates."""
    found = []
    while names[len(found)] != NULL:
        found.append(names[len(found)].decode())
    return tuple(found)


# Names of the formulas in C. The position of a name is its code.
ACTIVATIONS = names_in(activation_names)
LOSSES = names_in(loss_names)
OPTIMIZERS = (None, *names_in(optimizer_names)[1:])
PENALTIES = names_in(penalty_names)
# The parameters of `TrainingStep` that `Model.prepare` supports.
STEP_OPTIONS = ("weight_decay", "clip_norm", "max_norm", "batch_norm_momentum")
OPERATIONS = names_in(operation_names)

# Minimum number of weights of a network for several threads, minimum number of weights of
# a layer that is divided into parts, and maximum size of a part. Large parts are faster,
# because a product can copy an operand for each part.
_WORTH_SHARING, _WORTH_CUTTING, _PART_SIZE = 2**13, 2**12, 2**18


def instruction_set():
    """Return the name of the instruction set of the loops."""
    return c_instruction_set().decode()


cdef void *address(array) except? NULL:
    """Return the address of an array, or NULL for None."""
    cdef Py_buffer view
    if array is None:
        return NULL
    PyObject_GetBuffer(array, &view, PyBUF_STRIDES)
    cdef void *start = view.buf
    PyBuffer_Release(&view)
    return start


cdef bitgen_t *bit_generator(generator) except NULL:
    return <bitgen_t *>PyCapsule_GetPointer(generator.capsule, "BitGenerator")


cdef const intptr_t *first_row(const intptr_t[::1] order) except? NULL:
    """Return the address of an order, or NULL for None."""
    if order is None:
        return NULL
    return &order[0]


# The generator can be shared with other threads, as NumPy's global one is. Its lock is
# held only together with the GIL. Therefore no other thread can fork the process while
# the lock is held, and the child can use the generator.


cdef object draw_orders(
    random_state, const intptr_t[::1] order, intptr_t[:, ::1] orders
):
    """Write the orders of the next epochs, equal to those of `RandomState.shuffle`.

    Each order is the previous one after a shuffle. The first one is `order` after a
    shuffle.

    Returns
    -------
    state : dict
        State of the generator before the call.
    """
    generator = random_state._bit_generator
    cdef bitgen_t *bitgen = bit_generator(generator)
    cdef ptrdiff_t k
    generator.lock.acquire()
    try:
        state = generator.state
        for k in range(orders.shape[0]):
            if k == 0:
                orders[k, :] = order
            else:
                orders[k, :] = orders[k - 1, :]
            shuffle(bitgen, order.shape[0], &orders[k, 0])
    finally:
        generator.lock.release()
    return state


cdef object undo_draws(
    random_state, state, intptr_t[::1] order, ptrdiff_t n_kept, ptrdiff_t n_drawn
):
    """Restore the state of a generator after the first `n_kept` orders of `n_drawn`.

    If another thread has used the generator since, the state is kept, because the same
    numbers would be drawn twice. The content of `order` is overwritten.
    """
    generator = random_state._bit_generator
    twin = type(generator)()
    cdef bitgen_t *bitgen = bit_generator(twin)
    twin.state = state
    for k in range(n_drawn):
        if k == n_kept:
            state = twin.state
        shuffle(bitgen, order.shape[0], &order[0])
    generator.lock.acquire()
    try:
        if are_equal(generator.state, twin.state):
            generator.state = state
    finally:
        generator.lock.release()


cdef bint are_equal(state, other) except -1:
    """Return whether two states of bit generators are equal."""
    if isinstance(state, dict):
        return all([are_equal(state[key], other[key]) for key in state])
    return np.array_equal(state, other)


cdef int copy_numbers(double *target, int max_size, values, owner) except -1:
    """Write numbers to an array of C with space for `max_size` elements."""
    if len(values) > max_size:
        raise ValueError(
            f"the compiled engine supports at most {max_size} numbers of this kind, got "
            f"{len(values)} of {owner!r}."
        )
    for k, value in enumerate(values):
        target[k] = value
    return 0


cdef int set_activation(Operation *op, activation) except -1:
    op.activation = ACTIVATIONS.index(activation.name)
    return copy_numbers(op.constants, MAX_CONSTANTS, activation.constants, activation)


cdef ptrdiff_t set_operation(Operation *op, layer, ptrdiff_t n_members) except -1:
    """Set the fields of an operation that do not depend on the arrays.

    Returns
    -------
    n_members : int
        Number of rows of its output for each sample, from that of its input.
    """
    op.n_members = n_members * layer.n_rows_out
    op.kind = OPERATIONS.index(layer.operation)
    op.n_in, op.n_out, op.frozen = layer.n_in, layer.n_out, layer.frozen
    op.n_parameters = len(layer.parameters)
    if hasattr(layer, "g"):
        set_activation(op, layer.g)
    else:
        copy_numbers(op.constants, MAX_CONSTANTS, layer.constants, layer)
    return op.n_members


cdef void set_arrays(Operation *op, list arrays) except *:
    """Set the parameters and running statistics of an operation."""
    cdef int k, n = op.n_parameters
    for k in range(n):
        op.parameters[k] = address(arrays[k])
    for k in range(n, len(arrays)):
        op.statistics[k - n] = address(arrays[k])


cdef double constant_of(loss) except *:
    """Return the constant in the formula of a loss, or 0."""
    cdef double constant = 0.0
    copy_numbers(&constant, 1, loss.constants, loss)
    return constant


cdef void set_input(Plan *plan, X) except *:
    plan.X = address(X)
    plan.X_row = X.strides[0] // X.itemsize
    plan.X_column = X.strides[1] // X.itemsize


def n_multiplications(network):
    """Return the number of multiplications in the products of a sample."""
    sizes = network.layer_sizes
    return network.n_members * sum(
        [n_in * n_out for n_in, n_out in zip(sizes, sizes[1:])]
    )


cdef class Tuner:
    """Measurements of the best number of threads for a kind of computation."""

    cdef Threads threads

    # The rule without computations, for the tests.

    def begin(self, int max_threads, double guess=0.0):
        """Begin a series of steps with at most `max_threads` threads."""
        threads_begin(&self.threads, max_threads, False, guess)

    def choose(self):
        """Return the number of threads for the next step."""
        return threads_choose(&self.threads)

    def record(self, double work, double seconds):
        """Record the time of a step."""
        threads_record(&self.threads, work, seconds)


@lru_cache(maxsize=128)
def tuner(*kind):
    """Return the tuner of a kind of computation.

    It is kept for the next fit or prediction, because a single one can be too short for
    measurements. Results do not depend on it.
    """
    return Tuner()


cdef class Model:
    """Network, parameters, buffers for a batch and samples.

    Parameters
    ----------
    objective : Objective
        Network, penalty, parameters and their gradient.

    workspace : Workspace
        Buffers for the largest batch.

    X, Y, w : ndarray
        As of `NumpyEngine`, dense; `Y` and `w` C-contiguous.
    """

    cdef Plan plan
    cdef bint is_single
    cdef ptrdiff_t n_samples
    cdef Batch *batches
    cdef Tuner tuner
    cdef double multiplications
    cdef list owners
    cdef object optimizer, generator

    def __cinit__(self, objective, workspace, X, Y, w):
        cdef Plan *p = &self.plan
        network, penalty = objective.network, objective.penalty
        theta, grad = objective.theta, objective.grad
        dtype = theta.flat.dtype
        self.owners = [theta, grad, workspace, X, Y, w]
        self.is_single = dtype == np.float32
        p.gemm = <gemm_t *>sgemm if self.is_single else <gemm_t *>dgemm

        self._set_operations(objective, workspace)
        p.loss = LOSSES.index(network.loss.name)
        p.loss_constant = constant_of(network.loss)
        p.has_canonical_output = network.has_canonical_output
        p.hard_labels = Y.dtype == bool
        p.loss_divisor = objective.divisor

        p.theta, p.grad = address(theta.flat), address(grad.flat)
        p.running = address(theta.running)
        p.n_parameters, p.n_running = theta.flat.size, theta.running.size
        self._cut_parts(network, theta)
        p.l1, p.l2 = penalty.l1, penalty.l2
        p.clip_norm = p.max_norm = INFINITY

        set_input(p, X)
        p.Y, p.w = address(Y), address(w)
        p.batch_size = workspace.n_samples
        self.n_samples = X.shape[0]
        self.tuner = tuner(
            "fit", network.layer_sizes, network.n_members, p.batch_size, dtype
        )
        # The forward pass, and twice as many in backpropagation.
        self.multiplications = 3.0 * p.batch_size * n_multiplications(network)
        buffers = [
            np.empty((min(p.batch_size, MAX_GATHERED), X.shape[1]), dtype),
            np.empty((p.batch_size * network.n_members, Y.shape[1]), dtype),
            np.empty(p.batch_size * network.n_members, dtype),
            np.empty(n_blocks(p.batch_size)),
        ]
        self.owners += buffers
        p.X_batch, p.Y_batch = address(buffers[0]), address(buffers[1])
        p.w_batch, p.block_loss = address(buffers[2]), <double *>address(buffers[3])

    def __dealloc__(self):
        free(self.plan.operations)
        free(self.plan.parts)
        free(self.batches)

    cdef int _set_operations(self, objective, workspace) except -1:
        cdef Plan *p = &self.plan
        cdef Operation *op
        cdef void *A = NULL  # the samples
        cdef void *delta = address(workspace.delta)
        layers = workspace.layers
        p.n_operations, p.first = len(layers), objective.network.first + 1
        p.operations = <Operation *>calloc(p.n_operations, sizeof(Operation))
        if p.operations == NULL:
            raise MemoryError
        kept = []
        cdef ptrdiff_t n_members = 1
        for i, layer in enumerate(layers):
            op = &p.operations[i]
            n_members = set_operation(op, layer, n_members)
            set_arrays(op, objective.arrays[i])
            op.is_output = i == p.n_operations - 2
            for k, array in enumerate(objective.grads[i][:op.n_parameters]):
                op.gradients[k] = address(array)
            for k, array in enumerate(layer.buffers):
                op.buffers[k] = address(array)
            if layer.keeps_input:
                kept.append(i)
            elif layer.takes_kept:
                branch = kept.pop()
                op.buffers[1] = <void *>p.operations[branch].input
                p.operations[branch].buffers[0] = op.buffers[0]
            op.input = A
            if layer.out is not None:
                A = address(layer.out)
            op.out = A
        for i in reversed(range(p.n_operations)):
            op = &p.operations[i]
            op.delta = op.delta_in = delta
            if layers[i].delta is not None:
                delta = op.delta_in = address(layers[i].delta)
            elif i <= objective.network.first:
                op.delta_in = NULL
        return 0

    cdef int _cut_parts(self, network, theta) except -1:
        """Divide the vector of all parameters into parts."""
        cdef Part *part
        places = {}  # layer and position of each array by its address
        cuts = []
        for i, arrays in enumerate(network.arrange(theta)):
            for k, array in enumerate(arrays):
                places[<uintptr_t>address(array)] = i, k
        for group in theta.layout.parameters:
            for array in theta.groups[group]:
                i, k = places[<uintptr_t>address(array)]
                kept = array.copy() if network.layers[i].frozen else None
                self.owners.append(kept)
                n_rows, n_columns = array.shape if array.ndim == 2 else (1, array.size)
                n_parts = 1
                if theta.weights.size > _WORTH_SHARING and array.size > _WORTH_CUTTING:
                    n_parts = min(n_rows, 2 * -(-array.size // (2 * _PART_SIZE)))
                for j in range(n_parts):
                    row, stop = n_rows * j // n_parts, n_rows * (j + 1) // n_parts
                    cuts.append((i, k, group == "coefs", row, stop - row, n_columns, kept))
        self.plan.parts = <Part *>calloc(len(cuts), sizeof(Part))
        if self.plan.parts == NULL:
            raise MemoryError
        self.plan.n_parts, begin = len(cuts), 0
        for j, (i, k, is_weights, row, n_rows, n_columns, kept) in enumerate(cuts):
            part = &self.plan.parts[j]
            part.operation, part.parameter, part.is_weights = i, k, is_weights
            part.row, part.n_rows = row, n_rows
            part.begin, part.size = begin, n_rows * n_columns
            if kept is not None:
                part.kept = address(kept[row:row + n_rows] if kept.ndim == 2 else kept)
            begin += part.size
        return 0

    def prepare(self, step, n_train):
        """Set the options of a `TrainingStep` on `n_train` samples."""
        cdef Plan *p = &self.plan
        self.optimizer = step.optimizer
        p.optimizer.kind = OPTIMIZERS.index(step.optimizer.name)
        arrays = [getattr(step.optimizer, name) for name in step.optimizer.state]
        arrays = [value for value in arrays if isinstance(value, np.ndarray)]
        if len(arrays) > MAX_STATE_ARRAYS:
            raise ValueError(
                f"the compiled engine supports at most {MAX_STATE_ARRAYS} arrays in "
                f"the state of an optimizer, got {len(arrays)} of {step.optimizer!r}."
            )
        self.owners += [arrays, step.rng]
        for k, array in enumerate(arrays):
            p.optimizer.state[k] = address(array)
        p.weight_decay = step.weight_decay
        p.clip_norm = INFINITY if step.clip_norm is None else step.clip_norm
        p.max_norm = INFINITY if step.max_norm is None else step.max_norm
        p.norm_momentum = step.batch_norm_momentum
        if step.objective.network.draws:
            self.generator = step.rng.bit_generator
            p.bitgen = bit_generator(self.generator)
        self.batches = <Batch *>calloc(-(-n_train // p.batch_size), sizeof(Batch))
        if self.batches == NULL:
            raise MemoryError

    def begin_epoch(self, const intptr_t[::1] order, ptrdiff_t n_train):
        """Divide an epoch into batches.

        Returns
        -------
        numbers : list of int
            Numbers of the batches with a positive weight.
        """
        divide = divide_f32 if self.is_single else divide_f64
        n_batches = divide(&self.plan, first_row(order), n_train, self.batches)
        return [self.batches[k].number for k in range(n_batches)]

    def train(
        self,
        const intptr_t[::1] order,
        rates,
        ptrdiff_t first,
        ptrdiff_t last,
        int n_threads,
        bint is_fixed,
    ):
        """Make the steps of some batches of the current epoch.

        Parameters
        ----------
        order : ndarray of intptr of shape (n_train,) or None
            The order that was passed to `begin_epoch`.

        rates : list of float
            Learning rates of the batches.

        first, last : int
            The batches are those from `first` to before `last`.

        n_threads : int
            Largest number of threads.

        is_fixed : bool
            Whether to use so many, and not fewer where these are faster.

        Returns
        -------
        loss, grad_norm : float
            Sums of the objectives times the batch's sizes, and of the norms.

        n_samples : int
            Sum of the batch's sizes.
        """
        cdef Totals totals
        cdef Plan *p = &self.plan
        cdef const intptr_t *rows = first_row(order)
        cdef const Batch *batches = &self.batches[first]
        cdef Threads threads = self.tuner.threads
        cdef ptrdiff_t n_samples = 0
        totals.loss = totals.grad_norm = 0
        for k in range(first, last):
            self.batches[k].learning_rate = rates[k]
            n_samples += self.batches[k].stop - self.batches[k].start
        self._load_optimizer()
        self._load_stream()
        with nogil:
            threads_begin(&threads, n_threads, is_fixed, self.multiplications)
            if self.is_single:
                train_f32(p, rows, last - first, batches, &threads, &totals)
            else:
                train_f64(p, rows, last - first, batches, &threads, &totals)
            threads_end(&threads)
        self.tuner.threads = threads
        self._store_optimizer()
        self._store_stream()
        return totals.loss, totals.grad_norm, n_samples

    def train_epochs(
        self,
        intptr_t[::1] order,
        random_state,
        rates,
        int n_threads,
        bint is_fixed,
        reports,
    ):
        """Run epochs.

        Parameters
        ----------
        order : ndarray of intptr of shape (n_train,) or None
            Order of the samples. With `random_state`, it is shuffled before each epoch
            and contains the order of the last epoch afterwards.

        random_state : RandomState or None
            Generator that shuffles the order. It is drawn from before training
            starts, and is not used or locked while the GIL is released.

        rates : ndarray of shape (n_epochs,)
            Learning rate of each epoch.

        n_threads : int
            Largest number of threads.

        is_fixed : bool
            Whether to use so many, and not fewer where these are faster.

        reports : list of Epoch
            Where to append what came of them; the last one may have left something
            infinite behind. The interpreter looks for an interrupt by the user when
            this returns, and not before.
        """
        cdef Plan *p = &self.plan
        cdef const double[::1] etas = rates
        cdef const intptr_t *rows = first_row(order)
        cdef ptrdiff_t n_epochs = len(rates), n_done, stride = 0
        cdef ptrdiff_t n_train = self.n_samples if order is None else order.shape[0]
        cdef intptr_t[:, ::1] orders = None
        results = np.empty((n_epochs, 3))
        cdef EpochResult *epochs = <EpochResult *>address(results)
        cdef Threads threads = self.tuner.threads
        self._load_optimizer()
        self._load_stream()
        if random_state is not None:
            orders = np.empty((n_epochs, n_train), np.intp)
            state = draw_orders(random_state, order, orders)
            rows, stride = &orders[0, 0], n_train
        with nogil:
            threads_begin(&threads, n_threads, is_fixed, self.multiplications)
            if self.is_single:
                n_done = train_epochs_f32(p, rows, stride, n_train, self.batches,
                                          n_epochs, &etas[0], &threads, epochs)
            else:
                n_done = train_epochs_f64(p, rows, stride, n_train, self.batches,
                                          n_epochs, &etas[0], &threads, epochs)
            threads_end(&threads)
        self.tuner.threads = threads
        self._store_optimizer()
        self._store_stream()
        if random_state is not None:
            if n_done < n_epochs:
                undo_draws(random_state, state, order, n_done, n_epochs)
            order[:] = orders[n_done - 1]
        self.optimizer.epoch += n_done
        for (loss, grad_norm, seconds), rate in zip(results[:n_done].tolist(), rates):
            reports.append(Epoch(loss, grad_norm, float(rate), seconds))

    cdef int _load_optimizer(self) except -1:
        cdef OptimizerState *state = &self.plan.optimizer
        optimizer = self.optimizer
        values = [getattr(optimizer, name) for name in optimizer.hyperparameters]
        copy_numbers(state.hyperparameters, MAX_HYPERPARAMETERS, values, optimizer)
        values = [getattr(optimizer, name) for name in optimizer.scalars]
        copy_numbers(state.scalars, MAX_SCALARS, values, optimizer)
        state.t = optimizer.t
        return 0

    cdef int _store_optimizer(self) except -1:
        cdef OptimizerState *state = &self.plan.optimizer
        self.optimizer.t = state.t
        self.optimizer.learning_rate = state.learning_rate
        for k, name in enumerate(self.optimizer.scalars):
            setattr(self.optimizer, name, state.scalars[k])
        return 0

    cdef int _load_stream(self) except -1:
        cdef Stream *stream = &self.plan.stream
        stream.is_known = HAS_STREAM and type(self.generator) is np.random.PCG64
        if not stream.is_known:
            return 0
        state = self.generator.state
        stream.state = divmod(state["state"]["state"], 1 << 64)
        stream.increment = divmod(state["state"]["inc"], 1 << 64)
        stream.has_half, stream.half = state["has_uint32"], state["uinteger"]
        return 0

    cdef int _store_stream(self) except -1:
        cdef Stream *stream = &self.plan.stream
        if not stream.is_known:
            return 0
        state = self.generator.state
        state["state"]["state"] = int(stream.state[0]) << 64 | int(stream.state[1])
        state["has_uint32"], state["uinteger"] = stream.has_half, stream.half
        self.generator.state = state
        return 0

    def evaluate(self, bint with_gradient, int n_threads, bint is_fixed):
        """Evaluate the objective on all samples.

        Returns
        -------
        loss, penalty : float
            The two parts of the objective.

        n : float
            Sum of the weights.

        n_weighted : int
            Number of those that are positive.
        """
        cdef Totals totals
        cdef Batch batch
        cdef Threads threads = self.tuner.threads
        if self.plan.batch_size != self.n_samples:
            raise ValueError(
                f"the workspace must be for all {self.n_samples} samples, got "
                f"{self.plan.batch_size}."
            )
        totals.loss = totals.grad_norm = 0
        with nogil:
            threads_begin(&threads, n_threads, is_fixed, self.multiplications)
            if self.is_single:
                divide_f32(&self.plan, NULL, self.n_samples, &batch)
                evaluate_f32(&self.plan, &batch, with_gradient, &threads, &totals)
            else:
                divide_f64(&self.plan, NULL, self.n_samples, &batch)
                evaluate_f64(&self.plan, &batch, with_gradient, &threads, &totals)
            threads_end(&threads)
        self.tuner.threads = threads
        return totals.mean_loss, totals.penalty, batch.n, batch.n_weighted


cdef class Prediction:
    """Prediction with a network, for any parameters.

    Parameters
    ----------
    network : Network
        The network.
    """

    cdef Operation *operations
    cdef ptrdiff_t n_operations, n_in, widest, n_members
    cdef int n_buffers
    cdef list indices, places
    cdef tuple layer_sizes
    cdef double n_weights

    def __cinit__(self, network):
        layers = network.layers[:-1]
        self.layer_sizes = sizes = network.layer_sizes
        cdef ptrdiff_t n_members = network.n_members
        self.n_in, self.n_members = sizes[0], n_members
        # The rows of members have the input, too.
        self.widest = n_members * max(sizes if n_members > 1 else sizes[1:])
        self.n_weights = n_multiplications(network)
        # Layers such as dropout do nothing in prediction.
        self.indices = [i for i, layer in enumerate(layers) if not layer.draws]
        self.n_operations = len(self.indices)
        self.operations = <Operation *>calloc(self.n_operations, sizeof(Operation))
        if self.operations == NULL:
            raise MemoryError
        n_members = 1
        for k, i in enumerate(self.indices):
            n_members = set_operation(&self.operations[k], layers[i], n_members)
        self._assign_buffers([layers[i] for i in self.indices])

    def __dealloc__(self):
        free(self.operations)

    cdef int _assign_buffers(self, layers) except -1:
        """Assign buffers to the inputs and outputs, and reuse buffers.

        There is another buffer for intermediate results of an operation.
        """
        cdef list kept = [], unused = []
        current = -1  # the samples
        self.places = []
        for layer in layers:
            if layer.keeps_input:
                kept.append(current)
            second, before = -1, current
            if layer.takes_kept:
                second = kept.pop()
                unused.append(second)
            elif not layer.in_place:
                if not unused:
                    unused.append(self.n_buffers)
                    self.n_buffers += 1
                current = unused.pop()
                if before >= 0 and before not in kept:
                    unused.append(before)
            self.places.append((before, current, second))
        return 0

    def __call__(self, arrays, X, out, int n_threads, bint is_fixed):
        """Write the output before the output activation into `out`.

        Parameters
        ----------
        arrays : list of list of ndarray
            Parameters and running statistics of each layer, C-contiguous, of the dtype
            of `X` and `out`.

        X : ndarray of shape (n_samples, n_features)
            Input.

        out : ndarray of shape (n_samples * n_members, n_outputs)
            Overwritten, C-contiguous.

        n_threads : int
            Largest number of threads.

        is_fixed : bool
            Whether to use so many, and not fewer where these are faster.
        """
        cdef Plan plan
        cdef ptrdiff_t n_samples = X.shape[0]
        cdef ptrdiff_t n_rows = prediction_rows(n_samples)
        cdef bint is_single = out.dtype == np.float32
        cdef double multiplications = n_samples * self.n_weights
        cdef Tuner tuner_ = tuner(
            "predict", int(n_samples).bit_length(), is_single, self.layer_sizes,
            self.n_members,
        )
        # A copy, because another Python thread can predict at the same time.
        cdef Threads threads = tuner_.threads
        cdef void *out_ = address(out)
        cdef ptrdiff_t of_thread = n_rows * self.widest * (self.n_buffers + 1)
        buffers = np.empty(n_threads * (n_rows * self.n_in + of_thread), out.dtype)
        cdef char *memory = <char *>address(buffers)
        cdef ptrdiff_t start = n_threads * n_rows * self.n_in
        cdef ptrdiff_t itemsize = out.itemsize
        plan.gemm = <gemm_t *>sgemm if is_single else <gemm_t *>dgemm
        plan.n_operations = self.n_operations
        plan.operations = <Operation *>calloc(
            n_threads * self.n_operations, sizeof(Operation)
        )
        if plan.operations == NULL:
            raise MemoryError
        try:
            for k in range(n_threads):
                self._set_operations(
                    &plan.operations[k * self.n_operations],
                    arrays,
                    memory + start * itemsize,
                    n_rows * self.widest * itemsize,
                )
                start += of_thread
            set_input(&plan, X)
            with nogil:
                threads_begin(&threads, n_threads, is_fixed, multiplications)
                if is_single:
                    predict_f32(&plan, n_samples, memory, &threads, out_)
                else:
                    predict_f64(&plan, n_samples, memory, &threads, out_)
                threads_end(&threads)
            tuner_.threads = threads
        finally:
            free(plan.operations)

    cdef int _set_operations(
        self, Operation *operations, arrays, char *memory, ptrdiff_t size
    ) except -1:
        """Set the operations of a thread, whose buffers begin at `memory`."""
        cdef Operation *op
        cdef ptrdiff_t k, before, current, second
        memcpy(operations, self.operations, self.n_operations * sizeof(Operation))
        for k in range(self.n_operations):
            op = &operations[k]
            set_arrays(op, arrays[self.indices[k]])
            before, current, second = self.places[k]
            op.input = NULL if before < 0 else memory + before * size
            op.out = memory + current * size
            op.buffers[0] = memory + self.n_buffers * size
            op.buffers[1] = NULL if second < 0 else memory + second * size
        return 0


# Computations, and the number of threads of BLAS while they run.
#
# The functions below hold the GIL and do not run Python code. Therefore they cannot be
# interrupted by another thread, a fork or an exception of a signal handler, and no lock
# is required, which a fork could leave locked.

cdef struct Node:
    Node *previous
    Node *next
    unsigned long thread
    bint holds_blas

cdef bint has_libraries = False
cdef bint is_held = False
cdef Node computations  # head of a circular list of those that run
computations.previous = computations.next = &computations


def blas_shares(double multiplications):
    """Return whether BLAS may share a product out among its threads."""
    return multiplications > BLAS_SHARES


def set_blas_libraries(functions):
    """Set which BLAS libraries are held to one thread.

    The first call counts; later ones are ignored.

    Parameters
    ----------
    functions : list of (int, int)
        For each library the addresses of two C functions: one returns its number of
        threads, the other sets it.
    """
    global has_libraries
    cdef uintptr_t get_number, set_number
    if has_libraries:
        return
    has_libraries = True
    for get_number, set_number in functions:
        blas_add(<get_number_t *>get_number, <set_number_t *>set_number)


cdef void update_blas() noexcept:
    """Hold BLAS to one thread if a computation wants it, and release it if none does."""
    global is_held
    cdef bint hold = False
    cdef Node *node = computations.next
    while node != &computations:
        hold = hold or node.holds_blas
        node = node.next
    if hold == is_held:
        return
    if hold:
        blas_hold()
    else:
        blas_release()
    is_held = hold


cdef void remove(Node *node) noexcept:
    """Remove a computation from the list, unless it has been removed before."""
    if node.next != NULL:
        node.previous.next, node.next.previous = node.next, node.previous
        node.previous = node.next = NULL
        update_blas()


cdef class Computation:
    """The context of a computation.

    A computation that is not left, because an exception came in between, ends when
    nothing refers to the object any more.

    Parameters
    ----------
    holds_blas : bool
        Whether BLAS is held to one thread meanwhile.
    """

    cdef Node node

    def __cinit__(self, bint holds_blas):
        self.node.holds_blas = holds_blas

    def __enter__(self):
        if self.node.next == NULL:
            self.node.thread = PyThread_get_thread_ident()
            self.node.previous = computations.previous
            self.node.next = &computations
            computations.previous.next = &self.node
            computations.previous = &self.node
            update_blas()

    def __exit__(self, kind, error, traceback):
        remove(&self.node)

    def __dealloc__(self):
        remove(&self.node)


cdef list locks_of_fork = []


def before_fork():
    """Wait until no thread draws from NumPy's global generator, and lock it.

    NumPy holds the lock without the GIL while it draws an array. A process forked in
    that moment could never use the generator.
    """
    lock = np.random.mtrand._rand._bit_generator.lock
    lock.acquire()
    locks_of_fork.append(lock)


def after_fork_in_parent():
    """Unlock NumPy's global generator."""
    if locks_of_fork:
        locks_of_fork.pop().release()


def after_fork_in_child():
    """Unlock NumPy's global generator, and end the computations of other threads.

    Only the current thread goes on in a process that has just been forked.
    """
    after_fork_in_parent()
    cdef unsigned long me = PyThread_get_thread_ident()
    cdef Node *node = computations.next
    cdef Node *following
    while node != &computations:
        following = node.next
        if node.thread != me:
            remove(node)
        node = following


class RunningThreads:
    """The threads in which computations run, as a collection with a length."""

    def __len__(self):
        cdef Node *node = computations.next
        cdef Node *earlier
        cdef int n_threads = 0
        while node != &computations:
            earlier = computations.next
            while earlier != node and earlier.thread != node.thread:
                earlier = earlier.next
            n_threads += earlier == node
            node = node.next
        return n_threads


# Single formulas for the tests.


def activate(activation, Z, A):
    """Write g(Z) into A, as `Activation.forward`."""
    cdef Operation op
    cdef ptrdiff_t n_rows = Z.shape[0], n_columns = Z.shape[1]
    set_activation(&op, activation)
    if Z.dtype == np.float32:
        activate_f32(op.activation, op.constants, n_rows, n_columns, address(Z),
                     address(A))
    else:
        activate_f64(op.activation, op.constants, n_rows, n_columns, address(Z),
                     address(A))


def differentiate(activation, Z, A, delta):
    """Turn dE/dA into dE/dZ, as `Activation.backward`."""
    cdef Operation op
    cdef ptrdiff_t n_rows = Z.shape[0], n_columns = Z.shape[1]
    set_activation(&op, activation)
    if Z.dtype == np.float32:
        differentiate_f32(op.activation, op.constants, n_rows, n_columns,
                          address(Z), address(A), address(delta))
    else:
        differentiate_f64(op.activation, op.constants, n_rows, n_columns,
                          address(Z), address(A), address(delta))


def loss_and_gradient(loss, Y, P, out, hard_labels=False):
    """Sum of the loss; its gradient goes into `out`, as by `Loss.gradient`."""
    cdef int code = LOSSES.index(loss.name), hard = hard_labels
    cdef double constant = constant_of(loss)
    if P.dtype == np.float32:
        loss_gradient_f32(code, constant, P.size, address(Y), address(P), address(out))
        return loss_sum_f32(code, constant, hard, P.size, address(Y), address(P))
    loss_gradient_f64(code, constant, P.size, address(Y), address(P), address(out))
    return loss_sum_f64(code, constant, hard, P.size, address(Y), address(P))


def vector_bytes():
    """Return the size of a vector in the products in tiles, or 0 without tiles."""
    return c_vector_bytes()


def multiply_in_tiles(kind, bytes, A, B, C, b=None):
    """Write A B + b or A B^T into C or add A B, with vectors of a size in bytes.

    `kind` is "multiply", "add_product" or "multiply_transposed". Only `A` can have
    strides.
    """
    cdef int code = ("multiply", "add_product", "multiply_transposed").index(kind)
    cdef ptrdiff_t m = C.shape[0], n = C.shape[1], k = A.shape[1]
    cdef ptrdiff_t A_row = A.strides[0] // A.itemsize, A_column = A.strides[1] // A.itemsize
    product = product_f32 if A.dtype == np.float32 else product_f64
    if not product(code, bytes, m, k, n, <void *><uintptr_t>A.ctypes.data, A_row,
                   A_column, address(B), address(b), address(C)):
        raise ValueError(f"There are no tiles with vectors of {bytes} bytes.")
