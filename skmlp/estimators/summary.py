"""The layers of a fitted network as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import numpy as np

from skmlp.core.network import Network


class LayerSummary(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    name : str
        'input', 'hidden 1', 'hidden 2' and so on, and 'output'.

    units : int
        Number of units. For the input, the number of features.

    activation : str or None
        Name of the activation. None for the input.

    weights : tuple of int or None
        Shape of the weights between the previous layer and this one. None for the
        input.

    parameters : int
        Number of weights, biases and scales of a normalization.

    dropout : float
        Dropout rate of the units.

    batch_norm : bool
        Whether the layer has batch normalization.

    frozen : bool
        Whether the parameters were not trained in the last training.

    others : dict of str to bool
        Other columns, such as 'layer norm' and 'residual'.
    """

    name: str
    units: int
    activation: str | None
    weights: tuple[int, int] | None
    parameters: int
    dropout: float
    batch_norm: bool
    frozen: bool
    others: dict[str, bool]


@dataclass(frozen=True, repr=False)
class NetworkSummary:
    """Layers and parameters of a network, printed as a table.

    Attributes
    ----------
    layers : list of LayerSummary
        The rows of the table, from the input to the output.

    n_parameters : int
        Number of parameters.

    n_trainable : int
        Number of parameters that are not in a frozen layer.

    n_bytes : int
        Memory of the parameters and of the running statistics of batch
        normalization.

    dtype : dtype
        Type of the parameters.
    """

    layers: list[LayerSummary]
    n_parameters: int
    n_trainable: int
    n_bytes: int
    dtype: np.dtype

    def __repr__(self) -> str:
        header, rows = self._cells()
        lines = [header, *rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        # Text is aligned to the left, and numbers to the right.
        aligned = [
            "  ".join(
                cell.rjust(width) if _is_number(title) else cell.ljust(width)
                for title, cell, width in zip(header, line, widths, strict=True)
            ).rstrip()
            for line in lines
        ]
        rule = "-" * max(map(len, aligned))
        return "\n".join([aligned[0], rule, *aligned[1:], rule, self._totals()])

    def _repr_html_(self) -> str:
        """Return the table in HTML, in the colors of the page."""
        header, rows = self._cells()

        def line(tag: str, cells: Sequence[str]) -> str:
            return "".join(
                f'<{tag} style="text-align: {"right" if _is_number(title) else "left"};'
                f' padding: 0.1em 0.7em;">{escape(cell)}</{tag}>'
                for title, cell in zip(header, cells, strict=True)
            )

        body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
        return (
            '<table class="skmlp-summary" style="border-collapse: collapse; '
            'color: inherit; background: transparent; font-size: small;">'
            '<caption style="caption-side: bottom; text-align: left; color: inherit; '
            f'padding: 0.3em 0.7em;">{escape(self._totals())}</caption>'
            f"<thead><tr>{line('th', header)}</tr></thead><tbody>{body}</tbody></table>"
        )

    def _html_details(self) -> str:
        """Return the table in HTML, in an element that is collapsed."""
        sizes = [str(layer.units) for layer in self.layers]
        if len(sizes) > 8:
            sizes[4:-3] = ["..."]
        return (
            '<details class="skmlp-details" '
            'style="color: inherit; font-size: small; margin: 0.3em;">'
            '<summary style="cursor: pointer;">'
            f"Layers: {', '.join(sizes)}; {self.n_parameters:,} parameters</summary>"
            f"{self._repr_html_()}</details>"
        )

    def _cells(self) -> tuple[list[str], list[tuple[str, ...]]]:
        """Return the titles and the cells as text, without empty columns."""
        columns = {
            "layer": [layer.name for layer in self.layers],
            "units": [f"{layer.units:,}" for layer in self.layers],
            "activation": [layer.activation or "" for layer in self.layers],
            "weights": [
                "{:,} x {:,}".format(*layer.weights) if layer.weights else ""
                for layer in self.layers
            ],
            "parameters": [
                f"{layer.parameters:,}" if layer.weights else ""
                for layer in self.layers
            ],
        }
        more = {
            "dropout": [f"{l.dropout:g}" if l.dropout else "" for l in self.layers],
            "batch norm": ["yes" if l.batch_norm else "" for l in self.layers],
        }
        for title in dict.fromkeys(t for layer in self.layers for t in layer.others):
            more[title] = ["yes" if title in l.others else "" for l in self.layers]
        more["frozen"] = ["yes" if l.frozen else "" for l in self.layers]
        columns |= {title: cells for title, cells in more.items() if any(cells)}
        return list(columns), list(zip(*columns.values(), strict=True))

    def _totals(self) -> str:
        some = self.n_trainable < self.n_parameters
        trainable = f"{self.n_trainable:,}" if some else "all"
        return (
            f"{self.n_parameters:,} parameters, {trainable} trainable; "
            f"{_memory(self.n_bytes)} in {self.dtype}"
        )


def summarize(network: Network, arrays: list) -> NetworkSummary:
    """Return the summary of a network and its parameters.

    Parameters
    ----------
    network : Network
        The network.

    arrays : list of list of ndarray
        Parameters and running statistics of each layer.

    Returns
    -------
    summary : NetworkSummary
    """
    rest = iter(arrays)
    rows = []
    for l, block in enumerate(network.blocks()):
        parameters = [
            array for layer in block for array in next(rest)[: len(layer.parameters)]
        ]
        others: dict = {}
        for layer in block:
            others |= layer.summary
        kind = f"hidden {l}" if l < len(network.ends) else "output"
        rows.append(
            LayerSummary(
                name=kind if l else "input",
                units=network.layer_sizes[l],
                activation=str(network.activations[l - 1].name) if l else None,
                weights=parameters[0].shape if l else None,
                parameters=sum(array.size for array in parameters),
                dropout=others.pop("dropout", 0.0),
                batch_norm=others.pop("batch norm", False),
                frozen=bool(l and block[0].frozen),
                others=others,
            )
        )
    flat = [array for layer in arrays for array in layer]
    return NetworkSummary(
        rows,
        n_parameters=sum(row.parameters for row in rows),
        n_trainable=sum(row.parameters for row in rows if not row.frozen),
        n_bytes=sum(array.nbytes for array in flat),
        dtype=flat[0].dtype,
    )


def _is_number(title: str) -> bool:
    return title in ("units", "parameters", "dropout")


def _memory(n_bytes: int) -> str:
    for unit, size in ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes:,} bytes"
