"""Tests of the MNIST loader: its results, its cache and its error messages."""

import doctest
import errno
import os
import pickle
import shutil
import socket
import stat
import sys
import time
import tracemalloc
import warnings
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from sklearn.utils import Bunch

from skmlp import datasets
from skmlp.datasets import fetch_mnist

DATA_HOME = os.environ.get("SCIKIT_LEARN_DATA")
CACHE_NAME = "skmlp_mnist_784.npz"
REBUILT = "could not be read and is rebuilt"
NOT_WRITTEN = "could not be written"


class FakeOpenML:
    """Stands in for fetch_openml: the layout of MNIST, but made up pixels."""

    def __init__(self, n_samples):
        # Transposed because the parser of scikit-learn returns Fortran order too.
        self.data = np.zeros((784, n_samples), dtype=np.uint8).T
        self.data[:, 300] = np.arange(n_samples) % 256
        self.data[7] = np.arange(784) % 256
        self.labels = np.arange(n_samples) % 10
        self.calls = []
        self.error = None

    def __call__(self, name, **kwargs):
        self.calls.append((name, kwargs))
        if self.error is not None:
            raise self.error
        return Bunch(data=self.data, target=self.labels.astype(str).astype(object))

    def assert_returned(self, X, y):
        assert X.shape == self.data.shape
        assert (X == self.data).all()
        assert (y == self.labels).all()


@pytest.fixture
def full_openml(monkeypatch):
    """fetch_openml replaced, with as many images as MNIST has."""
    fake = FakeOpenML(70_000)
    monkeypatch.setattr(datasets, "fetch_openml", fake)
    return fake


@pytest.fixture
def openml(monkeypatch):
    """The same with few images, for the tests in which their number is no matter."""
    fake = FakeOpenML(700)
    monkeypatch.setattr(datasets, "fetch_openml", fake)
    monkeypatch.setattr(datasets, "_N_SAMPLES", 700)
    return fake


@pytest.fixture
def cached_home(openml, tmp_path):
    """A data home that holds a sound cache file of the few images."""
    fetch_mnist(data_home=tmp_path)
    openml.calls.clear()
    return tmp_path


@pytest.fixture(autouse=True)
def no_unexpected_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_bunch(full_openml, tmp_path):
    """The Bunch holds what the docstring says, from one call of fetch_openml."""
    mnist = fetch_mnist(data_home=tmp_path)
    full_openml.assert_returned(mnist.data, mnist.target)
    assert mnist.data.dtype == np.float32
    assert mnist.data.flags.c_contiguous
    assert mnist.data.flags.writeable
    assert mnist.target.dtype == np.int64
    assert mnist.feature_names == [f"pixel{i}" for i in range(1, 785)]
    assert mnist.target_names == list("0123456789")
    assert "first 60000 rows are the\noriginal training set" in mnist.DESCR
    [(name, kwargs)] = full_openml.calls
    assert name == "mnist_784"
    # The pandas parser would need pandas, and would fail with its version 3.
    expected = dict(version=1, as_frame=False, parser="liac-arff")
    assert expected.items() <= kwargs.items()
    assert kwargs["data_home"] == str(tmp_path)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, "float64"])
def test_dtype(openml, cached_home, dtype):
    """The pixels have the dtype asked for and stay 0 to 255, the labels int64."""
    X, y = fetch_mnist(data_home=cached_home, return_X_y=True, dtype=dtype)
    openml.assert_returned(X, y)
    assert X.dtype == dtype
    assert y.dtype == np.int64
    assert (X.min(), X.max()) == (0, 255)


@pytest.mark.parametrize(
    ("dtype", "error"),
    [
        (np.int32, ValueError),
        (">f4", ValueError),
        (np.float16, ValueError),
        ("single-ish", TypeError),
        (None, TypeError),
    ],
)
def test_dtype_error(openml, tmp_path, dtype, error):
    """A wrong dtype is named, with what is wanted, before anything is fetched."""
    with pytest.raises(error) as excinfo:
        fetch_mnist(data_home=tmp_path, dtype=dtype)
    assert str(excinfo.value) == (
        f"dtype must be one of float32, float64 and uint8, got {dtype!r}."
    )
    assert not openml.calls


def test_as_images(openml, cached_home):
    """as_images=True gives the rows as 28 x 28 images, pixels in row order."""
    images = fetch_mnist(data_home=cached_home, as_images=True).data
    assert images.shape == (700, 28, 28)
    np.testing.assert_array_equal(images[7], openml.data[7].reshape(28, 28))
    X, _ = fetch_mnist(data_home=cached_home, as_images=True, return_X_y=True)
    assert (X == images).all()


def test_cache_hit(full_openml, tmp_path):
    """The second load does not call fetch_openml, is equal and is fast."""
    first = fetch_mnist(data_home=tmp_path, return_X_y=True)
    assert len(full_openml.calls) == 1
    assert os.listdir(tmp_path) == [CACHE_NAME]
    start = time.process_time()  # unlike wall time, not about what else is running
    second = fetch_mnist(data_home=tmp_path, return_X_y=True)
    assert time.process_time() - start < 1
    assert len(full_openml.calls) == 1
    for before, after in zip(first, second, strict=True):
        assert before.dtype == after.dtype
        assert (before == after).all()


def test_data_home(openml, tmp_path, monkeypatch):
    """The cache is in SCIKIT_LEARN_DATA, or in data_home when that is given."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "environment"))
    fetch_mnist()
    fetch_mnist(data_home=tmp_path / "argument")
    assert len(openml.calls) == 2
    for folder in ("environment", "argument"):
        assert (tmp_path / folder / CACHE_NAME).is_file()


def test_memory(full_openml, tmp_path):
    """Loading from the cache does not hold two copies in floating point."""
    fetch_mnist(data_home=tmp_path, dtype=np.uint8)
    tracemalloc.start()
    try:
        X, _ = fetch_mnist(data_home=tmp_path, return_X_y=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.4 * X.nbytes  # float32, plus a quarter of it in uint8


def test_docstring_example(full_openml, tmp_path, monkeypatch):
    """The docstring's example, which needs the data, is right with fake ones."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    [test] = doctest.DocTestFinder(recurse=False).find(fetch_mnist, globs={})
    for example in test.examples:
        example.options.pop(doctest.SKIP, None)
    assert doctest.DocTestRunner().run(test) == (0, len(test.examples))


class CreatesFile:
    """An object whose pickle creates the file `path` when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def truncate(path):
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 2)


def flip_byte(path, position=0.5):
    content = bytearray(path.read_bytes())
    content[int(position * len(content))] ^= 0xFF
    path.write_bytes(content)


def change_arrays(**changes):
    def damage(path):
        with np.load(path) as archive:
            arrays = dict(archive)
        for name, change in changes.items():
            arrays[name] = change(arrays[name])
        np.savez(path, **arrays)

    return damage


def drop_target(path):
    with np.load(path) as archive:
        np.savez(path, data=archive["data"])


def npy_file(path):
    with open(path, "wb") as file:
        np.save(file, np.arange(3))


def pickle_file(path):
    path.write_bytes(pickle.dumps(CreatesFile(path.parent / "pickle_was_loaded")))


def pickle_in_npz(path):
    harmful = np.array([CreatesFile(path.parent / "pickle_was_loaded")], dtype=object)
    np.savez(path, data=harmful, target=harmful)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(truncate, id="truncated"),
        pytest.param(flip_byte, id="flipped byte"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_text("<html>"), id="text"),
        pytest.param(lambda path: path.write_bytes(b"PK\x03\x04"), id="zip magic"),
        pytest.param(change_arrays(data=lambda a: a[:-1]), id="too few images"),
        pytest.param(change_arrays(data=lambda a: a.reshape(-1, 28)), id="images"),
        pytest.param(change_arrays(target=lambda a: a[1:]), id="too few labels"),
        pytest.param(change_arrays(data=lambda a: a.view(np.int8)), id="dtype"),
        pytest.param(change_arrays(target=lambda a: a + np.uint8(1)), id="label 10"),
        pytest.param(drop_target, id="no labels"),
        pytest.param(pickle_file, id="pickle"),
        pytest.param(pickle_in_npz, id="pickle in npz"),
        pytest.param(npy_file, id="npy"),
    ],
)
def test_damaged_cache_is_rebuilt(openml, cached_home, damage):
    """A damaged cache is reported, rebuilt from the download, and sound after."""
    path = cached_home / CACHE_NAME
    damage(path)
    with pytest.warns(UserWarning, match=REBUILT) as record:
        X, y = fetch_mnist(data_home=cached_home, return_X_y=True)
    assert len(record) == 1
    assert str(path) in str(record[0].message)
    assert record[0].filename == __file__  # the caller's line
    openml.assert_returned(X, y)
    assert os.listdir(cached_home) == [CACHE_NAME]

    X, y = fetch_mnist(data_home=cached_home, return_X_y=True)
    openml.assert_returned(X, y)
    assert len(openml.calls) == 1


@pytest.mark.parametrize("position", np.linspace(0, 0.999, 20))
def test_flipped_byte_never_changes_the_data(openml, cached_home, position):
    """Wherever a byte is flipped in the cache, the right data are returned."""
    flip_byte(cached_home / CACHE_NAME, position)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=f".*{REBUILT}")
        X, y = fetch_mnist(data_home=cached_home, return_X_y=True)
    openml.assert_returned(X, y)


def fail_in_savez(file, **arrays):
    file.write(b"half a file")
    raise OSError(errno.ENOSPC, "No space left on device")


def fail(*args):
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize(
    ("owner", "function", "replacement"),
    [
        (np, "savez_compressed", fail_in_savez),
        (os, "fsync", fail),
        (os, "replace", fail),
    ],
)
@pytest.mark.parametrize("old", [None, b"an old file"])
def test_failed_write(openml, tmp_path, monkeypatch, owner, function, replacement, old):
    """A write that fails leaves no half file, keeps the old one, and only warns."""
    path = tmp_path / CACHE_NAME
    if old is not None:
        path.write_bytes(old)
    monkeypatch.setattr(owner, function, replacement)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=f".*{REBUILT}")
        with pytest.warns(UserWarning, match=NOT_WRITTEN) as record:
            X, y = fetch_mnist(data_home=tmp_path, return_X_y=True)
    assert str(path) in str(record[-1].message)
    assert record[-1].filename == __file__
    openml.assert_returned(X, y)
    if old is None:
        assert os.listdir(tmp_path) == []
    else:
        assert os.listdir(tmp_path) == [CACHE_NAME]
        assert path.read_bytes() == old


def test_interrupted_write(openml, tmp_path, monkeypatch):
    """Ctrl-C in the middle of the write gets through and leaves no half file."""

    def interrupt(file, **arrays):
        file.write(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch_mnist(data_home=tmp_path)
    assert os.listdir(tmp_path) == []


def test_write_is_flushed_before_it_is_visible(openml, tmp_path, monkeypatch):
    """The whole file is on disk, in the same folder, before it gets its name."""
    events = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(descriptor):
        fsync(descriptor)
        events.append(("fsync", os.fstat(descriptor).st_size))

    def record_replace(source, target):
        assert os.path.dirname(source) == os.path.dirname(target)
        events.append(("replace", os.path.getsize(source)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    fetch_mnist(data_home=tmp_path)
    size = (tmp_path / CACHE_NAME).stat().st_size
    assert events == [("fsync", size), ("replace", size)]


@pytest.mark.skipif(os.name != "posix", reason="POSIX file permissions")
def test_cache_permissions(openml, tmp_path):
    """The cache is as readable as any new file: a data home may be shared."""
    (tmp_path / "other").touch()
    fetch_mnist(data_home=tmp_path)
    cache_mode, other_mode = (
        stat.S_IMODE((tmp_path / name).stat().st_mode) for name in (CACHE_NAME, "other")
    )
    assert cache_mode == other_mode


def test_read_only_home(openml, tmp_path):
    """In a read-only data home the data are returned, with a warning."""
    tmp_path.chmod(0o555)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("this user can write to a read-only folder")
        with pytest.warns(UserWarning, match=NOT_WRITTEN) as record:
            X, y = fetch_mnist(data_home=tmp_path, return_X_y=True)
        assert len(record) == 1
        assert str(tmp_path / CACHE_NAME) in str(record[0].message)
        openml.assert_returned(X, y)
        assert os.listdir(tmp_path) == []
    finally:
        tmp_path.chmod(0o755)


def test_cache_path_is_a_folder(openml, tmp_path):
    """A folder in the place of the cache is left alone, and the data returned."""
    path = tmp_path / CACHE_NAME
    path.mkdir()
    with (
        pytest.warns(UserWarning, match=REBUILT),
        pytest.warns(UserWarning, match=NOT_WRITTEN),
    ):
        X, y = fetch_mnist(data_home=tmp_path, return_X_y=True)
    openml.assert_returned(X, y)
    assert path.is_dir()
    assert os.listdir(tmp_path) == [CACHE_NAME]


def test_offline(tmp_path, monkeypatch):
    """The real fetch_openml without network: a clear OSError, soon, no warning."""

    def no_network(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    delays = []
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(time, "sleep", delays.append)
    with pytest.raises(OSError, match="could not be downloaded") as excinfo:
        fetch_mnist(data_home=tmp_path)
    assert sum(delays) <= 1
    message = str(excinfo.value)
    assert "Name or service not known" in message  # what failed
    assert repr(str(tmp_path)) in message  # where it looked
    for remedy in ("connect to the internet", "SCIKIT_LEARN_DATA", "data_home"):
        assert remedy in message
    assert "\n" not in message
    assert isinstance(excinfo.value.__cause__, URLError)
    assert not (tmp_path / CACHE_NAME).exists()


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("timed out"),
        PermissionError(errno.EACCES, "Permission denied"),
        ValueError("md5 checksum"),
        IncompleteRead(b""),
    ],
)
def test_failed_download(openml, tmp_path, error):
    """Whatever keeps fetch_openml from its data is an OSError, with its cause."""
    openml.error = error
    with pytest.raises(OSError, match="could not be downloaded") as excinfo:
        fetch_mnist(data_home=tmp_path)
    assert excinfo.value.__cause__ is error
    assert str(error) in str(excinfo.value)


def test_offline_with_cache(openml, cached_home):
    """With a cache, neither a network nor the download is needed."""
    openml.error = URLError("offline")
    openml.assert_returned(*fetch_mnist(data_home=cached_home, return_X_y=True))


@pytest.mark.skipif(
    DATA_HOME is None or not Path(DATA_HOME, "openml").is_dir(),
    reason="needs SCIKIT_LEARN_DATA to name a folder with the OpenML download",
)
def test_real_data(tmp_path, monkeypatch):
    """The real MNIST, without pandas: first from the download, then the cache."""
    # A copy, because that data home may be read-only or have a cache already.
    shutil.copytree(Path(DATA_HOME, "openml"), tmp_path / "openml")
    monkeypatch.setitem(sys.modules, "pandas", None)
    X, y = fetch_mnist(data_home=tmp_path, return_X_y=True, dtype=np.uint8)
    np.testing.assert_array_equal(y[:10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4])
    np.testing.assert_array_equal(y[60_000:60_005], [7, 2, 1, 0, 4])
    np.testing.assert_array_equal(
        np.bincount(y[:60_000]),
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    )
    # The well-known mean and standard deviation of the training set.
    assert X[:60_000].mean() / 255 == pytest.approx(0.1307, abs=1e-4)
    assert X[:60_000].std() / 255 == pytest.approx(0.3081, abs=1e-4)

    shutil.rmtree(tmp_path / "openml")
    start = time.process_time()
    X_cached, y_cached = fetch_mnist(data_home=tmp_path, return_X_y=True)
    assert time.process_time() - start < 1
    assert (X_cached == X).all()
    assert (y_cached == y).all()
    assert (tmp_path / CACHE_NAME).stat().st_size < 15e6
