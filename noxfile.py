"""Sessions that test and check skmlp, each in an environment of its own.

``nox --list`` shows them, and ``nox -s tests -- -k adam`` passes arguments to pytest.
"""

import nox

nox.needs_version = ">=2024.3.2"
nox.options.sessions = ["lint", "tests"]
nox.options.reuse_existing_virtualenvs = True

PROJECT = nox.project.load_toml("pyproject.toml")["project"]

# The oldest versions that pyproject.toml allows.
OLDEST = [
    requirement.replace(">=", "==") + ".0" for requirement in PROJECT["dependencies"]
]
# Files and tests that fail with these versions, by the reason.
NEWER = [
    # The reference is scikit-learn 1.9, and `assert_allclose(strict=True)` NumPy 2.0.
    "--ignore=tests/test_sklearn_parity.py",
    # The stored pickles are of NumPy 2, which NumPy 1.24 cannot read.
    "--ignore=tests/persistence/test_old_files.py",
    *(
        f"--deselect=tests/{name}"
        for name in (
            # NumPy 1.24 warns where a later version does not.
            "core/test_activations.py::test_nan_reaches_the_output",
            "test_bad_input.py::test_classes_that_change",
            "test_bad_input.py::test_validation_targets_of_another_kind",
            # NumPy 1.24 has no `seed_seq` of bit generators, which skops 0.11 reads.
            "persistence/test_model.py::test_skops_requires_only_the_listed_classes",
            # The errors and the scores of scikit-learn 1.7 are different.
            "persistence/test_identity.py::test_equal_and_different_columns",
            "persistence/test_identity.py::test_descriptions_have_no_addresses",
            "test_ecosystem.py::test_one_vs_rest_compares_decision_functions",
            "test_fuzz.py::test_estimator_is_fitted_or_raises",
            "test_validation.py::test_bad_validation_data",
            "test_validation.py::test_bad_validation_targets",
            "test_validation.py::test_classes_that_cannot_be_stratified_are_split",
            "test_validation.py::test_the_validation_score_of_one_class_is_that",
            # The L-BFGS of SciPy 1.11 leaves a reference cycle.
            "test_reported_issues.py::test_a_fitted_estimator_does_not_keep_the_data",
        )
    ),
]


@nox.session
def lint(session):
    """Run ruff, codespell, clang-format and mypy."""
    session.install(*PROJECT["optional-dependencies"]["lint"], "numpy")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")
    sources = session.run(
        "git", "ls-files", "skmlp/compiled/src", external=True, silent=True
    )
    session.run("clang-format", "--dry-run", "-Werror", *sources.split())
    session.run("mypy")


@nox.session
def tests(session):
    """Run the tests of the core, in half a minute."""
    session.install("-e", ".[test]")
    session.run(
        "python", "-m", "pytest", "-q", "-n", "auto", "tests/core", *session.posargs
    )


@nox.session
def full(session):
    """Run all tests, in three to five minutes on two cores."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", "-q", "-n", "auto", *session.posargs)


@nox.session
def compare(session):
    """Run the tests that compare with PyTorch, which are skipped without it."""
    session.install("-e", ".[test,compare]")
    files = ["core", "training/test_step.py", "test_gradcheck.py", "test_options.py"]
    files = [f"tests/{name}" for name in files]
    session.run(
        "python", "-m", "pytest", "-q", "-n", "auto", *(session.posargs or files)
    )


@nox.session
def docs(session):
    """Build the documentation; `-- -D plot_gallery=0` runs no example."""
    session.install("-e", ".[docs]")
    options = ["-W", "--keep-going", "-b", "html", *session.posargs]
    session.run("python", "-m", "sphinx", *options, "docs", "docs/_build/html")


@nox.session
def bench(session):
    """Run the benchmark; `-- --baseline DIRECTORY` compares with a version there."""
    session.install("-e", ".[compare]")
    options = session.posargs or ["--quick"]
    session.run("python", "tests/benchmarks/compare.py", *options)


@nox.session(python="3.11")
def oldest(session):
    """Run the tests with the oldest NumPy, SciPy and scikit-learn that are allowed."""
    session.install("-e", ".[test]", *OLDEST)
    session.run("python", "-m", "pytest", "-q", "-n", "auto", *NEWER, *session.posargs)
