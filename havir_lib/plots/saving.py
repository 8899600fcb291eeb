"""Saving figures: PNG and PDF with the same bytes every time, and a record of where they came from.

Simulated figures get a strip above the drawing that says so, in the PNG and in the PDF; the strip
is added outside the drawing, so it never covers anything.
"""

from __future__ import annotations

import io
import logging
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image

from havir_lib.io import atomic_write
from havir_lib.plots.style import STAMP, figure_style, mm, parse_formulas
from havir_lib.provenance import check_origin, write_sidecar

log = logging.getLogger(__name__)

DPI = 150
LARGEST_PNG = 400_000  # bytes; the demo's PNGs are committed
STAMP_TEXT = "SIMULATED DATA"
STRIP = 4.0  # mm


def save_figure(
    fig: Figure,
    folder: Path,
    name: str,
    provenance: dict,
    simulated: bool,
    *,
    caption: str = "",
    largest_png: int = LARGEST_PNG,
) -> Path:
    """Write ``<name>.png``, ``<name>.pdf`` and ``<name>.json`` into `folder`.

    Parameters
    ----------
    fig : Figure
    folder : Path
        Created if missing.
    name : str
        File name without suffix, e.g. ``"fig2_reconstructions"``.
    provenance : dict
        From :func:`havir_lib.provenance.record`.
    simulated : bool
        Whether the numbers come from simulated subjects; such figures are stamped.
    caption : str
        Kept in the JSON file and shown by the HTML report.
    largest_png : int
        Bytes above which the PNG is reduced to a palette.

    Returns
    -------
    Path
        The PNG.

    Raises
    ------
    HavirError
        If `provenance` says the opposite of `simulated`.
    """
    check_origin(provenance, simulated, name)
    folder = Path(folder)
    with figure_style():
        parse_formulas(fig)
        frame = _frame(fig, simulated)
        stamps = _stamp(fig) if simulated else []
        png = _png_bytes(fig, frame, largest_png)
        with atomic_write(folder / f"{name}.png") as temporary:
            temporary.write_bytes(png)
        with atomic_write(folder / f"{name}.pdf") as temporary:
            silent = {"CreationDate": None, "Creator": None, "Producer": None}
            fig.savefig(temporary, format="pdf", bbox_inches=frame, metadata=silent)
        for stamp in stamps:
            stamp.remove()
    write_sidecar(folder / f"{name}.png", provenance, simulated, caption=caption)
    return folder / f"{name}.png"


def stamp_figure(fig: Figure) -> None:
    """Mark a figure that is shown without being saved as one of simulated data."""
    height = fig.get_size_inches()[1] * 25.4
    fig.text(0.99, 1 + 1 / height, STAMP_TEXT, ha="right", va="bottom", fontsize=6.5,
             color=STAMP, fontweight="bold")  # fmt: skip


def _frame(fig: Figure, simulated: bool) -> Bbox:
    width, height = fig.get_size_inches()
    (strip,) = mm(STRIP if simulated else 0)
    return Bbox.from_bounds(0, 0, width, height + strip)


def _stamp(fig: Figure) -> list:
    width, height = fig.get_size_inches() * 25.4
    y = 1 + 0.5 * STRIP / height
    text = fig.text(
        1 - 1.5 / width,
        y,
        STAMP_TEXT,
        ha="right",
        va="center",
        fontsize=6.5,
        color=STAMP,
        fontweight="bold",
        bbox={"boxstyle": "round,pad=0.25", "fc": "white", "ec": STAMP, "lw": 0.6},
    )
    text.set_in_layout(False)
    return [text]


def _png_bytes(fig: Figure, frame: Bbox, largest: int) -> bytes:
    """The figure as PNG, in full colour if that is small enough, else in a dithered palette."""
    for dpi, colours in ((DPI, None), (DPI, 256), (0.8 * DPI, 256), (2 / 3 * DPI, 256)):
        image = _raster(fig, frame, dpi)
        if colours:
            sample = image.reduce(4)  # k-means on all pixels takes ten seconds and gains nothing
            palette = sample.quantize(colours, method=Image.Quantize.MEDIANCUT, kmeans=1)
            image = image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
        content = _encode(image, dpi)
        if len(content) <= largest:
            return content
    log.warning("a PNG stays above %d kB at %d dots per inch", largest // 1000, dpi)
    return content


def _raster(fig: Figure, frame: Bbox, dpi: float) -> Image.Image:
    buffer = io.BytesIO()
    quick = {"compress_level": 1}
    fig.savefig(buffer, format="png", dpi=dpi, bbox_inches=frame, pil_kwargs=quick)
    image = Image.open(buffer, formats=["PNG"]).convert("RGBA")
    flat = Image.new("RGB", image.size, "white")  # the strip lies outside the figure's background
    flat.paste(image, mask=image)
    return flat


def _encode(image: Image.Image, dpi: float) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", dpi=(dpi, dpi))
    return buffer.getvalue()
