"""Maps in standard spaces, beside those in each subject's own (notebooks 01 and 09).

The maps go through the transforms that come with the data (:mod:`havir_lib.data.transforms`).
"""

from __future__ import annotations

import nibabel as nib

from havir_lib.data.layout import GLASS_BRAIN, SURFACE
from havir_lib.data.spaces import MNI
from havir_lib.data.transforms import on_fsaverage5, volume_to_mni
from havir_lib.interpretation import save_volume
from havir_lib.pages.brain_maps import role_volume
from havir_lib.pages.importance import importance_volume
from havir_lib.pages.publish import Drawn, figure
from havir_lib.plots.standard import (
    StandardMap,
    figure_importance_standard,
    figure_roles_surface,
)
from havir_lib.run import Run
from havir_lib.training import BRANCHES

MNI_STEP = 2
"""Every second voxel of the 1 mm template: finer than the functional voxels are wide in print."""


@figure
def roles_on_surface(run: Run) -> Drawn | str:
    """Structural and semantic voxels of every subject on the average surface.

    Subjects without the transforms are left out; without any, a sentence says so.
    """
    names, left_out = split(run, SURFACE)
    if not names:
        return left_out
    maps = {}
    for name in names:
        anatomy, roles = run.subject(name).anatomy, role_volume(run, name)
        maps[name] = on_fsaverage5(anatomy, roles, method="nearest")
    caption = "Structural and semantic voxels of each subject on the average surface (fsaverage5)."
    made_from = {name: [item.left, item.right] for name, item in maps.items()}
    return Drawn(figure_roles_surface(maps), f"{caption} {left_out}".strip(), made_from)


@figure
def importance_maps(run: Run) -> Drawn | str:
    """Importance maps of every subject on MNI's glass brain and on the average surface.

    Subjects without a way to the surface are left out; without any, a sentence says so. A subject
    without a way to MNI152 has no glass brain.
    """
    names, left_out = split(run, SURFACE)
    if not names:
        return split(run, GLASS_BRAIN, SURFACE)[1]
    left_out = f"{left_out} {split(run, GLASS_BRAIN)[1]}".strip()
    maps = {
        name: {branch: importance_map(run, name, branch) for branch in BRANCHES} for name in names
    }
    caption = "Weight norms of every subject in standard spaces: MNI152 and fsaverage5."
    made_from = {
        f"{name} {branch}": [item.surface.left, item.surface.right]
        for name, pair in maps.items()
        for branch, item in pair.items()
    }
    return Drawn(figure_importance_standard(maps), f"{caption} {left_out}".strip(), made_from)


def split(run: Run, *what: str) -> tuple[list[str], str]:
    """Subjects whose files for these maps are there, and a sentence about the others."""
    lost = {name: run.subject(name).anatomy.lacks(*what) for name in run.subjects}
    named = [f"{name} (no {files[0].name})" for name, files in lost.items() if files]
    text = f"Left out of {' and '.join(what)}: {', '.join(named)}." if named else ""
    return [name for name, files in lost.items() if not files], text


def importance_map(run: Run, name: str, branch: str) -> StandardMap:
    """A subject's importance map in standard spaces; the MNI one is also written as NIfTI."""
    anatomy = run.subject(name).anatomy
    native = importance_volume(run, name, branch)
    surface = on_fsaverage5(anatomy, native)
    if anatomy.lacks(GLASS_BRAIN):
        return StandardMap(None, surface)
    volume = volume_to_mni(anatomy, native, step=MNI_STEP)
    file = run.workspace.root / "maps" / f"{name}_{branch}_weight_norm_{MNI}.nii.gz"
    save_volume(nib.Nifti1Image(volume.volume, volume.affine), file)
    return StandardMap(volume, surface)
