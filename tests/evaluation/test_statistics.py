"""Intervals and tests against known distributions and calculations by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from havir_lib.errors import DataError
from havir_lib.evaluation.statistics import (
    bootstrap_mean,
    cohens_dz,
    compare,
    holm,
    sign_flip_p,
    summarise,
)


def make_scores(rng, methods=("ours", "theirs"), n_images=9, subjects=("subj01", "subj02")):
    """Scores on PixCorr (higher is better) and EffNet-B (lower is better); 'ours' is best."""
    rows = itertools.product(methods, subjects, range(50, 50 + n_images), ["PixCorr", "EffNet-B"])
    table = pd.DataFrame(rows, columns=["method", "subject", "image", "metric"])
    advantage = (table["method"] == "ours") * np.where(table["metric"] == "PixCorr", 0.5, -0.5)
    return table.assign(value=0.3 + advantage + rng.normal(0, 0.1, len(table)))


def test_bootstrap_agrees_with_scipy(rng):
    values = rng.gamma(2, size=80)
    ours = bootstrap_mean(values, n_bootstrap=20_000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=rng
    ).confidence_interval
    assert ours.mean == pytest.approx(values.mean())
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], abs=0.02)


def test_bootstrap_intervals_cover_the_truth(rng):
    intervals = [bootstrap_mean(rng.normal(1, 2, 60), n_bootstrap=500) for _ in range(300)]
    covered = np.mean([low <= 1 <= high for _, low, high in intervals])
    assert 0.90 < covered < 0.98
    narrow = bootstrap_mean(rng.normal(1, 2, 60), confidence=0.5)
    assert narrow.high - narrow.low < 0.5 * (intervals[0].high - intervals[0].low)


def test_bootstrap_is_reproducible(rng):
    values = rng.normal(size=(8, 3))
    assert bootstrap_mean(values, seed=4) == bootstrap_mean(values, seed=4)
    assert bootstrap_mean(values, seed=4) != bootstrap_mean(values, seed=5)


def test_differences_between_subjects_widen_the_interval(rng):
    noise = rng.normal(0, 0.1, (200, 4))
    alike = bootstrap_mean(noise)
    different = bootstrap_mean(noise + np.array([0.0, 1.0, 2.0, 3.0]))
    assert different.high - different.low > 10 * (alike.high - alike.low)


def test_images_that_all_subjects_share_are_not_independent(rng):
    """Four copies of one subject must not look like four times the images."""
    values = rng.normal(size=(60, 1))
    once, copies = bootstrap_mean(values), bootstrap_mean(np.repeat(values, 4, axis=1))
    assert copies.high - copies.low == pytest.approx(once.high - once.low, rel=1e-6)


def test_images_a_subject_did_not_see_are_left_out():
    values = np.array([[1.0, np.nan], [3.0, 5.0]])
    assert bootstrap_mean(values).mean == 3


def test_two_images_and_one_image():
    interval = bootstrap_mean(np.array([1.0, 2.0]))
    assert interval == (1.5, 1.0, 2.0)
    assert np.isnan(bootstrap_mean(np.array([1.0])).low)


def test_summarise_per_subject_and_over_subjects(rng):
    scores = make_scores(rng)
    by_subject = summarise(scores, ["method", "subject"])
    assert list(by_subject.columns) == [
        "method",
        "subject",
        "metric",
        "value",
        "low",
        "high",
        "n",
        "n_subjects",
    ]
    assert len(by_subject) == 8
    assert set(by_subject["n_subjects"]) == {1}
    pooled = summarise(scores, ["method"]).set_index(["method", "metric"])
    expected = scores.groupby(["method", "metric"])["value"].mean()
    pd.testing.assert_series_equal(pooled["value"].sort_index(), expected, check_names=False)
    assert (pooled[["n", "n_subjects"]] == [9, 2]).all(axis=None)
    assert ((pooled["low"] < pooled["value"]) & (pooled["value"] < pooled["high"])).all()


def test_a_group_does_not_depend_on_the_others(rng):
    scores = make_scores(rng)
    alone = summarise(scores[scores["method"] == "theirs"], ["method"])
    together = summarise(scores, ["method"]).query("method == 'theirs'")
    pd.testing.assert_frame_equal(alone, together.reset_index(drop=True))


def test_repeated_images_are_refused(rng):
    with pytest.raises(DataError, match="several values"):
        summarise(make_scores(rng))


def test_nan_scores_and_missing_columns_are_refused(rng):
    scores = make_scores(rng)
    with pytest.raises(DataError, match=r"lack the columns \['value'\]"):
        summarise(scores.drop(columns="value"))
    scores.loc[3, "value"] = np.nan
    with pytest.raises(DataError, match="1 of 72 scores are nan"):
        summarise(scores, ["method"])


def test_positive_differences_mean_better_whichever_way_the_metric_points(rng):
    table = compare(make_scores(rng), "ours", ["theirs"])
    assert list(table["metric"]) == ["PixCorr", "EffNet-B"]
    np.testing.assert_allclose(table["difference"], 0.5, atol=0.1)
    assert (table["low"] > 0).all()
    assert (table["p_holm"] < 0.02).all()
    assert (table["d_z"] > 2).all()
    assert (table[["n", "n_subjects"]] == [9, 2]).all(axis=None)


def test_comparison_is_paired_by_image_not_by_row_order(rng):
    scores = make_scores(rng)
    mixed = scores.sample(frac=1, random_state=1)
    columns = ["metric", "difference", "low", "high", "p", "d_z"]
    first, second = (
        compare(x, "ours", ["theirs"])[columns].sort_values("metric", ignore_index=True)
        for x in (scores, mixed)
    )
    pd.testing.assert_frame_equal(first, second)


def test_image_difficulty_cancels_in_pairs(rng):
    """Images differ far more than methods do; only pairing sees the small advantage."""
    difficulty = rng.normal(0, 10, 40)
    frames = [
        pd.DataFrame({"method": name, "image": range(40), "metric": "SSIM", "value": values})
        for name, values in {
            "ours": difficulty + 0.1 + rng.normal(0, 0.05, 40),
            "theirs": difficulty,
        }.items()
    ]
    row = compare(pd.concat(frames), "ours", ["theirs"]).iloc[0]
    assert row["difference"] == pytest.approx(0.1, abs=0.03)
    assert row["low"] > 0


def test_methods_scored_on_different_images_are_not_compared(rng):
    scores = make_scores(rng)
    cut = scores.drop(scores[(scores["method"] == "ours") & (scores["image"] == 52)].index)
    with pytest.raises(DataError, match="not scored on the same images"):
        compare(cut, "ours", ["theirs"])
    with pytest.raises(DataError, match="nobody"):
        compare(scores, "ours", ["nobody"])


def test_exact_permutation_test_equals_scipy(rng):
    differences = rng.normal(0.4, 1, 9)
    expected = stats.permutation_test(
        (differences, np.zeros(9)), lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples", vectorized=True, n_resamples=np.inf,
    ).pvalue  # fmt: skip
    assert sign_flip_p(differences) == pytest.approx(expected)


def test_sampled_permutation_test_is_close_to_the_t_test_and_never_zero(rng):
    differences = rng.normal(0.25, 1, 60)
    expected = stats.ttest_1samp(differences, 0).pvalue
    assert sign_flip_p(differences) == pytest.approx(expected, abs=0.02)
    assert sign_flip_p(np.full(60, 2.0), n_permutations=999) == 1 / 1000


def test_two_images_cannot_be_significant():
    assert sign_flip_p(np.array([1.0, 2.0])) == 0.5
    assert sign_flip_p(np.zeros(4)) == 1


def test_permutation_test_holds_its_level(rng):
    p = np.array([sign_flip_p(rng.standard_t(3, 10)) for _ in range(400)])
    assert np.mean(p <= 0.05) < 0.09


def test_holm_by_hand():
    # Sorted .01 .02 .03 .04 times 4 3 2 1 = .04 .06 .06 .04, then never decreasing.
    np.testing.assert_allclose(holm(np.array([0.03, 0.01, 0.04, 0.02])), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm(np.array([0.6, 0.7])), [1, 1])


def test_effect_size():
    assert cohens_dz(np.array([1.0, 2.0, 3.0])) == pytest.approx(2)
    assert np.isnan(cohens_dz(np.array([1.0, 1.0])))
