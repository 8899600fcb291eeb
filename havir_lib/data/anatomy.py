"""What lies behind a subject's maps: its anatomy, and the ways from its grid to standard spaces.

A data set may lack any of it; maps that need it are then left out, with a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from havir_lib.data.layout import ANATOMY, DEPTHS, GLASS_BRAIN, SURFACE, NsdLayout
from havir_lib.data.nifti import Grid, read_volume
from havir_lib.data.spaces import native_space
from havir_lib.data.surface import Surface


@dataclass(frozen=True)
class Anatomy:
    """Files behind a subject's maps; they are read when a map is drawn.

    Attributes
    ----------
    subject : str
    space : str
        Name of the subject's own space, e.g. ``"subj01 func1pt8mm"``.
    picture : Path
        T1-weighted volume (X, Y, Z) on the grid of the betas.
    signal : Path
        Volume (X, Y, Z) that is above 0 where voxels have a signal: the outline without a picture.
    to_mni : Path
        Lookup of :mod:`havir_lib.data.transforms`: where each voxel of MNI152 lies in the grid.
    to_layers : mapping of (hemisphere, depth) to Path
        Lookups: where each vertex of the subject's own surface lies in the grid, at each depth.
    to_fsaverage : mapping of hemisphere to Path
        Lookups: which vertex of the subject's own surface each vertex of fsaverage is.
    surface : Surface or None
        What the betas lie on, if not on a volume.
    brain : Path or None
        Mask (X, Y, Z) above 0 in the subject's own brain; may not exist.
    """

    subject: str
    space: str
    picture: Path
    signal: Path
    to_mni: Path
    to_layers: Mapping[tuple[str, str], Path]
    to_fsaverage: Mapping[str, Path]
    surface: Surface | None = None
    brain: Path | None = None

    @property
    def needs(self) -> dict[str, list[Path]]:
        """What a run can do without, and the files it takes; no other file is optional.

        The check of a subject, the list of missing files, downloads and figures all go by it.
        """
        on_average = self.surface is not None and self.surface.is_average
        ways = [*self.to_layers.values(), *self.to_fsaverage.values()]
        return {
            ANATOMY: [self.picture],
            GLASS_BRAIN: [self.to_mni],
            SURFACE: [] if on_average else ways,
        }

    def lacks(self, *what: str) -> list[Path]:
        """Files that are not there, of those that kinds of maps need.

        Each of `what` is :data:`~havir_lib.data.layout.ANATOMY`,
        :data:`~havir_lib.data.layout.GLASS_BRAIN` or :data:`~havir_lib.data.layout.SURFACE`.
        """
        return [file for kind in what for file in self.needs[kind] if not file.is_file()]

    def background(self, grid: Grid, otherwise: np.ndarray) -> np.ndarray:
        """The picture, (X, Y, Z) float32; without one, 1 where there is a signal and 0 elsewhere.

        Parameters
        ----------
        grid : Grid
        otherwise : ndarray (X, Y, Z)
            Where there is a signal, if no file says it.

        Raises
        ------
        ShapeError
            If the file is on another grid than `grid`.
        """
        if not self.lacks(ANATOMY):
            return read_volume(self.picture, f"Anatomy of {self.subject}", grid).values
        if not self.signal.is_file():
            return (otherwise > 0).astype(np.float32)
        signal = read_volume(self.signal, f"Noise ceiling of {self.subject}", grid).values
        return without_holes(np.nan_to_num(signal) > 0).astype(np.float32)

    @property
    def outline(self) -> Path | None:
        """The file that says where the brain is: its mask, else where there is a signal."""
        files = [x for x in (self.brain, self.signal) if x is not None and x.is_file()]
        return files[0] if files else None

    def inside(self, grid: Grid) -> np.ndarray:
        """The subject's own brain, bool (X, Y, Z), by :attr:`outline`; without it, everywhere.

        Raises
        ------
        ShapeError
            If the file is on another grid than `grid`.
        """
        if self.outline is None:
            return np.ones(grid.shape, dtype=bool)
        return read_volume(self.outline, f"Brain of {self.subject}", grid).values > 0


def without_holes(mask: np.ndarray) -> np.ndarray:
    """A mask (X, Y, Z) with gaps of up to four voxels closed: single voxels may lack a signal."""
    from scipy import ndimage  # slow to import

    wide = np.pad(mask, 3)
    closed = ndimage.binary_closing(wide, iterations=2)[3:-3, 3:-3, 3:-3]
    return ndimage.binary_fill_holes(closed | mask)


def anatomy_of(layout: NsdLayout, subject: str) -> Anatomy:
    """The anatomy of a subject of NSD, or of a simulated one in its layout."""
    sides = ("lh", "rh")
    return Anatomy(
        subject,
        native_space(subject, layout.space),
        layout.anatomy(subject),
        layout.ncsnr(subject),
        layout.to_mni(subject),
        {
            (side, depth): layout.to_surface(subject, side, depth)
            for side in sides
            for depth in DEPTHS
        },
        {side: layout.to_fsaverage(subject, side) for side in sides},
        brain=layout.brain_mask(subject),
    )
