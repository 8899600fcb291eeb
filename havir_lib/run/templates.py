"""Regions from a template instead of the individual's own (the paper's third contribution).

The masks come from the folder ``comparison.template_folder`` beside the subject's own ones, if it
is there: the simulation writes the atlas without the subject's displacement, and whoever has drawn
template masks for real subjects can put them there. Otherwise they are what most of the *other*
subjects have at the same place of MNI space, by the data set's own transforms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from havir_lib.data import load_subject
from havir_lib.data.layout import GET_DATA, GLASS_BRAIN
from havir_lib.data.readers import Reader, code_of, open_reader
from havir_lib.data.readers.base import Regions
from havir_lib.data.redrawn import RedrawnMasks
from havir_lib.data.subject import Subject
from havir_lib.data.transforms import load_coordinates
from havir_lib.errors import DataError, require_file
from havir_lib.io import save_arrays
from havir_lib.provenance import file_digest
from havir_lib.run.data import hours_of

if TYPE_CHECKING:
    from havir_lib.run.run import Run

LABELS = "labels.npz"


def why_not(run: Run) -> str:
    """Why there are no template masks in this run, as a sentence; empty if there are."""
    given = given_reader(run)
    by_vote = [name for name in run.subjects if not given.mask_files(name)]
    lost = [x for name in run.subjects for x in run.reader.anatomy(name).lacks(GLASS_BRAIN)]
    if by_vote and len(run.subjects) == 1:
        return "Template masks are left out: they are made from other subjects, and there are none."
    if by_vote and lost:
        return f"Template masks are left out: {lost[0].name} is missing, first of {lost[0].parent}."
    return ""


def template_subject(run: Run, name: str) -> Subject:
    """The subject with the voxels that template masks name, and the usual hours of training."""
    masks = inside_brain(run, name)
    whole = load_subject(run.config, name, run.data_root, run.workspace.cache, masks)
    return hours_of(run, name, whole)


def given_reader(run: Run) -> Reader:
    """Reads the masks of ``comparison.template_folder``."""
    folder = run.config.comparison.template_folder
    data = run.config.data.model_copy(update={"roi_folder": folder})
    return open_reader(run.config.model_copy(update={"data": data}), run.data_root)


def inside_brain(run: Run, name: str) -> RedrawnMasks:
    """The template masks within the subject's own brain, cached.

    A template reaches outside of an individual's brain, where no voxel has a signal. Anyone who
    used one would leave those out; keeping them would flatter the individual masks.
    """
    own, anatomy = run.reader.regions(name), run.reader.anatomy(name)
    template, files = template_regions(run, name)
    read = [*files, *([anatomy.outline] if anatomy.outline else [])]
    sets = sets_of_roles(run, own)
    given = {
        "files": {file.name: file_digest(file) for file in read},
        "numbers": [
            own.grid.shape,
            *(x.tables[roi_set] for x in (own, template) for roi_set in sets),
        ],
    }
    how = {"own": own, "template": template, "brain": anatomy.inside(own.grid)}
    made = run.remember_folder(
        "template_masks_in_brain",
        cut_to_brain,
        sets,
        how=how,
        given=given,
        also=code_of(run.reader),
    )
    return RedrawnMasks(own, made.path / LABELS)


def cut_to_brain(
    folder: Path, sets: Sequence[str], own: Regions, template: Regions, brain: np.ndarray
) -> None:
    """Write labels of ROI sets, numbered as `own`, with -1 outside of a brain, bool (X, Y, Z)."""
    labels = {roi_set: numbered_as(own, template, roi_set) for roi_set in sets}
    save_arrays(folder / LABELS, **{x: np.where(brain, y, -1) for x, y in labels.items()})


def sets_of_roles(run: Run, regions: Regions) -> list[str]:
    """Sets that the regions of both branches are in, each once."""
    roles = run.config.data.roles
    found = [regions.resolve(roi)[0] for roi in (*roles.structural, *roles.semantic)]
    return list(dict.fromkeys(found))


def template_regions(run: Run, name: str) -> tuple[Regions, list[Path]]:
    """A subject's template masks as drawn, and their files."""
    given = given_reader(run)
    if files := given.mask_files(name):
        return given.regions(name), files
    drawn = group_masks(run, name)
    return drawn, [drawn.path]


def group_masks(run: Run, name: str) -> RedrawnMasks:
    """Masks made from all other subjects of the run, cached.

    Raises
    ------
    DataError
        If there is no other subject, or a transform to MNI space is missing.
    """
    others = [other for other in run.subjects if other != name]
    if not others:
        raise DataError(
            f"Template masks of {name} are made from the other subjects, and there are none. List "
            f"more under data.subjects, or put masks into {run.config.comparison.template_folder} "
            "beside its own."
        )
    reader = run.reader
    to_mni = {x: reader.anatomy(x).to_mni for x in (name, *others)}
    files = [require_file(path, "Transform to MNI", GET_DATA) for path in to_mni.values()]
    files += [file for other in others for file in reader.mask_files(other)]
    regions = {x: reader.regions(x) for x in (name, *others)}
    own = regions[name]
    sets = sets_of_roles(run, own)
    made = run.remember_folder(
        "template_masks",
        write_group_masks,
        name,
        others,
        sets,
        how={"regions": regions, "to_mni": to_mni},
        given={
            "files": [[file.name, file_digest(file)] for file in files],
            "numbers": [own.grid.shape, *(x.tables[y] for x in regions.values() for y in sets)],
        },
        also=code_of(reader),
    )
    return RedrawnMasks(own, made.path / LABELS)


def write_group_masks(
    folder: Path,
    name: str,
    others: Sequence[str],
    sets: Sequence[str],
    regions: Mapping[str, Regions],
    to_mni: Mapping[str, Path],
) -> None:
    """Write labels of ROI sets: what most of the `others` have at a subject's voxels."""
    places = {x: load_coordinates(to_mni[x]).reshape(-1, 3) for x in (name, *others)}  # (M, 3)
    own, voted = regions[name], {}
    for roi_set in sets:
        labels = [
            labels_at(numbered_as(own, regions[other], roi_set), places[other]) for other in others
        ]
        voted[roi_set] = vote(places[name], labels, own.grid.shape).astype(np.int32)
    save_arrays(folder / LABELS, **voted)


def numbered_as(own: Regions, other: Regions, roi_set: str) -> np.ndarray:
    """Labels of another subject's set (X, Y, Z), with the numbers that `own` gives their names."""
    labels, table = other.labels(roi_set), own.tables[roi_set]
    theirs = other.tables[roi_set]
    if not table or table == theirs:
        return labels
    renamed = np.zeros_like(labels)
    for label in table.keys() & theirs.keys():
        renamed[labels == theirs[label]] = table[label]
    return renamed


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


def labels_at(labels: np.ndarray, places: np.ndarray) -> np.ndarray:
    """A subject's labels (X, Y, Z) at places (M, 3) of its grid, (M,); 0 outside."""
    inside = _in_grid(places, labels.shape)
    found = np.zeros(len(places), dtype=np.int64)
    found[inside] = labels[tuple(np.round(places[inside]).astype(np.int64).T)]
    return found


def _in_grid(places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return ((places >= 0) & (places <= np.array(shape) - 1)).all(axis=1)  # False for NaN
