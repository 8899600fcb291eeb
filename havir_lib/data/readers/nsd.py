"""NSD's own layout, and simulated subjects in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from havir_lib.config import Data
from havir_lib.data.anatomy import Anatomy, anatomy_of
from havir_lib.data.betas import BetasHeader, read_betas
from havir_lib.data.layout import NsdLayout, used_sessions
from havir_lib.data.nifti import Grid, grid_of, read_volume
from havir_lib.data.readers.base import Normalised
from havir_lib.data.readers.volumes import headers_of, stored_as
from havir_lib.data.rois import RoiAtlas, look_at_atlas
from havir_lib.data.stimuli import Stimuli
from havir_lib.data.trials import load_trials
from havir_lib.errors import DataError
from havir_lib.simulation import MARKER


@dataclass(frozen=True)
class NsdReader:
    """Files as NSD's manual names them.

    Attributes
    ----------
    layout : NsdLayout
    data : Data
        Which sessions are used.
    """

    layout: NsdLayout
    data: Data
    name: ClassVar[str] = "nsd"
    normalised: ClassVar[Normalised] = "none"
    _headers: dict[str, dict[int, BetasHeader]] = field(default_factory=dict, repr=False)
    _grids: dict[str, Grid] = field(default_factory=dict, repr=False)

    @property
    def root(self) -> Path:
        """Folder with ``nsddata``, ``nsddata_betas`` and ``nsddata_stimuli``."""
        return self.layout.root

    @property
    def simulated(self) -> bool:
        """Whether the simulation's mark lies beside the data."""
        return (self.root / MARKER).is_file()

    def subjects(self) -> list[str]:
        """Those whose betas folder exists."""
        return self.layout.subjects()

    def sessions(self, subject: str) -> list[int]:
        """Sessions 1 to the last one used."""
        return used_sessions(self.layout, subject, self.data.sessions_of(subject))

    def files(self, subject: str) -> list[Path]:
        """Design, tables, betas, masks and label tables."""
        place = self.layout
        files = [place.stim_info, place.experiment_design, place.ncsnr(subject)]
        files += [place.responses(subject), place.stimuli]
        files += [place.betas(subject, session) for session in self.sessions(subject)]
        files += self.mask_files(subject)
        for directory in place.label_directories(subject):
            files += sorted(directory.glob("*.mgz.ctab"))
        return [file for file in files if file.is_file()]

    def trials(self, subject: str) -> pd.DataFrame:
        """Shared images are the test images, all others train."""
        lengths = {session: x.n_trials for session, x in self.headers(subject).items()}
        return load_trials(self.layout, subject, lengths)

    def headers(self, subject: str) -> dict[int, BetasHeader]:
        """Header of each session.

        Raises
        ------
        DataError, ShapeError
            If they are not alike.
        """
        if subject not in self._headers:
            files = {n: self.layout.betas(subject, n) for n in self.sessions(subject)}
            self._headers[subject] = _alike(files)
        return self._headers[subject]

    def grid(self, subject: str) -> Grid:
        """As the betas say, or else the volume of the noise ceiling beside them."""
        if subject not in self._grids:
            self._grids[subject] = self._grid(subject)
        return self._grids[subject]

    def _grid(self, subject: str) -> Grid:
        header = next(iter(self.headers(subject).values()))
        beside = self.layout.ncsnr(subject)
        if header.affine is not None or not beside.is_file():
            return header.grid
        found = grid_of(beside)
        if found.shape != header.shape:
            read_volume(beside, f"Noise ceiling SNR of {subject}", header.grid)  # says so
        return Grid(header.shape, found.affine)

    def stored(self, subject: str) -> str:
        """Number of files by suffix, and their type."""
        headers = self.headers(subject)
        return stored_as({n: self.layout.betas(subject, n) for n in headers}, headers)

    def unit(self, subject: str) -> float:
        """1/300 for NSD's integers."""
        return next(iter(self.headers(subject).values())).unit

    def regions(self, subject: str) -> RoiAtlas:
        """ROI sets with FreeSurfer's label tables."""
        return RoiAtlas(self.layout, subject, self.grid(subject))

    def mask_files(self, subject: str) -> list[Path]:
        """Volumes of the folder ``roi``."""
        return sorted(self.layout.roi_directory(subject).glob("*.nii.gz"))

    def look_at_regions(self, subject: str) -> Iterator[tuple[str, str]]:
        """Sets that are there, and what their labels and tables say of each other."""
        return look_at_atlas(self.regions(subject))

    def betas_file(self, subject: str, session: int) -> Path:
        """``betas_sessionNN``."""
        return self.layout.betas(subject, session)

    def betas(self, subject: str, session: int, ijk: np.ndarray) -> np.ndarray:
        """All trials of a session."""
        return read_betas(self.layout.betas(subject, session), ijk, self.grid(subject))

    def ncsnr(self, subject: str) -> np.ndarray:
        """NSD's ``ncsnr.nii.gz``."""
        path = self.layout.ncsnr(subject)
        return read_volume(path, f"Noise ceiling SNR of {subject}", self.grid(subject)).values

    @cached_property
    def stimuli(self) -> Stimuli:
        """Pictures, and COCO's captions."""
        return Stimuli(self.layout, self.layout.captions(self.data.captions))

    def pictures(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """Of ``nsd_stimuli.hdf5``."""
        return Stimuli(self.layout, []).images if self.layout.stimuli.is_file() else None

    def anatomy(self, subject: str) -> Anatomy:
        """NSD's T1 and transforms."""
        return anatomy_of(self.layout, subject)


def _alike(files: dict[int, Path]) -> dict[int, BetasHeader]:
    headers = headers_of(files)
    number, first = next(iter(headers.items()))
    for session, header in headers.items():
        if header.dtype != first.dtype:
            raise DataError(
                f"{files[session]}: values are {header.dtype}, but session {number} has "
                f"{first.dtype}. All must be alike."
            )
    return headers
