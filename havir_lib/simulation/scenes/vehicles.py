"""Vehicles: side views, wheels on y = 0, facing right."""

# ruff: noqa: E501  (outlines read best as one row of points)

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
    pen.poly(
        [(-40, -58), (-28, -74 + roof), (-22, -74 + roof), (-34, -58)], "#ffffff", opacity=0.45
    )
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
    pen.blob(
        [(-58, -22), (-30, -18), (30, -18), (64, -25), (52, -8), (40, 0), (-40, 0), (-52, -8)],
        colour,
    )
    pen.line([(-56, -19), (0, -16), (60, -21)], trim, 3.4)
    return Look(("floating", "sailing", "out"), nouns)


@category(
    "bicycle", 2, "vehicles", 1.1, "ground", "street, wet pavement, park, beach, harbor",
    {"red": "#d8362e", "blue": "#2c6fc8", "green": "#2f9a62", "yellow": "#efb92a", "black": "#2c2c34"},
    "bicycle/bicycles, bike/bikes",
)  # fmt: skip
def bicycle(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    for x in (-48, 48):
        pen.ring(x, -33, 30, "#26242c", 5)
        for k in range(4):
            c, s = np.cos(np.pi * k / 4 + 0.3), np.sin(np.pi * k / 4 + 0.3)
            pen.line([(x - 29 * c, -33 - 29 * s), (x + 29 * c, -33 + 29 * s)], "#aeb4bc", 0.9)
        pen.circle(x, -33, 4, "#5a5f68")
    seat, head, crank = (-20, -76), (34, -80), (-4, -32)
    for a, b in (
        (crank, seat),
        (crank, head),
        ((-17, -68), (33, -72)),
        ((-48, -33), seat),
        ((-48, -33), crank),
        (head, (48, -33)),
    ):
        pen.line([a, b], colour, 5.4)
    pen.line([(30, -94), (36, -90), head], "#3a3a42", 4.4)
    pen.line([(24, -93), (42, -94), (46, -86)], "#3a3a42", 4.4)
    pen.line([seat, (-22, -84)], "#3a3a42", 4)
    pen.blob([(-36, -88), (-10, -88), (-12, -82), (-32, -82)], "#4a3428")
    pen.circle(*crank, 7, "#4a4e58")
    if chance(rng, 0.45):
        pen.poly([(38, -88), (64, -88), (60, -68), (42, -68)], "#c79a5e")
    return Look(("parked", "standing"))


@category(
    "airplane", 5, "vehicles", 9.0, "sky", "skyline, skyline, mountains, beach",
    {"white": "#f3f4f6", "silver": "#b9c2cc", "blue": "#3a7cc8", "red": "#d8423a", "yellow": "#efc036"},
    "airplane/airplanes, plane/planes",
)  # fmt: skip
def airplane(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    trim = pick(rng, ("#d8382f", "#2b63b4", "#f0b52e", "#2f8f6a"))
    with pen.at(0, -34, rotate=uniform(rng, -16, 4)):
        pen.poly([(-4, -6), (-38, -36), (-24, -36), (26, -6)], darker(colour, 0.25))
        pen.poly([(-70, -4), (-96, -40), (-80, -40), (-52, -8)], trim)
        pen.blob(
            [
                (-96, -6),
                (-60, -13),
                (60, -14),
                (88, -9),
                (100, 2),
                (84, 11),
                (50, 13),
                (-40, 11),
                (-84, 2),
            ],
            colour,
        )
        pen.poly([(-92, 1), (90, 4), (84, 9), (-66, 8)], trim, opacity=0.85)
        for k in range(11):
            pen.rect(-52 + 11 * k, -6, 5, 5, "#3f6580", r=2)
        pen.poly([(80, -8), (91, -4), (84, -3), (77, -4)], "#3f6580")
        pen.poly([(16, 3), (-36, 40), (-20, 40), (46, 4)], darker(colour, 0.12))
        pen.ellipse(4, 22, 12, 5.4, darker(colour, 0.3))
        pen.poly([(-74, -2), (-104, 10), (-94, 10), (-58, 0)], darker(colour, 0.2))
    return Look(("flying", "flying by", "in flight"))


@category(
    "train", 7, "vehicles", 3.6, "track", "railway",
    PAINT, "train/trains, passenger train/passenger trains",
)  # fmt: skip
def railway_train(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    band = pick(rng, ("#f4f1e8", "#2c3f66", "#f2c23c"))
    n = 2
    for k in range(n):
        left = -115 + 230 * k / n
        w = 230 / n - 4
        if k < n - 1:
            pen.rect(left, -74, w, 66, colour, r=5)
        else:
            pen.blob([(left, -72), (left + 0.5 * w, -74), (left + 0.72 * w, -72), (left + 0.9 * w, -48),
                      (left + w, -24), (left + 0.97 * w, -9), (left + 0.4 * w, -8), (left, -8)], colour)  # fmt: skip
            pen.poly(
                [
                    (left + 0.72 * w, -66),
                    (left + 0.8 * w, -66),
                    (left + 0.91 * w, -44),
                    (left + 0.72 * w, -44),
                ],
                GLASS,
            )
            pen.ellipse(left + 0.94 * w, -26, 4, 4, "#fff4c4", lit=True)
        pen.rect(left + 1, -34, w * (1 if k < n - 1 else 0.9), 8, band)
        pen.rect(left + 0.06 * w, -78, 0.5 * w, 6, "#6a6f78", r=2)
        for j in range(4):
            pen.rect(left + w * (0.05 + 0.165 * j), -64, 0.13 * w, 21, GLASS, r=2)
        for x in (0.16, 0.32, 0.66, 0.82):
            pen.circle(left + x * w, -6, 6, TYRE)
        if k:
            pen.rect(left - 6, -60, 8, 46, "#35363f")
    pen.line([(-40, -78), (-20, -96), (-44, -106)], "#4a4e58", 2.6, smooth=False)
    return Look(("traveling", "passing by", "stopped"))


@category(
    "truck", 8, "vehicles", 2.9, "road", "street, wet pavement, savanna, mountains, snow, harbor",
    PAINT, "truck/trucks",
)  # fmt: skip
def truck(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    load = pick(rng, ("#ece6da", "#ece6da", "#8aa5b8", "#c9a26a", colour))
    pen.rect(-90, -26, 180, 12, "#3c3e48", r=3)
    if chance(rng, 0.7):
        pen.rect(-94, -100, 124, 78, load, r=3)
        for k in range(1, 5):
            pen.line([(-94 + 25 * k, -97), (-94 + 25 * k, -25)], darker(load, 0.16), 1.6)
        pen.rect(-94, -66, 124, 12, pick(rng, ("#d8473c", "#3a78b8", "#f0bf3c", load)))
    else:
        pen.poly([(-94, -58), (30, -58), (30, -22), (-94, -22)], load)
        for x, r in ((-70, 16), (-42, 20), (-10, 17), (14, 12)):
            pen.circle(x, -58, r, "#9a6a40")
        pen.rect(-94, -58, 124, 36, load)
    pen.blob([(36, -20), (36, -82), (62, -84), (78, -56), (94, -46), (96, -18)], colour)
    pen.poly([(46, -76), (62, -76), (74, -54), (46, -54)], GLASS)
    pen.ellipse(92, -32, 4, 5, "#fff4c4", lit=True)
    pen.rect(86, -22, 13, 8, "#b8bec8", r=2)
    for x in (-66, -34, 66):
        pen.circle(x, -16, 20, "#2c2a32", flat=True)
        _wheel(pen, x, 16)
    return Look(("parked", "driving", "stopped"))
