"""Methods that inspect a fitted network."""

import math
from collections.abc import Callable
from numbers import Real

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array, check_random_state, check_scalar
from sklearn.utils.validation import check_is_fitted

from skmlp._warnings import warn
from skmlp.core import inference
from skmlp.core._typing import Array, MatrixLike
from skmlp.estimators.summary import NetworkSummary, summarize

INTEGERS = (int, np.integer)


class InspectionMixin:
    """Methods of the estimators that inspect the network and its units."""

    def summary(self) -> NetworkSummary:
        """Return a table of the layers with their sizes and parameters.

        Returns
        -------
        summary : NetworkSummary
            An object that is printed as a table, and shown as an HTML table in
            notebooks. Its attribute `layers` has the rows, which are named tuples;
            `n_parameters`, `n_trainable`, `n_bytes` and `dtype` are the totals.
            Dropout and frozen layers are those of the last training. `n_bytes` is the
            memory of the parameters and of the running statistics of batch
            normalization.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skmlp import MLPClassifierScratch
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = MLPClassifierScratch((8, 4), dropout=0.2, max_iter=5).fit(X, y)
        >>> clf.summary()
        layer     units  activation  weights  parameters  dropout
        ---------------------------------------------------------
        input         4
        hidden 1      8  relu        4 x 8            40      0.2
        hidden 2      4  relu        8 x 4            36      0.2
        output        3  softmax     4 x 3            15
        ---------------------------------------------------------
        91 parameters, all trainable; 728 bytes in float64
        >>> [layer.units for layer in clf.summary().layers]
        [4, 8, 4, 3]
        """
        check_is_fitted(self)
        return summarize(*self._inference())

    def _html_repr(self) -> str:
        """Return the diagram of scikit-learn, followed by the layers if fitted.

        This is called where the estimator itself is displayed, and not for the diagram
        of a meta-estimator that contains it.
        """
        diagram = super()._html_repr()  # type: ignore[misc]
        # A callback may display the estimator during its first training.
        if not hasattr(self, "_network"):
            return diagram
        return diagram + self.summary()._html_details()

    def hidden_activations(self, X: MatrixLike) -> list[Array]:
        """Compute the activations of the hidden layers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        activations : list of ndarray of shape (n_samples, n_members * n_units)
            One array for each hidden layer. The activations are those of prediction:
            without dropout, and with the running statistics of batch normalization.
            The units of the members of an ensemble are side by side.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skmlp import MLPClassifierScratch
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = MLPClassifierScratch((8, 4), max_iter=5, random_state=0).fit(X, y)
        >>> [A.shape for A in clf.hidden_activations(X)]
        [(150, 8), (150, 4)]
        """
        X = self._check_input(X)
        hidden = inference.call_with_errors_ignored(
            inference.hidden_activations, *self._inference(), X
        )
        for l, A in enumerate(hidden):
            self._check_finite(A, X, f"activation of hidden layer {l}")
        return hidden

    def input_gradient(self, X: MatrixLike, output: int | None = None) -> Array:
        r"""Compute the gradient of an output with respect to the input (saliency).

        .. math:: \frac{\partial f_k(x_i)}{\partial x_{ij}}

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        output : int, default=None
            Index k of the output. The outputs of a regressor are its predictions. The
            outputs of a classifier are the columns of `decision_function`, in the
            order of `classes_`. For two classes there is one output, which belongs to
            ``classes_[1]``. None selects the only output if there is one, and the
            predicted class of each sample if there are three or more classes.

        Returns
        -------
        gradient : ndarray of shape (n_samples, n_features)
            The gradient, in the dtype of the network.

        Raises
        ------
        ValueError
            If `output` is not the index of an output, or is None for a regressor with
            several targets or a classifier with several labels.

        References
        ----------
        K. Simonyan, A. Vedaldi and A. Zisserman, "Deep inside convolutional
        networks: visualising image classification models and saliency maps",
        ICLR workshop 2014.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import MLPRegressorScratch
        >>> X = np.random.RandomState(0).randn(100, 2)
        >>> reg = MLPRegressorScratch(hidden_layer_sizes=(), solver="lbfgs", alpha=0)
        >>> reg.fit(X, 3 * X[:, 0] - X[:, 1]).input_gradient(X[:1]).round(3)
        array([[ 3., -1.]])
        """
        X = self._check_input(X)
        output = self._check_output(output)

        def seed(A: Array) -> Array:
            return _one_hot(A, A.argmax(axis=1) if output is None else output)

        gradient = self._input_gradient(X, seed, self._end_of(-1)[1])
        if "target_scale_" in vars(self):
            gradient *= self.target_scale_[output]
        return gradient

    def reconstruct_input(
        self,
        output: int,
        *,
        layer: int = -1,
        X_init: npt.ArrayLike | None = None,
        l2: float = 0.01,
        learning_rate: float = 0.1,
        max_iter: int = 500,
        tol: float = 1e-6,
        random_state: int | np.random.RandomState | None = None,
    ) -> Array:
        r"""Find an input that maximizes the activation of a unit.

        This is feature visualization by gradient ascent from `X_init` on

        .. math:: f_k(x) - \frac{\lambda}{2} \lVert x \rVert_2^2

        Parameters
        ----------
        output : int
            Index k of the unit in its layer. For the output layer, see
            `input_gradient`.

        layer : int, default=-1
            Index of the layer in `coefs_`: -1 is the output layer, 0 the first hidden
            layer.

        X_init : array-like of shape (n_samples, n_features), default=None
            Initial inputs. There is one result for each. None for one input that is
            drawn from N(0, 0.01^2). It is not zero, where the gradient of some units
            is zero.

        l2 : float, default=0.01
            Strength lambda of the L2 term. It must be greater than 0, because the
            activation may have no maximum without it.

        learning_rate : float, default=0.1
            Step size. It must be less than 2 / l2.

        max_iter : int, default=500
            Maximum number of steps.

        tol : float, default=1e-6
            The ascent ends when the absolute values of the gradient are at most `tol`.

        random_state : int, RandomState instance or None, default=None
            Random numbers of the initial input.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            The inputs, in the dtype of the network. They are scaled like the input of
            the network. If a scaler precedes it, apply its `inverse_transform`.

        Raises
        ------
        ValueError
            If an argument is not valid.

        Warns
        -----
        UserWarning
            If the gradient is zero at an initial input.

        References
        ----------
        D. Erhan, Y. Bengio, A. Courville and P. Vincent, "Visualizing
        higher-layer features of a deep network", technical report 1341,
        University of Montreal, 2009.

        Examples
        --------
        For a linear unit w'x + b the result is w / lambda:

        >>> import numpy as np
        >>> from skmlp import MLPRegressorScratch
        >>> X = np.random.RandomState(0).randn(100, 2)
        >>> reg = MLPRegressorScratch(hidden_layer_sizes=(), solver="lbfgs", alpha=0)
        >>> reg.fit(X, 3 * X[:, 0] - X[:, 1])
        MLPRegressorScratch(alpha=0, hidden_layer_sizes=(), solver='lbfgs')
        >>> reg.reconstruct_input(0, l2=1.0, random_state=0).round(3)
        array([[ 3., -1.]])
        """
        for name, value in ("l2", l2), ("learning_rate", learning_rate):
            check_scalar(value, name, Real, min_val=0, include_boundaries="neither")
            if math.isnan(value):
                raise ValueError(f"{name} must be greater than 0, got {value!r}.")
        check_scalar(max_iter, "max_iter", INTEGERS, min_val=1)
        if learning_rate * l2 >= 2:
            raise ValueError(
                "learning_rate must be less than 2 / l2, or the ascent diverges; got "
                f"learning_rate={learning_rate!r} with l2={l2!r}."
            )
        check_is_fitted(self)
        n_units, stop = self._end_of(layer)
        output = _check_index(output, n_units, f"units of layer {layer}")
        if X_init is None:
            rng = check_random_state(random_state)
            X = rng.normal(0, 0.01, (1, self.n_features_in_))
        else:
            X = check_array(X_init)
            if X.shape[1] != self.n_features_in_:
                raise ValueError(
                    f"X_init must have {self.n_features_in_} features, got "
                    f"{X.shape[1]}."
                )
        X = np.array(X, self.coefs_[0].dtype)

        def seed(A: Array) -> Array:
            return _one_hot(A, output)

        for step in range(max_iter):
            gradient = self._input_gradient(X, seed, stop)
            if step == 0 and not gradient.any(axis=1).all():
                warn(
                    f"The gradient of unit {output} of layer {layer} is zero at the "
                    "initial input, as that of a ReLU whose output is 0, so that the "
                    "input does not change. Pass samples that activate the unit as "
                    "X_init, see hidden_activations.",
                )
            gradient -= l2 * X
            if np.abs(gradient).max() <= tol:
                break
            X += learning_rate * gradient
        return X

    def _input_gradient(
        self, X: MatrixLike, seed: Callable[[Array], Array], stop: int
    ) -> Array:
        gradient = inference.call_with_errors_ignored(
            inference.input_gradient, *self._inference(), X, seed, stop
        )
        self._check_finite(gradient, X, "gradient")
        return gradient

    def _end_of(self, layer: int) -> tuple[int, int]:
        """Return the number of units of a layer, and its end in `network.layers`.

        The output of a classifier is the one before the output activation.
        """
        network = self._network
        n_layers = len(network.ends)
        if not isinstance(layer, INTEGERS) or not -n_layers <= layer < n_layers:
            raise ValueError(
                f"layer must be an index of the {n_layers} arrays in coefs_, got "
                f"{layer!r}."
            )
        layer = layer % n_layers
        end = network.ends[layer]
        has_logits = layer == n_layers - 1 and hasattr(self, "classes_")
        return network.layer_sizes[layer + 1], end if has_logits else end + 1

    def _check_output(self, output: int | None) -> int | None:
        n_outputs = self.n_outputs_
        if output is None:
            if n_outputs == 1:
                return 0
            if hasattr(self, "classes_") and self._is_multiclass():
                return None
            raise ValueError(
                f"output must be the index of one of the {n_outputs} outputs, from 0 "
                f"to {n_outputs - 1}, got None."
            )
        return _check_index(output, n_outputs, "outputs")


def _check_index(output: int, n_units: int, what: str) -> int:
    if not isinstance(output, INTEGERS) or not 0 <= output < n_units:
        raise ValueError(
            f"output must be the index of one of the {n_units} {what}, from 0 to "
            f"{n_units - 1}, got {output!r}."
        )
    return int(output)


def _one_hot(A: Array, units: int | Array) -> Array:
    """Return the one-hot encoding of a unit, or of one unit for each sample."""
    factors = 0 * A  # NaN where A is not finite, so that the gradient is NaN
    factors[np.arange(len(A)), units] += 1
    return factors
