"""A trained subject leaves a run: others start from it, and it reconstructs from new betas."""

import dataclasses
import json
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from havir_lib import cli, open_run
from havir_lib.config import Diffusion
from havir_lib.data.export import export_own, named
from havir_lib.data.nifti import Grid
from havir_lib.data.surface import Surface
from havir_lib.errors import ConfigError, DataError, ShapeError, WeightsError
from havir_lib.names import check_names
from havir_lib.run import exported
from havir_lib.training.exported import ABOUT, VOXELS, load_exported, save_exported
from tests.conftest import SMALL


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    return run.export("subj01", tmp_path_factory.mktemp("export") / "model")


@pytest.fixture(scope="module")
def model(folder):
    return load_exported(folder)


@pytest.fixture(scope="module")
def own(run, tmp_path_factory):
    """The same subjects as single-trial NIfTI."""
    return export_own(run.reader, tmp_path_factory.mktemp("own") / "data", run.subjects)


def files_of(own, subject="subj01"):
    return sorted((own / f"sub-{subject}" / "betas").glob("*.nii.gz"))


def test_networks_scale_and_lengths_are_those_of_the_run(run, model):
    subject = run.subject("subj01")
    for branch in ("structural", "semantic"):
        voxels = getattr(subject, branch)
        np.testing.assert_array_equal(model.voxels[branch], subject.ijk[voxels])
        first, again = (x.state_dict() for x in (run.model("subj01", branch), model.models[branch]))
        assert all((first[name] == again[name]).all() for name in first)
        is_train = subject.trials["is_train"].to_numpy()
        mean = np.mean([  # of two sessions
            subject.betas[is_train & (subject.trials["session"] == n).to_numpy()].mean(0)
            for n in (1, 2)
        ], axis=0)  # fmt: skip
        np.testing.assert_allclose(model.mean[branch], mean[voxels] * subject.unit, atol=1e-4)
    assert model.about["subject"] == "subj01"
    assert model.about["simulated"] is True


def test_test_trials_as_new_betas_give_nearly_the_run_s_pictures(run, model, own, tmp_path):
    table = pd.read_csv(own / "sub-subj01" / "sub-subj01_trials.tsv", sep="\t")
    made = exported.reconstruct(model, files_of(own), tmp_path, table["image"].tolist())
    subject = run.subject("subj01")
    expected = run.predictions("subj01")
    betas = exported.all_betas(model, files_of(own), "file", 1.0)
    rows = [np.flatnonzero(table["image"] == named(image)) for image in subject.test_images]
    means = {b: np.stack([x[r].mean(0) for r in rows]) for b, x in betas.items()}
    found = exported._predictions(model, means, subject.test_images, "cpu")
    # z-scored by all trials of a session instead of its training trials alone
    r = np.corrcoef(found.image_tokens.ravel(), expected.image_tokens.ravel())[0, 1]
    assert r > 0.99
    assert len(made) == table["image"].nunique()
    first = made.iloc[0]
    picture = Image.open(tmp_path / first["file"])
    assert picture.size == (128, 128)
    assert picture.text["data"] == "SIMULATED"
    assert first["n_trials"] == (table["image"] == first["image"]).sum()
    assert set(made["data"]) == {"SIMULATED"}
    settings = json.loads((tmp_path / exported.SETTINGS).read_text())
    assert settings["diffusion"]["steps"] == 2


def test_the_scale_of_training_is_the_one_for_few_trials(run, model, own, tmp_path):
    image = nib.load(files_of(own)[0])
    few = tmp_path / "few.nii.gz"
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[..., :1], image.affine), few)
    with pytest.raises(DataError, match="one value in all of them"):
        exported.reconstruct(model, [few], tmp_path / "made")
    made = exported.reconstruct(model, [few], tmp_path / "made", by="training")
    assert made["file"].tolist() == ["trial0001.png"]
    betas = exported.all_betas(model, [few], "training", 1.0)["semantic"]
    stored = exported.all_betas(model, [few], "none", 1.0)["semantic"]
    np.testing.assert_allclose(
        betas * model.deviation["semantic"] + model.mean["semantic"], stored, atol=1e-4
    )


def test_betas_of_another_grid_are_refused(model, own, tmp_path):
    with pytest.raises(ShapeError):
        exported.reconstruct(model, files_of(own, "subj02"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_as_many_images_as_trials(model, own, tmp_path):
    with pytest.raises(DataError, match="2 images and 150 trials"):
        exported.reconstruct(model, files_of(own), tmp_path, ["a", "b"])


def test_nan_in_a_voxel_that_the_model_sees_is_said(model, own, tmp_path):
    image = nib.load(files_of(own)[0])
    values = np.asarray(image.dataobj).copy()
    values[tuple(model.voxels["semantic"][0])] = np.nan
    path = tmp_path / "holes.nii.gz"
    nib.save(nib.Nifti1Image(values, image.affine), path)
    with pytest.raises(DataError, match="1 are NaN"):
        exported.reconstruct(model, [path], tmp_path / "made")


@pytest.fixture
def on_surface(model, own, tmp_path):
    """The model as if its voxels were vertices, and the left file of each session."""
    n = int(np.prod(model.grid.shape))
    surface = Surface("own", n // 3, n - n // 3)
    rows = {b: np.ravel_multi_index(x.T, model.grid.shape) for b, x in model.voxels.items()}
    voxels = {b: np.stack([x, 0 * x, 0 * x], axis=1) for b, x in rows.items()}
    grid = Grid((n, 1, 1), None)
    files = []
    for k, path in enumerate(files_of(own)):
        values = nib.load(path).get_fdata(dtype=np.float32).reshape(n, 1, 1, -1)
        for side, part in zip("LR", np.split(values, [n // 3]), strict=True):
            files.append(tmp_path / f"ses-{k}_hemi-{side}_betas.mgz")
            nib.save(nib.MGHImage(part, np.eye(4)), files[-1])
    return dataclasses.replace(model, surface=surface, voxels=voxels, grid=grid), files[::2]


def test_a_model_on_a_surface_reads_both_hemispheres(model, own, on_surface, tmp_path):
    moved, left = on_surface
    save_exported(tmp_path / "model", moved)
    again = load_exported(tmp_path / "model")
    assert again.surface == moved.surface
    expected = exported.all_betas(model, files_of(own), "file", 1.0)
    for branch, betas in exported.all_betas(again, left, "file", 1.0).items():
        np.testing.assert_allclose(betas, expected[branch], atol=1e-4)


def test_what_is_no_left_hemisphere_of_that_surface_is_refused(model, own, on_surface):
    moved, left = on_surface
    with pytest.raises(DataError, match="with hemi-L in its name"):
        exported.all_betas(moved, files_of(own), "file", 1.0)
    smaller = dataclasses.replace(moved.surface, n_right=5)
    with pytest.raises(ShapeError, match="expected the 5 vertices"):
        exported.all_betas(dataclasses.replace(moved, surface=smaller), left, "file", 1.0)
    left[0].with_name(left[0].name.replace("hemi-L", "hemi-R")).unlink()
    with pytest.raises(DataError, match="hemi-R"):
        exported.all_betas(moved, left, "file", 1.0)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (ABOUT, b'{"format": 7}', "format 2"),
        (ABOUT, b"[]", "format 2"),
        (VOXELS, b"PK", "cannot be read"),
        ("semantic.safetensors", b"", "cannot be read"),
        ("structural.safetensors", None, "does not exist"),
        (ABOUT, None, "expected an exported model"),
    ],
)
def test_damage_is_said(folder, tmp_path, file, content, message):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / file).unlink()
    if content is not None:
        (copy / file).write_bytes(content)
    with pytest.raises((DataError, WeightsError), match=message):
        load_exported(copy)


def test_nothing_is_overwritten(run, folder):
    with pytest.raises(DataError, match="expected no model there"):
        run.export("subj01", folder)


def test_settings_can_be_changed_by_name(model):
    assert exported.sections(model, {"diffusion.steps": 9})["sampling"].steps == 9
    for wrong in ({"diffusion.step": 9}, {"training.steps": 9}, {"diffusion.steps": 0}):
        with pytest.raises(ConfigError):
            exported.sections(model, wrong)


def test_every_subject_starts_from_it(run, folder, tmp_path):
    settings = {**SMALL, "data.root": str(run.data_root), "workspace": str(tmp_path),
                "training.base_model": str(folder), "data.subjects": ["subj02"],
                "data.base_subject": "subj02"}  # fmt: skip
    check_names(open_run("smoke", settings).config)
    again = open_run("smoke", settings)
    # as in the run that it was exported from: the same base, the same hour of data
    assert not again.is_base("subj02")
    first, second = (x.model("subj02", "semantic").state_dict() for x in (run, again))
    assert all((first[name] == second[name]).all() for name in first)


def test_a_model_of_other_weights_is_refused(run, folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    about = json.loads((copy / ABOUT).read_text())
    (copy / ABOUT).write_text(json.dumps({**about, "weights_content": "0" * 16}))
    settings = {**SMALL, "training.base_model": str(copy), "workspace": str(tmp_path / "w")}
    with pytest.raises(WeightsError, match="other"):
        check_names(open_run("smoke", settings).config)
    with pytest.raises(WeightsError, match="other weights"):
        exported.reconstruct(load_exported(copy), [], tmp_path)


def test_from_the_command_line(run, own, folder, tmp_path):
    made = tmp_path / "made"
    one = [str(files_of(own)[0])]
    changes = json.dumps({"diffusion.steps": 1, "diffusion.strength": 0.3})
    command = ["reconstruct", str(folder), *one, "--to", str(made), "--overrides", changes]
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 0, result.output
    assert "75 pictures" in result.output
    assert "SIMULATED" in result.output
    assert len(list(made.glob("*.png"))) == 75
    wrong = CliRunner().invoke(cli.app, [*command, "--zscore", "fiel"])
    assert isinstance(wrong.exception, ConfigError)
    assert "file" in str(wrong.exception)


def test_diffusion_settings_survive(run, model):
    assert Diffusion(**model.about["diffusion"]).strength == run.config.diffusion.strength
