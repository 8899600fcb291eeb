"""Things found out of doors: feet or pole at y = 0."""

# ruff: noqa: E501  (outlines read best as one row of points)

from __future__ import annotations

import numpy as np

from .drawing import Pen, darker, lighter, pick, uniform
from .registry import Look, category

BRIGHT = {
    "red": "#d8382f", "blue": "#2f74c8", "yellow": "#f0c032", "green": "#3f9f5c",
    "pink": "#ea7fa4", "purple": "#8656b0",
}  # fmt: skip


@category(
    "traffic light", 10, "things", 3.4, "ground", "street, wet pavement",
    {"black": "#33353d", "yellow": "#e8b22c"}, "traffic light/traffic lights, traffic signal/traffic signals",
)  # fmt: skip
def traffic_light(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    pen.rect(-2.4, -50, 4.8, 50, "#565c66")
    pen.rect(-6, -3, 12, 3, "#41464e")
    pen.rect(-12, -104, 24, 58, colour, r=5)
    on = int(uniform(rng, 0, 3))
    for k, (bright, dark) in enumerate(
        (("#ff4436", "#5a201c"), ("#ffc838", "#5c4a1a"), ("#4ee07a", "#1c4a2c"))
    ):
        y = -94 + 19 * k
        if k == on:
            pen.glow(0, y, 24, bright, 0.8)
            pen.circle(0, y, 7.4, bright, lit=True)
            pen.circle(-2, y - 2, 2.2, "#ffffff", lit=True, opacity=0.7)
        else:
            pen.circle(0, y, 7.4, dark)
        pen.line([(-8, y - 4), (-5, y - 8), (5, y - 8), (8, y - 4)], darker(colour, 0.4), 2)
    return Look(
        ("shining " + ("red", "yellow", "green")[on], "glowing " + ("red", "yellow", "green")[on])
    )


@category(
    "fire hydrant", 11, "things", 0.9, "ground", "street, wet pavement, park, snow",
    {"red": "#d8342c", "yellow": "#f0bc2c", "blue": "#3878c0"}, "fire hydrant/fire hydrants, hydrant/hydrants",
)  # fmt: skip
def fire_hydrant(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    cap = pick(rng, (colour, "#d8dce2", darker(colour, 0.2)))
    pen.rect(-26, -9, 52, 9, darker(colour, 0.25), r=2)
    pen.rect(-18, -72, 36, 64, colour, r=3)
    pen.rect(-33, -56, 66, 17, darker(colour, 0.1), r=4)
    for x in (-35, 28):
        pen.rect(x, -59, 8, 23, cap, r=2)
    pen.rect(-24, -77, 48, 8, cap, r=3)
    pen.blob([(-19, -76), (-14, -94), (0, -99), (14, -94), (19, -76)], cap)
    pen.rect(-4, -106, 8, 9, darker(cap, 0.1), r=2)
    pen.circle(0, -47, 11, cap)
    pen.circle(0, -47, 5, darker(cap, 0.3))
    pen.rect(-14, -68, 5, 54, "#ffffff", r=2, opacity=0.3)
    return Look(("standing",))


@category(
    "stop sign", 13, "things", 2.6, "ground", "street, wet pavement, railway, mountains",
    {"red": "#cf2a2a"}, "stop sign/stop signs",
)  # fmt: skip
def stop_sign(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    pen.rect(-2.2, -66, 4.4, 66, "#8a9098")
    with pen.at(0, -74, rotate=uniform(rng, -4, 4)):
        for r, tone in ((29, "#f6f4ee"), (26, colour)):
            angles = np.pi * (np.arange(8) + 0.5) / 4
            pen.poly(
                [(r * float(np.cos(a)), r * float(np.sin(a))) for a in angles], tone, depth=0.7
            )
        white = "#fbfaf6"  # the letters S T O P as strokes: the drawings hold no fonts
        pen.line([(-12, -5), (-15, -7), (-18, -4), (-13, 1), (-16, 6), (-19, 4)], white, 2.6)
        pen.line([(-10, -6), (-2, -6)], white, 2.6)
        pen.line([(-6, -6), (-6, 6)], white, 2.6)
        pen.ring(4.5, 0, 5, white, 2.6)
        pen.line([(12.5, 6), (12.5, -6), (17, -6), (18.6, -3), (17, 0), (13, 0)], white, 2.6)
    return Look(("standing",), mirror=False)


@category(
    "bench", 15, "furniture", 0.95, "ground", "park, garden, harbor, beach, railway, street, snow",
    {"brown": "#a5713f", "green": "#4c8a58", "_grey": "#8f969e"}, "bench/benches, park bench/park benches",
)  # fmt: skip
def bench(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    iron = pick(rng, ("#33353d", "#4c4f58"))
    for x in (-66, 66):
        pen.line([(x, -44), (x - 4, -92)], iron, 6)
        pen.line([(x, -40), (x - 3, -2)], iron, 7)
        pen.line([(x, -42), (x + 5, -2)], iron, 7)
        pen.line([(x - 4, -60), (x + 6, -60)], iron, 5)
    for y in (-94, -79, -64):
        pen.rect(-84, y, 168, 11, colour, r=3)
    for k, y in enumerate((-48, -41)):
        pen.rect(-86 - 2 * k, y, 172 + 4 * k, 8, lighter(colour, 0.12), r=3)
    return Look(("standing", "empty"))


@category(
    "umbrella", 28, "things", 2.0, "ground", "beach, wet pavement, park, street, garden",
    BRIGHT, "umbrella/umbrellas",
)  # fmt: skip
def umbrella(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    second = pick(rng, (lighter(colour, 0.75), darker(colour, 0.25), "#f6efe0"))
    with pen.at(0, 0, rotate=uniform(rng, -9, 9)):
        pen.line([(0, -90), (0, -1)], "#6f5138", 3.4)
        n, edge = 6, []
        for k in range(n + 1):
            x = -62 + 124 * k / n
            edge.append((x, -52 + 3 * (abs(x) / 62) ** 2))
        for k in range(n):
            (x0, y0), (x1, y1) = edge[k], edge[k + 1]
            top, tone = (0.0, -104.0), colour if k % 2 else second
            shoulder = [
                (0.72 * x0, -90 + 0.002 * x0 * x0 + 4),
                (0.72 * x1, -90 + 0.002 * x1 * x1 + 4),
            ]
            scallop = ((x0 + x1) / 2, (y0 + y1) / 2 - 5)
            pen.poly([top, shoulder[0], (x0, y0), scallop, (x1, y1), shoulder[1]], tone, depth=0.8)
        pen.line([(0, -103), (0, -110)], "#6f5138", 3)
    return Look(("open", "standing"))


@category(
    "kite", 38, "things", 1.6, "sky", "skyline, beach, meadow, park",
    BRIGHT, "kite/kites, colorful kite/colorful kites",
)  # fmt: skip
def kite(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    second = pick(rng, [c for c in BRIGHT.values() if c != colour])
    with pen.at(0, -60, rotate=uniform(rng, -24, 24)):
        top, left, right, low = (0, -46), (-32, -12), (32, -12), (0, 40)
        tail = [(0, 40), (10, 54), (-6, 68), (8, 82)]
        pen.line(tail, "#f2eee4", 1.8)
        for x, y in ((7, 56), (-4, 69), (7, 81)):
            bow = pick(rng, list(BRIGHT.values()))
            pen.poly([(x, y), (x - 9, y - 5), (x - 9, y + 5)], bow)
            pen.poly([(x, y), (x + 9, y - 5), (x + 9, y + 5)], bow)
        pen.poly([top, (0, -12), left], colour)
        pen.poly([top, (0, -12), right], second)
        pen.poly([low, (0, -12), left], lighter(second, 0.15))
        pen.poly([low, (0, -12), right], darker(colour, 0.1))
        pen.line([top, low], "#6b4f38", 1.4)
        pen.line([left, right], "#6b4f38", 1.4)
    return Look(("flying", "flying high", "soaring"))
