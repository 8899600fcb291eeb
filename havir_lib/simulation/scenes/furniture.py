"""Furniture and things of the house: standing on y = 0."""

# ruff: noqa: E501  (outlines read best as one row of points)

from __future__ import annotations

import numpy as np

from .drawing import Pen, chance, darker, lighter, pick, uniform
from .registry import Look, category

ROOMS = "living room, bedroom"
CLOTH = {
    "red": "#c4483f", "blue": "#41709f", "green": "#5f8f68", "gray": "#8d929c",
    "yellow": "#dfb04a", "brown": "#96684a", "purple": "#7d5f9a",
}  # fmt: skip
WOOD = {
    "brown": "#9a6338",
    "white": "#efe9de",
    "black": "#3c3a40",
    "red": "#b5443a",
    "blue": "#4a7aa8",
}


@category(
    "chair", 62, "furniture", 0.95, "ground", "living room, bedroom, garden", WOOD, "chair/chairs"
)
def chair(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    dark, seat = darker(colour, 0.28), pick(rng, (colour, "#c4584a", "#5f86a8", "#d8b060"))
    for x in (-18, 24):
        pen.line([(x, -46), (x + 1, -8)], dark, 5)
    pen.line([(-24, -50), (-30, -104)], colour, 6)
    pen.line([(12, -52), (10, -106)], colour, 6)
    if chance(rng, 0.5):
        for y in (-98, -84, -70):
            pen.line([(-29, y), (10, y - 2)], lighter(colour, 0.1), 6.4)
    else:
        pen.poly([(-30, -102), (10, -104), (11, -66), (-26, -64)], seat)
    pen.poly([(-28, -50), (14, -54), (36, -46), (-6, -40)], lighter(seat, 0.1))
    pen.poly(
        [(-28, -50), (-6, -40), (36, -46), (36, -40), (-6, -33), (-28, -44)], darker(seat, 0.2)
    )
    for x in (-25, -4, 33):
        pen.line([(x, -42), (x, -2)], colour, 6)
    return Look(("standing", "empty"))


@category(
    "couch", 63, "furniture", 1.0, "ground", "living room", CLOTH, "couch/couches, sofa/sofas"
)
def couch(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    for x in (-82, 76):
        pen.rect(x, -9, 7, 9, "#5a3f2c")
    pen.rect(-88, -88, 176, 66, darker(colour, 0.12), r=13)
    n = pick(rng, (2, 3))
    for k in range(n):
        pen.rect(-76 + 152 * k / n, -82, 150 / n - 2, 44, lighter(colour, 0.06), r=8)
    for k in range(n):
        pen.rect(-76 + 152 * k / n, -44, 150 / n - 1, 20, lighter(colour, 0.18), r=6)
    pen.rect(-84, -27, 168, 19, darker(colour, 0.18), r=4)
    for x in (-102, 76):
        pen.rect(x, -60, 26, 52, colour, r=10)
    if chance(rng, 0.7):
        tone = pick(rng, ("#f0d9a0", "#d8584a", "#6fa0b8", "#f4efe4"))
        with pen.at(pick(rng, (-52, 50)), -52, rotate=uniform(rng, -20, 20)):
            pen.rect(-15, -15, 30, 30, tone, r=6)
    return Look(("standing", "empty"))


@category(
    "potted plant", 64, "things", 0.8, "ground", "living room, bedroom, wall, kitchen, garden",
    {"green": "#4f9a4c"}, "potted plant/potted plants, plant in a pot/plants in pots",
)  # fmt: skip
def potted_plant(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    pot, kind = (
        pick(rng, ("#c4683c", "#ece6da", "#5f86a0", "#d8a84a")),
        pick(rng, ("leaves", "bush", "cactus")),
    )
    if kind == "cactus":
        pen.rect(-13, -94, 26, 66, colour, r=13)
        pen.line([(-12, -58), (-30, -60), (-30, -76)], colour, 11)
        pen.line([(12, -50), (29, -52), (29, -66)], darker(colour, 0.1), 11)
        for x in (-5, 5):
            pen.line([(x, -88), (x, -38)], lighter(colour, 0.35), 1.4)
        pen.circle(0, -95, 6, "#f06595")
    elif kind == "bush":
        for _ in range(13):
            x = uniform(rng, -24, 24)
            pen.circle(
                x,
                uniform(rng, -92, -44),
                uniform(rng, 11, 16),
                (lighter(colour, uniform(rng, 0, 0.4)), darker(colour, 0.3)),
                ball=True,
            )
    else:
        for k in range(9):
            tip = (-48 + 12 * k + uniform(rng, -4, 4), -104 + 3.0 * (k - 4) ** 2)
            mid = (0.45 * tip[0], 0.5 * tip[1] - 26)
            shade = lighter(colour, 0.25) if k % 2 else darker(colour, 0.15)
            pen.blob(
                [(-2, -36), (mid[0] - 7, mid[1]), tip, (mid[0] + 7, mid[1] + 4), (3, -36)], shade
            )
    pen.poly([(-25, -38), (25, -38), (18, 0), (-18, 0)], pot)
    pen.rect(-28, -42, 56, 9, lighter(pot, 0.1), r=2)
    return Look(("standing", "growing"))


@category("bed", 65, "furniture", 1.0, "ground", "bedroom", CLOTH, "bed/beds")
def bed(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    wood = pick(rng, ("#8a5a34", "#c49a6a", "#5a4034", "#efe8dc"))
    pen.rect(-104, -96, 12, 96, wood, r=4)
    pen.rect(-98, -90, 8, 50, darker(wood, 0.2))
    pen.rect(92, -56, 11, 56, wood, r=4)
    pen.rect(-94, -30, 190, 17, darker(wood, 0.15), r=2)
    pen.rect(-92, -48, 186, 24, "#f6f2ea", r=6)
    for x in (-90, -80):
        pen.blob([(x, -50), (x + 4, -70), (x + 30, -68), (x + 40, -54), (x + 34, -46)], "#fdfbf6")
    pen.blob(
        [(-44, -62), (20, -66), (86, -60), (98, -44), (96, -18), (20, -16), (-36, -18), (-50, -40)],
        colour,
    )
    pen.blob(
        [(-46, -62), (-30, -64), (-24, -40), (-28, -17), (-42, -18), (-54, -42)],
        lighter(colour, 0.55),
    )
    if chance(rng, 0.5):
        for k in range(4):
            pen.line([(-8 + 26 * k, -63), (-4 + 26 * k, -18)], lighter(colour, 0.3), 3.4)
    return Look(("neatly made", "made up"))


@category(
    "tv",
    72,
    "things",
    0.8,
    "ground",
    "living room, bedroom",
    {"black": "#2a2b32", "silver": "#a8aeb8"},
    "tv/tvs, television/televisions",
)
def tv(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    wood = pick(rng, ("#9a6a40", "#6a4630", "#e8e0d2"))
    pen.rect(-70, -30, 140, 26, wood, r=2)
    pen.rect(-66, -26, 64, 18, lighter(wood, 0.12), r=1)
    pen.rect(3, -26, 64, 18, lighter(wood, 0.12), r=1)
    for x in (-62, 56):
        pen.rect(x, -5, 6, 5, darker(wood, 0.3))
    pen.rect(-14, -38, 28, 8, darker(colour, 0.3))
    pen.rect(-62, -106, 124, 70, colour, r=4)
    scene = pick(
        rng,
        (
            ("#6ec3f0", "#3f8f4a"),
            ("#f08a5a", "#5a3a7a"),
            ("#2f6fd0", "#9fd8f0"),
            ("#20242c", "#3c4450"),
        ),
    )
    pen.rect(-57, -101, 114, 59, scene, lit=True)
    if scene[0] != "#20242c":
        pen.circle(uniform(rng, -30, 30), -80, 9, "#fff2b0", lit=True)
        pen.blob(
            [(-56, -43), (-50, -62), (-20, -54), (10, -70), (40, -56), (56, -64), (56, -43)],
            darker(scene[1], 0.3),
            lit=True,
        )
    pen.poly([(-57, -101), (-20, -101), (-46, -42), (-57, -42)], "#ffffff", opacity=0.14)
    return Look(("turned on", "playing") if scene[0] != "#20242c" else ("turned off",))


@category(
    "clock", 85, "things", 0.5, "wall", "wall, wall, living room, kitchen, bedroom",
    {"red": "#c43c34", "brown": "#8a5a34", "black": "#33333b", "blue": "#3a6ea8", "_gold": "#d8a83c", "white": "#f0ece4"},
    "clock/clocks, wall clock/wall clocks",
)  # fmt: skip
def clock(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    square = chance(rng, 0.25)
    if square:
        pen.rect(-50, -100, 100, 100, colour, r=12)
        pen.rect(-41, -91, 82, 82, ("#fffdf4", "#e8e0cc"), r=8)
    else:
        pen.circle(0, -50, 50, colour)
        pen.circle(0, -50, 41, ("#fffdf4", "#e8e0cc"))
    for k in range(12):
        c, s = float(np.sin(np.pi * k / 6)), -float(np.cos(np.pi * k / 6))
        inner = 30 if k % 3 == 0 else 33
        pen.line(
            [(inner * c, -50 + inner * s), (36 * c, -50 + 36 * s)],
            "#2c2a32",
            4 if k % 3 == 0 else 2,
        )
    hour, minute = uniform(rng, 0, 2 * np.pi), uniform(rng, 0, 2 * np.pi)
    for angle, length, width in ((hour, 19, 5.4), (minute, 29, 3.6)):
        pen.line(
            [(0, -50), (length * np.sin(angle), -50 - length * np.cos(angle))], "#2c2a32", width
        )
    pen.circle(0, -50, 4, "#c8372c", flat=True)
    return Look(("hanging", "mounted"), mirror=False)


@category(
    "vase", 86, "things", 0.4, "table", "wall, wall, tabletop, kitchen",
    {"blue": "#3f74b4", "white": "#f2eee4", "green": "#5a9a78", "red": "#b8443a", "_clay": "#c8804a"},
    "vase/vases, vase of flowers/vases of flowers",
)  # fmt: skip
def vase(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    petals = pick(
        rng,
        (
            ("#f48fb1", "pink"),
            ("#f48fb1", "pink"),
            ("#ffd43b", "yellow"),
            ("#f2f0ff", "white"),
            ("#e03b3b", "red"),
            ("#9775fa", "purple"),
        ),
    )
    n = pick(rng, (3, 4, 5))
    for k in range(n):
        x = (k - (n - 1) / 2) * 66 / n + uniform(rng, -4, 4)
        y = -94 + 0.012 * x * x + uniform(rng, -8, 6)
        pen.line([(0.1 * x, -48), (0.5 * x, -66), (x, y)], "#4a8a42", 2.4)
        pen.ellipse(0.6 * x + 6, -66, 7, 3, "#5f9c4a", rotate=-30)
        for j in range(6):
            a = np.pi * j / 3 + k
            pen.circle(x + 7.6 * np.cos(a), y + 7.6 * np.sin(a), 6.4, petals[0], depth=0.8)
        pen.circle(x, y, 4.6, "#ffcf5a", depth=0.6)
    if chance(rng, 0.5):
        pen.blob(
            [
                (-9, -54),
                (9, -54),
                (11, -44),
                (24, -28),
                (20, -8),
                (13, -1),
                (-13, -1),
                (-20, -8),
                (-24, -28),
                (-11, -44),
            ],
            colour,
        )
    else:
        pen.blob(
            [
                (-15, -56),
                (15, -56),
                (11, -36),
                (15, -14),
                (11, -1),
                (-11, -1),
                (-15, -14),
                (-11, -36),
            ],
            colour,
        )
    pen.ellipse(-8, -24, 3, 10, "#ffffff", opacity=0.35, rotate=8)
    words = f"with {petals[1]} flowers"
    return Look((words, f"holding {petals[1]} flowers"), ("vase",))


@category(
    "teddy bear", 88, "things", 0.45, "ground", "bedroom, living room, wall",
    {"brown": "#a9713f", "white": "#f2ebdd", "pink": "#eaa0b4", "_tan": "#d6a868"},
    "teddy bear/teddy bears, stuffed bear/stuffed bears",
)  # fmt: skip
def teddy_bear(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    pale, bow = lighter(colour, 0.5), pick(rng, ("#d8382f", "#3a78c4", "#3f9a5c", "#e8b83a"))
    for m in (-1, 1):
        pen.ellipse(m * 34, -42, 11, 20, darker(colour, 0.12), rotate=-m * 28)
        pen.circle(m * 22, -92, 11, colour)
        pen.circle(m * 22, -92, 6, pale)
    pen.ellipse(0, -34, 30, 32, colour)
    pen.ellipse(0, -32, 18, 20, pale, depth=0.6)
    for m in (-1, 1):
        pen.ellipse(m * 27, -13, 15, 13, darker(colour, 0.06))
        pen.ellipse(m * 29, -11, 9, 8.6, pale, depth=0.5)
    pen.ellipse(0, -76, 29, 25, colour)
    pen.ellipse(0, -68, 13, 10, pale, depth=0.5)
    for m in (-1, 1):
        pen.circle(m * 11, -80, 3.4, "#221a1e", flat=True)
        pen.poly([(0, -53), (m * 15, -60), (m * 15, -46)], bow)
    pen.ellipse(0, -73, 5, 3.6, "#3a2620")
    pen.circle(0, -53, 3.6, darker(bow, 0.2))
    return Look(("sitting", "sitting up"))
