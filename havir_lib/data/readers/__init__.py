"""Data sets on disk, each read by its own reader; nothing behind them knows a file's name.

``base`` is the contract; ``nsd`` reads NSD's own layout and simulated subjects in it, ``bids`` a
folder of one's own (``surfaces`` if it lies on one), ``mindeye`` MindEye2's HDF5, ``mindeye1``
MindEye1's archives, ``laion_fmri`` LAION-fMRI.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

from havir_lib.config import Config
from havir_lib.data import layout
from havir_lib.data.layout import folder_of, layout_of
from havir_lib.data.readers.base import Reader
from havir_lib.data.readers.bids import BidsReader
from havir_lib.data.readers.laion_fmri import LaionReader
from havir_lib.data.readers.mindeye import MindEyeReader
from havir_lib.data.readers.mindeye1 import MindEye1Reader
from havir_lib.data.readers.nsd import NsdReader
from havir_lib.data.readers.surfaces import BidsSurfaceReader, names_a_surface


def open_reader(config: Config, root: Path | str | None = None) -> Reader:
    """The reader that ``data.reader`` names, for the folder `root` or else ``data.root``."""
    if config.data.reader == "bids":
        folder = folder_of(config, root)
        kind = BidsSurfaceReader if names_a_surface(folder) else BidsReader
        return kind(folder, config.data)
    if config.data.reader == "mindeye":
        return MindEyeReader(folder_of(config, root), config.data)
    if config.data.reader == "mindeye1":
        return MindEye1Reader(folder_of(config, root), config.data)
    if config.data.reader == "laion_fmri":
        return LaionReader(folder_of(config, root), config.data)
    return NsdReader(layout_of(config, root), config.data)


def code_of(reader: Reader) -> tuple[ModuleType, ...]:
    """Code behind a reader, for keys of results that are made from what it reads."""
    return (layout, sys.modules[type(reader).__module__])


__all__ = [
    "BidsReader",
    "BidsSurfaceReader",
    "LaionReader",
    "MindEye1Reader",
    "MindEyeReader",
    "NsdReader",
    "Reader",
    "code_of",
    "open_reader",
]
