"""A value per voxel of a subject as a volume over its own anatomy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from havir_lib.data.layout import ANATOMY
from havir_lib.interpretation import to_volume
from havir_lib.plots.rois import ROLE_CODES, BrainMap
from havir_lib.run import Run


def role_volume(run: Run, name: str) -> BrainMap:
    """1 at a subject's structural and 2 at its semantic voxels, over its anatomy."""
    subject = run.subject(name)
    codes = sum(getattr(subject, role) * code for role, code in ROLE_CODES.items())
    return brain_map(run, name, codes.astype("f4"))


def brain_map(run: Run, name: str, values: np.ndarray, voxels=slice(None)) -> BrainMap:
    """One value per voxel of a subject as a volume over its own anatomy."""
    subject = run.subject(name)
    volume = to_volume(values, subject.ijk[voxels], subject.shape)
    behind = subject.anatomy.background(
        subject.grid, subject.volume(np.ones(subject.n_voxels), 0.0)
    )
    return BrainMap(volume, subject.affine, subject.anatomy.space, behind)


def without_places(run: Run, names: Sequence[str]) -> str:
    """Why no maps of slices can be drawn, as a sentence; empty if they can."""
    lost = [name for name in names if not run.subject(name).has_places]
    if not lost:
        return ""
    surfaces = {name: run.subject(name).anatomy.surface for name in lost}
    if all(surfaces.values()):
        where = ", ".join(f"{name}: {surface.space}" for name, surface in surfaces.items())
        return f"Maps of slices are left out: betas lie on a surface ({where})."
    return f"Maps are left out: where the voxels of {', '.join(lost)} lie is not known."


def without_anatomy(run: Run, names: Sequence[str]) -> str:
    """A sentence about subjects whose anatomy is not there; empty if all have it."""
    lost = {name: run.subject(name).anatomy.lacks(ANATOMY) for name in names}
    lost = {name: files[0].name for name, files in lost.items() if files}
    if not lost:
        return ""
    files = ", ".join(f"{file} of {name}" for name, file in lost.items())
    return f" Drawn over the brain's outline instead of its anatomy, for lack of {files}."
