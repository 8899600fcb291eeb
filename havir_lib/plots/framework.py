"""Figure 1: the whole method in one picture, with real pictures from a run.

Everything is placed in millimetres on a page 180 mm wide; y runs upward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

from havir_lib.plots.grids import wrap_to_width
from havir_lib.plots.style import (
    INK,
    MUTED,
    PAGE,
    ROLE_NAMES,
    ROLES,
    figure_style,
    ink_of,
    new_figure,
    tint,
)

HEIGHT = 96.0
FROZEN = "#5f6b76"
UP, MIDDLE, DOWN = 69.0, 46.5, 27.0  # heights of the structural lane, the middle, the semantic lane
LAYERS = {
    "structural": "Linear · LayerNorm\nSiLU · Dropout\nresidual MLP blocks\nLinear → small map\n"
    "GroupNorm · upsampler",
    "semantic": "Linear · norm\nactivation · Dropout\nresidual MLP blocks\nimage head, text head",
}
REGIONS = {"structural": "e.g. V1–hV4", "semantic": "e.g. faces,\nbodies, places"}
TARGETS = {
    "structural": "target $z_{\\mathrm{img}}$ = AutoKL encoder (stimulus)\nEq. 3: MSE + Sobel loss",
    "semantic": "targets $e_{\\mathrm{img}}$, $e_{\\mathrm{cap}}$ = CLIP (stimulus, caption)\n"
    "Eqs. 5, 6: SoftCLIP + MSE loss",
}


@dataclass(frozen=True)
class FrameworkPictures:
    """What Figure 1 shows; uint8 arrays (H, W, 3).

    Attributes
    ----------
    brain : array
        A slice with the two roles in their colours.
    stimulus, latent, reconstruction : arrays
        One test image, the autoencoder's decoding of its predicted latent, and the final image.
    caption : str
        Of the stimulus.
    """

    brain: np.ndarray
    stimulus: np.ndarray
    latent: np.ndarray
    reconstruction: np.ndarray
    caption: str


def figure_framework(pictures: FrameworkPictures) -> Figure:
    """Overview of HAVIR: two sets of voxels, two decoders, one diffusion model.

    Solid arrows are used at test time; dashed ones, and the training targets in the dashed frame,
    only in training.
    """
    with figure_style():
        fig = new_figure(PAGE, HEIGHT, layout=None)
        ax = fig.add_axes((0, 0, 1, 1))
        ax.set(xlim=(0, PAGE), ylim=(0, HEIGHT))
        ax.set_axis_off()
        _scanner(ax, pictures)
        _lane(ax, "structural", UP)
        _lane(ax, "semantic", DOWN)
        _latent(ax, pictures.latent)
        _tokens(ax)
        _diffusion(ax)
        _result(ax, pictures.reconstruction)
        _targets(ax, "structural", UP + 15.4)
        _targets(ax, "semantic", 1.5)
        _legend(ax)
    return fig


def role_slice(
    background: np.ndarray, roles: np.ndarray, axis: int = 2, *, scale: int = 6
) -> np.ndarray:
    """The slice with the most voxels of both roles as a picture, for Figure 1.

    Parameters
    ----------
    background : array, shape (X, Y, Z)
    roles : array, shape (X, Y, Z)
        1 structural, 2 semantic; NaN or 0 elsewhere.
    axis : int
        Perpendicular to the slice.
    scale : int
        Pixels per voxel.

    Returns
    -------
    uint8 array, shape (H, W, 3)
        White outside the head; the first remaining axis runs to the right, the second upward.
    """
    codes = np.nan_to_num(np.moveaxis(roles, axis, 0))
    counts = np.minimum((codes == 1).sum(axis=(1, 2)), (codes == 2).sum(axis=(1, 2)))
    index = int(counts.argmax())
    grey = np.nan_to_num(np.moveaxis(background, axis, 0)[index]).astype(float)
    grey = grey / max(np.percentile(grey, 99.5), 1e-9)
    picture = np.repeat(np.clip(0.25 + 0.75 * grey, 0, 1)[..., None], 3, axis=-1)
    picture[grey < 0.1] = 1
    for code, role in enumerate(ROLES, start=1):
        picture[codes[index] == code] = _rgb(ROLES[role])
    upright = (255 * picture).astype(np.uint8)[:, ::-1].swapaxes(0, 1)
    return np.kron(upright, np.ones((scale, scale, 1), np.uint8))


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def _scanner(ax: Axes, pictures: FrameworkPictures) -> None:
    """Left: the stimulus, the brain that sees it, and the caption that belongs to it."""
    width = 27.0
    height = width * pictures.brain.shape[0] / pictures.brain.shape[1]
    _picture(ax, pictures.stimulus, 1.5, 72.5, 20, 20, frame=MUTED)
    _text(ax, 11.5, 94.2, "stimulus", weight="bold")
    _arrow(ax, (11.5, 71.8), (11.5, MIDDLE + height / 2 + 4.2), MUTED)
    _picture(ax, pictures.brain, 1.5, MIDDLE - height / 2, width, height, frame=None)
    _text(ax, 1.5, MIDDLE + height / 2 + 2.0, "fMRI responses", weight="bold", ha="left")
    _text(ax, 1.5, MIDDLE - height / 2 - 2.0, "betas of one subject", color=MUTED, ha="left")
    for role, y in (("structural", UP), ("semantic", DOWN)):
        side = np.sign(y - MIDDLE)
        start = (24, MIDDLE + side * (height / 2 + (1.0 if side > 0 else 4.0)))
        _arrow(ax, start, (29.8, y), ROLES[role], bend=-0.25 * side)
    _text(ax, 1.5, 11.6, "caption", weight="bold", ha="left")
    text = wrap_to_width(f"“{pictures.caption}”", 36, 6.5, 3)
    _text(ax, 1.5, 9.8, text, color=MUTED, ha="left", va="top")


def _lane(ax: Axes, role: str, y: float) -> None:
    """One branch: its voxels and its network."""
    colour = ROLES[role]
    rng = np.random.default_rng(3)
    for i, value in enumerate(rng.uniform(0.1, 0.9, 8)):
        place = (30.5, y - 8 + 2 * i)
        ax.add_patch(Rectangle(place, 3.2, 2, fc=tint(colour, value), ec="white", lw=0.5))
    _text(ax, 32.1, y + 9.0, f"{role}\nvoxels", color=ink_of(role), weight="bold", va="bottom")
    _text(ax, 32.1, y - 9.2, REGIONS[role], color=MUTED, va="top")
    _arrow(ax, (34.5, y), (41.0, y), colour)
    shape = [(41.5, y - 12), (41.5, y + 12), (72, y + 9.5), (72, y - 9.5)]
    ax.add_patch(Polygon(shape, closed=True, fc=tint(colour, 0.86), ec=colour, lw=1.0))
    _text(ax, 56.5, y + 7.2, ROLE_NAMES[role], color=ink_of(role), weight="bold")
    _text(ax, 56.5, y + 4.9, LAYERS[role], va="top", spacing=1.15)


def _latent(ax: Axes, latent: np.ndarray) -> None:
    colour = ROLES["structural"]
    _arrow(ax, (72.5, UP), (77.5, UP), colour)
    for shift in (2.4, 1.2):
        ax.add_patch(Rectangle((78 + shift, UP - 8 + shift), 16, 16, fc=tint(colour, 0.75),
                               ec=colour, lw=0.6))  # fmt: skip
    _picture(ax, latent, 78, UP - 8, 16, 16, frame=colour)
    _text(
        ax, 87, UP + 12.7, r"latent $z'_{\mathrm{img}}$", color=ink_of("structural"), weight="bold"
    )
    _text(ax, 86, UP - 10.2, "(shown decoded)", color=MUTED)


def _tokens(ax: Axes) -> None:
    colour = ROLES["semantic"]
    rng = np.random.default_rng(7)
    for y, name, what in (
        (DOWN + 6, r"$e'_{\mathrm{img}}$", "CLIP image"),
        (DOWN - 7, r"$e'_{\mathrm{cap}}$", "CLIP text"),
    ):
        _arrow(ax, (72.5, y), (77.5, y), colour)
        for row in range(3):
            for column in range(8):
                place = (78 + 2.05 * column, y - 2.9 + 2.05 * row)
                shade = tint(colour, rng.uniform(0.05, 0.9))
                ax.add_patch(Rectangle(place, 2.05, 2.05, fc=shade, ec="white", lw=0.4))
        _text(ax, 86.2, y + 4.8, f"{what} {name}", color=ink_of("semantic"), weight="bold")


def _diffusion(ax: Axes) -> None:
    x, right = 104.0, 146.0
    _box(ax, x, 14, right - x, 66, tint(FROZEN, 0.9), FROZEN)
    _text(ax, (x + right) / 2, 76.5, "Versatile Diffusion", color=FROZEN, weight="bold", size=8)
    _arrow(ax, (97.5, UP), (108.5, UP), ROLES["structural"])
    _box(ax, 109, UP - 4.5, 32, 9, "white", FROZEN)
    _text(ax, 125, UP + 1.5, r"noise to step $\tau$ (Eq. 7)")
    _text(ax, 125, UP - 2.0, r"strength $s$ sets $\tau$", color=MUTED)
    _arrow(ax, (125, UP - 5), (125, UP - 10.2), FROZEN)
    _unet(ax, 109, 37.5, 32, 20.5)
    for y, height in ((DOWN + 6, 44.0), (DOWN - 7, 40.5)):
        elbow = 99.5 if y > DOWN else 101.5
        ax.plot([95.2, elbow, elbow], [y, y, height], color=ROLES["semantic"], lw=1.2)
        _arrow(ax, (elbow, height), (108.5, height), ROLES["semantic"])
    _arrow(ax, (125, 37), (125, 32), FROZEN)
    shape = [(112, 20), (138, 18), (138, 31.5), (112, 29.5)]
    ax.add_patch(Polygon(shape, closed=True, fc="white", ec=FROZEN, lw=0.9))
    _text(ax, 125, 26.4, "AutoKL decoder")
    _text(ax, 125, 22.8, r"$\mathcal{D}(z_{\mathrm{final}})$  (Eq. 10)", color=MUTED)


def _unet(ax: Axes, x: float, y: float, width: float, height: float) -> None:
    _box(ax, x, y, width, height, "white", FROZEN)
    _text(ax, x + width / 2, y + height - 3.2, "denoising UNet (Eqs. 8, 9)")
    middle = x + width / 2
    for i, tall in enumerate((8, 6, 4, 3, 4, 6, 8)):
        place = (middle - 11.2 + 3.2 * i, y + 9.3 - tall / 2)
        ax.add_patch(Rectangle(place, 2.4, tall, fc=tint(FROZEN, 0.55), ec=FROZEN, lw=0.5))
    _text(ax, middle, y + 2.4, "cross-attention to both", color=ink_of("semantic"))


def _result(ax: Axes, reconstruction: np.ndarray) -> None:
    _arrow(ax, (138.7, 24.75), (163.5, 31.8), INK, bend=0.3)
    _picture(ax, reconstruction, 149, 32.5, 29.5, 29.5, frame=INK)
    _text(ax, 163.75, 64.2, "reconstruction", weight="bold")


def _targets(ax: Axes, role: str, y: float) -> None:
    """What a branch is trained to predict, and by which loss."""
    frame = FancyBboxPatch(
        (41.5, y), 61.5, 8.6, boxstyle="round,pad=0,rounding_size=1", fc="white", ec=ROLES[role],
        lw=0.8, ls=(0, (3, 2)),
    )  # fmt: skip
    ax.add_patch(frame)
    ends = (y, UP + 10.7) if role == "structural" else (y + 8.6, DOWN - 10.7)
    ax.plot([56.5, 56.5], ends, color=ROLES[role], lw=0.8, ls=(0, (3, 2)))
    _text(ax, 72.25, y + 4.3, TARGETS[role], spacing=1.25)


def _legend(ax: Axes) -> None:
    _arrow(ax, (107, 8.5), (114, 8.5), INK)
    _text(ax, 115.5, 8.5, "training and test", ha="left")
    ax.add_patch(Rectangle((107, 3.0), 7, 3.0, fc="white", ec=INK, lw=0.8, ls=(0, (3, 2))))
    _text(ax, 115.5, 4.4, "training only", ha="left")
    for x, colour in zip((140, 144), ROLES.values(), strict=True):
        ax.add_patch(Rectangle((x, 7), 3.6, 3.0, fc=tint(colour, 0.86), ec=colour, lw=0.8))
    _text(ax, 149, 8.5, "trained per subject", ha="left")
    ax.add_patch(Rectangle((144, 3.0), 3.6, 3.0, fc=tint(FROZEN, 0.9), ec=FROZEN, lw=0.8))
    _text(ax, 149, 4.4, "pretrained, frozen", ha="left")


def _picture(ax: Axes, image, x, y, width, height, *, frame: str | None) -> None:
    shown = ax.imshow(image, extent=(x, x + width, y, y + height), zorder=3, aspect="auto")
    shown.set_clip_on(False)
    ax.set(xlim=(0, PAGE), ylim=(0, HEIGHT))
    if frame:
        ax.add_patch(Rectangle((x, y), width, height, fc="none", ec=frame, lw=0.9, zorder=4))


def _box(ax: Axes, x, y, width, height, face: str, edge: str) -> None:
    ax.add_patch(FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=1.5",
                                fc=face, ec=edge, lw=0.9))  # fmt: skip


def _arrow(ax: Axes, start, end, colour: str, bend: float = 0.0) -> None:
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>,head_length=3,head_width=1.6",
                                 connectionstyle=f"arc3,rad={bend}", color=colour, lw=1.2,
                                 shrinkA=0, shrinkB=0, zorder=2))  # fmt: skip


def _text(
    ax: Axes, x: float, y: float, text: str, *, color: str = INK, size: float = 6.5,
    weight: str = "normal", ha: str = "center", va: str = "center", spacing: float = 1.1,
) -> None:  # fmt: skip
    ax.text(x, y, text, color=color, fontsize=size, fontweight=weight, ha=ha, va=va,
            linespacing=spacing, zorder=5, parse_math=True)  # fmt: skip
