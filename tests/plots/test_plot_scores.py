import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from havir_lib.errors import ShapeError
from havir_lib.plots import (
    FrameworkPictures,
    figure_contact_sheet,
    figure_framework,
    figure_published,
    figure_recovery,
    figure_scores,
    figure_shuffled,
    figure_training,
)
from havir_lib.plots.comparison import plot_scores
from havir_lib.plots.style import INK, METHODS, SMALLEST_TYPE, SUBJECTS, new_figure
from havir_lib.plots.training import plot_training


@pytest.fixture
def scores():
    rows = [
        (method, subject, metric, value, value - 0.1, value + 0.1)
        for metric in ("PixCorr", "EffNetLite2", "EffNetLite0-dist")
        for method, value in (("HAVIR", 0.8), ("ridge", 0.6))
        for subject, value in (("mean", value), ("subj01", value - 0.05), ("subj02", value + 0.05))
    ]
    return pd.DataFrame(rows, columns=["method", "subject", "metric", "value", "low", "high"])


def dots(ax):
    return {line.get_label(): (line.get_xdata()[0], line.get_ydata()[0], line.get_color())
            for line in ax.lines if line.get_marker() == "o"}  # fmt: skip


def test_one_panel_per_metric_with_direction_and_chance(scores):
    fig = figure_scores(scores)
    panels = {ax.get_title(loc="left"): ax for ax in fig.axes if ax.axison}
    assert list(panels) == ["PixCorr ↑", "EffNetLite2 ↑", "EffNetLite0-dist ↓"]
    at_half = {name: any(np.allclose(line.get_xdata(), 0.5) for line in ax.lines)
               for name, ax in panels.items()}  # fmt: skip
    assert at_half == {"PixCorr ↑": False, "EffNetLite2 ↑": True, "EffNetLite0-dist ↓": False}


def test_scores_stand_in_the_row_and_colour_of_their_method(scores):
    ax = new_figure(60, 40).subplots()
    own = scores[scores["metric"] == "PixCorr"]
    plot_scores(own, ["HAVIR", "ridge"], "method", ax=ax, reference="HAVIR")
    found = dots(ax)
    assert found["HAVIR"] == (0.8, 1, METHODS["HAVIR"])
    assert found["ridge"] == (0.6, 0, METHODS["ridge"])
    x, y, _ = found["ridge, subj02"]
    assert x == pytest.approx(0.65)
    assert abs(y) < 0.5  # inside ridge's row
    assert [t.get_text() for t in ax.get_yticklabels()] == ["HAVIR", "ridge"]
    ends = {
        tuple(np.round(path.vertices[:, 0], 3)) for c in ax.collections for path in c.get_paths()
    }
    assert (0.7, 0.9) in ends


def test_a_single_subject_is_drawn_with_its_interval(scores):
    ax = new_figure(60, 40).subplots()
    own = scores[(scores["metric"] == "PixCorr") & (scores["subject"] == "subj01")]
    plot_scores(own, ["HAVIR", "ridge"], "method", ax=ax, reference=None)
    assert set(dots(ax)) == {"HAVIR", "ridge"}
    assert len(ax.collections) == 2


def test_published_numbers_keep_settings_and_sources_apart():
    rows = [("MindEye2", "40h", "SSIM", 0.43, "yes"), ("MindEye2", "1h", "SSIM", 0.42, "no (x)"),
            ("HAVIR", "not stated", "SSIM", 0.332, "yes")]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["method", "setting", "metric", "value", "checked"])
    fig = figure_published(frame)
    (ax,) = fig.axes
    points = [(line.get_label(), line.get_xdata()[0], to_hex(line.get_markerfacecolor()))
              for line in ax.lines]  # fmt: skip
    assert ("MindEye2", 0.42, "#ffffff") in points  # open: not checked at the source
    assert ("HAVIR", 0.332, INK) in points
    heights = {t.get_text(): t.get_position()[1] for t in ax.texts}
    assert heights["40h"] > heights["1h"] > heights["not stated"]
    assert "not comparable" in fig.get_suptitle()


def test_shuffled_control_pairs_real_and_control(scores):
    control = scores.replace({"method": {"ridge": "shuffled voxels"}})
    fig = figure_shuffled(control[control["subject"] != "mean"])
    found = dots(fig.axes[0])
    real, shuffled = found["subj01 HAVIR"], found["subj01 shuffled voxels"]
    assert real[0] == pytest.approx(0.75)
    assert shuffled[0] == pytest.approx(0.55)
    assert round(real[1]) == round(shuffled[1])


def test_training_curves_mark_the_best_epoch():
    history = pd.DataFrame({"branch": "structural", "subject": "subj05", "epoch": [1, 2, 3],
                            "train_loss": [3, 2, 1.0], "val_loss": [4, 1.5, 2.0]})  # fmt: skip
    ax = new_figure(60, 40).subplots()
    plot_training(history, ax=ax)
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["subj05 best"].get_xdata() == [2]
    np.testing.assert_array_equal(lines["subj05 training"].get_ydata(), [3, 2, 1])
    assert lines["subj05 training"].get_linestyle() != lines["subj05 validation"].get_linestyle()
    fig = figure_training(pd.concat([history, history.assign(branch="semantic")]))
    assert [ax.get_title(loc="left") for ax in fig.axes] == [
        "Structural Generator subj05", "Semantic Extractor subj05",
    ]  # fmt: skip
    legend = {text.get_text() for text in fig.legends[0].get_texts()}
    assert legend == {"validation", "training", "best epoch, kept"}
    assert fig.legends[0].get_lines()[0].get_color() == SUBJECTS["subj05"]


def test_recovery_rows_are_named(rng):
    images = rng.integers(0, 256, (3, 7, 9, 3), dtype=np.uint8)
    fig = figure_recovery(images, images[::-1], images // 2)
    rows = [t.get_text().replace("\n", " ") for t in fig.texts if t.get_text()]
    assert rows == ["Stimulus", "Autoencoder round trip", "Diffusion from true targets"]
    np.testing.assert_array_equal(fig.axes[3].get_images()[0].get_array(), images[2])
    with pytest.raises(ShapeError, match="Autoencoder round trip"):
        figure_recovery(images, images[:2], images)


def test_contact_sheet_needs_a_caption_per_image(rng):
    images = rng.integers(0, 256, (3, 7, 9, 3), dtype=np.uint8)
    with pytest.raises(ShapeError, match="3 images, but 2 captions"):
        figure_contact_sheet(images, ["a", "b"])


def test_framework_shows_the_given_pictures_and_readable_type(rng):
    brain, stimulus, latent, final = rng.integers(0, 256, (4, 7, 9, 3), dtype=np.uint8)
    fig = figure_framework(FrameworkPictures(brain, stimulus, latent, final, "Two red trains."))
    shown = [image.get_array() for image in fig.axes[0].get_images()]
    for picture in (brain, stimulus, latent, final):
        assert any(np.array_equal(picture, other) for other in shown)
    texts = [text for text in fig.findobj(Text) if text.get_text().strip()]
    words = " ".join(text.get_text() for text in texts)
    for name in ("Structural Generator", "Semantic Extractor", "Versatile Diffusion", "Two red"):
        assert name in words
    visible = [
        text for text in texts if text.axes is None or text.axes.axison or text in text.axes.texts
    ]
    assert min(text.get_fontsize() for text in visible) >= SMALLEST_TYPE
    assert fig.axes[0].get_xlim() == (0, 180)
