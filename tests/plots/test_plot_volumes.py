import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb

from havir_lib.errors import ShapeError
from havir_lib.interpretation import roi_summary
from havir_lib.plots import (
    BrainMap,
    figure_agreement,
    figure_importance,
    figure_importance_subjects,
    figure_noise_ceiling,
    figure_roi_definitions,
    figure_roles,
    figure_voxel_counts,
    role_slice,
)
from havir_lib.plots.interpretation import plot_roi_importance
from havir_lib.plots.rois import plot_noise_ceiling, plot_voxel_counts, region_colours
from havir_lib.plots.style import ROLES, SUBJECTS, new_figure, role_map
from havir_lib.plots.volumes import cut_coordinates, plot_projection

AFFINE = np.array([[4.0, 0, 0, -20], [0, 4, 0, -40], [0, 0, 4, -8], [0, 0, 0, 1]])
SHAPE = (7, 8, 9)


@pytest.fixture
def brain(rng):
    """Structural voxels in the slices z = 3, 4 (mostly) and 7; semantic ones in 3."""
    roles = np.zeros(SHAPE)
    roles[1:4, 2:6, 3] = 1
    roles[1:4, 2:5, 4] = 1
    roles[2, 2, 7] = 1
    roles[5, 2:6, 3] = 2
    return BrainMap(roles, AFFINE, "subj01 func1pt8mm", rng.uniform(0.5, 1, SHAPE))


def importance_map(brain, code, rng):
    volume = np.where(brain.volume == code, rng.uniform(0.5, 1.5, SHAPE), np.nan)
    return BrainMap(volume, brain.affine, brain.space, brain.background)


def all_text(fig):
    own = [text.get_text() for ax in fig.axes for text in (*ax.texts, ax.title)]
    return own + [text.get_text() for text in fig.texts]


def test_cuts_go_through_the_fullest_slices(brain):
    inside = brain.volume > 0
    assert cut_coordinates(inside, AFFINE, "z", 1) == [3 * 4 - 8]
    assert cut_coordinates(inside, AFFINE, "z", 2, apart=6) == [4, 20]  # 3 and 7, not 3 and 4
    assert cut_coordinates(inside, AFFINE, "z", 3, apart=6) == [4, 8, 20]  # distance given up
    with pytest.raises(ValueError, match="must be one of"):
        cut_coordinates(inside, AFFINE, "w", 1)
    with pytest.raises(ShapeError, match="empty"):
        cut_coordinates(np.zeros(SHAPE, bool), AFFINE, "z", 1)


def test_projection_is_the_largest_value_at_its_place_in_mm(brain):
    volume = np.full(SHAPE, np.nan)
    volume[2, 5, 1], volume[2, 5, 8] = 3.0, 7.0
    flipped = np.diag([-1.0, 1, 1, 1]) @ AFFINE  # x runs from right to left in the array
    for affine, column in ((AFFINE, 2), (flipped, 6 - 2)):
        ax = new_figure(60, 60, layout=None).add_axes((0, 0, 1, 1))
        options = {"axis": "z", "cmap": role_map("structural"), "limits": (0, 7)}
        plot_projection(ax, volume, brain.background, affine, **options)
        shown = ax.get_images()[0]
        data = np.ma.filled(shown.get_array(), 0)
        assert data[5, column] == 7
        assert (data > 0).sum() == 1
        left, right, bottom, top = shown.get_extent()
        assert (right - left, top - bottom) == (7 * 4, 8 * 4)
        centre = left + (column + 0.5) * 4
        assert centre == pytest.approx(affine[0, 0] * 2 + affine[0, 3])
    with pytest.raises(ShapeError, match=r"\(7, 8, 9\).*\(7, 8, 8\)"):
        plot_projection(ax, volume, brain.background[..., :8], AFFINE, **options)


def test_role_figure_states_the_counts_and_cuts(brain):
    fig = figure_roles({"subj02": brain})
    text = all_text(fig)
    assert "subj02" in text
    assert f"{3 * 4 + 3 * 3 + 1} structural\n4 semantic" in text
    assert "z = 4 mm" in text


def test_regions_have_shades_of_their_role(brain):
    regions = pd.DataFrame(
        {"roi": ["V1", "FFA", "V2"], "role": ["structural", "semantic", "structural"]}
    )
    first, face, second = map(to_rgb, region_colours(regions))
    assert first[2] > first[0]  # blue
    assert second[2] > second[0]
    assert face[0] > face[2]  # orange
    assert first != second
    fig = figure_roi_definitions(brain, regions.iloc[:2], "subj01")
    assert [t.get_text() for legend in fig.legends for t in legend.get_texts()] == ["V1", "FFA"]


def test_voxel_counts_are_bar_heights():
    rows = [("subj01", "structural", "V1", 10), ("subj02", "structural", "V1", 20),
            ("subj01", "structural", "V2", 30), ("subj01", "structural", "all", 35),
            ("subj02", "structural", "all", 20), ("subj01", "semantic", "EBA", 5)]  # fmt: skip
    counts = pd.DataFrame(rows, columns=["subject", "role", "roi", "n_voxels"])
    ax = new_figure(80, 50).subplots()
    regions = counts[(counts["role"] == "structural") & (counts["roi"] != "all")]
    plot_voxel_counts(regions.assign(n_published=99), ["subj01", "subj02"], ax=ax)
    bars = {(to_hex(b.get_facecolor()), round(b.get_x() + b.get_width() / 2)): b.get_height()
            for b in ax.patches}  # fmt: skip
    one, two = SUBJECTS["subj01"].lower(), SUBJECTS["subj02"].lower()
    assert bars == {(one, 0): 10, (one, 1): 30, (two, 0): 20, (two, 1): 0}
    assert [t.get_text() for t in ax.get_xticklabels()] == ["V1", "V2"]
    figure = figure_voxel_counts(counts)
    assert figure.axes[0].get_title(loc="right") == "20–35 voxels"


def test_noise_ceiling_boxes_and_subject_medians(rng):
    frame = pd.DataFrame({"subject": ["subj01"] * 40 + ["subj02"] * 40, "role": "structural",
                          "roi": "V1", "noise_ceiling": rng.uniform(5, 60, 80)})  # fmt: skip
    ax = new_figure(80, 50).subplots()
    plot_noise_ceiling(frame, "structural", ax=ax)
    dots = [line.get_ydata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert dots == pytest.approx(frame.groupby("subject")["noise_ceiling"].median().to_list())
    fig = figure_noise_ceiling(pd.concat([frame, frame.assign(role="semantic", roi="EBA")]))
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["Structural", "Semantic"]


def test_region_importance_shows_mean_quartiles_and_null(rng):
    values, null = rng.uniform(1, 2, 30), rng.uniform(0.5, 0.6, (20, 30))
    rois = pd.DataFrame({"V1": np.arange(30) < 12, "V2": np.arange(30) >= 12})
    summary = roi_summary(values, rois, null=null)
    ax = new_figure(60, 40).subplots()
    plot_roi_importance(summary, "structural", ax=ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["V1  (12)", "V2  (18)"]
    (means,) = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(means.get_xdata(), summary["mean"])
    assert means.get_ydata()[0] > means.get_ydata()[1]  # first region on top
    spans = {(round(p.get_x(), 6), round(p.get_width(), 6)) for p in ax.patches}
    for row in summary.itertuples():
        assert (round(row.q25, 6), round(row.q75 - row.q25, 6)) in spans
        assert (round(row.null_low, 6), round(row.null_high - row.null_low, 6)) in spans


def test_figures_5_and_6_have_both_branches(brain, rng):
    maps = {role: importance_map(brain, code, rng) for code, role in enumerate(ROLES, start=1)}
    summary = roi_summary(np.ones(3), pd.DataFrame({"V1": [True, True, False]}))
    fig = figure_importance(maps, dict.fromkeys(maps, summary), "subj01")
    text = all_text(fig)
    assert {"A", "B"} <= set(text)
    assert {"Structural Generator, subj01", "Semantic Extractor, subj01"} <= set(text)
    others = figure_importance_subjects({"subj02": maps, "subj07": maps})
    assert {"subj02", "subj07", "Structural Generator"} <= set(all_text(others))


def test_agreement_intervals():
    frame = pd.DataFrame({"role": ["structural", "semantic"], "map": "weight norm",
                          "subject": "subj01", "rho": [0.3, 0.6], "low": [0.2, 0.5],
                          "high": [0.4, 0.7]})  # fmt: skip
    fig = figure_agreement(frame)
    dots = [line.get_xdata()[0] for ax in fig.axes for line in ax.lines if line.get_marker() == "o"]
    assert dots == [0.3, 0.6]


def test_role_slice_shows_both_roles_the_right_way_up():
    roles, background = np.full(SHAPE, np.nan), np.ones(SHAPE)
    roles[1, 6, 4], roles[5, 6, 4] = 1, 2
    picture = role_slice(background, roles, scale=1)
    assert picture.shape == (8, 7, 3)
    assert to_hex(picture[8 - 1 - 6, 1] / 255) == ROLES["structural"].lower()
    assert to_hex(picture[8 - 1 - 6, 5] / 255) == ROLES["semantic"].lower()
