"""Loading of the MNIST handwritten digits, with a fast local cache."""

import os
import uuid
import warnings
from http.client import HTTPException

import numpy as np
import numpy.typing as npt
from sklearn.datasets import fetch_openml, get_data_home
from sklearn.utils import Bunch

from skmlp._warnings import warn

__all__ = ["fetch_mnist"]

_N_SAMPLES, _HEIGHT, _WIDTH = 70_000, 28, 28
_N_FEATURES = _HEIGHT * _WIDTH
_DTYPES = (np.float32, np.float64, np.uint8)
_CACHE_NAME = "skmlp_mnist_784.npz"
_DESCR = """\
MNIST handwritten digits
------------------------

70000 grey-scale images of 28 x 28 pixels, each of one handwritten digit. Pixel
values go from 0 (background) to 255 (ink). The first 60000 rows are the
original training set and the last 10000 rows the original test set.

Source: OpenML data set 554 ("mnist_784", version 1), downloaded from openml.org.

Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied
to document recognition", Proceedings of the IEEE, 86(11):2278-2324, 1998.
"""


def fetch_mnist(
    *,
    data_home: str | os.PathLike | None = None,
    return_X_y: bool = False,
    as_images: bool = False,
    dtype: npt.DTypeLike = np.float32,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load the MNIST handwritten digits (classification).

    The data come from OpenML (``mnist_784``, version 1) through
    :func:`sklearn.datasets.fetch_openml`. Since parsing that download takes
    many seconds, the images are also kept in a compact file in scikit-learn's
    data home, from which later calls load them in well under a second.

    =================   ==========================
    Classes                                     10
    Samples total                            70000
    Dimensionality                             784
    Features            integers between 0 and 255
    =================   ==========================

    Parameters
    ----------
    data_home : str or path-like, default=None
        Download and cache folder. By default this is scikit-learn's data home:
        the environment variable ``SCIKIT_LEARN_DATA`` or, if unset,
        ``~/scikit_learn_data``.

    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    as_images : bool, default=False
        If True, ``data`` has shape (70000, 28, 28) instead of (70000, 784).

    dtype : {np.float32, np.float64, np.uint8}, default=np.float32
        Data type of the pixel values. The values are 0 to 255 for each dtype.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the following attributes.

        data : ndarray of shape (70000, 784) or (70000, 28, 28), dtype `dtype`
            The images. The first 60000 are the original training set, the last
            10000 the original test set.
        target : ndarray of shape (70000,), dtype int64
            The digit in each image, 0 to 9.
        feature_names : list of str, length 784
            Names of the pixels, row by row, as on OpenML.
        target_names : list of str, length 10
            Names of the classes.
        DESCR : str
            Description of the data set.

    (data, target) : tuple of ndarray, if ``return_X_y=True``
        The two arrays described above.

    Raises
    ------
    TypeError
        If `dtype` is not a data type.
    ValueError
        If `dtype` is a data type other than float32, float64 and uint8.
    OSError
        If the data are not in the data home and cannot be downloaded.

    Warns
    -----
    UserWarning
        If the cache file is damaged (it is then rebuilt) or cannot be written
        (the data are returned nevertheless).

    See Also
    --------
    sklearn.datasets.fetch_openml : Load any data set from OpenML.

    Examples
    --------
    >>> from skmlp.datasets import fetch_mnist
    >>> X, y = fetch_mnist(return_X_y=True)  # doctest: +SKIP
    >>> X.shape, X.dtype, y.shape, y.dtype  # doctest: +SKIP
    ((70000, 784), dtype('float32'), (70000,), dtype('int64'))
    >>> X_train, X_test = X[:60_000], X[60_000:]  # doctest: +SKIP
    """
    dtype = _check_dtype(dtype)
    data_home = get_data_home(data_home)
    cache_path = os.path.join(data_home, _CACHE_NAME)

    cached = _read_cache(cache_path)
    if cached is None:
        data, target = _fetch_from_openml(data_home)
        _write_cache(cache_path, data, target)
    else:
        data, target = cached

    data = data.astype(dtype, copy=False)
    target = target.astype(np.int64)
    if as_images:
        data = data.reshape(-1, _HEIGHT, _WIDTH)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        feature_names=[f"pixel{i}" for i in range(1, _N_FEATURES + 1)],
        target_names=[str(digit) for digit in range(10)],
        DESCR=_DESCR,
    )


def _check_dtype(dtype: npt.DTypeLike) -> np.dtype:
    """Return `dtype` as a NumPy dtype, or raise if it is not a supported one."""
    message = f"dtype must be one of float32, float64 and uint8, got {dtype!r}."
    if dtype is None:  # NumPy would interpret it as float64
        raise TypeError(message)
    try:
        result = np.dtype(dtype)
    except TypeError as exc:
        raise TypeError(message) from exc
    if result not in _DTYPES:
        raise ValueError(message)
    return result


def _fetch_from_openml(data_home: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Download MNIST, or parse an earlier download, as two uint8 arrays."""
    try:
        with warnings.catch_warnings():
            # The error below has the same information.
            warnings.filterwarnings("ignore", message="A network error occurred")
            # The "pandas" parser would be faster, but pandas is not a dependency.
            bunch = fetch_openml(
                "mnist_784",
                version=1,
                data_home=data_home,
                as_frame=False,
                parser="liac-arff",
                n_retries=1,
                delay=0.5,
            )
    # Being offline is an OSError; a login page or a truncated file sent in place
    # of the data is a ValueError or an HTTPException.
    except (OSError, ValueError, HTTPException) as exc:
        raise OSError(
            f"MNIST could not be downloaded from openml.org ({exc}) and is not in "
            f"the data home {data_home!r}. Either connect to the internet and try "
            "again, or set the environment variable SCIKIT_LEARN_DATA (or pass "
            "data_home) to a folder that holds the download, in its subfolder "
            "'openml'."
        ) from exc
    # The parser returns float64 in Fortran order. That array is freed on return,
    # before the caller makes a floating point copy of its own.
    return bunch.data.astype(np.uint8, order="C"), bunch.target.astype(np.uint8)


def _read_cache(path: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the images and labels in a cache file, None if absent or damaged."""
    try:
        # Reading an array to its end makes zipfile check its CRC. np.load would not
        # close a damaged file that it opened itself.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            data, target = archive["data"], archive["target"]
        if data.dtype != np.uint8 or target.dtype != np.uint8:
            raise ValueError(f"unexpected dtypes {data.dtype} and {target.dtype}")
        if data.shape != (_N_SAMPLES, _N_FEATURES) or target.shape != (_N_SAMPLES,):
            raise ValueError(f"unexpected shapes {data.shape} and {target.shape}")
        if target.max() > 9:
            raise ValueError(f"unexpected label {target.max()}")
    except FileNotFoundError:
        return None
    # The type of the exception depends on the kind of the damage: BadZipFile,
    # zlib.error, EOFError, KeyError, NotImplementedError and others.
    except Exception as exc:
        warn(
            f"The MNIST cache {path!r} could not be read and is rebuilt: {exc!r}",
        )
        return None
    return data, target


def _write_cache(path: str, data: np.ndarray, target: np.ndarray) -> None:
    """Write a cache file in one step, or warn if that is not possible."""
    # Not tempfile: its files are private to the user, and a data home is often
    # shared. In the same folder, so that os.replace is atomic.
    temporary_path = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        try:
            with open(temporary_path, "xb") as file:
                np.savez_compressed(file, data=data, target=target)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary_path, path)
        except BaseException:  # KeyboardInterrupt included
            if os.path.exists(temporary_path):
                os.unlink(temporary_path)
            raise
    except OSError as exc:
        warn(
            f"The MNIST cache {path!r} could not be written, so the next call will "
            f"be as slow as this one: {exc!r}",
        )
