"""Scores of predictions without images."""

from dataclasses import replace

import numpy as np
import pytest

from havir_lib.errors import ConfigError, DataError
from havir_lib.evaluation.embedding import embedding_scores
from havir_lib.evaluation.metrics import EMBEDDING_SCORES, METRICS, higher_is_better
from havir_lib.training import Predictions


@pytest.fixture
def true(rng):
    def draw(*shape):
        return rng.standard_normal((9, *shape)).astype("float32")

    return Predictions(draw(5, 4, 4), draw(7, 8), draw(6, 8), np.arange(9) + 40)


def by_metric(scores):
    return {metric: group["value"].to_numpy() for metric, group in scores.groupby("metric")}


def test_perfect_predictions_score_one(true):
    found = embedding_scores(true, true, top_k=(1, 3))
    assert (found["value"] > 1 - 1e-6).all()
    assert len(found) == 9 * (3 + 4)
    assert found["image"].unique().tolist() == list(range(40, 49))


def test_correlations_are_numpys(true, rng):
    noisy = replace(true, image_tokens=true.image_tokens + rng.standard_normal((9, 7, 8)))
    found = by_metric(embedding_scores(noisy, true))["image token correlation"]
    expected = [
        np.corrcoef(a.ravel(), b.ravel())[0, 1]
        for a, b in zip(noisy.image_tokens, true.image_tokens, strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_predictions_of_the_wrong_image_are_not_retrieved(true):
    turned = replace(true, image_tokens=np.roll(true.image_tokens, 1, axis=0))
    found = by_metric(embedding_scores(turned, true, top_k=(1, 9)))
    assert found["image retrieval top-1"].max() == 0
    assert found["image retrieval top-9"].min() == 1


def test_what_is_not_predicted_is_not_scored(true):
    found = by_metric(embedding_scores(replace(true, latents=None, text_tokens=None), true))
    assert {"latent correlation", "text token correlation"}.isdisjoint(found)
    assert "image token correlation" in found


def test_other_images_are_refused(true):
    with pytest.raises(DataError, match="not the same images"):
        embedding_scores(replace(true, image_ids=true.image_ids[::-1].copy()), true)


def test_directions_of_all_scores_are_known(true):
    assert all(map(higher_is_better, embedding_scores(true, true)["metric"].unique()))
    assert all(map(higher_is_better, EMBEDDING_SCORES))
    for name, metric in METRICS.items():
        assert higher_is_better(name) == metric.higher_is_better
    with pytest.raises(ConfigError, match="Unknown metric"):
        higher_is_better("image token corelation")
