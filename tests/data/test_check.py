"""``havir subject check``: what a look at a subject's files says of sound and of broken trees."""

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from havir_lib.cli import app
from havir_lib.data.check import check_subject, has_errors
from havir_lib.data.layout import NsdLayout


def text_of(findings, topic, level=None):
    return "\n".join(f.text for f in findings if f.topic == topic and level in (None, f.level))


def test_a_sound_subject_has_no_error_and_its_numbers(tree, config):
    findings = check_subject(config, "subj01")
    assert not has_errors(findings), [f for f in findings if f.level == "ERROR"]
    sessions = text_of(findings, "sessions")
    assert "3 sessions (3 .hdf5, int16)" in sessions
    assert "grid (X, Y, Z) = (7, 8, 9) RAS" in sessions
    roles = text_of(findings, "roles")
    assert "structural: 40 voxels of V1v, V1d" in roles
    assert "2 voxels claimed by both roles, kept as structural" in text_of(
        findings, "roles", "note"
    )
    images = tree.images["subj01"]
    test = np.isin(images, [3, 11, 17, 30])
    n_train = len(np.unique(images[~test]))
    assert f"59 trials: {n_train} training and 4 test images" in text_of(findings, "trials")
    assert "sessions x trials: 2 x 20 + 1 x 19" in text_of(findings, "trials")
    assert "no NaN and no constant voxel among 54" in text_of(findings, "betas", "ok")
    assert f"captions of all {n_train + 4} images" in text_of(findings, "stimuli", "ok")
    assert "lh.white-to-fsaverage.mgz" in text_of(findings, "pictures", "note")


def test_noise_that_the_file_calls_signal_is_remarked(tree, config):
    findings = check_subject(config, "subj01")  # betas and ncsnr are unrelated random numbers
    assert "against our estimate from the betas" in text_of(findings, "noise ceiling", "note")


def test_one_problem_does_not_hide_the_next(tree, config):
    (tree.root / "nsddata/freesurfer/fsaverage/label/floc-faces.mgz.ctab").write_text("1 OFA\n")
    tree.beta_file("subj01", 1, ".hdf5").with_name("ncsnr.nii.gz").unlink()
    (tree.root / "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5").write_bytes(b"nothing")
    findings = check_subject(config, "subj01")
    assert "floc-faces: labels without a name in its table: [2]" in text_of(findings, "regions")
    assert "ncsnr.nii.gz" in text_of(findings, "noise ceiling", "ERROR")
    assert "nsd_stimuli.hdf5" in text_of(findings, "stimuli", "ERROR")
    assert has_errors(findings)


def test_missing_session_is_an_error_and_the_rest_is_not_looked_at(tree, config):
    tree.beta_file("subj01", 2, ".hdf5").unlink()
    findings = check_subject(config, "subj01")
    assert "betas_session02.hdf5" in text_of(findings, "sessions", "ERROR")
    assert text_of(findings, "betas") == "not looked at: needs roles"


@pytest.mark.parametrize(("setting", "level"), [("error", "ERROR"), ("drop", "note")])
def test_nan_and_constant_voxels_are_counted(tree, make_config, setting, level):
    for session in (1, 2, 3):
        values = tree.session("subj01", session).astype(np.float32)
        values[1, 1, 1, 5] = np.nan
        if session == 2:
            values[2, 2, 2] = 7
        tree.write_betas("subj01", session, values, ".hdf5")
    findings = check_subject(make_config(**{"data.bad_voxels": setting}), "subj01")
    found = text_of(findings, "betas", level)
    assert "2 of 54 voxels unusable (worst session: 1 NaN or infinite, 1 constant)" in found


def test_masks_on_another_grid(tree, config):
    tree.write_roi("subj01", "prf-visualrois", np.ones((9, 8, 7)))
    findings = check_subject(config, "subj01")
    assert "(9, 8, 7)" in text_of(findings, "regions", "ERROR")
    assert "not looked at" in text_of(findings, "betas", "note")


def test_clipped_values_are_remarked(tree, config):
    values = tree.session("subj01", 1).copy()
    values[1, 1, 1, :3] = 32767
    tree.write_betas("subj01", 1, values, ".hdf5")
    assert "3 values at the limit" in text_of(check_subject(config, "subj01"), "betas", "note")


def test_files_for_pictures_are_found(tree, config):
    layout = NsdLayout(tree.root)
    anatomy = layout.anatomy("subj01")
    nib.save(nib.Nifti1Image(np.ones((7, 8, 9)), np.eye(4)), anatomy)
    found = text_of(check_subject(config, "subj01"), "pictures", "ok")
    assert found == "anatomy behind maps: files are there"


def test_command_prints_the_findings_and_exits_by_them(tree):
    command = ["subject", "check", str(tree.root), "--subject", "subj01", "--overrides"]
    command.append('{"data.roles.structural": ["V1v"], "data.roles.semantic": ["floc-faces"]}')
    good = CliRunner().invoke(app, command)
    assert good.exit_code == 0, good.output
    assert "ok    sessions      3 sessions" in good.output
    assert "subj01 can be used." in good.output
    tree.beta_file("subj01", 2, ".hdf5").unlink()
    bad = CliRunner().invoke(app, command)
    assert bad.exit_code == 1
    assert "ERROR sessions" in bad.output
    assert "betas_session02.hdf5" in bad.output
    assert len(good.output.splitlines()) < 40  # one screen
