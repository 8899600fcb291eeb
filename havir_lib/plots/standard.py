"""Maps in standard spaces: on MNI's glass brain and on FreeSurfer's average surface.

Only maps that say they are in the picture's space are drawn
(:func:`havir_lib.data.spaces.require_space`): a subject's own grid is aligned with no template.
The surface is nilearn's fsaverage5, which is part of that package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import nibabel as nib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from havir_lib.data.spaces import MNI, SurfaceMap, VolumeMap, require_space
from havir_lib.errors import ShapeError
from havir_lib.plots.style import (
    MUTED,
    PAGE,
    ROLE_NAMES,
    ROLES,
    figure_style,
    ink_of,
    little_garbage,
    mm_axes,
    mm_text,
    new_figure,
    role_map,
)
from havir_lib.plots.volumes import colour_limits

MESH = "fsaverage5"
VIEWS = {
    "lateral": ((1, 0, 0), (0, 0, 1)),
    "medial": ((-1, 0, 0), (0, 0, 1)),
    "posterior": ((0, -1, 0), (0, 0, 1)),
    "ventral": ((0, 0, -1), (0, 1, 0)),
}
"""View → where the eye is and what is up (right, anterior, superior); x is for the right side."""
ROLE_VIEWS = {"structural": ("medial", "ventral"), "semantic": ("lateral", "ventral")}
PIXELS = 320  # longer side of a rendered surface


@dataclass(frozen=True, eq=False)
class StandardMap:
    """One map in both standard spaces; there may be no way to MNI152."""

    volume: VolumeMap | None
    surface: SurfaceMap


def plot_glass(
    ax: Axes, shown: VolumeMap, *, axis: str, cmap: Colormap, limits: tuple[float, float]
) -> Axes:
    """Largest value along one axis, in the outline of the MNI template (nilearn's glass brain).

    Parameters
    ----------
    ax : Axes
    shown : VolumeMap
        In MNI space; NaN and zero are transparent.
    axis : {"x", "y", "z", "l", "r"}
        Direction of view, see :func:`nilearn.plotting.plot_glass_brain`.
    cmap : Colormap
    limits : (float, float)
        Values of the ends of the colour map.

    Raises
    ------
    SpaceError
        If the map is not in MNI space.
    """
    from nilearn.plotting import plot_glass_brain  # slow to import

    require_space(shown, MNI, "a glass brain")
    image = nib.Nifti1Image(np.nan_to_num(shown.volume).astype(np.float32), shown.affine)
    with figure_style(), little_garbage():
        plot_glass_brain(
            image,
            display_mode=axis,
            axes=ax,
            figure=ax.figure,
            threshold=1e-12,
            cmap=cmap,
            vmin=limits[0],
            vmax=limits[1],
            colorbar=False,
            annotate=False,
            black_bg=False,
        )
    return ax


def plot_surface(
    ax: Axes,
    shown: SurfaceMap,
    *,
    side: str,
    view: str,
    cmap: Colormap,
    limits: tuple[float, float],
) -> Axes:
    """One hemisphere of the inflated average surface, seen from one direction.

    Drawn as a picture of the triangles that face the eye: nilearn's ``plot_surf`` takes five times
    as long, and anew at every save.

    Parameters
    ----------
    ax : Axes
    shown : SurfaceMap
        On fsaverage5; where it is NaN the folds show (sulci darker).
    side : {"left", "right"}
    view : str
        One of :data:`VIEWS`.
    cmap : Colormap
    limits : (float, float)

    Raises
    ------
    SpaceError
        If the map is on another surface.
    """
    require_space(shown, MESH, f"the {MESH} surface")
    if side not in ("left", "right") or view not in VIEWS:
        raise ValueError(
            f"side must be 'left' or 'right' and view one of {list(VIEWS)}, "
            f"but {side!r} and {view!r} were passed"
        )
    values = getattr(shown, side)
    polygons, first, shade = _visible(side, view)
    colours = _colours(values[first], _folds(side)[first], shade, cmap, limits)
    ax.imshow(_render(polygons, colours), origin="upper")
    ax.set_axis_off()
    return ax


def figure_roles_surface(subjects: Mapping[str, SurfaceMap]) -> Figure:
    """Structural and semantic voxels of each subject on the average surface.

    Parameters
    ----------
    subjects : mapping
        Subject → map on fsaverage5 with 1 at structural and 2 at semantic vertices.
    """
    head, row, wide = 11.0, 23.0, 26.5
    views = [("left", v) for v in ("lateral", "ventral", "medial")]
    views += [("right", v) for v in ("medial", "ventral", "lateral")]
    colours = ListedColormap([ROLES["structural"], ROLES["semantic"]])
    with figure_style():
        fig = new_figure(PAGE, head + row * len(subjects) + 1, layout=None)
        handles = [Patch(color=ROLES[role], label=f"{role} voxels") for role in ROLES]
        fig.legend(handles=handles, loc="upper left", ncols=2, bbox_to_anchor=(0.11, 1.0))
        for column, (side, view) in enumerate(views):
            mm_text(fig, 20 + wide * (column + 0.5), head - 4, f"{side}, {view}", ha="center",
                    va="top", fontsize=6.5, color=MUTED)  # fmt: skip
        for i, (name, shown) in enumerate(subjects.items()):
            top = head + i * row
            mm_text(fig, 1, top + 9, name, va="top", fontweight="bold", color=ink_of(name))
            for column, (side, view) in enumerate(views):
                ax = mm_axes(fig, 20 + wide * column, top, wide - 1, row - 1,
                             f"{name} {side} {view}")  # fmt: skip
                plot_surface(ax, shown, side=side, view=view, cmap=colours, limits=(1, 2))
    return fig


def figure_importance_standard(subjects: Mapping[str, Mapping[str, StandardMap]]) -> Figure:
    """Importance maps on MNI's glass brain and on the average surface, a row per subject and role.

    Each map's colours run from its own 1st to its own 99th percentile over voxels, as in Figure 6.

    Parameters
    ----------
    subjects : mapping
        Subject → role → map of voxel importance (NaN: not used).
    """
    head, row, foot = 8.0, 22.0, 9.0
    lines = [(name, role, m) for name, maps in subjects.items() for role, m in maps.items()]
    with figure_style():
        fig = new_figure(PAGE, head + row * len(lines) + foot, layout=None)
        _standard_headings(fig)
        for i, (name, role, shown) in enumerate(lines):
            top = head + i * row
            mm_text(fig, 1, top + 6, name, va="top", fontweight="bold", color=ink_of(name))
            mm_text(fig, 1, top + 10, ROLE_NAMES[role], va="top", fontsize=6.5, color=ink_of(role))
            mm_text(fig, 1, top + 13, " and ".join(ROLE_VIEWS[role]), va="top", fontsize=6.5,
                    color=MUTED)  # fmt: skip
            _standard_row(fig, top, row, role, shown)
        _scales(fig, head + row * len(lines) + 1)
    return fig


def _scales(fig: Figure, top: float) -> None:
    """A colour bar for each role."""
    for role, x in zip(ROLES, (44, 120), strict=True):
        bar = mm_axes(fig, x, top, 36, 2, f"{role} scale")
        colours = ScalarMappable(Normalize(0, 1), role_map(role))
        scale = fig.colorbar(colours, cax=bar, orientation="horizontal")
        scale.outline.set_visible(False)
        scale.set_ticks((0, 1), labels=["1st percentile of a map", "99th"])


def _standard_headings(fig: Figure) -> None:
    headings = (
        (44, "MNI, from the right"),
        (92, "fsaverage5, left hemisphere"),
        (150, "fsaverage5, right hemisphere"),
    )
    for x, text in headings:
        mm_text(fig, x, 2, text, ha="center", va="top", fontsize=6.5, color=MUTED)


def _standard_row(fig: Figure, top: float, row: float, role: str, shown: StandardMap) -> None:
    both = np.concatenate([shown.surface.left, shown.surface.right])
    values = both if shown.volume is None else shown.volume.volume
    style = {"cmap": role_map(role), "limits": colour_limits(values)}
    label = f"{top:g} {role}"
    if shown.volume is None:
        mm_text(fig, 44, top + 10, "no way to MNI152", ha="center", fontsize=6.5, color=MUTED)
    else:
        glass = mm_axes(fig, 28, top, 32, row - 1, f"{label} glass brain")
        plot_glass(glass, shown.volume, axis="x", **style)
    views = ROLE_VIEWS[role]
    for column, (side, view) in enumerate(
        [("left", v) for v in views] + [("right", v) for v in views[::-1]]
    ):
        ax = mm_axes(fig, 64 + 29 * column, top, 28, row - 1, f"{label} {side} {view}")
        plot_surface(ax, shown.surface, side=side, view=view, **style)


@cache
def _mesh(side: str) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (10242, 3) in mm and triangles (20480, 3) of the inflated surface."""
    from nilearn import datasets, surface  # slow to import

    mesh = surface.load_surf_mesh(datasets.fetch_surf_fsaverage(MESH)[f"infl_{side}"])
    return np.asarray(mesh.coordinates), np.asarray(mesh.faces)


@cache
def _folds(side: str) -> np.ndarray:
    """Grey of each vertex: sulci darker than gyri."""
    from nilearn import datasets, surface  # slow to import

    depth = surface.load_surf_data(datasets.fetch_surf_fsaverage(MESH)[f"sulc_{side}"])
    return np.where(depth > 0, 0.68, 0.86)


@cache
def _visible(side: str, view: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangles that face the eye, the far ones first.

    Returns
    -------
    polygons : (n, 3, 2), on the screen, in mm; first : (n,), the vertex each takes its colour from;
    shade : (n,), 0 to 1, how much a triangle faces the eye
    """
    vertices, faces = _mesh(side)
    eye, up = (np.array(v, float) for v in VIEWS[view])
    if side == "left" and view in ("lateral", "medial"):
        eye = -eye
    corners = vertices[faces]  # (n, 3, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing = normals @ eye / np.linalg.norm(normals, axis=1)
    order = np.argsort((corners @ eye).mean(axis=1), kind="stable")
    order = order[facing[order] > 0]
    screen = np.stack([np.cross(up, eye), up], axis=1)
    return corners[order] @ screen, faces[order, 0], facing[order]


def _colours(
    values: np.ndarray, grey: np.ndarray, shade: np.ndarray, cmap: Colormap, limits
) -> np.ndarray:
    """RGB of each triangle, (n, 3)."""
    low, high = limits
    if not high > low:
        raise ShapeError(f"colour limits must rise, but {limits} were passed")
    colour = cmap(np.clip((np.nan_to_num(values, nan=low) - low) / (high - low), 0, 1))[:, :3]
    known = np.isfinite(values) & (values != 0)
    rgb = np.where(known[:, None], colour, grey[:, None])
    return rgb * (0.72 + 0.28 * shade[:, None])


def _render(polygons: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Picture of filled triangles, uint8 (H, W, 4), transparent where there is none."""
    low, high = polygons.min(axis=(0, 1)) - 1, polygons.max(axis=(0, 1)) + 1
    size = (high - low) / (high - low).max() * PIXELS / 100
    figure = Figure(figsize=tuple(size), dpi=100)
    canvas = FigureCanvasAgg(figure)
    figure.patch.set_alpha(0)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.add_collection(PolyCollection(polygons, facecolors=colours, edgecolors="face", lw=0.3))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()
