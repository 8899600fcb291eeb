"""Correlations, two-way identification and distance against the field's own formulas."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import correlation as scipy_distance

from havir_lib.errors import ShapeError
from havir_lib.evaluation import correlation
from havir_lib.evaluation.correlation import all_correlations, paired_correlation
from havir_lib.evaluation.distance import correlation_distance
from havir_lib.evaluation.identification import share_beaten, two_way_identification


def field_two_way(reals, preds):
    """The loop published with MindEye, restated."""
    n = len(reals)
    r = np.corrcoef(reals, preds)[:n, n:]
    success = r < np.diag(r)
    return np.sum(success, axis=0) / (n - 1)


@pytest.fixture
def pair(rng):
    reals = rng.normal(3, 2, (9, 701)).astype(np.float32)
    preds = (0.1 * reals + rng.normal(0, 2, reals.shape)).astype(np.float32)
    return reals, preds


@pytest.mark.parametrize("block", [64, 700, 10_000])
def test_all_correlations_equal_numpy_whatever_the_block(pair, monkeypatch, block):
    monkeypatch.setattr(correlation, "BLOCK", block)
    reals, preds = pair[0], pair[1][:7]
    expected = np.corrcoef(reals, preds)[:9, 9:]
    np.testing.assert_allclose(all_correlations(reals, preds), expected, atol=1e-12)


def test_paired_correlation_is_the_diagonal(pair):
    np.testing.assert_allclose(
        paired_correlation(*pair), np.diag(all_correlations(*pair)), atol=1e-12
    )


def test_correlations_survive_a_large_offset(pair):
    shifted = [rows.astype(np.float64) + 1e5 for rows in pair]
    np.testing.assert_allclose(paired_correlation(*shifted), paired_correlation(*pair), atol=1e-9)


def test_two_way_identification_equals_the_field(pair):
    result = two_way_identification(*pair)
    np.testing.assert_array_equal(result, field_two_way(*pair))
    assert 0.5 < result.mean() < 1  # otherwise the comparison above says little


def test_two_way_identification_compares_along_the_right_axis():
    # Columns are reconstructions: the first resembles the second real image most.
    similarity = np.array([[0.5, 0.1, 0.2], [0.9, 0.8, 0.7], [0.4, 0.3, 0.9]])
    np.testing.assert_allclose(share_beaten(similarity), [0.5, 1.0, 1.0])
    np.testing.assert_allclose(share_beaten(similarity.T), [1.0, 0.5, 1.0])


def test_perfect_reconstructions_are_all_identified(pair):
    np.testing.assert_array_equal(two_way_identification(pair[0], pair[0]), 1)
    np.testing.assert_allclose(correlation_distance(pair[0], pair[0]), 0, atol=1e-12)


def test_shuffled_reconstructions_are_at_chance(rng):
    reals = rng.normal(size=(200, 40))
    score = two_way_identification(reals, reals[rng.permutation(200)]).mean()
    assert score == pytest.approx(0.5, abs=0.05)


def test_ties_fail(pair):
    reals = pair[0].copy()
    reals[4] = reals[2]  # an exact duplicate can never be told apart
    result = two_way_identification(reals, reals)
    np.testing.assert_allclose(result[[2, 4]], 7 / 8)
    np.testing.assert_array_equal(np.delete(result, [2, 4]), 1)


def test_two_images_give_all_or_nothing(rng):
    reals = rng.normal(size=(2, 30))
    np.testing.assert_array_equal(two_way_identification(reals, reals), [1, 1])
    np.testing.assert_array_equal(two_way_identification(reals, reals[::-1]), [0, 0])


def test_near_rivals_are_told_apart_as_in_double_precision(rng):
    """Rivals nearer than single precision can tell, on both sides of the own image."""
    reals = rng.normal(size=(40, 5000))
    reals[1:] = reals[0] + 1e-5 * reals[1:]
    preds = reals + 1e-5 * rng.normal(size=reals.shape)
    result = two_way_identification(reals, preds)
    np.testing.assert_array_equal(result, field_two_way(reals, preds))
    single = np.corrcoef(reals, preds, dtype=np.float32)[: len(reals), len(reals) :]
    assert (share_beaten(single) != result).any()


def test_tensors_are_scored_like_arrays(pair):
    tensors = [torch.from_numpy(rows) for rows in pair]
    np.testing.assert_array_equal(two_way_identification(*tensors), two_way_identification(*pair))


def test_one_image_cannot_be_identified():
    with pytest.raises(ShapeError, match="at least 2"):
        two_way_identification(np.ones((1, 5)), np.ones((1, 5)))


def test_distance_equals_scipy(pair):
    expected = [scipy_distance(a, b) for a, b in zip(*pair, strict=True)]
    np.testing.assert_allclose(correlation_distance(*pair), expected, atol=1e-6)


def test_constant_rows_correlate_zero(pair):
    reals, preds = pair
    preds[3] = 0.1  # a value whose mean is inexact in floating point
    r = all_correlations(reals, preds)
    np.testing.assert_array_equal(r[:, 3], 0)
    assert paired_correlation(reals, preds)[3] == 0
    assert correlation_distance(reals, preds)[3] == 1
    assert two_way_identification(reals, preds)[3] == 0
    assert np.isfinite(r).all()


def test_widths_must_agree():
    with pytest.raises(ShapeError, match=r"\(7, 8\) and \(7, 9\)"):
        paired_correlation(np.ones((7, 8)), np.ones((7, 9)))
