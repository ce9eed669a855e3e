"""Where the panels of a figure lie on a page, so that labels and colour bars have their place."""

from __future__ import annotations

from dataclasses import dataclass

from aiida_seireact.figures.figure import Figure
from aiida_seireact.figures.geometry import categories

Domains = tuple[list[float], list[float]]
"""Parts of the width and of the height."""

_ROW_PX, _SQUARE_PX = 280, 320
_GAP_PX, _NAMES_PX = 100, 70  # between rows: labels and a title; names along x are turned
TOP_PX, BOTTOM_PX = 45, 110
_GAP, _COLOUR_BAR = 0.13, 0.1  # between columns, as a part of the width


@dataclass(frozen=True)
class Grid:
    """Where the panels lie, in pixels down and parts of the width across."""

    rows: int
    columns: int
    row_px: int
    gap_px: int
    gap: float
    right_px: int

    @classmethod
    def of(cls, figure: Figure) -> Grid:
        """Return the grid that gives labels and colour bars of a figure their place."""
        columns = max(1, min(figure.columns, len(figure.panels)))
        is_named = any(len(categories(figure, panel)) > 1 for panel in figure.panels)
        is_heat = any(trace.kind == "heat" for panel in figure.panels for trace in panel.traces)
        return cls(
            rows=-(-len(figure.panels) // columns),
            columns=columns,
            row_px=_SQUARE_PX if any(panel.is_square for panel in figure.panels) else _ROW_PX,
            gap_px=_GAP_PX + (_NAMES_PX if is_named else 0),
            gap=_GAP + (_COLOUR_BAR if is_heat else 0.0),
            right_px=100 if is_heat else 30,
        )

    @property
    def height_px(self) -> int:
        """Height of all rows."""
        return self.row_px * self.rows + self.gap_px * (self.rows - 1)

    def domains(self, number: int) -> Domains:
        """Return the parts of the width and of the height that a panel fills, counted from the lower left."""
        row, column = divmod(number, self.columns)
        width = (1 - self.gap * (self.columns - 1)) / self.columns
        left = column * (width + self.gap)
        top = 1 - row * (self.row_px + self.gap_px) / self.height_px
        return [left, min(left + width, 1.0)], [max(top - self.row_px / self.height_px, 0.0), top]
