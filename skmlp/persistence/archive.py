"""A file of arrays and a JSON document.

It is a zip archive in the format of `numpy.savez`, so that `numpy.load` reads its
arrays:

- ``document.json``, in UTF-8, is an object with ``format`` (the type of the file),
  ``format_version``, ``versions`` (of the packages that wrote it, for information) and
  ``content``;
- there is one ``.npy`` member for each array, in C order, of real numbers, booleans or
  strings;
- the members are not compressed;
- the comment of the archive, which is at the end of the file, is ``sha256:`` and 64
  hexadecimal digits: the SHA-256 of all bytes before these digits.

The file is written completely or not at all. Its content is not trusted: each part is
checked before it is used.
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
_DTYPES = "biufUS"  # kinds; an array of objects would be a pickle
_CHUNK = 2**20

# Exceptions of Python and NumPy for malformed content.
_MALFORMED = (
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
    """Write or replace a file in one step.

    A temporary file is written in the same directory, flushed to the disk, and then
    renamed. If this is interrupted, even by a loss of power, the existing file is
    unchanged.

    Parameters
    ----------
    path : str or os.PathLike
        Path of the file.

    kind : str
        Type of the file, its `format`.

    version : int
        Version of the format.

    content : object
        Content of the document, which the json module can write.

    arrays : dict of str to ndarray
        The arrays, by name.

    temporary : str, default=None
        Name of the temporary file, which is overwritten if it exists. None for a new
        name.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    path = os.path.abspath(os.fspath(path))
    directory = os.path.dirname(path)
    temporary = temporary or f".skmlp-{os.urandom(8).hex()}"
    temporary_path = os.path.join(directory, temporary)
    document = {
        "format": kind,
        "format_version": version,
        "versions": _versions(),
        "content": content,
    }
    try:
        with open(temporary_path, "w+b") as file:
            _write_archive(file, document, arrays)
            _sign(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary_path, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.remove(temporary_path)
        if isinstance(error, OSError):  # users do not know the temporary file
            raise OSError(error.errno, error.strerror, path) from error
        raise
    _sync(directory)


def read(path: str | os.PathLike, kind: str, version: int) -> tuple[dict, dict]:
    """Read a file.

    Parameters
    ----------
    path : str or os.PathLike
        Path of the file.

    kind : str
        Type of the file that is expected.

    version : int
        Latest version of the format that is supported.

    Returns
    -------
    content : object
        Content of the document.

    arrays : dict of str to ndarray
        The arrays, by name.

    Raises
    ------
    OSError
        If the file cannot be opened.

    ValueError
        If the file has another type or a later version, or is truncated or altered. No
        array is allocated that is larger than its data in the file.
    """
    path = os.fspath(path)
    what = f"{path!r} cannot be read as a {kind}"
    with open(path, "rb") as file, value_errors(what):
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
def value_errors(what: str) -> Iterator[None]:
    """Raise ValueError instead of the exceptions that malformed content causes.

    Parameters
    ----------
    what : str
        Beginning of the message. The reason follows.
    """
    try:
        yield
    except _MALFORMED as error:
        # The messages of ValueError are ours, and complete.
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
        # Members without a date: the file depends on the content alone.
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
    """Return the digits at the end of a valid file."""
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
        raise ValueError("it is not a file of skmlp")
    file.seek(max(0, size - _N_DIGITS - len(_LABEL)))
    label, digits = file.read(len(_LABEL)), file.read(_N_DIGITS)
    if label != _LABEL:
        raise ValueError("it is incomplete, or not a file of skmlp")
    if digits != _digest(file):
        raise ValueError("its checksum does not match: it is damaged or was altered")


def _members(archive, size):
    """Return the members of an archive by name, after checks of their sizes."""
    members = {member.filename: member for member in archive.infolist()}
    if len(members) != len(archive.infolist()) or _DOCUMENT not in members:
        raise ValueError("its members are not a document and its arrays")
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
            f"it has version {of_file!r} of the format, and this version of skmlp "
            f"supports versions up to {version}; the file was written with "
            f"{document.get('versions')}"
        )


def _read_array(archive, member):
    """Return an array, after a check that the file contains all of its bytes."""
    with archive.open(member) as stream:
        try:
            shape, fortran_order, dtype = _read_header(stream)
        except (*_MALFORMED, MemoryError) as error:  # the parser of Python
            raise ValueError(f"{member.filename!r} has a malformed header") from error
        # NumPy would allocate one character for strings of length 0.
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
        # An empty array cannot be viewed as bytes.
        if n_bytes and stream.readinto(array.reshape(-1).view(np.uint8)) != n_bytes:
            raise ValueError(f"{member.filename!r} is truncated")
        stream.read(1)  # at the end, the CRC is checked
    return array


def _read_header(stream):
    major, _ = np.lib.format.read_magic(stream)
    if major == 1:
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)  # raises if it is not one


def _sync(directory):
    """Flush a rename to the disk, on systems that can open directories."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
