"""How a table becomes a figure, in words: which column is which axis, what makes curves, what makes panels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from aiida_seireact.figures.figure import Kind, Reference, Scale


@dataclass(frozen=True)
class Chart:
    """Columns of a table, and how they are drawn.

    :param series: column; one curve for each of its values.
    :param panel: column; one panel for each of its values, in the order of the table.
    :param y_labels: label of y by the value of `panel`, where they differ.
    :param units: by the value of `panel`, written behind both labels.
    :param member: column that tells apart what is drawn by itself, where that is no MD run.
    :param low: column of lower ends of an interval, as in `figure.Trace`.
    :param value: column of a heat map's colours.
    :param side_by_side: several runs are panels, not colours, since they would hide each other.
    :param has_mean: points of several runs belong together by `x`, so they have a mean.
    :param palette: values of `series` are phases or elements, which have colours of their own.
    :param value_from_zero: colours of a heat map begin at zero.
    :param fewest_groups: as many colours as it takes to say anything.
    :param references: lines in every panel.
    :param slope_one: a line of slope 1 through the last point, what diffusion looks like on logarithmic axes.
    """

    kind: Kind
    x: str
    y: str
    x_label: str
    y_label: str = ""
    y_labels: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    series: str = ""
    member: str = ""
    panel: str = ""
    low: str | None = None
    high: str | None = None
    value: str | None = None
    value_label: str = ""
    side_by_side: bool = False
    has_mean: bool = True
    palette: Literal["", "phase", "element"] = ""
    value_from_zero: bool = False
    fewest_groups: int = 1
    is_step: bool = False
    is_divergent: bool = False
    is_square: bool = False
    from_zero: bool = False
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    columns: int = 2
    references: tuple[Reference, ...] = ()
    slope_one: bool = False
    hover: tuple[str, ...] = ()

    @property
    def number(self) -> str:
        """The column whose mean is taken over seeds: y, of a heat map the colours."""
        return self.value or self.y

    @property
    def places(self) -> tuple[str, ...]:
        """Columns that tell which points of several runs belong together."""
        axes = (self.x, self.y) if self.value else (self.x,)
        return tuple(name for name in (*axes, self.series, self.panel) if name)


Colour = Literal["run", "size", "temperature", "coating", "model"]
COLOURS: tuple[Colour, ...] = ("run", "size", "temperature", "coating", "model")
"""What the colours of a figure tell apart."""
