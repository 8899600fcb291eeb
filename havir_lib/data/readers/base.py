"""What a reader gives of a data set: the contract between files and everything else.

Axis order everywhere: trials first, then voxels; volumes are (X, Y, Z) as nibabel has them. Image
ids are integers from 0, the rows of the reader's pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal, Protocol

import numpy as np
import pandas as pd

from havir_lib.data.anatomy import Anatomy
from havir_lib.data.nifti import Grid

Use = Literal["train", "test", "unused"]
Normalised = Literal["none", "session", "run", "training", "unknown"]


class Regions(Protocol):
    """Named regions of one subject on its grid; they may overlap, and may be empty."""

    subject: str
    grid: Grid
    tables: Mapping[str, Mapping[str, int]]
    """Set → {label: value}; empty where a set is one mask."""

    def resolve(self, name: str) -> tuple[str, str | None]:
        """Set and label that a name means; DataError if there is none."""

    def mask(self, name: str) -> np.ndarray:
        """Boolean mask (X, Y, Z) of a label or a whole set."""

    def labels(self, roi_set: str) -> np.ndarray:
        """Labels of a set (X, Y, Z), int32; of a mask, 1 inside."""

    def listed_names(self) -> list[str]:
        """Regions that are reported even if no role names them."""


class Pictures(Protocol):
    """Pictures and captions by image id."""

    table: pd.DataFrame
    image_shape: tuple[int, int, int]
    files: Sequence[Path]

    def images(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Pictures as uint8 (n, H, W, 3), in the order of `ids`, which may repeat."""

    def captions(self, ids: Sequence[int] | np.ndarray, n: int = 5) -> list[list[str]]:
        """The first `n` captions of each image; DataError if there are fewer."""

    def pictures_stamp(self) -> list:
        """Cheap identity of all pictures."""


class Reader(Protocol):
    """One data set on disk."""

    name: ClassVar[str]
    """As ``data.reader`` names it."""
    normalised: ClassVar[Normalised]
    """What was done to the betas before; nothing is normalised twice."""
    root: Path
    stimuli: Pictures

    @property
    def simulated(self) -> bool:
        """Whether the files say that their subjects are simulated."""

    def subjects(self) -> list[str]:
        """Those that are here."""

    def sessions(self, subject: str) -> list[int]:
        """Numbers of the sessions that are used, rising; DataError if one lacks its file."""

    def files(self, subject: str) -> list[Path]:
        """Every file that is read for a subject and exists; a change makes results stale."""

    def trials(self, subject: str) -> pd.DataFrame:
        """Trials of the sessions used, in the order of their betas.

        Columns session, trial (from 0 within the session), image, repeat (from 0), use
        ("train", "test" or "unused").
        """

    def grid(self, subject: str) -> Grid:
        """Where the voxels lie."""

    def stored(self, subject: str) -> str:
        """How betas are stored, for the check's report, e.g. ``"3 .hdf5, int16"``."""

    def unit(self, subject: str) -> float:
        """Factor from stored values to % signal change."""

    def regions(self, subject: str) -> Regions:
        """Its named regions; of other masks than the data set's own with ``data.roi_folder``."""

    def mask_files(self, subject: str) -> list[Path]:
        """Files that its regions are read from, as far as they are there."""

    def look_at_regions(self, subject: str) -> Iterator[tuple[str, str]]:
        """What is odd about regions, as ("ok" or "note", sentence); raises what stops a run."""

    def betas_file(self, subject: str, session: int) -> Path:
        """Where a session's betas are, for messages."""

    def betas(self, subject: str, session: int, ijk: np.ndarray) -> np.ndarray:
        """Stored values (n_trials of the session, V) of voxels with indices (V, 3)."""

    def ncsnr(self, subject: str) -> np.ndarray | None:
        """Noise ceiling SNR (X, Y, Z) that comes with the data; None if there is none."""

    def pictures(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """``pictures(ids)`` gives uint8 (n, H, W, 3); None if they are not here."""

    def anatomy(self, subject: str) -> Anatomy:
        """What lies behind maps, and the ways to standard spaces; its files may not exist."""
