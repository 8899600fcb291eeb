"""A subject's regions drawn in another way: the same names, other voxels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from havir_lib.data.nifti import Grid
from havir_lib.data.readers.base import Regions
from havir_lib.data.regions import LabelledSets
from havir_lib.io import load_arrays


@dataclass
class RedrawnMasks(LabelledSets):
    """Regions (:class:`havir_lib.data.readers.base.Regions`) whose labels come from a file.

    Attributes
    ----------
    own : Regions
        Says what names mean.
    path : Path
        ``.npz``: set → labels (X, Y, Z) on the grid of `own`, as those of `own` are numbered.
    """

    own: Regions
    path: Path
    subject: str = field(init=False)
    grid: Grid = field(init=False)

    def __post_init__(self) -> None:
        self.subject, self.grid = self.own.subject, self.own.grid

    @cached_property
    def _labels(self) -> Mapping[str, np.ndarray]:
        return load_arrays(self.path)

    @cached_property
    def tables(self) -> dict[str, Mapping[str, int]]:
        """Set → {label: value} of the sets that were drawn."""
        return {roi_set: self.own.tables[roi_set] for roi_set in self._labels}

    def resolve(self, name: str) -> tuple[str, str | None]:
        """As the subject's own regions have it."""
        return self.own.resolve(name)

    def labels(self, roi_set: str) -> np.ndarray:
        """Labels of a set (X, Y, Z), int32; -1 outside of the brain."""
        return self._labels[roi_set]
