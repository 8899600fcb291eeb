"""Outdoor backdrops."""

from __future__ import annotations

from .drawing import chance, darker, lighter, pick, uniform
from .registry import Layout, setting
from .stage import (
    SIZE,
    Stage,
    building,
    flowers,
    ground,
    pine,
    ridge,
    sky,
    skyline,
    street_lamp,
    tree,
)

BRICK = ("#c98a6a", "#d9b48c", "#a8a4a8", "#b7705c", "#8fa3b0", "#e0cfae", "#9c8577", "#7f9a8e")
GREENS = ("#5fa04a", "#4c8f4e", "#79ad4e", "#3f8458")
BLOSSOM = ("#f48fb1", "#f06595", "#fbc2d6", "#e64980")


def _houses(stage: Stage, base: float, low: float, high: float) -> None:
    x, pen = uniform(stage.rng, -14, -2), stage.pen(0.08)
    while x < SIZE:
        w = uniform(stage.rng, 20, 38)
        building(stage, pen, x, base, w, uniform(stage.rng, low, high), pick(stage.rng, BRICK))
        if chance(stage.rng, 0.5):
            tone = pick(stage.rng, ("#c8473f", "#3f7f6f", "#e0b04a", "#47618f"))
            pen.poly([(x + 3, base - 12), (x + w - 3, base - 12), (x + w - 1, base - 8), (x + 1, base - 8)], tone)
        x += w


@setting(
    "street", "day, dusk, night, rain, pale yellow", False,
    "on a city street, on the street, by the side of the road, in front of a row of houses",
    "city street, street, road",
)  # fmt: skip
def street(stage: Stage) -> Layout:
    rng, base = stage.rng, uniform(stage.rng, 62, 72)
    sky(stage, base)
    skyline(stage, base, 44, 0.6)
    _houses(stage, base, 24, 50)
    pen = stage.pen()
    pen.rect(0, base - 0.5, SIZE, 17, ("#a5a2a0", "#c2bdb6"))
    for k in range(11):
        x = 64 + (k - 5) * 14
        pen.line([(x, base), (64 + (x - 64) * 1.2, base + 15)], "#8f8b88", 0.5)
    pen.rect(0, base + 15, SIZE, 3, ("#d8d4cc", "#8e8a88"))
    pen.rect(0, base + 18, SIZE, SIZE - base - 18, ("#6c6d74", "#4e4f58"))
    for k in range(6):
        x = -20 + 32 * k + uniform(rng, -2, 2)
        pen.poly([(x, 107), (x + 16, 107), (x + 17, 109.5), (x - 0.5, 109.5)], "#f2e9c8")
    for k in range(2):
        street_lamp(stage, uniform(rng, 6, 50) + 62 * k, base + 12, uniform(rng, 46, 58), k == 1)
    if chance(rng, 0.5):
        tree(stage.pen(), rng, uniform(rng, 10, 118), base + 10, uniform(rng, 30, 44), pick(rng, GREENS))
    return Layout(base - 8, (base + 12, 122), {"road": (base + 24, 120), "sky": (8, 34)})


@setting(
    "wet pavement", "rain, pale yellow, night, dusk", False,
    "on a rain-soaked pavement, on wet pavement, on a shiny wet sidewalk, among puddles",
    "rain-soaked pavement, wet sidewalk, wet street",
)  # fmt: skip
def wet_pavement(stage: Stage) -> Layout:
    rng, base = stage.rng, uniform(stage.rng, 50, 60)
    sky(stage, base)
    skyline(stage, base, 40, 0.75)
    _houses(stage, base, 22, 44)
    pen = stage.pen()
    tone = pick(rng, ("#7b7f8c", "#84828a", "#6e7a86"))
    pen.rect(0, base, SIZE, SIZE - base, (stage.light.sky[2], stage.light.sky[1], stage.light.sky[0]), lit=True)
    pen.rect(0, base, SIZE, SIZE - base, (tone, darker(tone, 0.35)), opacity=0.66)
    for k in range(9):
        x = 64 + (k - 4) * 13
        pen.line([(x, base), (64 + (x - 64) * 2.9, SIZE)], darker(tone, 0.45), 0.6, opacity=0.6)
    y, gap = base, 3.0
    while y < SIZE:
        pen.line([(0, y), (SIZE, y)], darker(tone, 0.45), 0.6, opacity=0.6)
        gap *= 1.45
        y += gap
    for k in range(2):
        x = uniform(rng, 8, 52) + 60 * k
        street_lamp(stage, x, base + 3, uniform(rng, 38, 50), k == 1)
        glare = "#ffe2a0" if stage.light.lamps else "#e8eef4"
        stage.pen().fade(x + (-12 if k else 6), base + 4, 6, uniform(rng, 30, 56), glare, 0.55, 0.0)
    for _ in range(int(uniform(rng, 3, 7))):
        y = uniform(rng, base + 12, 124)
        r = 0.16 * (y - base) + 4
        x = uniform(rng, 0, SIZE)
        pool = (lighter(stage.light.sky[1], 0.1), stage.light.sky[2])
        stage.pen().ellipse(x, y, 1.6 * r, 0.34 * r, pool, lit=True, opacity=0.5)
    return Layout(base - 8, (base + 8, 121), {"road": (base + 14, 118), "sky": (8, 28)}, wet=True)


@setting(
    "meadow", "day, dusk, night, rain", False,
    "in a green meadow, in a grassy field, in a field of flowers, on a green hillside",
    "meadow, green field, grassy field",
)  # fmt: skip
def meadow(stage: Stage) -> Layout:
    rng, base = stage.rng, uniform(stage.rng, 58, 70)
    sky(stage, base)
    ridge(stage, base, 20, "#7fa67c", 0.6)
    ridge(stage, base + 3, 12, "#6fa35a", 0.3)
    ground(stage, base, pick(rng, ("#7dba4c", "#8fbf4f", "#69ad53")), 0.25)
    for _ in range(int(uniform(rng, 1, 5))):
        tree(stage.pen(0.3), rng, uniform(rng, 4, 124), base + 3, uniform(rng, 12, 22), pick(rng, GREENS))
    if chance(rng, 0.4):
        pen, y = stage.pen(), base + 10
        for k in range(10):
            pen.rect(k * 14 - 2, y - 9, 2, 11, "#b99b78")
        for dy in (-7, -3):
            pen.line([(-4, y + dy), (132, y + dy + 0.6)], "#c7aa86", 1.3)
    tones = pick(rng, (("#ffffff", "#ffe066"), ("#f06595", "#fbc2d6"), ("#b197fc", "#ffffff"), ("#ff6b6b", "#ffd43b")))
    flowers(stage.pen(), rng, int(uniform(rng, 12, 44)), (0, base + 12, SIZE, 126), tones, 2.0)
    return Layout(base - 4, (base + 6, 121), {"sky": (8, 40)})


@setting(
    "beach", "day, dusk, night, rain", False,
    "at the beach, on a sandy beach, by the sea, at the seaside", "beach, sandy beach, seaside",
)  # fmt: skip
def beach(stage: Stage) -> Layout:
    rng, base = stage.rng, uniform(stage.rng, 46, 58)
    shore = base + uniform(rng, 18, 28)
    sky(stage, base)
    pen = stage.pen()
    pen.rect(0, base, SIZE, shore - base + 12, ("#2f86b8", "#4fb3c8", "#9be0dc"))
    pen.fade(0, base, SIZE, 10, stage.light.sky[2], 0.7, 0.0)
    for _ in range(14):
        y = uniform(rng, base + 2, shore)
        w, x = 0.2 * (y - base) + 3, uniform(rng, 0, SIZE)
        pen.line([(x - w, y), (x, y - 0.5), (x + w, y)], lighter(stage.light.sky[2], 0.5), 0.6, lit=True, opacity=0.6)
    wave = [(x, shore + 3 * uniform(rng, -0.5, 0.5)) for x in range(-16, 150, 16)]
    pen.blob([(-30, 150), *[(x, y - 2) for x, y in wave], (160, 150)], "#f4fbfb", flat=True)
    pen.blob([(-30, 160), *[(x, y + 1.5) for x, y in wave], (160, 160)], ("#e8cf9c", "#f0dbac", "#d9ba82"))
    for _ in range(16):
        y = uniform(rng, shore + 8, 127)
        pen.ellipse(uniform(rng, 0, SIZE), y, 1.2, 0.6, pick(rng, ("#c9a878", "#fff4dc", "#f2b8a2")), flat=True)
    if chance(rng, 0.45):
        x = pick(rng, (8.0, 118.0))
        palm, lean = stage.pen(), 10 if x < 64 else -10
        palm.line([(x, 118), (x + 0.3 * lean, 80), (x + lean, 44)], "#8a6238", 3.6)
        for k in range(6):
            angle = np_angle(k)
            tip = (x + lean + 22 * angle[0], 44 + 14 * angle[1])
            mid = (x + lean + 13 * angle[0], 40 + 7 * angle[1])
            palm.line([(x + lean, 44), mid, tip], pick(rng, GREENS), 2.8)
    return Layout(base - 4, (shore + 8, 121), {"water": (base + 6, shore), "sky": (8, 34)})


def np_angle(k: int) -> tuple[float, float]:
    """Return the direction of palm leaf `k` of 6."""
    return ((1, 0.2), (0.8, -0.5), (0.3, -0.9), (-0.4, -0.9), (-0.9, -0.4), (-1, 0.3))[k]


@setting(
    "savanna", "day, dusk, night", False,
    "on the savanna, in dry grass, on a dry plain, in the African grassland",
    "savanna, dry plain, grassland",
)  # fmt: skip
def savanna(stage: Stage) -> Layout:
    rng, base = stage.rng, uniform(stage.rng, 62, 74)
    sky(stage, base)
    ridge(stage, base, 13, "#a08a6a", 0.6)
    ground(stage, base, pick(rng, ("#d8b25a", "#cfa653", "#dcbc6c")), 0.3)
    for _ in range(int(uniform(rng, 1, 4))):
        pen, x, h = stage.pen(0.25), uniform(rng, 6, 122), uniform(rng, 14, 34)
        y = base + 0.15 * h
        pen.line([(x, y), (x + 1, y - 0.6 * h), (x - 0.25 * h, y - 0.85 * h)], "#5c4634", 0.07 * h)
        pen.line([(x + 0.5, y - 0.5 * h), (x + 0.25 * h, y - 0.85 * h)], "#5c4634", 0.05 * h)
        pen.ellipse(x, y - 0.9 * h, 0.62 * h, 0.14 * h, "#6e8a42")
        pen.ellipse(x + 0.1 * h, y - h, 0.4 * h, 0.1 * h, "#7c9a4a")
    grass = stage.pen()
    for _ in range(40):
        y = uniform(rng, base + 6, 127)
        h, x = 0.07 * (y - base) + 1.5, uniform(rng, 0, SIZE)
        grass.line([(x, y), (x + uniform(rng, -1, 1), y - h)], pick(rng, ("#b8923e", "#e6cc84", "#a78a44")), 0.7)
    return Layout(base - 4, (base + 6, 121), {"sky": (8, 40)})
