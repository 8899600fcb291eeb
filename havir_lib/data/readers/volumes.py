"""What readers of volumes share: headers that must be alike, masks by name, anatomy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from havir_lib.data.anatomy import Anatomy
from havir_lib.data.betas import BetasHeader, read_header
from havir_lib.data.layout import DEPTHS
from havir_lib.data.nifti import Grid, indices_in, read_volume
from havir_lib.data.readers.base import Regions
from havir_lib.data.regions import LabelledSets
from havir_lib.data.rois import whole_labels
from havir_lib.data.spaces import native_space
from havir_lib.errors import DataError, did_you_mean


def headers_of(files: Mapping[int, Path]) -> dict[int, BetasHeader]:
    """Header of each session's betas.

    Raises
    ------
    ShapeError
        If they do not lie on one grid.
    """
    headers = {session: read_header(path) for session, path in files.items()}
    first = next(iter(headers.values()))
    for session, header in headers.items():
        indices_in(files[session], header.grid, np.zeros((0, 3)), first.grid)
    return headers


def stored_as(files: Mapping[int, Path], headers: Mapping[int, BetasHeader]) -> str:
    """Number of files by suffix, and their types."""
    suffixes = Counter("".join(path.suffixes) for path in files.values())
    types = sorted({header.dtype.name for header in headers.values()})
    return f"{', '.join(f'{n} {suffix}' for suffix, n in suffixes.items())}, {', '.join(types)}"


@dataclass
class Masks(LabelledSets):
    """Regions of files: one mask each, or several labels that a table names.

    Attributes
    ----------
    folder : Path
        For messages.
    subject : str
    grid : Grid
    files : mapping
        Set → its volume.
    tables : mapping
        Set → {label: value}; empty where a set is one mask.
    """

    folder: Path
    subject: str
    grid: Grid
    files: Mapping[str, Path]
    tables: Mapping[str, Mapping[str, int]]
    _volumes: dict[str, np.ndarray] = field(init=False, default_factory=dict)

    def resolve(self, name: str) -> tuple[str, str | None]:
        """Set and label; a single mask is a set without labels.

        Raises
        ------
        DataError
            If there is none; names what is there.
        """
        if (same := self.known_as(name)) is not None:
            return same, None
        wanted, _, label = name.rpartition("/")
        for roi_set in [wanted] if wanted else self.tables:
            if label in self.tables.get(roi_set, {}):
                return roi_set, label
        known = self.listed_names()
        raise DataError(
            f"{self.folder}: {self.subject} has no region {name!r}.{did_you_mean(name, known)} "
            f"Known: {', '.join(known) or 'none'}. Name those of each branch under data.roles."
        )

    def known_as(self, name: str) -> str | None:
        """The set that a name means, None if there is none."""
        return name if name in self.tables else None

    def labels(self, roi_set: str) -> np.ndarray:
        """Labels of a set (X, Y, Z), int32; of a mask, above 0 inside."""
        if roi_set not in self._volumes:
            path = self.files[roi_set]
            values = read_volume(path, f"Region {roi_set} of {self.subject}", self.grid).values
            self._volumes[roi_set] = whole_labels(path, values, self.tables[roi_set])
        return self._volumes[roi_set]


def look_at_masks(regions: Regions, where: Path, remedy: str) -> Iterator[tuple[str, str]]:
    """How many regions there are, and which are empty, as ("ok" or "note", sentence).

    Raises
    ------
    DataError
        If there is none.
    """
    names = regions.listed_names()
    if not names:
        raise DataError(f"{where}: expected masks, found none. {remedy}")
    yield "ok", f"{len(names)} regions: {', '.join(names)}"
    if empty := [name for name in names if not regions.mask(name).any()]:
        yield "note", f"without a voxel: {', '.join(empty)}"


def own_anatomy(subject: str, picture: Path, signal: Path) -> Anatomy:
    """Anatomy without a way to standard spaces; `picture` and `signal` may not exist."""
    none = picture.parent / "transforms"
    sides = ("lh", "rh")
    return Anatomy(
        subject,
        native_space(subject, "own grid"),
        picture,
        signal,
        none / "to-MNI.nii.gz",
        {(side, depth): none / f"{side}.to-{depth}.mgz" for side in sides for depth in DEPTHS},
        {side: none / f"{side}.to-fsaverage.mgz" for side in sides},
    )
