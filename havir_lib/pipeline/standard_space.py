"""Figures of maps in standard spaces, beside those in each subject's own.

The maps go through the transforms that come with the data (:mod:`havir_lib.data.transforms`).
"""

from __future__ import annotations

from pathlib import Path

import nibabel as nib

from havir_lib.data.layout import NsdLayout, layout_of
from havir_lib.data.spaces import MNI
from havir_lib.data.transforms import volume_to_fsaverage5, volume_to_mni
from havir_lib.interpretation import save_volume
from havir_lib.pipeline import brains, figures
from havir_lib.pipeline.interpretability import BRANCHES
from havir_lib.pipeline.run import Run
from havir_lib.plots.standard import (
    StandardMap,
    figure_importance_standard,
    figure_roles_surface,
)

MNI_STEP = 2
"""Every second voxel of the 1 mm template: finer than the functional voxels are wide in print."""


def roles_on_surface(run: Run) -> Path:
    """Structural and semantic voxels of every subject on the average surface."""
    layout = _layout(run)
    maps = {}
    for name in run.subjects:
        native = figures.role_volume(run, name)
        maps[name] = volume_to_fsaverage5(layout, name, native, method="nearest")
    caption = "Structural and semantic voxels of each subject on the average surface (fsaverage5)."
    values = [side for item in maps.values() for side in (item.left, item.right)]
    return figures.save(run, figure_roles_surface(maps), "roi_maps_surface", caption, values)


def importance_in_standard_space(run: Run) -> Path:
    """Importance maps of every subject on MNI's glass brain and on the average surface."""
    maps = {
        name: {branch: importance_map(run, name, branch) for branch in BRANCHES}
        for name in run.subjects
    }
    caption = "Weight norms of every subject in standard spaces: MNI152 and fsaverage5."
    values = [m.volume.volume for pair in maps.values() for m in pair.values()]
    figure = figure_importance_standard(maps)
    return figures.save(run, figure, "importance_standard_space", caption, values)


def importance_map(run: Run, name: str, branch: str) -> StandardMap:
    """A subject's importance map in standard spaces; the MNI one is also written as NIfTI."""
    layout = _layout(run)
    native = figures.importance_volume(run, name, branch)
    volume = volume_to_mni(layout, name, native, step=MNI_STEP)
    file = run.workspace.root / "maps" / f"{name}_{branch}_weight_norm_{MNI}.nii.gz"
    save_volume(nib.Nifti1Image(volume.volume, volume.affine), file)
    return StandardMap(volume, volume_to_fsaverage5(layout, name, native))


def _layout(run: Run) -> NsdLayout:
    return layout_of(run.config, brains.data_root(run))
