"""Images that figures show: the best of each group, and random ones from the rest."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from havir_lib.pages import (
    branches,
    framework,
    importance,
    pictures,
    publish,
    reconstructions,
    regions,
    voxels,
)
from havir_lib.plots import save_figure
from havir_lib.plots.style import READABLE, contrast
from havir_lib.run.data import first_stimuli


def test_ranks_go_by_each_metric_s_direction():
    scores = pd.DataFrame({
        "image": [7, 7, 8, 8, 9, 9],
        "metric": ["PixCorr", "EffNet-B"] * 3,
        "value": [0.9, 0.5, 0.5, 0.1, 0.1, 0.9],  # EffNet-B is a distance
    })  # fmt: skip
    assert pictures.mean_rank(scores).to_dict() == {7: 1.5, 8: 1.5, 9: 3.0}


def test_the_best_of_each_group_is_chosen(rng):
    centres = np.repeat([[0.0, 0], [10, 0], [0, 10]], 5, axis=0)
    rank = rng.permutation(15).astype(float)
    found = pictures.best_of_groups(centres + 0.1 * rng.normal(size=(15, 2)), rank, 3)
    expected = [5 * g + rank[5 * g : 5 * g + 5].argmin() for g in range(3)]
    assert found.tolist() == sorted(expected, key=lambda row: rank[row])


@pytest.mark.parametrize("n", [1, 4, 9])
def test_few_images(rng, n):
    rank = np.array([3.0, 1, 2, 4])
    found = pictures.best_of_groups(rng.normal(size=(4, 3)), rank, n)
    assert found.tolist() == [1, 2, 0, 3][:n]


def test_random_rows_are_of_the_others():
    drawn = pictures.random_rows(0, 12, 20, np.array([2, 5]))
    assert drawn.tolist() == [row for row in range(12) if row not in (2, 5)]
    assert pictures.random_rows(0, 12, 4).tolist() == pictures.random_rows(0, 12, 4).tolist()


def test_figures_of_a_run_show_no_chosen_image_as_random(run):
    chosen, drawn = pictures.chosen_of(run), pictures.random_of(run)
    assert len(chosen) == run.config.figures.n_examples
    assert not set(chosen) & set(drawn)
    assert f"in each of {len(chosen)} groups" in pictures.how_chosen(chosen)


def test_the_first_look_needs_no_simulation_and_shows_its_pictures(run, monkeypatch):
    expected = run.stimuli.images(np.arange(5))
    monkeypatch.setattr(type(run), "stimuli", property(lambda _: pytest.fail("simulated first")))
    np.testing.assert_array_equal(first_stimuli(run, 5), expected)


def test_text_of_figures_can_be_read(run, monkeypatch):
    """On white, as all figures are; letters on pictures have a ground of their own."""
    drawn = []

    def look(figure, *arguments, **named):
        drawn.append(figure)
        return save_figure(figure, *arguments, **named)

    monkeypatch.setattr(publish, "save_figure", look)
    framework.framework(run)
    regions.definitions(run)
    voxels.counts(run)
    branches.semantic_training(run, "subj02")
    reconstructions.shuffled(run)
    importance.figure5(run)
    importance.validity(run)
    assert len(drawn) == 7
    texts = [text for figure in drawn for text in figure.findobj(Text) if text.get_text().strip()]
    assert len(texts) > 100
    pale = {(text.get_text(), text.get_color()) for text in texts
            if contrast(text.get_color()) < READABLE}  # fmt: skip
    assert not pale
