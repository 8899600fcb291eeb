"""Saving figures: WebP and PDF with the same bytes every time, and a record of their origin.

Simulated figures get a strip above the drawing that says so, in the WebP and in the PDF; the strip
is added outside the drawing, so it never covers anything.
"""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image

from havir_lib.io import atomic_write
from havir_lib.paths import FIGURE
from havir_lib.plots.style import STAMP, figure_style, mm, parse_formulas
from havir_lib.provenance import check_origin, write_sidecar

DPI = 300
"""Twice the sharpness of a page."""
MOST_COLOURS = 1 << 14
"""Colours above which a drawing holds photographs or shaded surfaces: no longer kept bit by bit."""
QUALITY = 82
STAMP_TEXT = "SIMULATED DATA"
STRIP = 48 / DPI * 25.4  # mm; whole pixels, so that the drawing below stays as it is


def save_figure(
    fig: Figure,
    folder: Path,
    name: str,
    provenance: dict,
    simulated: bool,
    *,
    caption: str = "",
) -> Path:
    """Write ``<name>.webp``, ``<name>.pdf`` and ``<name>.json`` into `folder`.

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
        Kept in the JSON file and shown by the site.

    Returns
    -------
    Path
        The WebP.

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
        picture = encoded(_raster(fig, frame))
        with atomic_write(folder / f"{name}{FIGURE}") as temporary:
            temporary.write_bytes(picture)
        with atomic_write(folder / f"{name}.pdf") as temporary:
            silent = {"CreationDate": None, "Creator": None, "Producer": None}
            fig.savefig(temporary, format="pdf", bbox_inches=frame, metadata=silent)
        for stamp in stamps:
            stamp.remove()
    write_sidecar(folder / f"{name}{FIGURE}", provenance, simulated, caption=caption)
    return folder / f"{name}{FIGURE}"


def stamp_figure(fig: Figure) -> None:
    """Mark a figure that is shown without being saved as one of simulated data, above its axes."""
    width, height = fig.get_size_inches()
    drawn = fig.get_tightbbox() if fig.axes else Bbox.from_bounds(0, 0, width, height)
    (gap,) = mm(1)
    fig.text(drawn.x1 / width, (drawn.y1 + gap) / height, STAMP_TEXT, ha="right", va="bottom",
             fontsize=6.5, color=STAMP, fontweight="bold")  # fmt: skip


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


def _raster(fig: Figure, frame: Bbox) -> Image.Image:
    buffer = io.BytesIO()
    quick = {"compress_level": 1}
    fig.savefig(buffer, format="png", dpi=DPI, bbox_inches=frame, pil_kwargs=quick)
    image = Image.open(buffer, formats=["PNG"]).convert("RGBA")
    flat = Image.new("RGB", image.size, "white")  # the strip lies outside the figure's background
    flat.paste(image, mask=image)
    return flat


def is_drawing(image: Image.Image) -> bool:
    """Whether a picture consists of lines, text and flat colours."""
    return image.getcolors(MOST_COLOURS) is not None


def encoded(image: Image.Image) -> bytes:
    """WebP: a drawing bit by bit, what holds photographs nearly so; full colour in both."""
    buffer = io.BytesIO()
    how = {"lossless": True, "quality": 60} if is_drawing(image) else {"quality": QUALITY}
    image.save(buffer, format="WEBP", use_sharp_yuv=True, **how)
    return buffer.getvalue()


def page_copy(path: Path, width: int | None = None) -> tuple[bytes, str]:
    """A saved figure for pages that know no WebP: half as sharp, ``"png"`` or ``"jpeg"``.

    Parameters
    ----------
    path : Path
    width : int, optional
        Pixels at most.
    """
    with Image.open(path, formats=["WEBP"]) as image:
        size = min(image.width // 2, width or image.width)
        small = image.convert("RGB").resize(
            (size, round(image.height * size / image.width)), Image.Resampling.LANCZOS
        )
        kind = "png" if is_drawing(image) else "jpeg"
    buffer = io.BytesIO()
    how = {} if kind == "png" else {"quality": QUALITY, "subsampling": 0}
    small.save(buffer, format=kind, **how)
    return buffer.getvalue(), kind
