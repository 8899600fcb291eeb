"""Figures of maps in standard spaces, beside those in each subject's own.

The maps go through the transforms that come with the data (:mod:`havir_lib.data.transforms`).
"""

from __future__ import annotations

from pathlib import Path

import nibabel as nib

from havir_lib.data.layout import GLASS_BRAIN, SURFACE, NsdLayout, layout_of
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


def roles_on_surface(run: Run) -> Path | str:
    """Structural and semantic voxels of every subject on the average surface.

    Subjects without the transforms are left out; without any, a sentence says so.
    """
    names, left_out = split(run, SURFACE)
    if not names:
        return left_out
    layout, maps = _layout(run), {}
    for name in names:
        native = figures.role_volume(run, name)
        maps[name] = volume_to_fsaverage5(layout, name, native, method="nearest")
    caption = "Structural and semantic voxels of each subject on the average surface (fsaverage5)."
    values = [side for item in maps.values() for side in (item.left, item.right)]
    figure = figure_roles_surface(maps)
    return figures.save(run, figure, "roi_maps_surface", f"{caption} {left_out}".strip(), values)


def importance_in_standard_space(run: Run) -> Path | str:
    """Importance maps of every subject on MNI's glass brain and on the average surface.

    Subjects without the transforms are left out; without any, a sentence says so.
    """
    names, left_out = split(run, GLASS_BRAIN, SURFACE)
    if not names:
        return left_out
    maps = {
        name: {branch: importance_map(run, name, branch) for branch in BRANCHES} for name in names
    }
    caption = "Weight norms of every subject in standard spaces: MNI152 and fsaverage5."
    values = [m.volume.volume for pair in maps.values() for m in pair.values()]
    figure = figure_importance_standard(maps)
    caption = f"{caption} {left_out}".strip()
    return figures.save(run, figure, "importance_standard_space", caption, values)


def split(run: Run, *what: str) -> tuple[list[str], str]:
    """Subjects whose files for these maps are there, and a sentence about the others."""
    layout = _layout(run)
    lost = {name: [f for kind in what for f in layout.lacks(name, kind)] for name in run.subjects}
    named = [f"{name} (no {files[0].name})" for name, files in lost.items() if files]
    text = f"Left out of {' and '.join(what)}: {', '.join(named)}." if named else ""
    return [name for name, files in lost.items() if not files], text


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
