"""The scores of a method: shapes, order, limits, and sharing of ground-truth features."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from havir_lib.config import load_config
from havir_lib.errors import ConfigError, ShapeError
from havir_lib.evaluation import METRICS, TruthFeatures, networks, score, scoring
from havir_lib.evaluation.identification import two_way_identification
from havir_lib.evaluation.preparation import prepare

NAMES = ["EffNetLite0-dist", "PixCorr", "EffNetLite0(2)", "SSIM", "SSIM-columnwise"]


@pytest.fixture(scope="module")
def truth():
    """Seven pictures of coloured blobs, 40 px."""
    blobs = np.random.default_rng(3).integers(0, 256, (7, 5, 5, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(blob).resize((40, 40))) for blob in blobs])


@pytest.fixture(scope="module")
def perfect(truth):
    return score(truth, truth, NAMES, image_ids=range(100, 107))


def test_one_row_per_image_and_metric_in_the_order_asked(perfect):
    assert list(perfect.columns) == ["image", "metric", "value"]
    assert list(perfect["metric"]) == [name for name in NAMES for _ in range(7)]
    assert list(perfect["image"][:7]) == list(range(100, 107))


def test_perfect_reconstructions_reach_the_limit(perfect):
    means = perfect.groupby("metric")["value"].agg(["min", "max"])
    limits = [0.0 if name.endswith("dist") else 1.0 for name in means.index]
    np.testing.assert_allclose(means["min"], limits, atol=1e-5)
    np.testing.assert_allclose(means["max"], limits, atol=1e-5)


def test_values_belong_to_their_image(truth):
    reconstructions = truth.copy()
    reconstructions[2] = 255 - reconstructions[2]
    table = score(reconstructions, truth, ["PixCorr"])
    np.testing.assert_allclose(table["value"], np.where(np.arange(7) == 2, -1, 1), atol=1e-3)


def test_wrong_order_is_worse_on_every_metric(truth, perfect):
    shifted = score(np.roll(truth, 1, axis=0), truth, NAMES)
    worse = shifted.groupby("metric")["value"].mean() < perfect.groupby("metric")["value"].mean()
    assert dict(worse) == {name: METRICS[name].higher_is_better for name in NAMES}


def test_batches_make_no_difference(truth, rng):
    noisy = np.clip(truth + rng.normal(0, 40, truth.shape), 0, 255).astype(np.uint8)
    one, many = (score(noisy, truth, NAMES[:3], batch_size=size)["value"] for size in (7, 3))
    np.testing.assert_allclose(one, many, atol=1e-5)


def test_reconstructions_may_have_another_size(truth):
    larger = truth.repeat(2, axis=1).repeat(2, axis=2)
    assert score(larger, truth, ["PixCorr"])["value"].min() > 0.97


def test_scores_equal_the_steps_done_by_hand(truth, rng):
    noisy = np.clip(truth + rng.normal(0, 80, truth.shape), 0, 255).astype(np.uint8)
    row = METRICS["EffNetLite0(5)"]
    network = networks.load_network(row.network)
    reals, preds = (
        networks.features(network, [row.node], prepare(x, row.preparation))[0].numpy()
        for x in (truth, noisy)
    )
    np.testing.assert_array_equal(
        score(noisy, truth, [row.name])["value"], two_way_identification(reals, preds)
    )


@pytest.mark.parametrize("wrap", [TruthFeatures, np.copy])
def test_truth_features_are_computed_once(truth, rng, monkeypatch, wrap):
    truth = rng.permutation(truth)  # not the array of another test, which would be remembered
    passes = []
    compute = scoring._features

    def counted(images, *rest):
        passes.append("truth" if np.array_equal(images, truth) else "reconstructions")
        return compute(images, *rest)

    monkeypatch.setattr(scoring, "_features", counted)
    shared = wrap(truth)
    first = score(255 - truth, shared, ["EffNetLite0(2)", "EffNetLite0-dist"])
    second = score(255 - truth, shared, ["EffNetLite0-dist", "EffNetLite0(2)"])
    assert passes == ["truth", "reconstructions", "reconstructions"]
    order = {"by": ["metric", "image"], "ignore_index": True}
    pd.testing.assert_frame_equal(first.sort_values(**order), second.sort_values(**order))


def test_remembered_features_never_serve_other_images(truth):
    score(truth, truth, ["EffNetLite0-dist"])
    other = 255 - truth
    assert score(other, other, ["EffNetLite0-dist"])["value"].max() < 1e-5


def test_profiles_name_known_metrics():
    for profile in ("demo", "smoke"):
        assert set(load_config(profile).evaluation.metrics) <= set(METRICS)
    paper = load_config("paper", {"data.root": "/nowhere"}).evaluation.metrics
    assert paper == [
        "PixCorr",
        "SSIM",
        "AlexNet(2)",
        "AlexNet(5)",
        "Inception",
        "CLIP",
        "EffNet-B",
        "SwAV",
    ]


@pytest.mark.parametrize(("names", "message"), [(["SSMI"], "'SSIM'"), (["SSIM"] * 2, "once")])
def test_wrong_metric_names_are_refused(truth, names, message):
    with pytest.raises(ConfigError, match=message):
        score(truth, truth, names)


def test_counts_must_agree(truth):
    with pytest.raises(ShapeError, match="7 images, 6 reconstructions"):
        score(truth[:6], truth, ["SSIM"])
    with pytest.raises(ShapeError, match="2 ids"):
        score(truth, truth, ["SSIM"], image_ids=[1, 2])
