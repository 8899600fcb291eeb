"""People: seen from the front or side, feet at y = 0, about 100 units tall."""

from __future__ import annotations

import numpy as np

from .drawing import Pen, chance, darker, lighter, pick, uniform
from .registry import Look, category

SKIN = ("#f3cfae", "#e2ac82", "#c98d62", "#97613c", "#6d432a")
HAIR = ("#2a1d1a", "#4b2f20", "#8a5a2c", "#d9b061", "#8f8a88", "#a8432a")
LEGS = ("#2f3f66", "#3a3a44", "#7d6a54", "#24303a", "#5a6a86")


def _limbs(pen: Pen, rng: np.random.Generator, trousers: str, skin: str, stride: float) -> None:
    shoe = pick(rng, ("#2a2428", "#f0ece4", "#a83a34", "#5c4030"))
    for m in (-1, 1):
        x = m * (5 + stride)
        colour = trousers if m > 0 else darker(trousers, 0.15)
        pen.line([(m * 5, -46), (m * (5 + 0.3 * stride), -24), (x, -4)], colour, 9.5)
        pen.ellipse(x + 2.5, -2.8, 6.5, 3, shoe)


def _head(pen: Pen, rng: np.random.Generator, skin: str, hair: str, hat: bool) -> None:
    pen.rect(-3.4, -79, 6.8, 8, darker(skin, 0.12))
    pen.ellipse(0, -88, 8.8, 10.2, skin)
    if hat:
        cap = pick(rng, ("#d8433a", "#2f6fb5", "#e9c54a", "#4a8a52"))
        pen.blob([(-9.5, -91), (-6, -100), (4, -101), (9.5, -92)], cap)
        pen.line([(-9, -91.5), (14, -91.5)], darker(cap, 0.25), 2.6)
    else:
        pen.blob(
            [(-9.6, -88), (-8, -99), (3, -102), (10, -95), (9.6, -88), (5, -94), (-4, -95)], hair
        )
    for m in (-1, 1):
        pen.circle(m * 3.4 + 1, -88, 1.25, "#241a1e", flat=True)
    pen.line([(-1.8, -82.5), (1, -81.8), (4, -82.5)], "#9c4a42", 1.1)


@category(
    "person", 1, "people", 1.7, "ground",
    "street, wet pavement, park, meadow, garden, beach, harbor, mountains, snow, "
    "living room, bedroom, railway",
    {"red": "#d8423a", "blue": "#2f6fc4", "yellow": "#efc13a", "green": "#3c9a5a",
     "white": "#f1eee8", "pink": "#e884a6", "purple": "#7d55a8", "black": "#37343f"},
    "person/people",
)  # fmt: skip
def person(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    skin, woman = pick(rng, SKIN), chance(rng, 0.5)
    stride = pick(rng, (0.0, 1.5, 7.0))
    dress = woman and chance(rng, 0.45)
    hat = not woman and chance(rng, 0.35)
    hair = pick(rng, HAIR)
    if woman:
        pen.blob(
            [(-11, -90), (0, -102), (11, -90), (13, -72), (9, -64), (-9, -64), (-13, -74)], hair
        )
    _limbs(pen, rng, skin if dress else pick(rng, LEGS), skin, stride)
    waving = chance(rng, 0.2)
    arms = ((-1, False), (1, waving))
    for m, up in arms:
        sway = uniform(rng, 2, 8)
        hand = (m * 27, -92) if up else (m * (15 + sway), -42)
        elbow = (m * 22, -66) if up else (m * (16 + 0.4 * sway), -56)
        pen.line([(m * 11, -68), elbow, hand], darker(colour, 0.2), 6.6)
        pen.circle(*hand, 3.6, skin)
    if dress:
        pen.blob(
            [(-10, -73), (0, -75), (10, -73), (9, -56), (19, -24), (0, -21), (-19, -24), (-9, -56)],
            colour,
        )
    else:
        pen.blob(
            [(-13, -71), (0, -75), (13, -71), (12.5, -54), (12, -40), (-12, -40), (-12.5, -54)],
            colour,
        )
        pen.line([(0, -72), (0, -43)], darker(colour, 0.25), 1)
        if chance(rng, 0.3):
            pen.rect(-12, -60, 24, 5, lighter(colour, 0.5))
    _head(pen, rng, skin, hair, hat)
    poses = ("waving",) if waving else ("walking",) if stride > 5 else ("standing", "posing")
    return Look(poses, ("woman", "person", "lady") if woman else ("man", "person"))
