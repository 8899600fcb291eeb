"""Grids of pictures, laid out in millimetres: what Figures 2 to 4 and the galleries share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from havir_lib.errors import ShapeError
from havir_lib.plots.style import (
    INK,
    MUTED,
    PAGE,
    colour_of,
    figure_style,
    has_formula,
    label_of,
    new_figure,
)

Picture = np.ndarray | None


@dataclass(frozen=True)
class GridLayout:
    """Where the cells of a picture grid lie; all lengths in millimetres."""

    n_rows: int
    n_columns: int
    width: float = PAGE
    margin: float = 1.0
    gap: float = 1.2
    head: float = 6.5
    left: float = 0.0
    note: float = 0.0

    @property
    def cell(self) -> float:
        """Side of one square picture."""
        gaps = self.gap * (self.n_columns - 1)
        return (self.width - 2 * self.margin - self.left - gaps) / self.n_columns

    @property
    def step(self) -> float:
        """From the top of one row to the top of the next."""
        return self.cell + self.note + self.gap

    @property
    def height(self) -> float:
        """Of the whole figure."""
        return 2 * self.margin + self.head + self.n_rows * self.step - self.gap

    def corner(self, row: int, column: int) -> tuple[float, float]:
        """Left and bottom of a cell, from the figure's lower left corner."""
        x = self.margin + self.left + column * (self.cell + self.gap)
        y = self.height - self.margin - self.head - row * self.step - self.cell
        return x, y

    def bounds(self, row: int, column: int) -> tuple[float, float, float, float]:
        """A cell as fractions of the figure, for ``Figure.add_axes``."""
        x, y = self.corner(row, column)
        w, h = self.width, self.height
        return x / w, y / h, self.cell / w, self.cell / h


def plot_image_grid(
    pictures: Sequence[Sequence[Picture]],
    columns: Sequence[str],
    *,
    row_labels: Sequence[str] | None = None,
    notes: Sequence[Sequence[str]] | None = None,
    width: float = PAGE,
    label_width: float = 26.0,
    marked: Sequence[str] = (),
    note_lines: int = 1,
    missing: str = "",
) -> Figure:
    """Pictures in rows and columns.

    Parameters
    ----------
    pictures : rows of columns of uint8 arrays, each (H, W, 3) or (H, W)
        None leaves a cell empty.
    columns : sequence of str
        One title per column; subjects, methods and configurations are underlined in their colour.
    row_labels : sequence of str, optional
        Text at the left of each row, wrapped to `label_width`.
    notes : rows of columns of str, optional
        Text below each picture, wrapped into at most `note_lines` lines.
    missing : str
        Text in empty cells.
    width, label_width : float
        Millimetres.
    marked : sequence of str
        Column titles to underline in their own colour.
    note_lines : int

    Returns
    -------
    Figure

    Raises
    ------
    ShapeError
        If a row does not have one picture per column, or there is not one label per row.
    """
    _check_grid(pictures, columns, row_labels, notes)
    layout = GridLayout(
        n_rows=len(pictures),
        n_columns=len(columns),
        width=width,
        left=label_width if row_labels is not None else 0.0,
        note=0.8 + 2.9 * note_lines if notes is not None else 0.0,
    )
    titles = [wrap_to_width(label_of(name), layout.cell + 1) for name in columns]
    n_lines = max(len(title.splitlines()) for title in titles)
    layout = replace(layout, head=3.0 * n_lines + 2.0 if n_lines else 0.0)
    missing = wrap_to_width(missing, layout.cell - 1)
    with figure_style():
        fig = new_figure(width, layout.height, layout=None)
        for row, line in enumerate(pictures):
            for column, picture in enumerate(line):
                ax = fig.add_axes(layout.bounds(row, column), label=f"{row}/{columns[column]}")
                show_picture(ax, picture, missing)
                if notes is not None:
                    _note(ax, wrap_to_width(notes[row][column], layout.cell, 6.5, note_lines))
        for column, name in enumerate(columns):
            _title(fig, layout, column, titles[column], colour_of(name) if name in marked else None)
        for row, label in enumerate(row_labels or ()):
            _row_label(fig, layout, row, label)
    return fig


def show_picture(ax: Axes, picture: Picture, missing: str = "") -> Axes:
    """One picture without axes; None leaves the place empty but for the text `missing`."""
    ax.set_axis_off()
    if picture is None:
        ax.text(0.5, 0.5, missing, ha="center", va="center", color=MUTED, transform=ax.transAxes)
        return ax
    ax.imshow(picture, cmap="gray" if picture.ndim == 2 else None, vmin=0, vmax=255)
    return ax


def wrap_to_width(text: str, width: float, size: float = 7.0, max_lines: int = 99) -> str:
    """Break `text` into lines no wider than `width` millimetres at `size` points.

    Widths are measured, not counted in characters. Text that needs more than `max_lines` lines
    ends in an ellipsis.
    """
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > max_lines:
        last = lines[max_lines - 1]
        while text_width(last + " …", size) > width and " " in last:
            last = last.rpartition(" ")[0]
        lines = [*lines[: max_lines - 1], last + " …"]
    return "\n".join(lines)


def text_width(text: str, size: float = 7.0) -> float:
    """Width of one line of the figures' typeface, in millimetres."""
    with rc_context({"text.parse_math": has_formula(text)}):
        path = TextPath((0, 0), text, size=size, prop=FontProperties(family="DejaVu Sans"))
    hinted = 1.05  # letters are put on whole pixels when drawn, which makes lines a little longer
    return hinted * path.get_extents().width / 72 * 25.4


def _title(fig: Figure, layout: GridLayout, column: int, title: str, colour: str | None) -> None:
    x, y = layout.corner(0, column)
    x, top = x / layout.width, (y + layout.cell) / layout.height
    cell = layout.cell / layout.width
    weight = "normal" if colour else "bold"
    fig.text(x + cell / 2, top + 2.0 / layout.height, title, ha="center", va="bottom",
             fontsize=7, fontweight=weight, linespacing=1.0)  # fmt: skip
    if colour:
        bar = fig.add_axes((x, top + 0.5 / layout.height, cell, 0.8 / layout.height))
        bar.set_axis_off()
        bar.axhspan(0, 1, color=colour, lw=0)


def _row_label(fig: Figure, layout: GridLayout, row: int, label: str) -> None:
    _, y = layout.corner(row, 0)
    lines = int(layout.cell / 3.1)
    fig.text(
        layout.margin / layout.width,
        (y + layout.cell / 2) / layout.height,
        wrap_to_width(label, layout.left - 2.5, 7, lines),
        ha="left",
        va="center",
        fontsize=7,
        color=INK,
        linespacing=1.15,
    )


def _note(ax: Axes, note: str) -> None:
    ax.annotate(note, (0.5, 0), (0, -2), xycoords="axes fraction", textcoords="offset points",
                ha="center", va="top", fontsize=6.5, color=MUTED)  # fmt: skip


def _check_grid(pictures, columns, row_labels, notes) -> None:
    for row, line in enumerate(pictures):
        if len(line) != len(columns):
            raise ShapeError(f"row {row} holds {len(line)} pictures, expected {len(columns)}")
    for what, given in (("row_labels", row_labels), ("notes", notes)):
        if given is not None and len(given) != len(pictures):
            raise ShapeError(f"{what} has {len(given)} entries, expected {len(pictures)} rows")
