"""What the check of the small models counts, and what the sweep of guidance measures."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_curve

from havir_lib.errors import ConfigError
from havir_lib.mini import evaluate_models
from havir_lib.mini.data import SceneSet
from havir_lib.mini.evaluation import (
    FALSE_ALARMS,
    first,
    fit_probe,
    found,
    probe_map,
    probe_scores,
    thresholds,
)
from havir_lib.mini.sweep import _rows
from havir_lib.plots.mini import figure_guidance

K = 3


@pytest.fixture
def labelled(rng):
    """Tokens whose class token says which of three categories are there, and such scenes."""
    n = 400
    labels = rng.random((n, K)) < 0.3
    tokens = rng.normal(size=(n, 5, 7)) * 0.5
    tokens[:, 0, :K] += 2 * labels
    scenes = SceneSet(
        images=np.zeros((n, 1, 1, 3), np.uint8),
        captions=[],
        labels=labels,
        patches=np.zeros((n, 4, K), bool),
        main=labels.argmax(1),
    )
    return tokens.astype(np.float16), scenes


def test_probe_finds_what_tokens_say(labelled):
    tokens, scenes = labelled
    probe = fit_probe(tokens, scenes)
    assert probe_map(probe, tokens, scenes) > 0.97


def test_thresholds_let_the_stated_share_of_absent_objects_pass(labelled):
    tokens, scenes = labelled
    probe = fit_probe(tokens, scenes)
    least = thresholds(probe, tokens, scenes)
    for k in range(K):
        alarms, _, cuts = roc_curve(
            scenes.labels[:, k], probe_scores(probe, tokens)[:, k], drop_intermediate=False
        )
        last = np.searchsorted(-cuts, -least[k], side="right") - 1
        assert alarms[last] == pytest.approx(FALSE_ALARMS, abs=0.02)


def test_found_and_first_look_at_the_wanted_category():
    scores = np.array([[0.9, 0.2, 0.1], [0.3, 0.4, 0.8], [0.1, 0.6, 0.2]])
    wanted = np.array([0, 1, 1])
    assert first(scores, wanted) == pytest.approx(2 / 3)
    assert found(scores, wanted, np.array([0.5, 0.35, 0.5])) == 1.0
    assert found(scores, wanted, np.array([0.95, 0.35, 0.5])) == pytest.approx(2 / 3)


def test_a_gallery_that_is_too_small_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="at least 300"):
        evaluate_models(tmp_path, n=20)


def test_similarity_is_the_cosine(rng):
    made, of = rng.normal(size=(2, 6, 4)).astype(np.float32)
    rows = _rows("mixing", 0.5, "text tokens", made, of)
    expected = [
        np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(made, of, strict=True)
    ]
    np.testing.assert_allclose(rows["similarity"], expected, rtol=1e-5)


def test_guidance_figure_shows_means(rng):
    parts = [
        _rows(setting, at, follows, *rng.normal(size=(2, 6, 4)))
        for setting, kinds in {
            "guidance_scale": ["both"], "mixing": ["image tokens", "text tokens"],
        }.items()
        for at in (1.0, 2.0)
        for follows in kinds
    ]  # fmt: skip
    sweep = pd.concat(parts)
    left, right = figure_guidance(sweep).axes
    shown = left.containers[0].lines[0].get_ydata()
    own = sweep[sweep["setting"] == "guidance_scale"].groupby("at")["similarity"].mean()
    np.testing.assert_allclose(np.asarray(shown, float), own, rtol=1e-6)
    assert len(right.containers) == 2
