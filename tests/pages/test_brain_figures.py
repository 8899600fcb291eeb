"""Figures of masks and maps from a simulated tree to saved files, without any training."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from havir_lib.config import Config, load_config
from havir_lib.data.anatomy import anatomy_of
from havir_lib.data.layout import ANATOMY, GLASS_BRAIN, SURFACE, layout_of
from havir_lib.pages import brain_maps, importance, regions, standard_space, voxels
from havir_lib.pages.importance import Importance
from havir_lib.run import open_run


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
    "make", [regions.definitions, voxels.counts, standard_space.roles_on_surface]
)
def test_figures_of_masks_are_saved_with_their_origin(run, make):
    png = Path(make(run).filename)
    assert png.stat().st_size > 5000
    assert sidecar(png)["data"] == "SIMULATED"


def test_role_map_on_the_surface_has_early_areas_at_the_back(run):
    native = brain_maps.role_volume(run, "subj01")
    assert native.space == "subj01 func1pt8mm"
    shown = standard_space.on_fsaverage5(run.subject("subj01").anatomy, native, method="nearest")
    from nilearn import datasets, surface

    for side in ("left", "right"):
        y = surface.load_surf_mesh(datasets.fetch_surf_fsaverage()[f"pial_{side}"]).coordinates[
            :, 1
        ]
        values = getattr(shown, side)
        assert y[values == 1].mean() < y[values == 2].mean() - 10
        assert (values[y > 10] != 1).all()


def test_importance_goes_to_mni_and_to_the_surface(run, monkeypatch):
    def planted(run, name, branch):
        voxels = getattr(run.subject(name), branch)
        values = np.random.default_rng(1).gamma(4.0, size=voxels.sum())
        return Importance({"norm": values}, values[None], voxels)

    monkeypatch.setattr(importance, "importance", planted)
    png = Path(standard_space.importance_maps(run).filename)
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
    assert voxels.published_counts(run).empty


@pytest.fixture
def without(run):
    """Function that takes optional files of subjects away; they come back afterwards."""
    layout = layout_of(run.config, run.data_root)
    taken = {}

    def take(what, *names):
        for name in names:
            for file in anatomy_of(layout, name).needs[what]:
                taken[file] = file.read_bytes()
                file.unlink()

    yield take
    for file, content in taken.items():
        file.write_bytes(content)


def test_maps_without_an_anatomy_are_drawn_over_the_brains_outline(run, without):
    without(ANATOMY, "subj02")
    png = Path(regions.role_maps(run).filename)
    assert png.stat().st_size > 5000
    assert "outline" in sidecar(png)["caption"]
    assert "T1_to_func1pt8mm.nii.gz of subj02" in sidecar(png)["caption"]
    behind = brain_maps.role_volume(run, "subj02").background
    assert set(np.unique(behind)) == {0, 1}
    assert brain_maps.without_anatomy(run, ["subj01"]) == ""


def test_subjects_without_transforms_are_left_out_of_standard_maps(run, without):
    without(SURFACE, "subj02")
    caption = sidecar(Path(standard_space.roles_on_surface(run).filename))["caption"]
    assert "Left out of maps on the average surface: subj02 (no " in caption
    without(SURFACE, "subj01")
    text = standard_space.roles_on_surface(run).data
    assert "subj01 (no lh." in text
    assert "subj02 (no lh." in text
    without(GLASS_BRAIN, "subj01", "subj02")
    assert "func1pt8-to-MNI.nii.gz" in standard_space.importance_maps(run).data


def test_template_masks_are_left_out_without_transforms(run, without, tmp_path):
    whole = replace(
        run, config=load_config("smoke", {"workspace": str(tmp_path), "comparison.full": True})
    )
    data_root = run.data_root
    lost = {"data.root": str(data_root), "comparison.template_folder": "nobody_drew_any"}
    content = whole.config.model_copy(update={"simulation": None}).model_dump() | {}
    content["data"]["root"] = lost["data.root"]
    content["comparison"]["template_folder"] = lost["comparison.template_folder"]
    measured = replace(whole, config=Config.model_validate(content))
    assert "template masks" in measured.method_names()
    without(GLASS_BRAIN, "subj02")
    assert "template masks" not in measured.method_names()
    assert "func1pt8-to-MNI.nii.gz is missing" in measured.why_no_templates
