"""The trial table against the design it was written from."""

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat, savemat

from havir_lib.data.layout import NsdLayout
from havir_lib.data.trials import load_stim_info, load_trials, trial_table
from havir_lib.errors import DataError

LENGTHS = {1: 20, 2: 20, 3: 19}


@pytest.fixture
def layout(tree):
    return NsdLayout(tree.root)


@pytest.mark.parametrize("subject", ["subj01", "subj02"])
def test_images_are_0_based_and_in_order(tree, layout, subject):
    trials = load_trials(layout, subject, LENGTHS)
    np.testing.assert_array_equal(trials["image"], tree.images[subject])
    assert trials.groupby("session")["trial"].agg(["min", "max"]).values.tolist() == [
        [0, 19],
        [0, 19],
        [0, 18],
    ]
    assert sorted(trials.loc[trials["is_shared"], "image"].unique()) == [3, 11, 17, 30]


def test_fewer_sessions_are_the_beginning_of_all(layout):
    all_trials = load_trials(layout, "subj01", LENGTHS)
    first = load_trials(layout, "subj01", {1: 20})
    pd.testing.assert_frame_equal(first, all_trials[:20])


def test_repeat_counts_presentations_of_an_image():
    table = trial_table(np.array([7, 5, 7, 7, 5]), {1: 2, 2: 3})
    assert table["repeat"].tolist() == [0, 0, 1, 2, 1]
    assert table["session"].tolist() == [1, 1, 2, 2, 2]
    assert table["trial"].tolist() == [0, 1, 0, 1, 2]


def test_responses_that_name_other_images_are_refused(layout):
    path = layout.responses("subj01")
    log = pd.read_csv(path, sep="\t")
    log.loc[25, "73KID"] += 1
    log.to_csv(path, sep="\t", index=False)
    load_trials(layout, "subj01", {1: 20})  # session 1 still agrees
    with pytest.raises(DataError, match=r"responses\.tsv: session 2"):
        load_trials(layout, "subj01", LENGTHS)


def test_responses_are_optional_but_need_their_columns(layout):
    path = layout.responses("subj01")
    path.write_text("SESSION\tIMAGE\n1\t1\n")
    with pytest.raises(DataError, match="73KID"):
        load_trials(layout, "subj01", LENGTHS)
    path.unlink()
    assert len(load_trials(layout, "subj01", LENGTHS)) == 59


def test_betas_with_more_trials_than_the_design(layout):
    with pytest.raises(DataError, match=r"nsd_expdesign\.mat: 59 trials.*hold 60"):
        load_trials(layout, "subj01", LENGTHS | {3: 20})


def test_design_and_table_must_agree_on_shared_images(layout):
    design = loadmat(layout.experiment_design)
    design["sharedix"] = np.array([[4, 12, 18]])
    savemat(layout.experiment_design, {k: v for k, v in design.items() if k[0] != "_"})
    with pytest.raises(DataError, match=r"disagree on which images are shared \(3 trials\)"):
        load_trials(layout, "subj01", LENGTHS)


def test_missing_and_damaged_design(layout):
    layout.experiment_design.write_bytes(layout.experiment_design.read_bytes()[:200])
    with pytest.raises(DataError, match=r"nsd_expdesign\.mat"):
        load_trials(layout, "subj01", LENGTHS)
    savemat(layout.experiment_design, {"masterordering": [1, 2]})
    with pytest.raises(DataError, match="subjectim"):
        load_trials(layout, "subj01", LENGTHS)
    layout.experiment_design.unlink()
    with pytest.raises(DataError, match="Experiment design: expected the file .* does not exist"):
        load_trials(layout, "subj01", LENGTHS)


def test_subject_beyond_the_design(layout):
    with pytest.raises(DataError, match="holds 2 subjects, subj03"):
        load_trials(layout, "subj03", LENGTHS)


def test_stim_info_is_sorted_by_nsd_id_and_checked(layout):
    table = pd.read_csv(layout.stim_info, index_col=0)
    table.sample(frac=1, random_state=1).to_csv(layout.stim_info)
    pd.testing.assert_frame_equal(load_stim_info(layout), table)
    table.drop(index=5).to_csv(layout.stim_info)
    with pytest.raises(DataError, match="nsdId to be 0 to 58"):
        load_stim_info(layout)
    table.drop(columns="cocoId").to_csv(layout.stim_info)
    with pytest.raises(DataError, match="cocoId"):
        load_stim_info(layout)
