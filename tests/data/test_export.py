"""Simulated subjects in the layout of one's own are the same, and say that they are simulated."""

import numpy as np
import pytest
import yaml

from havir_lib import open_run
from havir_lib.config import load_config
from havir_lib.data import load_subject
from havir_lib.data.check import check_subject, has_errors
from havir_lib.data.export import export_own
from havir_lib.data.readers import open_reader
from havir_lib.data.template import NOTE, write_template
from havir_lib.errors import ConfigError, DataError
from tests.conftest import SMALL


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("own") / "data"
    return export_own(open_reader(run.config, run.data_root), folder, run.subjects)


@pytest.fixture
def settings(run, exported, tmp_path):
    names = [f"sub-{name}" for name in run.subjects]
    return SMALL | {
        "data.root": str(exported), "data.reader": "bids", "workspace": str(tmp_path),
        "data.subjects": names, "data.base_subject": names[0], "data.bad_voxels": "drop",
        "data.picture_size": run.stimuli.image_shape[0],
    }  # fmt: skip


def test_the_same_subject_in_both_layouts(run, settings):
    ours, theirs = (
        load_subject(load_config("smoke", settings), "sub-subj01"),
        run.full_subject("subj01"),
    )
    np.testing.assert_array_equal(ours.ijk, theirs.ijk)
    np.testing.assert_allclose(ours.train_betas, theirs.train_betas, atol=1e-3)
    np.testing.assert_allclose(ours.test_betas, theirs.test_betas, atol=1e-3)
    np.testing.assert_array_equal(ours.test_repeats, theirs.test_repeats)
    np.testing.assert_array_equal(ours.structural, theirs.structural)
    assert not has_errors(check_subject(load_config("smoke", settings), "sub-subj01"))


def test_the_run_says_that_they_are_simulated(run, settings):
    own = open_run("smoke", settings)
    assert own.simulated
    assert not own.of_nsd
    np.testing.assert_array_equal(own.test_stimuli("sub-subj02"), run.test_stimuli("subj02"))


def test_nothing_is_overwritten(run, exported):
    with pytest.raises(DataError, match="expected no data set there"):
        export_own(open_reader(run.config, run.data_root), exported, run.subjects)


def test_a_new_folder_explains_itself(tmp_path):
    note = write_template(tmp_path / "mine", "sub-P01")
    text = note.read_text()
    assert "sub-P01_ses-01_betas.nii.gz" in text
    profile = yaml.safe_load(text.split("```yaml")[1].split("```")[0])
    assert profile["data"]["reader"] == "bids"
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(profile))
    assert load_config(tmp_path / "mine.yaml").data.subjects == ["sub-P01"]
    with pytest.raises(DataError, match="expected no data set"):
        write_template(tmp_path / "mine", "sub-P01")
    with pytest.raises(ConfigError, match="such as sub-P01"):
        write_template(tmp_path / "other", "P01")
    assert NOTE.read_text().count("| yes |") == 5
