"""Tests of the matrix products of the engine against NumPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

# Sizes around the widths of vectors and tiles, and around the number of copied rows.
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 25, 31, 33, 48, 49, 100]
TOLERANCES = {"float32": 2e-5, "float64": 1e-13}

parametrize_dtype = pytest.mark.parametrize("dtype", TOLERANCES)


@pytest.fixture(params=[32, 64], ids=["AVX2", "AVX-512"])
def n_bytes(request, extension):
    """Return the size of a vector, if the processor has such vectors."""
    if extension.vector_bytes() < request.param:
        pytest.skip("The processor or the build has no such vectors.")
    return request.param


def shapes():
    """Return all pairs of sizes with a third one, and shapes with several blocks."""
    pairs = [(m, n) for m in SIZES for n in SIZES]
    tested = [(m, SIZES[(5 * i) % len(SIZES)], n) for i, (m, n) in enumerate(pairs)]
    return [*tested, (300, 20, 40), (5, 600, 3), (3, 2, 700), (130, 257, 10)]


def make_operands(shape, dtype):
    """Return A, B, b and a C that is not zero, with values around 1."""
    m, k, n = shape
    rng = np.random.default_rng(0)
    sizes = [(m, k), (k, n), (n,), (m, n)]
    return [rng.normal(size=size).astype(dtype) for size in sizes]


def assert_close(C, expected, A, B):
    """Compare with the rounding errors of a sum of |a b|."""
    scale = np.abs(A).astype(float) @ np.abs(B).astype(float) + 1
    error = np.abs(C - expected) / scale
    assert error.max() < TOLERANCES[str(C.dtype)]


@parametrize_dtype
def test_all_products_agree_with_numpy(extension, n_bytes, dtype):
    multiply = extension.multiply_in_tiles
    for shape in shapes():
        A, B, b, C = make_operands(shape, dtype)
        product = A.astype(float) @ B.astype(float)
        out = np.full_like(C, np.nan)
        multiply("multiply", n_bytes, A, B, out)
        assert_close(out, product, A, B)
        multiply("multiply", n_bytes, A, B, out, b)
        assert_close(out, product + b, A, B)
        multiply("multiply", n_bytes, np.ascontiguousarray(A.T).T, B, out)
        assert_close(out, product, A, B)
        out = C.copy()
        multiply("add_product", n_bytes, A, B, out)
        assert_close(out, C + product, A, B)
        out = np.full_like(C, np.nan)
        multiply("multiply_transposed", n_bytes, A, np.ascontiguousarray(B.T), out)
        assert_close(out, product, A, B)


@parametrize_dtype
def test_a_row_does_not_depend_on_the_other_rows(extension, n_bytes, dtype):
    for k, n in [(20, 100), (100, 3), (7, 50), (3, 5)]:
        A, B, _, C = make_operands((37, k, n), dtype)
        B_T = np.ascontiguousarray(B.T)
        for kind, second in [("multiply", B), ("multiply_transposed", B_T)]:
            whole = np.empty_like(C)
            extension.multiply_in_tiles(kind, n_bytes, A, second, whole)
            for i in [0, 5, 36]:
                row = np.empty_like(C[:1])
                extension.multiply_in_tiles(kind, n_bytes, A[i : i + 1], second, row)
                assert_array_equal(row[0], whole[i])


@parametrize_dtype
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_reach_their_row_only(
    extension, n_bytes, dtype, value
):
    for m, k, n in [(9, 21, 35), (9, 21, 3), (9, 3, 35)]:
        A, B, _, C = make_operands((m, k, n), dtype)
        A[4, k - 1] = value
        for kind, second in [
            ("multiply", B),
            ("multiply_transposed", np.ascontiguousarray(B.T)),
        ]:
            out = np.empty_like(C)
            extension.multiply_in_tiles(kind, n_bytes, A, second, out)
            with np.errstate(invalid="ignore"):  # some versions of BLAS set the flag
                expected = A @ B
            assert_array_equal(np.isfinite(out), np.isfinite(expected))


def test_nothing_is_written_beside_the_result(extension, n_bytes):
    """The memory around C, and the rows of a wider matrix, keep their values."""
    for m, k, n in [(9, 21, 35), (9, 21, 3), (9, 3, 35), (1, 1, 1)]:
        A, B, b, _ = make_operands((m, k, n), "float64")
        memory = np.full((m + 2) * n, 5.0)
        C = memory[n:-n].reshape(m, n)
        extension.multiply_in_tiles("multiply", n_bytes, A, B, C, b)
        extension.multiply_in_tiles("add_product", n_bytes, A, B, C)
        assert_allclose(C, 2 * (A @ B) + b, rtol=0, atol=1e-12)
        assert_array_equal(memory[:n], 5)
        assert_array_equal(memory[-n:], 5)


def test_an_unknown_size_of_vectors_is_an_error(extension):
    A = np.ones((2, 2))
    with pytest.raises(ValueError, match="no tiles with vectors of 0 bytes"):
        extension.multiply_in_tiles("multiply", 0, A, A, A.copy())
