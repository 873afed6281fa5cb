"""Tests that a training which is killed is not lost: SIGKILL, at any moment."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import skmlp
from skmlp import compiled

SCRIPT = Path(__file__).with_name("killed_training.py")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


def run(mode, directory, *arguments):
    """What the script prints, as a list of dicts."""
    command = [sys.executable, SCRIPT, mode, directory, *map(str, arguments)]
    # One thread, for a process that has more is not to be forked.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    output = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    )
    return [json.loads(line) for line in output.stdout.splitlines()]


def assert_same(actual, expected):
    """Compare whatever training leaves behind, but for the times."""
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        if name == "history_":
            value = {k: v for k, v in value.items() if k != "seconds"}
            for key in value:
                np.testing.assert_array_equal(actual[name][key], value[key])
        elif name == "_network":
            assert actual[name].layer_sizes == value.layer_sizes
        elif name == "_optimizer":
            for key, part in value.state_dict().items():
                np.testing.assert_array_equal(actual[name].state_dict()[key], part)
        elif name == "_rng" and value is not None:
            assert actual[name].bit_generator.state == value.bit_generator.state
        elif isinstance(value, list) and value and isinstance(value[0], np.ndarray):
            for a, e in zip(actual[name], value, strict=True):
                np.testing.assert_array_equal(a, e, strict=True)
        else:
            np.testing.assert_array_equal(actual[name], value, err_msg=name)


def assert_killed_training_is_not_lost(directory, n_kills):
    in_writing = 0
    for report in run("random", directory, n_kills):
        assert report["kills"] == n_kills
        in_writing += report["in_writing"]
        actual, expected = report["result"], report["expected"]
        assert_same(
            *(
                {k: v for k, v in vars(skmlp.load(path)).items() if k.endswith("_")}
                | {k: v for k, v in vars(skmlp.load(path)).items() if k[0] == "_"}
                for path in (actual, expected)
            )
        )
        with np.load(f"{actual}.npz") as a, np.load(f"{expected}.npz") as e:
            assert a.files == e.files
            for name in e.files:
                np.testing.assert_array_equal(a[name], e[name])
    assert in_writing  # or it would say nothing of writes


def test_a_training_that_is_killed_ends_like_one_that_is_not(tmp_path):
    """To the last bit, after four kills each (64 in all with the compiled engine).

    Some of them come while a checkpoint is being written: a sixth or more.
    """
    n_kills = 4 if compiled.UNAVAILABLE is None else 8
    assert_killed_training_is_not_lost(tmp_path, n_kills)


@pytest.mark.slow
def test_a_training_that_is_killed_often_ends_like_one_that_is_not(tmp_path):
    """Likewise, 40 times each."""
    assert_killed_training_is_not_lost(tmp_path, 40)


@pytest.mark.parametrize(
    "stride", [5, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_checkpoint_file_is_always_complete(tmp_path, stride):
    """Killed at a line of the writing; only a rename makes the difference."""
    *killed, last = run("lines", tmp_path, stride)
    assert not last["killed"]
    epochs = [report["epoch"] for report in killed]
    assert all(report["killed"] for report in killed)
    assert len(epochs) > 100 / stride
    assert set(epochs) == {2, 4}
    assert epochs == sorted(epochs)
