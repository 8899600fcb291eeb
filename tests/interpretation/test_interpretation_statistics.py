import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from havir_lib.errors import ShapeError
from havir_lib.interpretation import (
    compare_with_null,
    null_band,
    roi_summary,
    seed_reliability,
    spatial_blocks,
    spearman_interval,
)


@pytest.mark.parametrize("pool", [True, False])
def test_comparison_with_null_counts(rng, pool):
    values, null = rng.normal(1, 1, 6), rng.normal(size=(40, 6))
    found = compare_with_null(values, null, pool=pool)
    for v in range(6):
        against = null.ravel() if pool else null[:, v]
        assert found["z"][v] == pytest.approx((values[v] - against.mean()) / against.std(ddof=1))
        assert found["percentile"][v] == pytest.approx(100 * (against < values[v]).mean())
        assert found["p"][v] == pytest.approx(
            (1 + (against >= values[v]).sum()) / (1 + against.size)
        )


def test_p_values_are_uniform_when_nothing_is_there(rng):
    p = compare_with_null(rng.normal(size=400), rng.normal(size=(20, 400)))["p"]
    assert abs((p < 0.1).mean() - 0.1) < 0.05
    with pytest.raises(ShapeError, match=r"\(R >= 2, 400\)"):
        compare_with_null(np.ones(400), np.ones((1, 400)))


def test_null_band_holds_its_share(rng):
    null = rng.normal(size=(50, 200))
    low, high = null_band(null)
    assert ((null > low) & (null < high)).mean() == pytest.approx(0.95, abs=0.001)


def test_roi_summary_per_region(rng):
    values, null = rng.normal(size=9), rng.normal(size=(30, 9))
    rois = pd.DataFrame({"V1": [True] * 4 + [False] * 5, "FFA": [False] * 3 + [True] * 6})
    rois["empty"] = False
    found = roi_summary(values, rois, names=["FFA", "empty", "V1"], null=null).set_index("roi")
    assert found.index.tolist() == ["FFA", "V1"]
    assert found["n_voxels"].tolist() == [6, 4]
    assert found.loc["V1", "mean"] == pytest.approx(values[:4].mean())
    assert found.loc["FFA", "q75"] == pytest.approx(np.quantile(values[3:], 0.75))
    assert found.loc["V1", "null_low"] == pytest.approx(
        np.percentile(null[:, :4].mean(axis=1), 2.5)
    )
    assert "null_low" not in roi_summary(values, rois)
    with pytest.raises(ShapeError, match="9 rows"):
        roi_summary(values[:8], rois)


def test_spearman_is_scipys_and_its_interval_covers_it(rng):
    truth = rng.normal(size=120)
    values = truth + rng.normal(size=120)
    found = spearman_interval(values, truth, n_bootstrap=300)
    assert found["rho"] == pytest.approx(spearmanr(values, truth).statistic)
    assert found["low"] < found["rho"] < found["high"]
    assert found["n"] == 120
    assert found == spearman_interval(values, truth, n_bootstrap=300)
    perfect = spearman_interval(truth, np.exp(truth), n_bootstrap=100)
    assert perfect["low"] == pytest.approx(1)
    with pytest.raises(ShapeError, match="truth"):
        spearman_interval(values, truth[:7])


def test_interval_is_that_of_scipy_on_resampled_voxels(rng):
    truth = rng.integers(5, size=60).astype(float)  # with ties
    values = truth + rng.normal(size=60)
    blocks = np.repeat(np.arange(10), 6)[rng.permutation(60)]
    found = spearman_interval(values, truth, blocks=blocks, n_bootstrap=200, seed=3)
    drawn = np.random.default_rng(3)
    expected = []
    for _ in range(200):
        chosen = drawn.integers(10, size=10)
        index = np.concatenate([np.flatnonzero(blocks == block) for block in chosen])
        expected.append(spearmanr(values[index], truth[index]).statistic)
    assert [found["low"], found["high"]] == pytest.approx(np.quantile(expected, [0.025, 0.975]))


def test_blocks_widen_the_interval_of_voxels_that_move_together(rng):
    blocks = np.repeat(np.arange(12), 20)
    truth, values = rng.normal(size=(2, 12))[:, blocks] + 0.01 * rng.normal(size=(2, 240))
    single = spearman_interval(values, truth, n_bootstrap=300)
    whole = spearman_interval(values, truth, blocks=blocks, n_bootstrap=300)
    assert whole["rho"] == single["rho"]
    assert whole["high"] - whole["low"] > 2 * (single["high"] - single["low"])


def test_blocks_are_cubes():
    ijk = np.array([[0, 0, 0], [3, 3, 3], [4, 0, 0], [0, 4, 0], [7, 3, 3]])
    labels = spatial_blocks(ijk, side=4)
    assert labels.shape == (5,)
    assert labels[0] == labels[1]
    assert labels[2] == labels[4]
    assert len(set(labels.tolist())) == 3


def test_reliability_of_every_pair_of_seeds(rng):
    maps = rng.normal(size=(3, 50))
    found = seed_reliability(maps)
    assert found[["first", "second"]].to_numpy().tolist() == [[0, 1], [0, 2], [1, 2]]
    assert found["rho"][1] == pytest.approx(spearmanr(maps[0], maps[2]).statistic)
    with pytest.raises(ShapeError, match="at least 2 seeds"):
        seed_reliability(maps[:1])
