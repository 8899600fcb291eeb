"""Bold is earned: tests of the test."""

import numpy as np
import pandas as pd
import pytest

from havir_lib.errors import DataError
from havir_lib.evaluation.best import best_methods, mark_best
from havir_lib.evaluation.statistics import compare, summarise


def table(values, metric="PixCorr", subject=None):
    frames = [
        pd.DataFrame({"method": name, "image": np.arange(len(x)), "metric": metric, "value": x})
        for name, x in values.items()
    ]
    frame = pd.concat(frames, ignore_index=True)
    return frame if subject is None else frame.assign(subject=subject)


@pytest.fixture
def noise(rng):
    return lambda mean=0.0, n=24: mean + rng.normal(0, 0.1, n)


def test_clearly_better_than_all_is_best(noise):
    values = {"a": noise(0.5), "b": noise(0.0), "c": noise(0.1)}
    found = best_methods(table(values))
    assert found[["metric", "method"]].to_numpy().tolist() == [["PixCorr", "a"]]


def test_a_draw_with_one_other_leaves_no_best(noise):
    first = noise(0.5)
    values = {"a": first, "b": first + np.where(np.arange(24) % 2, 0.01, -0.011), "c": noise(0.0)}
    assert best_methods(table(values)).empty


def test_best_is_lowest_where_less_is_better(noise):
    values = {"a": noise(0.5), "b": noise(0.0)}
    assert best_methods(table(values, "EffNet-B"))["method"].tolist() == ["b"]


def test_its_p_value_is_the_one_of_compare(noise):
    values = {"a": noise(0.06), "b": noise(0.0), "c": noise(0.0)}
    scores = table(values)
    found = best_methods(scores, alpha=1.1).iloc[0]
    others = [name for name in "abc" if name != found["method"]]
    expected = compare(scores, found["method"], others)["p_holm"].max()
    assert found["p_holm"] == pytest.approx(expected)


def test_more_metrics_demand_more(noise):
    """A p of .03 is enough alone, but not among ten metrics."""
    n = 6  # exact test: the smallest p is 2 / 64 = .031
    values = {"a": noise(1.0, n), "b": noise(0.0, n)}
    assert len(best_methods(table(values))) == 1
    frames = [table({"a": noise(1.0, n), "b": noise(0.0, n)}, m)
              for m in ("PixCorr", "SSIM", "CLIP")]  # fmt: skip
    assert best_methods(pd.concat(frames)).empty


def test_by_chance_there_is_rarely_a_best(noise):
    wins = sum(len(best_methods(table({k: noise(n=12) for k in "abc"}), n_permutations=500))
               for _ in range(60))  # fmt: skip
    assert wins <= 6


def test_groups_have_their_own_best_and_the_summary_is_marked(noise):
    scores = pd.concat(
        [
            table({"a": noise(0.5), "b": noise(0.0)}, subject="subj01"),
            table({"a": noise(0.0), "b": noise(0.5)}, subject="subj02"),
        ]
    )
    best = best_methods(scores, by=["subject"])
    summary = mark_best(summarise(scores, ["method", "subject"]), best)
    chosen = summary.loc[summary["best"], ["method", "subject"]].to_numpy().tolist()
    assert sorted(chosen) == [["a", "subj01"], ["b", "subj02"]]
    assert not mark_best(summary, best.iloc[:0])["best"].any()


def test_alone_no_method_is_best(noise):
    assert best_methods(table({"a": noise()})).empty


def test_methods_on_other_images_are_refused(noise):
    scores = table({"a": noise(), "b": noise()})
    with pytest.raises(DataError, match="not scored on the same images"):
        best_methods(scores[~((scores["method"] == "b") & (scores["image"] == 3))])
