"""A value per voxel of a subject as a volume over its own anatomy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from havir_lib.data.layout import ANATOMY
from havir_lib.data.rois import read_volume
from havir_lib.data.spaces import native_space
from havir_lib.interpretation import to_volume
from havir_lib.plots.rois import ROLE_CODES, BrainMap
from havir_lib.run import Run
from havir_lib.run.data import layout


def role_volume(run: Run, name: str) -> BrainMap:
    """1 at a subject's structural and 2 at its semantic voxels, over its anatomy."""
    subject = run.subject(name)
    codes = sum(getattr(subject, role) * code for role, code in ROLE_CODES.items())
    return brain_map(run, name, codes.astype("f4"))


def brain_map(run: Run, name: str, values: np.ndarray, voxels=slice(None)) -> BrainMap:
    """One value per voxel of a subject as a volume over its own anatomy."""
    subject = run.subject(name)
    image = to_volume(values, subject.ijk[voxels], subject.shape, subject.affine)
    space = native_space(name, run.config.data.space)
    behind = background(run, name, subject.shape)
    return BrainMap(image.get_fdata(dtype=np.float32), subject.affine, space, behind)


def background(run: Run, name: str, shape: tuple[int, int, int]) -> np.ndarray:
    """The subject's anatomy, or, where there is none, 1 inside its brain and 0 outside."""
    place = layout(run)
    if place.lacks(name, ANATOMY):
        signal = read_volume(place.ncsnr(name), f"Noise ceiling of {name}", shape).values
        return (np.nan_to_num(signal) > 0).astype(np.float32)
    return read_volume(place.anatomy(name), f"Anatomy of {name}", shape).values


def without_anatomy(run: Run, names: Sequence[str]) -> str:
    """A sentence about subjects whose anatomy is not there; empty if all have it."""
    place = layout(run)
    lost = {name: files[0].name for name in names if (files := place.lacks(name, ANATOMY))}
    if not lost:
        return ""
    files = ", ".join(f"{file} of {name}" for name, file in lost.items())
    return f" Drawn over the brain's outline instead of its anatomy, for lack of {files}."
