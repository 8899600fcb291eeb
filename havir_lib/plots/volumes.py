"""Brain volumes: slices on the subject's own anatomy, and projections through it.

Maps are drawn on the background they share a grid with, never on a standard brain: a subject's own
space is not aligned with any template.
"""

from __future__ import annotations

import nibabel as nib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap

from havir_lib.errors import ShapeError
from havir_lib.plots.style import INK, MUTED, figure_style, little_garbage

AXES = {"x": 0, "y": 1, "z": 2}
ENDS = {"x": "PA", "y": "LR", "z": "LR"}
"""Letters for the left and right edge: posterior, anterior, left, right."""
SEEN = {"x": "all, from the side", "y": "all, from behind", "z": "all, from above"}
SHOWN_PERCENTILES = (1, 99)
FINE_MM = 1.5  # the anatomy is drawn at this resolution; the map keeps its own voxels


def cut_coordinates(
    inside: np.ndarray, affine: np.ndarray, axis: str, n: int, apart: float = 8.0
) -> list[float]:
    """Where to cut so that the slices show the most voxels.

    Parameters
    ----------
    inside : bool array, shape (X, Y, Z)
    affine : array, shape (4, 4)
    axis : {"x", "y", "z"}
        World axis the slices are perpendicular to.
    n : int
    apart : float
        Least distance between two slices, in mm, given up where it leaves too few slices.

    Returns
    -------
    list of n floats, rising
        World coordinates in mm.
    """
    if axis not in AXES:
        raise ValueError(f"axis must be one of {list(AXES)}, but {axis!r} was passed")
    voxels = np.argwhere(inside)
    if not len(voxels):
        raise ShapeError("no voxel to show: the map is empty")
    world = nib.affines.apply_affine(affine, voxels)[:, AXES[axis]]
    places, counts = np.unique(np.round(world, 3), return_counts=True)
    chosen: list[float] = []
    for distance in (apart, apart / 2, 0.0):
        for place in places[np.argsort(-counts, kind="stable")]:
            if len(chosen) < n and all(abs(place - other) > distance for other in chosen):
                chosen.append(float(place))
    return sorted(chosen)


def plot_cuts(
    ax: Axes,
    volume: np.ndarray,
    background: np.ndarray,
    affine: np.ndarray,
    *,
    axis: str,
    cuts: list[float],
    cmap: Colormap,
    limits: tuple[float, float],
) -> Axes:
    """A row of slices of a map on the subject's anatomy.

    Parameters
    ----------
    ax : Axes
        The slices share its area.
    volume : array, shape (X, Y, Z)
        NaN and zero are transparent.
    background : array, shape (X, Y, Z)
        Anatomy or mean image on the same grid; of two values, its outline is drawn.
    affine : array, shape (4, 4)
    axis, cuts
        See :func:`cut_coordinates`.
    cmap : Colormap
    limits : (float, float)
        Values of the ends of the colour map.
    """
    from nilearn.plotting import plot_img  # slow to import

    _check_grid(volume, background)
    shown = np.nan_to_num(np.asarray(volume, dtype=np.float32))
    outline = len(np.unique(background)) <= 2  # there is no picture
    with figure_style(), little_garbage():
        display = plot_img(
            nib.Nifti1Image(shown, affine),
            bg_img=None if outline else _fine(background, affine),
            cut_coords=cuts,
            display_mode=axis,
            axes=ax,
            figure=ax.figure,
            threshold=1e-12,
            cmap=cmap,
            vmin=limits[0],
            vmax=limits[1],
            annotate=False,
            draw_cross=False,
            colorbar=False,
            black_bg=False,
        )
        if outline:
            edge = nib.Nifti1Image(_float(background), affine)
            display.add_contours(edge, levels=[0.5], colors=[MUTED], linewidths=0.6)
        for place, cut in display.axes.items():
            _below(cut.ax, _named_cut(axis, place))
        _ends(next(iter(display.axes.values())).ax, axis)
    return ax


def _named_cut(axis: str, place: float) -> str:
    side = {"x": "left" if place < 0 else "right"}.get(axis, "")
    return f"{side} {axis} = {place:.0f} mm".strip()


def _below(ax: Axes, text: str, x: float = 0.5, ha: str = "center") -> None:
    ax.text(x, -0.02, text, transform=ax.transAxes, ha=ha, va="top", fontsize=6.5, color=MUTED)


def _ends(ax: Axes, axis: str) -> None:
    """What lies at the left and right edge of a picture: the subject's left is left."""
    for x, ha, letter in zip((0.0, 1.0), ("left", "right"), ENDS[axis], strict=True):
        ground = {"fc": "white", "ec": "none", "pad": 0.6, "alpha": 0.8}
        ax.text(x, 1.0, letter, transform=ax.transAxes, ha=ha, va="top", fontsize=6.5, color=INK,
                bbox=ground)  # fmt: skip


def plot_projection(
    ax: Axes,
    volume: np.ndarray,
    background: np.ndarray,
    affine: np.ndarray,
    *,
    axis: str,
    cmap: Colormap,
    limits: tuple[float, float],
) -> Axes:
    """Largest value along one axis, inside the outline of the subject's own brain.

    A glass brain without a template. Parameters as for :func:`plot_cuts`.
    """
    _check_grid(volume, background)
    canonical = nib.as_closest_canonical(nib.Nifti1Image(_float(volume), affine))
    anatomy = nib.as_closest_canonical(nib.Nifti1Image(_float(background), affine))
    drop = AXES[axis]
    values = np.nan_to_num(canonical.get_fdata(), nan=-np.inf).max(axis=drop)
    values = np.ma.masked_where(~np.isfinite(values) | (values == 0), values)
    outline = _head(anatomy.get_fdata()).any(axis=drop).astype(float)
    extent = _extent(canonical, drop)
    ax.contourf(outline.T, levels=[0.5, 2], colors=["#f1f1f1"], extent=extent)
    ax.contour(outline.T, levels=[0.5], colors=[MUTED], linewidths=0.6, extent=extent)
    ax.imshow(values.T, origin="lower", extent=extent, cmap=cmap, vmin=limits[0], vmax=limits[1],
              interpolation="nearest", zorder=2)  # fmt: skip
    ax.set_aspect("equal")
    ax.set_axis_off()
    _below(ax, SEEN[axis])
    _ends(ax, axis)
    return ax


def colour_limits(volume: np.ndarray) -> tuple[float, float]:
    """The 1st and 99th percentile of a map, so that a few voxels do not decide its colours.

    From zero, maps of weight norms would be of one colour: the norms of most voxels differ by less
    than a third. If all voxels have the same value, the colours run from zero.
    """
    values = volume[np.isfinite(volume) & (volume != 0)]
    if not len(values):
        raise ShapeError("no voxel to show: the map is empty")
    low, high = (float(p) for p in np.percentile(values, SHOWN_PERCENTILES))
    return (low, high) if high > low else (min(0.0, high), max(0.0, high))


def _head(anatomy: np.ndarray) -> np.ndarray:
    """Where there is tissue rather than air."""
    anatomy = np.nan_to_num(anatomy)
    return anatomy > 0.1 * np.percentile(anatomy, 98)


def _extent(image: nib.Nifti1Image, drop: int) -> tuple[float, float, float, float]:
    """Edges in mm of the two axes that are left, as imshow wants them."""
    sizes = image.header.get_zooms()[:3]
    edges = []
    for axis in (a for a in range(3) if a != drop):
        start = image.affine[axis, 3] - sizes[axis] / 2
        edges += [start, start + sizes[axis] * image.shape[axis]]
    return tuple(edges)


def _fine(background: np.ndarray, affine: np.ndarray) -> nib.Nifti1Image:
    from nilearn.image import resample_img  # slow to import

    image = nib.Nifti1Image(np.nan_to_num(_float(background)), affine)
    if max(image.header.get_zooms()[:3]) <= FINE_MM:
        return image
    target = np.diag([FINE_MM] * 3)
    return resample_img(
        image, target_affine=target, interpolation="linear", copy_header=True, force_resample=True
    )


def _float(array: np.ndarray) -> np.ndarray:
    return np.asarray(array, dtype=np.float32)


def _check_grid(volume: np.ndarray, background: np.ndarray) -> None:
    if np.shape(volume) != np.shape(background):
        raise ShapeError(
            f"the map has the grid {np.shape(volume)}, the background {np.shape(background)}"
        )
