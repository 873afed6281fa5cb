"""Fixtures shared by the tests of the core."""

import pytest


@pytest.fixture(scope="session")
def torch_activation():
    """What looks up torch's function for an activation, by its name."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    functions = {
        "identity": lambda z: z * 1,
        "logistic": torch.sigmoid,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": torch.relu,
        "leaky_relu": functional.leaky_relu,
        "elu": functional.elu,
        "selu": functional.selu,
        # From the threshold on torch returns z itself; the default is too low.
        "softplus": lambda z: functional.softplus(z, threshold=80),
        "softsign": functional.softsign,
        "gelu": functional.gelu,
        "silu": functional.silu,
        "mish": functional.mish,
        "exp": torch.exp,
        "softmax": lambda z: torch.softmax(z, dim=1),
    }

    def look_up(name):
        assert name in functions, (
            f"give the new activation {name!r} a function of torch"
        )
        return functions[name]

    return look_up
