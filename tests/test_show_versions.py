"""Tests of the report of versions."""

import numpy as np
import pytest
import sklearn

import skmlp
from skmlp import compiled


def shown(capsys):
    skmlp.show_versions()
    return capsys.readouterr().out


def test_the_versions_are_those_that_are_loaded(capsys):
    out = shown(capsys)
    for name, module in [("skmlp", skmlp), ("scikit-learn", sklearn), ("numpy", np)]:
        assert f"{name}: {module.__version__}\n" in out
    for title in "System:", "Python dependencies:", "Thread pool:", "user_api: blas":
        assert title in out


def test_missing_package_is_none(capsys, monkeypatch):
    monkeypatch.setattr("skmlp._show_versions._PACKAGES", ("no-such-package",))
    assert "no-such-package: None\n" in shown(capsys)


@pytest.mark.parametrize(
    ("unavailable", "line"),
    [
        (None, "Engine: compiled (instruction set AVX2)"),
        ("no C", "Engine: numpy (the compiled engine is not available: no C)"),
    ],
)
def test_the_last_line_is_the_engine(capsys, monkeypatch, unavailable, line):
    monkeypatch.setattr(compiled, "UNAVAILABLE", unavailable)
    monkeypatch.setattr(compiled, "instruction_set", lambda: "AVX2", raising=False)
    assert shown(capsys).splitlines()[-1] == line
