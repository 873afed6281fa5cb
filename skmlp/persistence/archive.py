"""A file of arrays and a JSON document, written all at once and read with suspicion.

It is a zip archive as `numpy.savez` writes it, so that `numpy.load` reads its arrays:

- ``document.json``, UTF-8: an object with ``format`` (what kind of file it is),
  ``format_version``, ``versions`` (of what wrote it, to be read by people) and
  ``content``;
- one ``.npy`` member for each array, C-ordered, of real numbers, booleans or strings;
- nothing is compressed;
- the archive's comment, the last bytes of the file, is ``sha256:`` and 64 hexadecimal
  digits: the SHA-256 of all bytes before these digits.
"""

import contextlib
import hashlib
import json
import math
import os
import tokenize
import zipfile
from collections.abc import Iterator, Mapping

import numpy as np
import scipy
import sklearn

from skmlp._version import __version__

_DOCUMENT = "document.json"
_LABEL = b"sha256:"
_N_DIGITS = 64
_DTYPES = "biufUS"  # their kinds; an array of objects would be a pickle
_CHUNK = 2**20

# What the readers of Python and NumPy raise where a file makes no sense.
_NONSENSE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
    zipfile.BadZipFile,
)


def write(
    path: str | os.PathLike,
    kind: str,
    version: int,
    content: dict,
    arrays: dict,
    temporary: str | None = None,
) -> None:
    """Write a file, or replace it, such that nobody ever sees a part of it.

    It is written beside its place, flushed to the disk, and then renamed. If that is
    interrupted, even by a loss of power, the file is as it was before.

    Parameters
    ----------
    path : str or os.PathLike
        Where to.

    kind : str
        What kind of file it is, its `format`.

    version : int
        Version of the format.

    content : object
        What the document says, as the json module takes it.

    arrays : dict of str to ndarray
        The arrays, by name.

    temporary : str, default=None
        Name of the file beside, which is overwritten if there is one. By default
        one that there is not.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    path = os.path.abspath(os.fspath(path))
    directory = os.path.dirname(path)
    beside = os.path.join(directory, temporary or f".skmlp-{os.urandom(8).hex()}")
    document = {
        "format": kind,
        "format_version": version,
        "versions": _versions(),
        "content": content,
    }
    try:
        with open(beside, "w+b") as file:
            _write_archive(file, document, arrays)
            _sign(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.remove(beside)
        if isinstance(error, OSError):  # nobody knows the file beside
            raise OSError(error.errno, error.strerror, path) from error
        raise
    _sync(directory)


def read(path: str | os.PathLike, kind: str, version: int) -> tuple[dict, dict]:
    """Read a file.

    Parameters
    ----------
    path : str or os.PathLike
        Where from.

    kind : str
        The `format` that it has to have.

    version : int
        The latest version of the format that is known.

    Returns
    -------
    content : object
        What the document says.

    arrays : dict of str to ndarray
        The arrays, by name.

    Raises
    ------
    OSError
        If the file cannot be opened.

    ValueError
        If it is of another kind, of a later version, truncated or altered. No array
        is larger than what the file has of it.
    """
    path = os.fspath(path)
    what = f"{path!r} cannot be read as a {kind}"
    with open(path, "rb") as file, refusing(what):
        _check_signature(file)
        with zipfile.ZipFile(file) as archive:
            members = _members(archive, os.fstat(file.fileno()).st_size)
            document = json.loads(archive.read(members.pop(_DOCUMENT)))
            _check_document(document, kind, version)
            arrays = {
                name.removesuffix(".npy"): _read_array(archive, member)
                for name, member in members.items()
            }
    return document["content"], arrays


@contextlib.contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn whatever a malformed file leads to into a ValueError.

    Parameters
    ----------
    what : str
        What the message begins with, before the reason.
    """
    try:
        yield
    except _NONSENSE as error:
        # Our own errors give the reason, those of others where they came upon it.
        reason = str(error)
        if type(error) is not ValueError:
            reason = f"it is malformed ({type(error).__name__}: {reason[:100]})"
        raise ValueError(f"{what}: {reason}.") from error


def _versions():
    packages = {"skmlp": __version__}
    for package in (np, scipy, sklearn):
        packages[package.__name__] = package.__version__
    return packages


def _write_archive(file, document, arrays):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        # Without a date, the same content is the same file.
        text = json.dumps(document, indent=1, allow_nan=False)
        archive.writestr(zipfile.ZipInfo(_DOCUMENT), text)
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(member, "w", force_zip64=True) as stream:
                array = np.asarray(array, order="C")
                np.lib.format.write_array(stream, array, allow_pickle=False)
        archive.comment = _LABEL + b"0" * _N_DIGITS


def _sign(file):
    digest = _digest(file)
    file.seek(-_N_DIGITS, os.SEEK_END)
    file.write(digest)


def _digest(file):
    """The digits that the file has to end with."""
    rest = file.seek(0, os.SEEK_END) - _N_DIGITS
    file.seek(0)
    sha256 = hashlib.sha256()
    while rest > 0 and (chunk := file.read(min(rest, _CHUNK))):
        sha256.update(chunk)
        rest -= len(chunk)
    return sha256.hexdigest().encode()


def _check_signature(file):
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if file.read(4) != b"PK\x03\x04":
        raise ValueError("it is none of skmlp's files")
    file.seek(max(0, size - _N_DIGITS - len(_LABEL)))
    label, digits = file.read(len(_LABEL)), file.read(_N_DIGITS)
    if label != _LABEL:
        raise ValueError("it is not complete, or none of skmlp's files")
    if digits != _digest(file):
        raise ValueError("its checksum does not match: it is damaged, or was altered")


def _members(archive, size):
    """The members of an archive by name, which together fit into the file."""
    members = {member.filename: member for member in archive.infolist()}
    if len(members) != len(archive.infolist()) or _DOCUMENT not in members:
        raise ValueError("its members are not those of a document and its arrays")
    for member in members.values():
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise ValueError(f"{member.filename!r} is compressed or encrypted")
    if min(member.header_offset for member in members.values()) < 0:
        raise ValueError("its members claim to be before the file")
    if sum(member.file_size for member in members.values()) > size:
        raise ValueError("its members claim to be larger than the file")
    return members


def _check_document(document, kind, version):
    if not isinstance(document, Mapping) or "content" not in document:
        raise ValueError("its document is malformed")
    if document.get("format") != kind:
        raise ValueError(f"its format is {document.get('format')!r}")
    of_file = document.get("format_version")
    if type(of_file) is not int or not 1 <= of_file <= version:
        raise ValueError(
            f"it has version {of_file!r} of the format, and this skmlp knows those up "
            f"to {version}; it was written with {document.get('versions')}"
        )


def _read_array(archive, member):
    """An array of which the file has every byte, in memory of its own."""
    with archive.open(member) as stream:
        try:
            shape, fortran_order, dtype = _read_header(stream)
        except (*_NONSENSE, MemoryError) as error:  # that of Python's parser
            raise ValueError(f"{member.filename!r} has a malformed header") from error
        # NumPy would make room for strings of no length.
        if dtype.kind not in _DTYPES or not (dtype.isnative and dtype.itemsize):
            raise ValueError(f"{member.filename!r} is an array of {dtype}")
        if fortran_order:
            raise ValueError(f"{member.filename!r} is in Fortran order")
        n_bytes = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or n_bytes != member.file_size - stream.tell():
            raise ValueError(
                f"{member.filename!r} claims the shape {shape} and dtype {dtype}, and "
                f"has {member.file_size - stream.tell()} bytes"
            )
        array = np.empty(shape, dtype)
        # An array without elements has no memory that could be cast.
        if n_bytes and stream.readinto(array.reshape(-1).view(np.uint8)) != n_bytes:
            raise ValueError(f"{member.filename!r} is truncated")
        stream.read(1)  # past the end, or its CRC would not be looked at
    return array


def _read_header(stream):
    major, _ = np.lib.format.read_magic(stream)
    if major == 1:
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)  # refuses what is no header


def _sync(directory):
    """Let a rename reach the disk, where directories can be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
