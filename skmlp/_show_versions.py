"""Versions and settings for bug reports."""

from collections.abc import Mapping

_PACKAGES = (
    "scikit-learn",
    "numpy",
    "scipy",
    "joblib",
    "threadpoolctl",
    "pandas",
    "polars",
    "matplotlib",
    "tqdm",
    "Cython",
    "setuptools",
    "pip",
)


def show_versions() -> None:
    """Print information for bug reports.

    This includes the system, the versions of the packages, the loaded thread pools and
    the engine that ``engine="auto"`` uses.

    Examples
    --------
    >>> import skmlp
    >>> skmlp.show_versions()
    System:
        python: ...
    Python dependencies:
             skmlp: ...
      scikit-learn: ...
    Engine: ...
    """
    # Imported here to keep `import skmlp` fast.
    import platform
    import sys

    from threadpoolctl import threadpool_info

    import skmlp

    _show(
        "System",
        {
            "python": sys.version.replace("\n", " "),
            "executable": sys.executable,
            "machine": platform.platform(),
        },
    )
    packages = {name: _version(name) for name in _PACKAGES}
    _show("Python dependencies", {"skmlp": skmlp.__version__, **packages})
    for pool in threadpool_info():
        _show("Thread pool", pool)
    print(f"Engine: {_engine()}")


def _show(title: str, entries: Mapping[str, object]) -> None:
    width = max(map(len, entries))
    print(f"{title}:")
    for name, value in entries.items():
        print(f"  {name:>{width}}: {value}")
    print()


def _version(package: str) -> str | None:
    """Return the version of a package, or None if it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)  # without an import
    except PackageNotFoundError:
        return None


def _engine() -> str:
    """Return a description of the default engine."""
    from skmlp import compiled

    if compiled.UNAVAILABLE is None:
        return f"compiled (instruction set {compiled.instruction_set()})"
    return f"numpy (the compiled engine is not available: {compiled.UNAVAILABLE})"
