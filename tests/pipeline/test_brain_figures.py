"""Figures of masks and maps from a simulated tree to saved files, without any training."""

import json

import nibabel as nib
import numpy as np
import pytest

from havir_lib.pipeline import brains, figures, interpretability, open_run, standard_space
from havir_lib.pipeline.interpretability import Importance


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    small = {"shape": [20, 14, 12], "voxel_mm": 7.5}
    return open_run(
        "smoke",
        {
            "workspace": str(tmp_path_factory.mktemp("workspace")),
            "simulation.trials_per_session": 36,
            "simulation.n_shared": 5,
            "simulation.image_size": 64,
            "simulation.subjects": {"subj01": {**small, "seed": 1}, "subj02": {**small, "seed": 2}},
        },
    )


def sidecar(png):
    return json.loads(png.with_suffix(".json").read_text())


@pytest.mark.parametrize(
    "make", [figures.roi_definitions, figures.voxel_counts, standard_space.roles_on_surface]
)
def test_figures_of_masks_are_saved_with_their_origin(run, make):
    png = make(run)
    assert png.stat().st_size > 5000
    assert sidecar(png)["data"] == "SIMULATED"


def test_role_map_on_the_surface_has_early_areas_at_the_back(run):
    native = figures.role_volume(run, "subj01")
    assert native.space == "subj01 func1pt8mm"
    layout = standard_space._layout(run)
    shown = standard_space.volume_to_fsaverage5(layout, "subj01", native, method="nearest")
    from nilearn import datasets, surface

    for side in ("left", "right"):
        y = surface.load_surf_mesh(datasets.fetch_surf_fsaverage()[f"pial_{side}"]).coordinates[
            :, 1
        ]
        values = getattr(shown, side)
        assert y[values == 1].mean() < y[values == 2].mean() - 10
        assert (values[y > 10] != 1).all()


def test_importance_goes_to_mni_and_to_the_surface(run, monkeypatch):
    def importance(run, name, branch):
        voxels = getattr(brains.subject(run, name), branch)
        values = np.random.default_rng(1).gamma(4.0, size=voxels.sum())
        return Importance({"norm": values}, values[None], voxels)

    monkeypatch.setattr(interpretability, "importance", importance)
    png = standard_space.importance_in_standard_space(run)
    assert sidecar(png)["data"] == "SIMULATED"
    folder = run.workspace.root / "maps"
    own = nib.load(folder / "subj02_structural_weight_norm.nii.gz")
    assert own.shape == (20, 14, 12)
    mni = nib.load(folder / "subj02_structural_weight_norm_MNI152.nii.gz")
    found = np.argwhere(np.isfinite(mni.get_fdata()))
    places = nib.affines.apply_affine(mni.affine, found)
    assert len(found) > 200
    assert -105 < places[:, 1].mean() < -65  # early visual cortex: the occipital pole
    assert np.abs(places[:, 0]).max() < 75


def test_simulated_counts_are_not_compared_with_published_ones(run):
    assert brains.published_counts(run).empty
