"""The Subject contract: hours, repeats, tables, volumes."""

import logging

import numpy as np
import pandas as pd
import pytest

from havir_lib.cache.content import Description
from havir_lib.data import average_repeats, describe, load_subject, roi_table
from havir_lib.errors import SplitError
from havir_lib.noise_ceiling import noise_ceiling

SHARED = [3, 11, 17, 30]


@pytest.fixture
def subject(config):
    return load_subject(config, "subj01")


def test_one_hour_uses_the_first_session_for_training_and_statistics(tree, subject):
    hour = subject.hours(1)
    images = tree.images["subj01"]
    stored = tree.betas["subj01"][tuple(subject.ijk.T)].T.astype(float)
    train = np.flatnonzero(~np.isin(images[:20], SHARED))
    mean, deviation = stored[train].mean(axis=0), stored[train].std(axis=0)
    z = (stored - mean) / deviation
    assert set(hour.train_sessions) == {1}
    np.testing.assert_array_equal(hour.train_images, images[train])
    np.testing.assert_allclose(hour.train_betas, z[train], rtol=1e-4, atol=1e-5)
    for row, image in zip(hour.test_betas, SHARED, strict=True):  # of all sessions
        np.testing.assert_allclose(row, z[images == image].mean(axis=0), rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(hour.test_repeats, subject.test_repeats)
    np.testing.assert_array_equal(hour.ijk, subject.ijk)


def test_two_hours_keep_each_sessions_own_statistics(subject):
    two = subject.hours(2)
    np.testing.assert_allclose(
        two.train_betas, subject.train_betas[subject.train_sessions <= 2], rtol=1e-5
    )
    assert not two.trials.loc[two.trials["session"] == 3, "is_train"].any()


def test_all_hours_are_the_subject_itself(subject):
    same = subject.hours(3)
    assert Description().of(same) == Description().of(subject)
    np.testing.assert_array_equal(same.train_betas, subject.train_betas)
    np.testing.assert_array_equal(subject.hours(2).hours(1).test_betas, subject.hours(1).test_betas)
    with pytest.raises(SplitError, match="1 to 3 sessions"):
        subject.hours(4)


def test_content_tells_subjects_and_hours_apart(config, subject):
    other = load_subject(config, "subj02")
    contents = {str(Description().of(x)) for x in (subject, subject.hours(1), other)}
    assert len(contents) == 3


def test_arrays_of_a_subject_cannot_be_changed(subject):
    with pytest.raises(ValueError, match="read-only"):
        subject.train_betas[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        subject.hours(1).test_betas[:, 0] *= 2


def test_average_repeats_equals_pandas(rng):
    betas = rng.normal(size=(30, 4)).astype(np.float32)
    images = rng.integers(0, 9, 30) * 7
    means, unique, repeats = average_repeats(betas, images)
    expected = pd.DataFrame(betas).groupby(images)
    np.testing.assert_array_equal(unique, list(expected.groups))
    np.testing.assert_array_equal(repeats, expected.size())
    np.testing.assert_allclose(means, expected.mean(), rtol=1e-5, atol=1e-6)
    assert means.dtype == np.float32


def test_volume_puts_values_back_where_they_came_from(tree, subject):
    first = subject.volume(subject.betas[0])
    assert first.shape == (7, 8, 9)
    assert np.isfinite(first).sum() == subject.n_voxels
    inside = np.isfinite(first)
    np.testing.assert_array_equal(first[inside], tree.betas["subj01"][..., 0][inside])
    mask = subject.volume(subject.structural, fill=False)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, np.isin(tree.labels["prf-visualrois"], [1, 2]))


def test_roi_table(subject):
    table = roi_table([subject, subject]).set_index(["subject", "roi"])
    assert len(table) == 14
    row = table.iloc[: len(table) // 2].loc[("subj01", "OFA")]
    assert row[["n_voxels", "n_used", "n_structural", "n_semantic"]].tolist() == [6, 6, 2, 4]
    expected = np.median(noise_ceiling(subject.ncsnr, subject.test_repeats)[subject.rois["OFA"]])
    assert row["noise_ceiling"] == pytest.approx(expected)
    assert np.isnan(table.iloc[:7].loc[("subj01", "V2v"), "noise_ceiling"])  # no voxel used


def test_describe_labels_shapes(subject, caplog):
    with caplog.at_level(logging.INFO):
        text = describe(subject)
    assert "test_betas (n_test_images, n_voxels) = (4, 54)" in text
    assert "40 structural, 14 semantic" in text
    assert text in caplog.text
