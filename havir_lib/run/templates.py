"""Regions from a template instead of the individual's own (the paper's third contribution).

The masks come from the folder ``comparison.template_folder`` beside the subject's own ones, if it
is there: the simulation writes the atlas without the subject's displacement, and whoever has drawn
template masks for real subjects can put them there. Otherwise they are what most of the *other*
subjects have at the same place of MNI space, by NSD's own transforms.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np

from havir_lib.config import Config
from havir_lib.data import load_subject
from havir_lib.data.anatomy import anatomy_of
from havir_lib.data.layout import GET_DATA, GLASS_BRAIN, NsdLayout
from havir_lib.data.nifti import grid_of, read_volume
from havir_lib.data.rois import RoiAtlas
from havir_lib.data.subject import Subject
from havir_lib.data.transforms import load_coordinates
from havir_lib.errors import DataError, require_file
from havir_lib.io import atomic_write
from havir_lib.provenance import file_digest
from havir_lib.run.data import hours_of, layout

if TYPE_CHECKING:
    from havir_lib.run.run import Run


def why_not(run: Run) -> str:
    """Why there are no template masks in this run, as a sentence; empty if there are."""
    place = layout(run)
    by_vote = [name for name in run.subjects if not any(_given(run, place, name).glob("*.nii.gz"))]
    lost = [file for name in run.subjects for file in anatomy_of(place, name).lacks(GLASS_BRAIN)]
    if by_vote and len(run.subjects) == 1:
        return "Template masks are left out: they are made from other subjects, and there are none."
    if by_vote and lost:
        return f"Template masks are left out: {lost[0].name} is missing, first of {lost[0].parent}."
    return ""


def template_subject(run: Run, name: str) -> Subject:
    """The subject with the voxels that template masks name, and the usual hours of training."""
    data = run.config.data.model_copy(update={"roi_folder": inside_brain(run, name)})
    config = run.config.model_copy(update={"data": data})
    whole = load_subject(config, name, root=run.data_root, cache=run.workspace.cache)
    return hours_of(run, name, whole)


def inside_brain(run: Run, name: str) -> str:
    """Folder of the template masks within the subject's own brain, cached.

    A template reaches outside of an individual's brain, where no voxel has a signal. Anyone who
    used one would leave those out; keeping them would flatter the individual masks.
    """
    place = layout(run)
    folder = place.roi_directory(name).parent / mask_folder(run, name)
    files = sorted(folder.glob("*.nii.gz"))
    brain = own_brain(place, name)
    given = {"files": {file.name: file_digest(file) for file in (*files, brain)}}
    how = {"masks": files, "brain": brain}
    made = run.remember_folder("template_masks_in_brain", cut_to_brain, how=how, given=given)
    return str(made.path)


def cut_to_brain(folder: Path, masks: Sequence[Path], brain: Path) -> None:
    """Write ROI volumes with -1 outside of a brain (voxels above 0 in the volume `brain`)."""
    for file in masks:
        image = nib.load(file)
        inside = read_volume(brain, "Brain", grid_of(file)).values > 0
        kept = np.where(inside, np.asarray(image.dataobj), -1).astype(np.int16)
        nib.save(nib.Nifti1Image(kept, image.affine), folder / file.name)


def own_brain(place: NsdLayout, name: str) -> Path:
    """The subject's brain mask; without one, the voxels that have a signal at all (``ncsnr``)."""
    mask = place.brain_mask(name)
    return mask if mask.is_file() else place.ncsnr(name)


def _given(run: Run, place: NsdLayout, name: str) -> Path:
    return place.roi_directory(name).with_name(run.config.comparison.template_folder)


def mask_folder(run: Run, name: str) -> str:
    """Folder of a subject's template masks as drawn, as ``data.roi_folder`` takes it."""
    place = layout(run)
    given = _given(run, place, name)
    if any(given.glob("*.nii.gz")):
        return given.name
    return str(group_masks(run, place, name))


def group_masks(run: Run, place: NsdLayout, name: str) -> Path:
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
            f"List more under data.subjects, or put masks into {_given(run, place, name)}."
        )
    sets = _sets_of_roles(run.config, place, others[0])
    files = [place.roi(other, roi_set) for other in others for roi_set in sets]
    files += [place.to_mni(subject) for subject in (name, *others)]
    files += [place.ncsnr(name)]  # whose grid the masks take
    files = [require_file(path, "ROI set or transform", GET_DATA) for path in files]
    given = {"files": [[file.name, file_digest(file)] for file in files]}
    how = {"place": place}
    made = run.remember_folder(
        "template_masks", write_group_masks, name, others, sets, how=how, given=given
    )
    return made.path


def write_group_masks(
    folder: Path, name: str, others: Sequence[str], sets: Sequence[str], place: NsdLayout
) -> None:
    """Write one volume per ROI set: what most of the `others` have at a subject's voxels."""
    grid = nib.load(place.ncsnr(name))
    places = _places(place, name)
    of_others = {other: _places(place, other) for other in others}
    for roi_set in sets:
        labels = [_labels(place, other, roi_set, of_others[other]) for other in others]
        voted = vote(places, labels, grid.shape)
        with atomic_write(folder / f"{roi_set}.nii.gz") as temporary:
            nib.save(nib.Nifti1Image(voted.astype(np.int16), grid.affine), temporary)


def vote(places: np.ndarray, labels: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """The label that most other subjects have at the places of each voxel.

    Parameters
    ----------
    places : ndarray, shape (M, 3)
        Where M places of the standard space lie in the grid to be labelled; NaN outside of it.
    labels : sequence of ndarray of int, shape (M,)
        The label of each other subject at the same places; below 1 means no region.
    shape : tuple of int
        Of the grid (X, Y, Z).

    Returns
    -------
    ndarray of int, shape (X, Y, Z)
        0 where no region has more votes than none.
    """
    inside = _in_grid(places, shape)
    index = np.round(places[inside]).astype(np.int64)
    voxel = np.ravel_multi_index(index.T, shape)
    chosen = [np.clip(item[inside], 0, None) for item in labels]
    n_labels = max(int(item.max(initial=0)) for item in chosen) + 1
    votes = np.zeros(np.prod(shape) * n_labels, dtype=np.int64)
    for item in chosen:
        votes += np.bincount(voxel * n_labels + item, minlength=len(votes))
    return votes.reshape(*shape, n_labels).argmax(axis=-1)  # a tie goes to the lower one, 0 first


def _places(place: NsdLayout, name: str) -> np.ndarray:
    """Where each voxel of the MNI template lies in a subject's grid, (M, 3)."""
    return load_coordinates(place.to_mni(name)).reshape(-1, 3)


def _labels(place: NsdLayout, name: str, roi_set: str, places: np.ndarray) -> np.ndarray:
    """A subject's labels at the voxels of the MNI template, (M,)."""
    volume = read_volume(place.roi(name, roi_set), f"ROI set {roi_set} of {name}").values
    inside = _in_grid(places, volume.shape)
    labels = np.zeros(len(places), dtype=np.int64)
    labels[inside] = volume[tuple(np.round(places[inside]).astype(np.int64).T)]
    return labels


def _in_grid(places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return ((places >= 0) & (places <= np.array(shape) - 1)).all(axis=1)  # False for NaN


def _sets_of_roles(config: Config, place: NsdLayout, name: str) -> list[str]:
    roles = config.data.roles
    atlas = RoiAtlas(place, name, grid_of(place.ncsnr(name)))
    found = [atlas.resolve(roi)[0] for roi in (*roles.structural, *roles.semantic)]
    return list(dict.fromkeys(found))
