"""Vehicles: side views, wheels on y = 0, facing right."""

from __future__ import annotations

import numpy as np

from .drawing import Pen, chance, darker, lighter, pick, uniform
from .registry import Look, category

PAINT = {
    "red": "#d63a31", "blue": "#2c6fc0", "yellow": "#f0bf2f", "green": "#3a9360",
    "white": "#eff0ee", "black": "#35363f", "silver": "#aeb6c0",
}  # fmt: skip
GLASS = ("#dff2fb", "#7fb2cf")
TYRE = "#24222a"


def _wheel(pen: Pen, x: float, r: float) -> None:
    pen.circle(x, -r, r, TYRE, depth=0.6)
    pen.circle(x, -r, r * 0.58, "#c9ced6")
    pen.circle(x, -r, r * 0.2, "#5a5f68", flat=True)


@category(
    "car", 3, "vehicles", 1.5, "road", "street, wet pavement, mountains, savanna, harbor",
    PAINT, "car/cars, automobile/automobiles",
)  # fmt: skip
def car(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    nose, roof = uniform(rng, -4, 4), uniform(rng, -6, 4)
    pen.blob([(-92, -34), (-84, -52), (-56, -58), (-34, -84 + roof), (22, -84 + roof), (50, -58),
              (84, -50 + nose), (95, -34), (93, -16), (-92, -16)], colour)  # fmt: skip
    pen.poly([(-48, -57), (-31, -78 + roof), (-7, -78 + roof), (-7, -57)], GLASS)
    pen.poly([(-1, -57), (-1, -78 + roof), (20, -78 + roof), (41, -57)], GLASS)
    pen.poly([(-40, -58), (-28, -74 + roof), (-22, -74 + roof), (-34, -58)], "#ffffff", opacity=0.45)
    pen.rect(-93, -24, 187, 9, darker(colour, 0.4), r=4)
    pen.line([(-4, -54), (-4, -24)], darker(colour, 0.3), 1.6)
    pen.line([(-84, -44), (84, -43)], lighter(colour, 0.45), 2, opacity=0.7)
    pen.rect(-24, -46, 12, 3, darker(colour, 0.35), r=1)
    pen.ellipse(88, -38, 6, 5, "#fff4c4", lit=True)
    pen.ellipse(-90, -38, 4, 5, "#e0342e", lit=True)
    for x in (-54, 56):
        pen.circle(x, -18, 21, darker(colour, 0.6), flat=True)
        _wheel(pen, x, 17)
    return Look(("parked", "driving", "stopped"))


@category(
    "bus", 6, "vehicles", 3.0, "road", "street, wet pavement", PAINT, "bus/buses, city bus/city buses",
)  # fmt: skip
def bus(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    pen.rect(-98, -86, 196, 76, colour, r=9)
    band = pick(rng, ("#f4f1ea", darker(colour, 0.3), "#f2c53c"))
    pen.rect(-98, -36, 196, 8, band)
    n = pick(rng, (5, 6))
    for k in range(n):
        pen.rect(-90 + k * 136 / n, -76, 126 / n - 3, 30, GLASS, r=3)
    pen.rect(52, -76, 18, 62, ("#bfe0ee", "#5d8aa3"), r=2)
    pen.line([(61, -75), (61, -15)], darker(colour, 0.3), 1.6)
    pen.rect(77, -78, 21, 36, GLASS, r=4)
    pen.rect(-70, -85, 60, 6, "#2a2a32", r=2)
    pen.rect(-66, -83.5, 40, 3, "#ffc247", lit=True)
    pen.ellipse(94, -22, 4, 5, "#fff4c4", lit=True)
    pen.ellipse(-96, -22, 3, 5, "#e0342e", lit=True)
    for x in (-60, 34):
        pen.circle(x, -13, 19, darker(colour, 0.6), flat=True)
        _wheel(pen, x, 15)
    return Look(("driving", "stopped", "waiting"))


@category(
    "boat", 9, "vehicles", 3.4, "water", "beach, harbor",
    {"white": "#f3f1ea", "red": "#cf3f36", "blue": "#2f6cb4", "green": "#3f8f68", "yellow": "#efbe3c"},
    "boat/boats, sailboat/sailboats",
)  # fmt: skip
def boat(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    trim = pick(rng, ("#f7f3e8", "#c43c34", "#2c4a6e"))
    if chance(rng, 0.65):
        pen.line([(0, -12), (0, -100)], "#7a5232", 3)
        sail = pick(rng, ("#faf6ea", "#faf6ea", "#f2d58a", "#e98a72"))
        pen.blob([(4, -97), (30, -50), (46, -24), (24, -22), (4, -24)], sail)
        pen.poly([(-4, -88), (-36, -26), (-4, -26)], darker(sail, 0.12))
        pen.poly([(0, -100), (14, -96), (0, -91)], trim)
        nouns = ("boat", "sailboat")
    else:
        pen.rect(-28, -46, 44, 28, "#f4f1e8", r=3)
        for x in (-22, -8, 4):
            pen.rect(x, -40, 9, 10, GLASS, r=2)
        pen.rect(-32, -51, 54, 6, trim, r=2)
        pen.rect(-16, -68, 11, 18, "#d8473c")
        nouns = ("boat", "small boat")
    pen.blob([(-58, -22), (-30, -18), (30, -18), (64, -25), (52, -8), (40, 0), (-40, 0), (-52, -8)], colour)
    pen.line([(-56, -19), (0, -16), (60, -21)], trim, 3.4)
    return Look(("floating", "sailing", "out"), nouns)
