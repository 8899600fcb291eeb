"""Sizes, colours and names that every figure shares.

Sizes are millimetres at print size: ``COLUMN`` (88 mm) and ``PAGE`` (180 mm) are the widths of one
and two columns. Colours stay distinguishable for colour-blind readers (Okabe and Ito's palette for
roles and methods, Tol's muted palette for subjects). A subject, method, configuration or role has
the same colour in every figure; structural things are blue, semantic things orange.
"""

from __future__ import annotations

import gc
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

COLUMN = 88.0
PAGE = 180.0
SMALLEST_TYPE = 6.5  # points at print size

STYLE_SHEET = Path(__file__).with_name("havir.mplstyle")

INK = "#222222"
MUTED = "#767676"
FAINT = "#d9d9d9"
STAMP = "#a4243b"

ROLES = {"structural": "#0072B2", "semantic": "#D55E00"}
ROLE_NAMES = {"structural": "Structural Generator", "semantic": "Semantic Extractor"}

SUBJECTS = {
    "subj01": "#332288",
    "subj02": "#44AA99",
    "subj03": "#DDCC77",
    "subj04": "#88CCEE",
    "subj05": "#999933",
    "subj06": "#117733",
    "subj07": "#AA4499",
    "subj08": "#882255",
}

CONFIGURATIONS = {
    "HAVIR": "#1a1a1a",
    "only z'": ROLES["structural"],
    "w/o e_cap": "#CC79A7",
    "w/o e_img": "#009E73",
    "w/o z'": ROLES["semantic"],
}
CONFIGURATION_NAMES = {
    "only z'": r"only $z'_{\mathrm{img}}$",
    "w/o e_cap": r"w/o $e'_{\mathrm{cap}}$",
    "w/o e_img": r"w/o $e'_{\mathrm{img}}$",
    "w/o z'": r"w/o $z'_{\mathrm{img}}$",
}
FORMULAS = frozenset(re.findall(r"\$.+?\$", " ".join(CONFIGURATION_NAMES.values())))
"""The only formulas in labels; see :func:`parse_formulas`."""
POWER = r"$\mathdefault{"
"""How matplotlib begins the tick labels of a logarithmic axis."""

METHODS = {
    "HAVIR": "#1a1a1a",
    "ridge": "#009E73",
    "all voxels": "#E69F00",
    "swapped roles": "#CC79A7",
    "template masks": "#56B4E9",
    "nearest training image": "#8c8c8c",
    "in the style of MindBridge": "#8C6D31",
    "in the style of MindEye": "#5F8A8B",
    "shuffled voxels": "#b3a58e",
    "true targets": "#6A4C93",
}

DISTINCT = {
    "structural": ("#08306b", "#4292c6", "#00573f", "#2fae8f", "#54278f", "#9e8ac8", "#9fd0f0"),
    "semantic": ("#7a1f00", "#f16913", "#c2306a", "#e0b000", "#8a6a2f", "#f7a8a0", "#ffe28a"),
}
"""Regions of a role side by side: cool hues structural, warm ones semantic; dark beside light."""
READABLE = 4.5
"""Least contrast of text on white (WCAG 2, level AA)."""

SPARE = ("#56B4E9", "#E69F00", "#CC79A7", "#009E73", "#6A4C93", "#8C6D31", "#5F8A8B", "#B55D60")


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw inside this context to get the companion's look; settings are restored afterwards."""
    with style.context(["default", STYLE_SHEET]):
        yield


@contextmanager
def little_garbage() -> Iterator[None]:
    """Call nilearn inside this context: garbage collection looks only at what is made in it.

    nilearn collects garbage whenever it reads an image, a dozen times per picture, and with PyTorch
    loaded that takes half a second.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def mm(*lengths: float) -> tuple[float, ...]:
    """Millimetres to inches, which is what matplotlib counts in."""
    return tuple(length / 25.4 for length in lengths)


def mm_axes(
    fig: Figure, x: float, top: float, width: float, height: float, label: str = ""
) -> Axes:
    """Axes whose place is given in millimetres: from the left, and from the top of the figure."""
    whole, tall = fig.get_size_inches() * 25.4
    box = (x / whole, 1 - (top + height) / tall, width / whole, height / tall)
    return fig.add_axes(box, label=label)


def mm_text(fig: Figure, x: float, top: float, text: str, **style) -> Text:
    """Text whose place is given in millimetres: from the left, and from the top of the figure."""
    whole, tall = fig.get_size_inches() * 25.4
    return fig.text(x / whole, 1 - top / tall, text, **style)


def new_figure(width: float, height: float, *, layout: str | None = "constrained") -> Figure:
    """An empty figure of `width` x `height` millimetres that no window manager knows of.

    Such figures need no ``plt.close``: they go when nothing refers to them.
    """
    return Figure(figsize=mm(width, height), layout=layout)


def colour_of(name: str) -> str:
    """The fixed colour of a subject, method, configuration or role.

    A name that is not in the tables above gets one of the spare colours by its hash, so it keeps
    the colour from figure to figure whatever else is shown.
    """
    for table in (ROLES, SUBJECTS, CONFIGURATIONS, METHODS):
        if name in table:
            return table[name]
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return SPARE[number % len(SPARE)]


def label_of(name: str) -> str:
    """How a configuration is written in figures; other names stand for themselves."""
    return CONFIGURATION_NAMES.get(name, name)


def has_formula(text: str) -> bool:
    """Whether a label holds one of the companion's own formulas, or is a power on a log axis."""
    return text.startswith(POWER) or any(formula in text for formula in FORMULAS)


def parse_formulas(fig: Figure) -> None:
    """Draw the names of configurations as formulas, and everything else as it is written.

    Captions, names of regions, subjects and methods come from data: what they hold is no markup.
    """
    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis):
            axis.get_ticklabels()  # fills them in
    for text in fig.findobj(Text):
        if has_formula(text.get_text()):
            text.set_parse_math(True)


def shades(role: str, n: int) -> list[str]:
    """`n` shades of a role's hue, dark to light."""
    cmap = LinearSegmentedColormap.from_list(
        role, [_mix(ROLES[role], "black", 0.35), ROLES[role], _mix(ROLES[role], "white", 0.62)]
    )
    return [to_hex(cmap(i / max(n - 1, 1))) for i in range(n)]


def role_map(role: str) -> LinearSegmentedColormap:
    """Colour map of a role for intensities: pale is low, dark is high."""
    hue = ROLES[role]
    stops = [_mix(hue, "white", 0.82), _mix(hue, "white", 0.35), hue, _mix(hue, "black", 0.55)]
    return LinearSegmentedColormap.from_list(f"havir_{role}", stops)


def distinct(role: str, n: int) -> list[str]:
    """`n` colours of a role's family, for regions that lie side by side; pale where they recur."""
    hues = DISTINCT[role]
    return [tint(hues[i % len(hues)], 0.45 * min(i // len(hues), 1)) for i in range(n)]


def contrast(colour: str) -> float:
    """Contrast of a colour on white, 1 to 21 (WCAG 2)."""
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in to_rgb(colour)]
    red, green, blue = linear
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def ink_of(name: str) -> str:
    """The colour of a name for text: :func:`colour_of`, as much darker as reading it takes."""
    colour = colour_of(name)
    shades_of_it = (_mix(colour, "black", amount / 20) for amount in range(21))
    return next(shade for shade in shades_of_it if contrast(shade) >= READABLE)


def tint(colour: str, amount: float) -> str:
    """`colour` mixed with white; 0 leaves it, 1 is white."""
    return _mix(colour, "white", amount)


def _mix(colour: str, other: str, amount: float) -> str:
    pairs = zip(to_rgb(colour), to_rgb(other), strict=True)
    return to_hex([(1 - amount) * a + amount * b for a, b in pairs])
