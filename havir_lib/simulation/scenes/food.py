"""Food and what it is served in: standing on a table at y = 0."""

from __future__ import annotations

import numpy as np

from .drawing import Pen, chance, darker, lighter, pick, uniform
from .registry import Look, category

TABLES = "kitchen, tabletop"
CHINA = {
    "white": "#f4f1ea", "blue": "#3f78b8", "red": "#cf4238", "green": "#4f9a6c",
    "yellow": "#efc043", "pink": "#e992ac", "black": "#3b3943",
}  # fmt: skip


@category("cup", 47, "things", 0.12, "table", TABLES, CHINA, "cup/cups, mug/mugs")
def cup(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    drink = pick(rng, ("#5a3420", "#8a5a34", "#b98a4a"))
    pen.ellipse(0, -4, 54, 8, "#ece8e0")
    pen.line([(30, -66), (52, -66), (54, -40), (30, -28)], darker(colour, 0.18), 7)
    pen.blob([(-36, -80), (-34, -40), (-26, -8), (0, -3), (26, -8), (34, -40), (36, -80), (0, -76)], colour)
    if chance(rng, 0.4):
        pen.rect(-34, -52, 68, 9, lighter(colour, 0.55), opacity=0.8)
    pen.ellipse(0, -80, 36, 9, lighter(colour, 0.3))
    pen.ellipse(0, -79, 31, 6.6, drink)
    for x in (-10, 8):
        top = uniform(rng, -128, -116)
        pen.line([(x, -88), (x + 6, -100), (x - 2, -108), (x + 4, top)], "#ffffff", 3, opacity=0.35)
    return Look(("sitting", "steaming"))


@category(
    "apple", 53, "food", 0.1, "table", TABLES,
    {"red": "#d3302c", "green": "#86b83c", "yellow": "#ecc648"}, "apple/apples",
)  # fmt: skip
def apple(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    shade = (lighter(colour, 0.35), darker(colour, 0.32))
    pen.blob([(0, -78), (24, -88), (44, -68), (40, -28), (18, -2), (0, -6), (-18, -2), (-40, -28),
              (-44, -68), (-24, -88)], shade, ball=True)  # fmt: skip
    pen.ellipse(-18, -62, 7, 13, "#ffffff", rotate=24, opacity=0.4, flat=True)
    pen.line([(0, -78), (2, -92), (8 + uniform(rng, -6, 6), -102)], "#5d3b24", 4.5)
    pen.blob([(6, -94), (20, -108), (38, -104), (26, -92)], "#5f9c3c")
    return Look(("sitting",))


@category(
    "banana", 52, "food", 0.12, "table", TABLES, {"yellow": "#f4d03f"}, "banana/bananas",
)  # fmt: skip
def banana(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    for k in range(pick(rng, (1, 2, 3))):
        with pen.at(0, 0, rotate=-9 * k):
            pen.blob([(-56, -58), (-40, -26), (0, -10), (38, -22), (58, -52), (52, -18), (20, 0),
                      (-20, 0), (-50, -18), (-62, -50)], mix_tip(colour, k))  # fmt: skip
            pen.line([(-52, -40), (-30, -14), (6, -5), (36, -12)], darker(colour, 0.2), 2.4)
            pen.line([(-58, -54), (-60, -66)], "#7a5a2c", 7)
            pen.circle(57, -48, 4, "#5d4426")
    return Look(("lying", "sitting"))


def mix_tip(colour: str, k: int) -> str:
    """Return the colour of the k-th banana of a bunch, each a little deeper."""
    return darker(colour, 0.07 * k)
