"""Split by image, never by trial."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from havir_lib.data.split import check_split, first_sessions, split_trials
from havir_lib.data.trials import trial_table
from havir_lib.errors import SplitError


@st.composite
def trial_tables(draw):
    """Any presentation order over sessions of any length, with some images shared."""
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    images = draw(st.lists(st.integers(0, 8), min_size=sum(lengths), max_size=sum(lengths)))
    shared = draw(st.sets(st.integers(0, 8)))
    trials = trial_table(np.array(images), dict(enumerate(lengths, 1)))
    is_shared = trials["image"].isin(shared)
    return trials.assign(is_shared=is_shared, use=np.where(is_shared, "test", "train"))


@settings(deadline=None)
@given(trial_tables())
def test_no_image_is_on_both_sides(trials):
    try:
        result = split_trials(trials)
    except SplitError:
        assert trials["is_shared"].nunique() == 1  # refused only if one side would be empty
        return
    sides = result.groupby("image")["is_test"].nunique()
    assert (sides == 1).all()
    assert set(result.loc[result["is_test"], "image"]) == set(trials.image[trials.is_shared])
    assert len(result) == len(trials)


@settings(deadline=None)
@given(trial_tables(), st.integers(1, 4))
def test_first_sessions_never_train_on_test_images(trials, n_sessions):
    try:
        split = split_trials(trials)
        mask = first_sessions(split, n_sessions)
    except SplitError:
        return
    assert not split.loc[mask, "is_test"].any()
    assert split.loc[mask, "session"].max() <= n_sessions
    left_out = split[~mask & ~split["is_test"]]
    assert (left_out["session"] > n_sessions).all()


def test_given_list_of_test_images_replaces_the_shared_ones():
    trials = pd.DataFrame({"image": [1, 2, 1, 3], "use": ["test", "train", "test", "train"]})
    assert split_trials(trials, [2, 3, 99])["is_test"].tolist() == [False, True, False, True]


def test_overlap_and_empty_sides_are_errors():
    with pytest.raises(SplitError, match=r"2 images are in both.*\[4, 7\]"):
        check_split([1, 4, 7, 7], [7, 4, 9])
    with pytest.raises(SplitError, match="No test images"):
        check_split([1], [])
    with pytest.raises(SplitError, match="No training images"):
        check_split([], [1])


def test_more_sessions_than_there_are():
    trials = pd.DataFrame({"session": [1, 1, 2], "is_test": [True, True, False]})
    trials["is_train"] = ~trials["is_test"]
    for wrong in (0, 3):
        with pytest.raises(SplitError, match=f"1 to 2 sessions, found n_sessions={wrong}"):
            first_sessions(trials, wrong)
    with pytest.raises(SplitError, match=r"No training images in sessions \[1\]"):
        first_sessions(trials, 1)


def test_unused_trials_are_on_neither_side():
    trials = pd.DataFrame({"image": [1, 2, 3, 4], "use": ["train", "test", "unused", "train"]})
    found = split_trials(trials)
    assert found["is_test"].tolist() == [False, True, False, False]
    assert found["is_train"].tolist() == [True, False, False, True]
