"""Animals: drawn from the side, facing right, feet at y = 0, about 100 units tall."""

from __future__ import annotations

import numpy as np

from .drawing import Pen, chance, darker, lighter, mix, pick, uniform
from .registry import Look, category

INK = "#1d1620"


def _eye(pen: Pen, x: float, y: float, r: float, iris: str = INK) -> None:
    pen.circle(x, y, r, iris, flat=True)
    pen.circle(x + 0.3 * r, y - 0.35 * r, 0.38 * r, "#ffffff", flat=True)


def _legs(
    pen: Pen, rng: np.random.Generator, xs: tuple[float, ...], top: float, width: float,
    colour: str, foot: str, stride: float,
) -> None:  # fmt: skip
    """Draw legs from (x, top) to the ground; a walking animal's feet swing by `stride`."""
    for i, x in enumerate(xs):
        swing = stride * (1 if i % 2 else -1) * uniform(rng, 0.6, 1.0)
        knee = x + 0.55 * swing + (2 if stride else 0)
        pen.line([(x, top), (knee, 0.45 * top), (x + swing, -width * 0.4)], colour, width)
        pen.line(
            [(x + swing - width * 0.1, -width * 0.42), (x + swing + width * 0.35, -width * 0.42)],
            foot, width * 0.84,
        )  # fmt: skip


@category(
    "bird", 16, "animals", 0.34, "ground",
    "street, wet pavement, park, meadow, garden, beach, harbor, snow, skyline",
    {"blue": "#2f7fd0", "red": "#d8402f", "yellow": "#f2c230", "white": "#f2f0ea",
     "black": "#34323e", "brown": "#9a6b42"},
    "bird/birds, small bird/small birds",
)  # fmt: skip
def bird(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    belly = mix(colour, "#fff3dc", uniform(rng, 0.45, 0.8))
    beak = pick(rng, ("#f2a122", "#e8842a", "#5a4a3c"))
    for x in (-2, 10):
        pen.line([(x, -24), (x + 2, -2)], "#b8742c", 3)
        pen.line([(x - 4, -1.5), (x + 9, -1.5)], "#b8742c", 3)
    tail = uniform(rng, -6, 12)
    pen.poly([(-26, -52), (-64, -38 - tail), (-66, -28 - tail), (-24, -34)], darker(colour, 0.25))
    pen.blob(
        [(-32, -50), (-8, -72), (14, -88), (32, -98), (46, -86), (44, -66), (34, -40), (8, -20),
         (-18, -28)], colour,
    )  # fmt: skip
    pen.blob([(42, -72), (36, -42), (12, -22), (2, -30), (22, -46), (30, -68)], belly, depth=0.7)
    wing = uniform(rng, -4, 6)
    pen.blob(
        [(8, -68), (14, -48), (-8, -34 + wing), (-44, -32 + wing), (-24, -50)], darker(colour, 0.3)
    )
    pen.line([(4, -50), (-26, -38 + wing)], lighter(colour, 0.2), 1.8)
    pen.poly([(44, -88), (62, -80), (44, -76)], beak)
    _eye(pen, 37, -85, 4.2)
    return Look(("standing", "perched", "looking around"))


@category(
    "cat", 17, "animals", 0.4, "ground",
    "park, garden, living room, bedroom, wall, kitchen",
    {"_ginger": "#e8913c", "gray": "#8b8f9c", "black": "#36323f", "white": "#f3eee6",
     "brown": "#9c7350"},
    "cat/cats, kitty/kitties",
)  # fmt: skip
def cat(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    dark, pale = darker(colour, 0.28), lighter(colour, 0.55)
    stripes, eyes = chance(rng, 0.5), pick(rng, ("#79b64a", "#e0b13a", "#5aa6cf"))
    if chance(rng, 0.6):
        hx, hy, pose = 8.0, -70.0, ("sitting", "sitting upright", "staring at the camera")
        pen.line([(-20, -6), (-44, -6), (-52, -24), (-44, -40)], dark, 9)
        pen.blob(
            [(-4, -62), (20, -58), (28, -30), (26, -3), (-22, -3), (-32, -20), (-22, -46)], colour
        )
        pen.blob([(8, -52), (20, -44), (18, -20), (6, -18), (2, -38)], pale, depth=0.5)
        for x in (6, 19):
            pen.line([(x, -34), (x + 1, -6)], lighter(colour, 0.1), 9)
            pen.ellipse(x + 3, -4.5, 8, 4.5, pale if stripes else colour)
        if stripes:
            for k in range(3):
                pen.line([(-28 + k, -18 - 11 * k), (-12, -22 - 10 * k)], dark, 3)
    else:
        hx, hy, pose = 40.0, -34.0, ("lying down", "resting", "curled up", "stretched out")
        pen.line([(-46, -12), (-66, -6), (-72, -20)], dark, 9)
        pen.blob(
            [(-50, -8), (-46, -34), (-16, -44), (20, -38), (44, -24), (52, -3), (-44, -3)], colour
        )
        for x in (34, 50):
            pen.ellipse(x, -5, 12, 5, pale if stripes else colour)
        if stripes:
            for k in range(4):
                pen.line([(-36 + 14 * k, -38 - (k % 2)), (-33 + 14 * k, -22)], dark, 3)
    with pen.at(hx, hy, rotate=uniform(rng, -8, 8)):
        for m in (-1, 1):
            pen.poly([(m * 22, -8), (m * 20, -32), (m * 5, -18)], colour)
            pen.poly([(m * 19, -12), (m * 18, -26), (m * 9, -17)], "#f0a8a0")
        pen.ellipse(0, 0, 24, 20, colour)
        pen.ellipse(0, 8, 11, 8, pale, depth=0.4)
        for m in (-1, 1):
            pen.ellipse(m * 10, -2, 5, 5.6, eyes, flat=True)
            pen.ellipse(m * 10, -2, 1.9, 5, INK, flat=True)
            pen.line([(m * 9, 8), (m * 26, 6)], pale, 1.1)
        pen.poly([(-3, 4), (3, 4), (0, 8)], "#d8707a", flat=True)
        if stripes:
            for x in (-5, 0, 5):
                pen.line([(x, -18), (x * 0.8, -11)], dark, 2.4)
    return Look(pose)


@category(
    "dog", 18, "animals", 0.6, "ground",
    "street, wet pavement, park, meadow, garden, beach, snow, living room, bedroom",
    {"brown": "#a0683a", "golden": "#dfab5c", "black": "#3a3640", "white": "#f1ece2",
     "gray": "#8f8c90"},
    "dog/dogs, puppy/puppies",
)  # fmt: skip
def dog(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    dark, pale = darker(colour, 0.3), lighter(colour, 0.5)
    ear = pick(rng, (dark, darker(colour, 0.45)))
    patch, collar = chance(rng, 0.4), pick(rng, ("#d83a34", "#2a78c8", "#37a05a"))
    if chance(rng, 0.6):
        hx, hy = 36.0, -82.0
        pose = ("standing", "walking", "wagging its tail", "running")
        stride = pick(rng, (3.0, 9.0))
        _legs(pen, rng, (-28, 16), -34, 10, dark, dark, stride)
        pen.line([(-34, -56), (-50, -66), (-54, -86 + uniform(rng, 0, 14))], colour, 8)
        pen.blob([(-40, -58), (-14, -64), (14, -64), (30, -78), (42, -66), (34, -38), (8, -30),
                  (-18, -34), (-38, -32)], colour)  # fmt: skip
        if patch:
            pen.ellipse(-14, -54, 14, 9, pale, depth=0.5)
        pen.blob([(32, -68), (42, -60), (34, -40), (20, -34)], pale, depth=0.5)
        _legs(pen, rng, (-32, 24), -38, 11, colour, pale if patch else colour, -stride)
        pen.line([(23, -70), (38, -62)], collar, 5)
    else:
        hx, hy = 16.0, -84.0
        pose = ("sitting", "sitting down", "waiting patiently")
        pen.line([(-26, -8), (-44, -14), (-50, -28)], colour, 8)
        pen.blob(
            [(2, -76), (24, -68), (30, -36), (26, -3), (-26, -3), (-34, -20), (-20, -44)], colour
        )
        pen.blob([(20, -66), (28, -42), (20, -20), (10, -38)], pale, depth=0.5)
        for x in (8, 22):
            pen.line([(x, -36), (x + 1, -6)], lighter(colour, 0.08), 10)
            pen.ellipse(x + 4, -4.5, 9, 4.5, pale if patch else colour)
        pen.line([(2, -70), (26, -64)], collar, 5)
    with pen.at(hx, hy, rotate=uniform(rng, -8, 10)):
        pen.blob(
            [(-16, -14), (4, -20), (16, -8), (34, -4), (36, 6), (20, 14), (-6, 14), (-18, 2)],
            colour,
        )
        pen.blob(
            [(14, -2), (32, -2), (35, 6), (20, 13), (8, 10)],
            pale if patch else lighter(colour, 0.2),
            depth=0.5,
        )
        pen.blob([(-8, -18), (-2, -4), (-6, 18), (-18, 20), (-20, -2)], ear)
        pen.ellipse(34, -1, 4.6, 4, INK, flat=True)
        _eye(pen, 10, -6, 3.6)
        if chance(rng, 0.4):
            pen.blob([(22, 10), (29, 9), (28, 21), (23, 20)], "#e8737e", depth=0.5)
    return Look(pose)


@category(
    "horse", 19, "animals", 1.7, "ground", "meadow, mountains, beach, snow, savanna",
    {"brown": "#94572e", "white": "#ece7df", "black": "#3b353c", "_chestnut": "#b5652f",
     "gray": "#9a9aa2"},
    "horse/horses",
)  # fmt: skip
def horse(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    mane = pick(rng, (darker(colour, 0.55), "#2a2024", "#e9d8b4"))
    grazing, stride = chance(rng, 0.3), pick(rng, (2.0, 2.0, 10.0))
    _legs(pen, rng, (-30, 16), -42, 7.5, darker(colour, 0.3), INK, stride)
    pen.blob([(-40, -66), (-52, -58), (-54, -30), (-48, -14), (-46, -34), (-42, -50)], mane)
    pen.blob([(-42, -66), (-26, -76), (0, -70), (22, -76), (34, -62), (28, -44), (4, -38),
              (-20, -40), (-38, -44)], colour)  # fmt: skip
    _legs(pen, rng, (-34, 24), -46, 8.5, colour, INK, -stride)
    with pen.at(24, -64, rotate=62 if grazing else uniform(rng, -8, 6)):
        pen.blob([(-14, 0), (-2, -26), (12, -42), (22, -44), (32, -36), (46, -22), (42, -14),
                  (30, -18), (20, -22), (14, 2), (6, 16)], colour)  # fmt: skip
        pen.blob([(38, -28), (47, -22), (43, -13), (34, -18)], darker(colour, 0.2), depth=0.5)
        pen.poly([(14, -40), (15, -54), (22, -42)], colour)
        pen.blob([(18, -48), (8, -44), (-8, -26), (-20, -2), (-8, -4), (4, -24), (16, -38)], mane)
        _eye(pen, 26, -35, 2.6)
    return Look(
        ("grazing",)
        if grazing
        else ("standing", "looking ahead")
        if stride < 5
        else ("trotting", "walking")
    )


@category(
    "sheep", 20, "animals", 0.9, "ground", "meadow, mountains, snow",
    {"white": "#f4efe2", "black": "#4a444c", "_cream": "#e6d9b8"},
    "sheep/sheep",
)  # fmt: skip
def sheep(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    face = pick(rng, ("#3a3238", "#d9c3a2", "#5a4a44"))
    _legs(pen, rng, (-26, 10), -26, 7, darker(face, 0.3), INK, 2)
    _legs(pen, rng, (-18, 20), -26, 8, face, INK, -2)
    n = 11
    for ring, size in ((1.0, 15.0), (0.5, 17.0)):
        for k in range(n):
            angle = 2 * np.pi * k / n + ring
            x, y = -4 + 34 * ring * np.cos(angle), -50 + 20 * ring * np.sin(angle)
            pen.circle(x, y, size * uniform(rng, 0.85, 1.1), colour, ball=False, depth=0.6)
    grazing = chance(rng, 0.35)
    with pen.at(34, -44 if grazing else -66, rotate=30 if grazing else uniform(rng, -10, 10)):
        pen.ellipse(-10, -6, 11, 5, face, rotate=-25)
        pen.blob([(-10, -12), (6, -14), (20, 4), (18, 14), (6, 14), (-8, 4)], face)
        for dx in (-10, -2, 5):
            pen.circle(dx, -13, 7, colour, depth=0.5)
        _eye(pen, 5, -2, 2.6)
    return Look(("grazing",) if grazing else ("standing", "looking around"))


@category(
    "cow", 21, "animals", 1.5, "ground", "meadow, mountains, savanna",
    {"white": "#f2ede4", "brown": "#a2643a", "black": "#3a363c"},
    "cow/cows",
)  # fmt: skip
def cow(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    spots = "#35303a" if colour != "#3a363c" else "#f2ede4"
    _legs(pen, rng, (-34, 16), -38, 10, darker(colour, 0.3), INK, 3)
    pen.line([(-48, -72), (-56, -54), (-54, -28)], darker(colour, 0.25), 4)
    pen.ellipse(-54, -24, 4, 7, darker(spots, 0.1))
    pen.blob([(-50, -76), (-20, -82), (16, -82), (34, -84), (42, -64), (36, -38), (8, -30),
              (-30, -32), (-48, -38)], colour)  # fmt: skip
    pen.ellipse(-22, -31, 10, 6, "#eeb0a8")
    for x, y, rx, ry in ((-32, -66, 12, 10), (-4, -60, 11, 14), (22, -72, 10, 8), (-14, -42, 9, 5)):
        if chance(rng, 0.85):
            pen.ellipse(x, y, rx * uniform(rng, 0.7, 1.1), ry, spots, rotate=uniform(rng, -30, 30))
    _legs(pen, rng, (-38, 26), -40, 11, colour, INK, -3)
    with pen.at(44, -80, rotate=uniform(rng, -8, 18)):
        for m in (-1, 1):
            pen.line([(m * 7, -14), (m * 13, -20), (m * 11, -28)], "#e9dcc0", 4)
            pen.ellipse(m * 19, -9, 9, 5, darker(colour, 0.2), rotate=m * 20)
        pen.blob([(-12, -14), (0, -18), (12, -14), (13, 4), (10, 24), (-8, 24), (-13, 4)], colour)
        pen.blob([(-3, -17), (4, -17), (5, 8), (-4, 8)], lighter(colour, 0.6), depth=0.3)
        pen.ellipse(1, 20, 13, 9, "#eeb0a8")
        for m in (-1, 1):
            pen.ellipse(1 + m * 5, 20, 2, 2.6, "#8a4a4e", flat=True)
            _eye(pen, m * 8, -4, 2.8)
    return Look(("standing", "looking at the camera", "chewing grass"))


@category(
    "elephant", 22, "animals", 3.0, "ground", "savanna",
    {"gray": "#8a8d9a", "brown": "#97826f"}, "elephant/elephants",
)  # fmt: skip
def elephant(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    dark = darker(colour, 0.25)
    _legs(pen, rng, (-30, 10), -40, 17, dark, dark, 3)
    pen.line([(-50, -70), (-58, -50), (-56, -34)], dark, 3.4)
    pen.blob([(-52, -60), (-40, -88), (-8, -98), (22, -92), (34, -66), (26, -38), (-8, -30),
              (-42, -34)], colour)  # fmt: skip
    _legs(pen, rng, (-36, 20), -42, 19, colour, colour, -3)
    for x in (-36, 20):
        for dx in (-6, 0, 6):
            pen.ellipse(x + dx + 1, -2.5, 2.4, 2.4, "#e6dccb", flat=True)
    up = chance(rng, 0.3)
    trunk = (
        [(58, -66), (70, -54), (78, -66), (84, -86)]
        if up
        else [(58, -66), (66, -40), (64, -16), (70 + uniform(rng, -2, 6), -8)]
    )
    pen.line(trunk, darker(colour, 0.08), 12)
    pen.blob([(20, -84), (40, -100), (60, -92), (66, -70), (56, -54), (34, -56)], colour)
    pen.line([(54, -60), (66, -48), (76, -48)], "#f5ecd8", 5)
    pen.blob(
        [(14, -94), (34, -96), (42, -74), (34, -48), (18, -50), (6, -72)], darker(colour, 0.14)
    )
    pen.blob(
        [(17, -86), (31, -88), (36, -72), (29, -56), (20, -60)],
        mix(colour, "#e0a0a0", 0.3),
        depth=0.5,
    )
    _eye(pen, 51, -78, 2.8)
    return Look(("standing", "walking", "raising its trunk") if up else ("standing", "walking"))


@category(
    "zebra", 24, "animals", 1.5, "ground", "savanna",
    {"_striped": "#f3efe8"}, "zebra/zebras",
)  # fmt: skip
def zebra(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    ink, stride = "#26222a", pick(rng, (2.0, 8.0))
    _legs(pen, rng, (-30, 16), -42, 7.5, mix(colour, ink, 0.45), INK, stride)
    pen.line([(-42, -66), (-52, -50), (-50, -28)], ink, 4)
    pen.blob([(-44, -68), (-24, -77), (0, -73), (22, -78), (34, -62), (28, -42), (4, -37),
              (-20, -38), (-38, -42)], colour)  # fmt: skip
    for k in range(8):
        x = -39 + 8.6 * k
        pen.line([(x - 1, -73 + abs(k - 4) * 0.4), (x + 3, -58), (x + 1, -43)], ink, 3.6)
    _legs(pen, rng, (-34, 24), -46, 8.5, colour, INK, -stride)
    for x in (-34, 24):
        for y in (-40, -32, -24):
            pen.line([(x - 3, y), (x + 4, y - 1)], ink, 2.6)
    with pen.at(24, -66, rotate=uniform(rng, -6, 10)):
        pen.blob([(-14, 0), (-2, -26), (12, -42), (22, -44), (32, -36), (46, -22), (42, -14),
                  (30, -18), (20, -22), (14, 2), (6, 16)], colour)  # fmt: skip
        pen.line([(-16, -4), (-6, -26), (10, -46)], ink, 6)
        for k in range(4):
            pen.line([(-6 + 6 * k, -16 - 7.5 * k), (7 + 4 * k, 0 - 8 * k)], ink, 3)
        pen.blob([(38, -28), (47, -22), (43, -13), (34, -18)], ink)
        pen.poly([(13, -41), (14, -54), (21, -43)], colour)
        _eye(pen, 27, -35, 2.8)
    return Look(("standing",) if stride < 5 else ("walking", "on the move"))


@category(
    "giraffe", 25, "animals", 4.6, "ground", "savanna",
    {"_spotted": "#eec06a"}, "giraffe/giraffes",
)  # fmt: skip
def giraffe(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    spot = pick(rng, ("#9c5a26", "#80461f", "#b26a2c"))
    _legs(pen, rng, (-18, 8), -38, 4.6, darker(colour, 0.25), "#5a3a22", 3)
    pen.line([(-24, -50), (-31, -40), (-30, -26)], spot, 2)
    pen.blob([(-25, -50), (-8, -58), (10, -62), (18, -48), (12, -34), (-16, -32)], colour)
    _legs(pen, rng, (-20, 13), -38, 5.2, colour, "#5a3a22", -3)
    with pen.at(8, -52, rotate=uniform(rng, -10, 10)):
        pen.blob([(-8, 2), (2, -22), (8, -44), (15, -44), (12, -20), (10, 6)], colour)
        pen.line([(-4, -6), (3, -24), (8, -44)], spot, 2.2)
        for x, y in ((2, -4), (5, -13), (7, -22), (9.5, -30), (11, -38)):
            pen.ellipse(x, y, 2.5, 3.1, spot, flat=True)
        pen.blob(
            [(6, -44), (10, -52), (18, -50), (30, -42), (29, -38), (18, -40), (10, -40)], colour
        )
        for x in (10, 14):
            pen.line([(x, -50), (x - 1, -57)], spot, 1.8)
            pen.circle(x - 1, -57.5, 1.5, INK)
        pen.ellipse(6, -50, 4, 1.8, colour, rotate=20)
        _eye(pen, 16, -47, 1.6)
    for _ in range(9):
        x, y = uniform(rng, -19, 11), uniform(rng, -52, -38)
        pen.ellipse(x, y, uniform(rng, 2.2, 3.6), uniform(rng, 2.2, 3.4), spot, flat=True)
    return Look(("standing", "standing tall", "looking around"))
