"""Maps in standard spaces: in the right place, and never a native map on a standard brain."""

import numpy as np
import pytest
from matplotlib.colors import ListedColormap

from havir_lib.data.spaces import MNI, SurfaceMap, VolumeMap
from havir_lib.errors import ShapeError, SpaceError
from havir_lib.plots import StandardMap, figure_importance_standard, figure_roles_surface
from havir_lib.plots.standard import _mesh, plot_glass, plot_surface
from havir_lib.plots.style import new_figure

N = 10_242
MNI_2MM = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
RED = ListedColormap(["#ff0000"])
STYLE = {"cmap": RED, "limits": (0, 1)}


@pytest.fixture
def ax():
    return new_figure(60, 60, layout=None).add_axes((0, 0, 1, 1))


def surface_map(side="left", inside=lambda xyz: np.zeros(len(xyz), bool), value=1.0):
    values = {name: np.full(N, np.nan) for name in ("left", "right")}
    values[side][inside(_mesh(side)[0])] = value
    return SurfaceMap(values["left"], values["right"], "fsaverage5")


def red_pixels(ax):
    picture = ax.get_images()[0].get_array().astype(int)
    return (picture[..., 0] > 150) & (picture[..., 1] < 60) & (picture[..., 3] > 200)


def test_a_native_map_is_never_drawn_on_a_standard_brain(ax):
    native = VolumeMap(np.ones((91, 109, 91)), MNI_2MM, "subj01 func1pt8mm")
    with pytest.raises(SpaceError, match=r"MNI152 for a glass brain.*'subj01 func1pt8mm'.*volume_"):
        plot_glass(ax, native, axis="x", **STYLE)
    own = SurfaceMap(np.ones(N), np.ones(N), "subj01 layerB2")
    with pytest.raises(SpaceError, match="fsaverage5.*'subj01 layerB2'"):
        plot_surface(ax, own, side="left", view="lateral", **STYLE)
    fine = SurfaceMap(np.ones(163_842), np.ones(163_842), "fsaverage")
    with pytest.raises(SpaceError, match="'fsaverage'"):
        plot_surface(ax, fine, side="left", view="lateral", **STYLE)


def test_back_and_front_of_the_lateral_view(ax):
    """From outside, the back of the left side is on the right, of the right side on the left."""

    def behind(xyz):
        return xyz[:, 1] < np.percentile(xyz[:, 1], 15)

    for side, expected in (("left", 0.7), ("right", 0.3)):
        ax.clear()
        plot_surface(ax, surface_map(side, behind), side=side, view="lateral", **STYLE)
        found = red_pixels(ax)
        assert found.sum() > 500
        columns = np.flatnonzero(found.any(axis=0)).mean() / found.shape[1]
        assert columns > expected if side == "left" else columns < expected


def test_top_is_up_and_what_faces_away_is_hidden(ax):
    def above(xyz):
        return xyz[:, 2] > np.percentile(xyz[:, 2], 85)

    plot_surface(ax, surface_map("left", above), side="left", view="lateral", **STYLE)
    rows = np.flatnonzero(red_pixels(ax).any(axis=1)).mean() / len(red_pixels(ax))
    assert rows < 0.3
    ax.clear()
    plot_surface(ax, surface_map("left", above), side="left", view="ventral", **STYLE)
    assert red_pixels(ax).sum() < 20


def test_hemispheres_are_not_mixed_up(ax):
    shown = surface_map("right", lambda xyz: np.ones(len(xyz), bool))
    plot_surface(ax, shown, side="left", view="lateral", **STYLE)
    assert not red_pixels(ax).any()
    ax.clear()
    plot_surface(ax, shown, side="right", view="medial", **STYLE)
    assert red_pixels(ax).mean() > 0.4


def test_wrong_view_and_limits(ax):
    shown = surface_map()
    with pytest.raises(ValueError, match="view one of .*'lateral'.*'sideways'"):
        plot_surface(ax, shown, side="left", view="sideways", **STYLE)
    with pytest.raises(ShapeError, match="limits must rise"):
        plot_surface(ax, shown, side="left", view="lateral", cmap=RED, limits=(1, 1))


def test_glass_brain_shows_the_map_where_it_is(ax):
    volume = np.full((91, 109, 91), np.nan)
    volume[20:26, 15:21, 30:36] = 0.9  # x from 40 to 50 mm: right; y about -91: the back
    plot_glass(ax, VolumeMap(volume, MNI_2MM, MNI), axis="z", **STYLE)
    (image,) = [image for a in ax.figure.axes for image in a.get_images()]
    data = np.ma.filled(np.ma.asarray(image.get_array(), dtype=float), 0)
    left, right, bottom, top = image.get_extent()
    rows, columns = np.nonzero(np.nan_to_num(data) > 0.5)
    if image.origin == "upper":
        rows = data.shape[0] - 1 - rows
    x = left + (columns.mean() + 0.5) / data.shape[1] * (right - left)
    y = bottom + (rows.mean() + 0.5) / data.shape[0] * (top - bottom)
    assert (x, y) == pytest.approx((45, -91), abs=3)


def test_figures_have_a_panel_per_subject_role_and_view():
    shown = surface_map("left", lambda xyz: xyz[:, 1] < -60, 2.0)
    fig = figure_roles_surface({"subj01": shown, "subj02": shown})
    assert sum(bool(a.get_images()) for a in fig.axes) == 12
    volume = np.zeros((91, 109, 91))
    volume[20:26, 15:21, 30:36] = 0.9
    both = StandardMap(VolumeMap(volume, MNI_2MM, MNI), shown)
    fig = figure_importance_standard({"subj07": {"structural": both, "semantic": both}})
    text = [t.get_text() for t in fig.texts]
    assert {"subj07", "Structural Generator", "Semantic Extractor"} <= set(text)
    labels = [a.get_label() for a in fig.axes]
    assert sum("semantic left lateral" in label for label in labels) == 1
    assert sum("structural right medial" in label for label in labels) == 1
