"""Tests of the files that models and checkpoints are in."""

import io
import json
import os
import zipfile

import numpy as np
import pytest

from skmlp.persistence import archive

ARRAYS = {
    "matrix": np.arange(12.0).reshape(3, 4).T,
    "none/of": np.empty((0, 3), np.float32),
    "words": np.array(["a", "bcd"]),
    "one": np.array(5, np.uint8),
    "yes": np.array([True, False]),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    archive.write(path, "test", 3, {"a": [1, None]}, ARRAYS)
    return path


def forge(path, document=None, **members):
    """A file with the right checksum, and anything else."""
    default = {"format": "test", "format_version": 3, "versions": {}, "content": 0}
    text = document if isinstance(document, str) else json.dumps(document or default)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("document.json", text)
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
        file.comment = b"sha256:" + b"0" * 64
    with open(path, "r+b") as file:
        archive._sign(file)


def npy(array=None, header=None, data=b""):
    """An array as a file has it, with a header of one's own if there is one."""
    stream = io.BytesIO()
    if header is None:
        np.lib.format.write_array(stream, array)
    else:
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(data)
    return stream.getvalue()


def test_written_values_are_read(path):
    content, arrays = archive.read(path, "test", 3)
    assert content == {"a": [1, None]}
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)
        assert arrays[name].flags.writeable
        assert arrays[name].flags.c_contiguous


def test_numpy_reads_the_arrays(path):
    with np.load(path) as file:
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(file[name], array)


def test_the_same_content_is_the_same_file(path, tmp_path):
    archive.write(tmp_path / "other", "test", 3, {"a": [1, None]}, ARRAYS)
    assert path.read_bytes() == (tmp_path / "other").read_bytes()


def test_every_byte_counts(path):
    """A file that is cut off anywhere, or has one bit changed, is refused."""
    archive.write(path, "test", 3, {}, {"a": np.arange(3)})
    whole, rng = path.read_bytes(), np.random.RandomState(0)
    for i in range(len(whole)):
        changed = whole[i] ^ (1 << rng.randint(8))
        for bad in (whole[:i], whole[:i] + bytes([changed]) + whole[i + 1 :]):
            path.write_bytes(bad)
            with pytest.raises(ValueError, match="cannot be read as a test: it"):
                archive.read(path, "test", 3)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ValueError, match="incomplete"):
        archive.read(path, "test", 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a file of skmlp"),
        (b"PK\x03\x04", "incomplete"),
        (b"\x93NUMPY\x01\x00", "not a file of skmlp"),
        (b"\x80\x04\x95 a pickle", "not a file of skmlp"),
    ],
)
def test_foreign_files_raise(tmp_path, data, message):
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        archive.read(path, "test", 3)


def test_npz_files_raise(tmp_path):
    np.savez(tmp_path / "file.npz", a=np.arange(3))
    with pytest.raises(ValueError, match="incomplete, or not a file of skmlp"):
        archive.read(tmp_path / "file.npz", "test", 3)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        archive.read(tmp_path / "file", "test", 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "song"}, "its format is 'song'"),
        ({"format_version": 4}, r"has version 4 of the format, .* up to 3"),
        ({"format_version": 0}, "has version 0 of the format"),
        ({"format_version": "3"}, "has version '3' of the format"),
        ({"format_version": True}, "has version True of the format"),
    ],
)
def test_other_formats_and_later_versions_raise(tmp_path, change, message):
    document = {"format": "test", "format_version": 3, "versions": {}, "content": 0}
    forge(tmp_path / "file", document | change)
    with pytest.raises(ValueError, match=message):
        archive.read(tmp_path / "file", "test", 3)


@pytest.mark.parametrize("text", ["", "[", "3", "[]", "{}", "null", "[" * 100_000])
def test_invalid_document_raises(tmp_path, text):
    forge(tmp_path / "file", text)
    with pytest.raises(ValueError, match="malformed"):
        archive.read(tmp_path / "file", "test", 3)


def header(shape, descr="<f8", fortran_order=False):
    return {"descr": descr, "fortran_order": fortran_order, "shape": shape}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        # It would be hundreds of petabytes.
        (npy(header=header((2**56,)), data=b"12345678"), "claims the shape"),
        (npy(header=header((2**40, 2**40)), data=b"12345678"), "claims the shape"),
        (npy(header=header((2**62, 4)), data=b""), "claims the shape"),
        (npy(header=header((-1,)), data=b"12345678"), "claims the shape"),
        (npy(header=header((1,), "|S1000000000"), data=b"1"), "claims the shape"),
        (npy(np.zeros(3))[:-1], "claims the shape"),
        (npy(np.zeros(3)) + b"1", "claims the shape"),
        (npy(header=header((10**8,), "<U0"), data=b""), "array of <U0"),
        (npy(header=header((1,), "|O"), data=b"12345678"), "array of object"),
        (npy(header=header((1,), "<M8[s]"), data=b"12345678"), "array of datetime64"),
        (npy(header=header((1,), ">f8"), data=b"12345678"), "array of >f8"),
        (npy(header=header((1, 1), fortran_order=True), data=b"12345678"), "Fortran"),
        (b"", "malformed header"),
        (b"\x93NUMPY\x09\x00", "malformed"),
        (b"\x93NUMPY\x01\x00\xff\xff", "malformed header"),
        (b"\x93NUMPY\x01\x00\x08\x00__import", "malformed"),
        (b"\x93NUMPY\x01\x00\x88\x13" + b"-" * 5000, "malformed header"),
        (b"\x93NUMPY\x01\x00\x88\x13" + b"(" * 5000, "malformed"),
    ],
)
def test_missing_arrays_raise_before_memory_is_allocated(tmp_path, data, message):
    forge(tmp_path / "file", array=data)
    with pytest.raises(ValueError, match=message):
        archive.read(tmp_path / "file", "test", 3)


def test_compressed_members_raise(tmp_path):
    """A small file is not to become a large one."""
    path = tmp_path / "file"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("document.json", "0" * 10**6)
        file.comment = b"sha256:" + b"0" * 64
    with open(path, "r+b") as file:
        archive._sign(file)
    with pytest.raises(ValueError, match="is compressed"):
        archive.read(path, "test", 3)


def test_members_in_the_same_place_raise(tmp_path):
    """A thousand names for the same bytes are not a thousand arrays."""
    path, data = tmp_path / "file", npy(np.zeros(1000))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("document.json", "{}")
        file.writestr("a.npy", data)
        info = file.getinfo("a.npy")
        for k in range(100):
            twin = zipfile.ZipInfo(f"{k}.npy")
            for name in ("header_offset", "CRC", "file_size", "compress_size"):
                setattr(twin, name, getattr(info, name))
            file.filelist.append(twin)
        file.comment = b"sha256:" + b"0" * 64
    with open(path, "r+b") as file:
        archive._sign(file)
    with pytest.raises(ValueError, match="claim to be larger than the file"):
        archive.read(path, "test", 3)


@pytest.mark.parametrize("name", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_a_file_that_cannot_be_replaced_stays(path, monkeypatch, name, error):
    before = path.read_bytes()

    def fail(*args):
        raise error

    monkeypatch.setattr(os, name, fail)
    with pytest.raises(type(error)):
        archive.write(path, "test", 3, {}, {})
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_new_file_can_be_read_by_whom_files_can_be_read(tmp_path):
    """As one that `open` makes, and not by its owner alone."""
    archive.write(tmp_path / "file", "test", 3, {}, {})
    (tmp_path / "other").touch()
    modes = [(tmp_path / name).stat().st_mode for name in ("file", "other")]
    assert modes[0] == modes[1]
