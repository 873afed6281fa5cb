"""Import path of the numerical gradient in earlier versions."""

from skmlp.core.finite_differences import central_differences as central_differences
