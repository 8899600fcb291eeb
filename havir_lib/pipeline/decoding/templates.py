"""Regions from a template instead of the individual's own (the paper's third contribution).

The masks come from the folder ``comparison.template_folder`` beside the subject's own ones, if it
is there: the simulation writes the atlas without the subject's displacement, and whoever has drawn
template masks for real subjects can put them there. Otherwise they are what most of the *other*
subjects have at the same place of MNI space, by NSD's own transforms.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.spatial import cKDTree

from havir_lib.config import Config
from havir_lib.data import load_subject
from havir_lib.data.layout import GET_DATA, NsdLayout, layout_of
from havir_lib.data.rois import RoiAtlas, read_volume
from havir_lib.data.subject import Subject
from havir_lib.errors import DataError, ShapeError, require_file
from havir_lib.io import atomic_write
from havir_lib.pipeline import brains
from havir_lib.pipeline.run import Run
from havir_lib.provenance import source_digest, stamp

OUTSIDE = 9999  # NSD's mark of places that a transform does not reach


@lru_cache(maxsize=2)
def template_brain(run: Run, name: str) -> Subject:
    """The subject with the voxels that template masks name, and the usual hours of training."""
    data = run.config.data.model_copy(update={"roi_folder": mask_folder(run, name)})
    config = run.config.model_copy(update={"data": data})
    root = brains.data_root(run)
    brain = load_subject(config, name, root=root, cache=run.workspace.cache)
    return brain if run.is_base(name) else brain.hours(run.config.training.transfer_sessions)


def mask_folder(run: Run, name: str) -> str:
    """Folder of a subject's template masks, as ``data.roi_folder`` takes it."""
    layout = layout_of(run.config, brains.data_root(run))
    given = layout.roi_directory(name).with_name(run.config.comparison.template_folder)
    if any(given.glob("*.nii.gz")):
        return given.name
    return str(group_masks(run, layout, name))


def group_masks(run: Run, layout: NsdLayout, name: str) -> Path:
    """Folder of masks made from all other subjects of the run, cached.

    Raises
    ------
    DataError
        If there is no other subject, or a transform to MNI space is missing.
    """
    others = [other for other in run.subjects if other != name]
    if not others:
        raise DataError(
            f"Template masks of {name} are made from the other subjects, and there are none. "
            f"List more under data.subjects, or put masks into "
            f"{layout.roi_directory(name).with_name(run.config.comparison.template_folder)}."
        )
    grids = {other: read_coordinates(layout, other) for other in (name, *others)}
    atlases = {other: RoiAtlas(layout, other, grids[other].shape[:3]) for other in others}
    sets = _sets_of_roles(run.config, atlases[others[0]])
    files = [layout.roi(other, roi_set) for other in others for roi_set in sets]
    recipe = {
        "subject": name,
        "others": others,
        "files": [stamp(require_file(path, "ROI set", GET_DATA)) for path in files],
        "coordinates": [grids[other] for other in (name, *others)],
        "source": source_digest("pipeline/decoding/templates"),
    }

    def build(folder: Path) -> None:
        affine = nib.load(layout.ncsnr(name)).affine
        for roi_set in sets:
            labels = {other: _labels(layout, other, roi_set, grids[other]) for other in others}
            voted = vote(grids[name], {other: (grids[other], labels[other]) for other in others})
            with atomic_write(folder / f"{roi_set}.nii.gz") as temporary:
                nib.save(nib.Nifti1Image(voted.astype(np.int16), affine), temporary)

    return run.cached("template_masks", recipe, build)


def read_coordinates(layout: NsdLayout, name: str) -> np.ndarray:
    """Where each voxel of a subject's grid lies in MNI space, (X, Y, Z, 3); NaN outside of it.

    NSD's ``transforms/MNI-to-<space>.nii.gz``: voxel indices of the 1 mm template, hence mm.
    """
    file = f"MNI-to-{layout.space.removesuffix('mm')}.nii.gz"
    path = layout.root / "nsddata/ppdata" / name / "transforms" / file
    values = read_volume(path, f"Transform of {name} to MNI space").values
    if values.ndim != 4 or values.shape[3] != 3:
        raise ShapeError(f"{path}: expected coordinates (X, Y, Z, 3), found {values.shape}.")
    coordinates = values.astype(np.float32)
    coordinates[(coordinates == OUTSIDE).any(axis=-1)] = np.nan
    return coordinates


def vote(
    coordinates: np.ndarray, others: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """The label that most other subjects have at each voxel's place.

    Parameters
    ----------
    coordinates : ndarray, shape (X, Y, Z, 3)
        Standard coordinates of the grid to be labelled; NaN outside the brain.
    others : mapping
        Name → coordinates (X', Y', Z', 3) and labels (X', Y', Z'); labels below 1 mean no region.
        Each subject votes with the label of its voxel nearest to the place.

    Returns
    -------
    ndarray of int, shape (X, Y, Z)
        0 where no region has more votes than none, and outside the brain.
    """
    inside = np.isfinite(coordinates).all(axis=-1)
    highest = max(int(labels.max()) for _, labels in others.values())
    votes = np.zeros((int(inside.sum()), max(highest, 0) + 1), dtype=np.int32)
    for points, labels in others.values():
        known = np.isfinite(points).all(axis=-1)
        _, nearest = cKDTree(points[known]).query(coordinates[inside])
        chosen = np.clip(labels[known][nearest], 0, None).astype(np.int64)
        votes[np.arange(len(votes)), chosen] += 1
    result = np.zeros(inside.shape, dtype=np.int64)
    result[inside] = votes.argmax(axis=1)  # a tie goes to the lower number, 0 first
    return result


def _labels(layout: NsdLayout, name: str, roi_set: str, grid: np.ndarray) -> np.ndarray:
    path = layout.roi(name, roi_set)
    return read_volume(path, f"ROI set {roi_set} of {name}", grid.shape[:3]).values


def _sets_of_roles(config: Config, atlas: RoiAtlas) -> list[str]:
    roles = config.data.roles
    found = [atlas.resolve(name)[0] for name in (*roles.structural, *roles.semantic)]
    return list(dict.fromkeys(found))
