"""Retrieval against the sampling loop it replaces."""

import numpy as np
import pytest

from havir_lib.errors import ShapeError
from havir_lib.evaluation.retrieval import candidates_ahead, hit_probability, retrieval


def by_metric(table):
    return table.groupby("metric")["value"].mean().to_dict()


def test_expected_hits_equal_many_sampled_pools(rng):
    n, pool = 40, 12
    true = rng.normal(size=(n, 6))
    predicted = true + rng.normal(0, 1.5, true.shape)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (predicted, true)]
    similarity = unit[0] @ unit[1].T  # (brain, image)
    hits = {"image": [], "brain": []}
    for _ in range(4000):
        chosen = rng.permutation(n)[:pool]
        part = similarity[np.ix_(chosen, chosen)]
        hits["image"].append((part.argmax(axis=1) == np.arange(pool)).mean())
        hits["brain"].append((part.argmax(axis=0) == np.arange(pool)).mean())
    found = by_metric(retrieval(predicted, true, pool=pool, top_k=[1]))
    for direction, sampled in hits.items():
        assert found[f"{direction} retrieval top-1"] == pytest.approx(np.mean(sampled), abs=0.01)


def test_directions_carry_their_own_names():
    """Both brains point at image 0: each image has a brain of its own only for image 0."""
    true = np.array([[1.0, 0.0], [0.0, 1.0]])
    predicted = np.array([[1.0, 0.1], [1.0, 0.2]])
    table = retrieval(predicted, true, top_k=[1]).set_index(["metric", "image"])["value"]
    assert list(table["image retrieval top-1"]) == [1, 0]
    assert list(table["brain retrieval top-1"]) == [1, 1]


def test_perfect_and_random_embeddings(rng):
    true = rng.normal(size=(60, 4, 5))
    perfect = retrieval(2 * true, true, pool=20, image_ids=range(100, 160))
    assert set(perfect["value"]) == {1.0}
    assert perfect["image"].min() == 100
    chance = by_metric(retrieval(rng.normal(size=true.shape), true, pool=20))
    assert chance["image retrieval top-1"] == pytest.approx(1 / 20, abs=0.04)
    assert chance["image retrieval top-5"] == pytest.approx(5 / 20, abs=0.1)


def test_small_sets_use_all_images(rng):
    true = rng.normal(size=(9, 7))
    table = retrieval(true + rng.normal(size=true.shape), true)
    assert set(table["pool"]) == {9}
    assert set(table["value"]) <= {0.0, 1.0}


def test_hit_probability_by_hand():
    # One better candidate among 4 others, pool of 3: it is drawn in half of the pools.
    np.testing.assert_allclose(hit_probability(np.array([1, 0, 4, 2, 3]), 3, 1)[:3], [0.5, 1, 0])


def test_ties_lose():
    assert list(candidates_ahead(np.ones((3, 3)))) == [2, 2, 2]


def test_shapes_must_agree():
    with pytest.raises(ShapeError, match=r"\(7, 8\) and \(7, 9\)"):
        retrieval(np.ones((7, 8)), np.ones((7, 9)))
