"""One picture of a file, whoever made it: read as it was meant, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from havir_lib.errors import DataError

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
"""Pillow would also run programs to read others, such as PostScript, whatever a file is called."""
MODES = {"1", "RGB", "L", "LA", "P", "PA", "RGBA"}
Colour = tuple[int, int, int]


def read_picture(path: Path, most_pixels: int) -> Image.Image:
    """A picture of 8-bit colour, turned as its EXIF orientation says.

    Parameters
    ----------
    path : Path
    most_pixels : int
        Larger ones are refused before they are read.

    Raises
    ------
    DataError
        If the file is none or cannot be read, is too large, holds several pages or frames, is
        transparent anywhere, or is not grey or colour of 8 or 16 bits.
    """
    if not path.is_file():  # opening a pipe would wait for ever
        raise DataError(f"{path}: expected an image file, found something else. Remove it.")
    return decode_picture(path, str(path), most_pixels)


def decode_picture(
    source: Path | BinaryIO, name: str, most_pixels: int, behind: Colour | None = None
) -> Image.Image:
    """The same of a path or a stream.

    Parameters
    ----------
    source : Path or binary stream
    name : str
        For messages.
    most_pixels : int
    behind : tuple of int, optional
        Colour that is put behind a transparent picture, rather than refusing it.
    """
    try:
        with Image.open(source, formats=FORMATS) as image:
            _check_kind(name, image, most_pixels)
            return _as_colour(name, ImageOps.exif_transpose(image), behind)
    except Image.DecompressionBombError as error:
        raise DataError(f"{name}: {error} Write it in the size of the stimuli.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise DataError(f"{name} cannot be read as an image ({error}). Write it again.") from error


def _check_kind(name: str, image: Image.Image, most_pixels: int) -> None:
    """What can be told before the pixels are read."""
    if image.width * image.height > most_pixels:
        raise DataError(
            f"{name}: expected at most {most_pixels:,} pixels, found {image.width}x{image.height}. "
            "Write it in the size of the stimuli."
        )
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise DataError(f"{name}: expected one picture, found {frames} pages or frames. Keep one.")
    if image.mode not in MODES and not image.mode.startswith("I;16"):
        raise DataError(
            f"{name}: expected grey or colour of 8 or 16 bits, found mode {image.mode}. "
            "Save it as PNG or JPEG."
        )


def _as_colour(name: str, image: Image.Image, behind: Colour | None) -> Image.Image:
    if image.mode.startswith("I;16"):  # the high byte, as Pillow reads 16-bit colour
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    clear = image.convert("RGBA")
    if behind is not None:
        return Image.alpha_composite(Image.new("RGBA", clear.size, behind), clear).convert("RGB")
    alpha = np.asarray(clear)[..., 3]
    if alpha.min() < 255:
        raise DataError(
            f"{name}: expected an opaque picture, found {(alpha < 255).mean():.0%} of its pixels "
            "transparent; scores would depend on what is put behind. Flatten it."
        )
    return clear.convert("RGB")
