"""Rendering: SVG to pixels, one scene or many, in one process or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from typing import TypeVar

import numpy as np
import resvg_py
from PIL import Image

from havir_lib.parallel import in_processes

from .scene import Scene, make_scene

T = TypeVar("T")
CHUNK = 64


def render(svg: str, size: int) -> np.ndarray:
    """Rasterise an SVG to uint8 (size, size, 3), rows from top to bottom."""
    png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True)
    return np.asarray(Image.open(BytesIO(bytes(png)), formats=["PNG"]).convert("RGB"))


def make_scenes(seeds: Sequence[int], workers: int = 1) -> list[Scene]:
    """Make the scenes of `seeds`, in order; the result does not depend on `workers`."""
    return _over_chunks(_make_chunk, seeds, workers)


def render_many(seeds: Sequence[int], size: int, workers: int = 1) -> np.ndarray:
    """Make and rasterise the scenes of `seeds`.

    Parameters
    ----------
    seeds
        n scene seeds.
    size
        Side of the pictures in pixels.
    workers
        Processes to use; the result does not depend on it.

    Returns
    -------
    np.ndarray
        uint8 (n, size, size, 3).
    """
    images = _over_chunks(partial(_render_chunk, size=size), seeds, workers)
    return np.stack(images) if images else np.zeros((0, size, size, 3), np.uint8)


def contact_sheet(seeds: Sequence[int], columns: int, size: int, gap: int = 4) -> np.ndarray:
    """Tile the scenes of `seeds` on white, row by row: uint8 (height, width, 3)."""
    images = render_many(seeds, size)
    rows = -(-len(images) // columns)
    step = size + gap
    sheet = np.full((rows * step + gap, columns * step + gap, 3), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = gap + step * (i // columns), gap + step * (i % columns)
        sheet[top : top + size, left : left + size] = image
    return sheet


def _make_chunk(seeds: Sequence[int]) -> list[Scene]:
    return [make_scene(seed) for seed in seeds]


def _render_chunk(seeds: Sequence[int], size: int) -> list[np.ndarray]:
    return [render(make_scene(seed).svg, size) for seed in seeds]


def _over_chunks(work: Callable[..., list[T]], seeds: Sequence[int], workers: int) -> list[T]:
    seeds = [int(seed) for seed in seeds]
    if not seeds:
        return work(seeds)
    size = max(1, min(CHUNK, -(-len(seeds) // workers)))
    chunks = [seeds[i : i + size] for i in range(0, len(seeds), size)]
    done = in_processes(work, [(chunk,) for chunk in chunks], workers)
    return [item for chunk in done for item in chunk]
