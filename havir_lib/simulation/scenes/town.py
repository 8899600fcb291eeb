"""Backdrops of town: streets, pavement, park, harbor, railway, the sky above the roofs."""

from __future__ import annotations

from .drawing import chance, darker, lighter, mix, pick, uniform
from .registry import Layout, setting
from .stage import (
    GREENS,
    SIZE,
    Stage,
    building,
    flowers,
    ground,
    ridge,
    sky,
    skyline,
    street_lamp,
    tree,
)

BRICK = ("#c98a6a", "#d9b48c", "#a8a4a8", "#b7705c", "#8fa3b0", "#e0cfae", "#9c8577", "#7f9a8e")


def _houses(stage: Stage, base: float, low: float, high: float) -> None:
    x, pen = uniform(stage.rng, -14, -2), stage.pen(0.08)
    while x < SIZE:
        w = uniform(stage.rng, 20, 38)
        building(stage, pen, x, base, w, uniform(stage.rng, low, high), pick(stage.rng, BRICK))
        if chance(stage.rng, 0.5):
            tone = pick(stage.rng, ("#c8473f", "#3f7f6f", "#e0b04a", "#47618f"))
            pen.poly(
                [
                    (x + 3, base - 12),
                    (x + w - 3, base - 12),
                    (x + w - 1, base - 8),
                    (x + 1, base - 8),
                ],
                tone,
            )
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
    pen.wash(base - 0.5, base + 16, ("#a5a2a0", "#c2bdb6"))
    for k in range(11):
        x = 64 + (k - 5) * 14
        pen.line([(x, base), (64 + (x - 64) * 1.2, base + 15)], "#8f8b88", 0.5)
    pen.rect(0, base + 15, SIZE, 3, ("#d8d4cc", "#8e8a88"))
    pen.wash(base + 18, SIZE, ("#6c6d74", "#4e4f58"))
    for k in range(6):
        x = -20 + 32 * k + uniform(rng, -2, 2)
        pen.poly([(x, 107), (x + 16, 107), (x + 17, 109.5), (x - 0.5, 109.5)], "#f2e9c8")
    if chance(rng, 0.5):
        tree(
            stage.pen(),
            rng,
            uniform(rng, 10, 118),
            base + 9,
            uniform(rng, 28, 40),
            pick(rng, GREENS),
        )
    for k in range(2):
        street_lamp(stage, uniform(rng, 6, 50) + 62 * k, base + 12, uniform(rng, 46, 58), k == 1)
    return Layout(base - 8, (base + 12, 122), {"road": (base + 24, 120), "sky": (8, 34)})


@setting(
    "wet pavement", "rain, pale yellow, pale yellow, night, dusk", False,
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
    stone = (tone, darker(tone, 0.2), darker(tone, 0.35))
    mirror = [mix(pen.flat(s), c, 0.34) for s, c in zip(stone, stage.light.sky[::-1], strict=True)]
    pen.wash(base, SIZE, mirror, lit=True)
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
    return Layout(
        base - 8, (base + 8, 121), {"road": (base + 14, 118), "sky": (8, 28)}, ("ground", "road")
    )


@setting(
    "park", "day, dusk, night, rain, pale yellow", False,
    "in a park, in a city park, on the grass in a park, beside a path in the park",
    "park, city park, green park",
)  # fmt: skip
def park(stage: Stage) -> Layout:
    rng, base = stage.rng, uniform(stage.rng, 60, 70)
    sky(stage, base)
    skyline(stage, base, 34, 0.6)
    crowns = stage.pen(0.3)
    for k in range(11):
        x, r = 13 * k + uniform(rng, -4, 4), uniform(rng, 6, 12)
        crowns.circle(x, base - 0.3 * r, r, pick(rng, GREENS), ball=True)
    ground(stage, base, pick(rng, ("#7fb953", "#6faf58", "#8fc05a")), 0.15)
    pen, bend = stage.pen(), uniform(rng, 20, 108)
    pen.blob([(bend - 2, base + 1), (bend + 3, base + 1), (bend - 16, 92), (112, 134), (20, 134),
              (bend - 34, 92)], ("#d8c4a0", "#ead9b8"))  # fmt: skip
    for k in range(int(uniform(rng, 1, 4))):
        x = pick(rng, (uniform(rng, 2, 34), uniform(rng, 94, 126)))
        tree(stage.pen(), rng, x, base + 6 + 5 * k, uniform(rng, 34, 54), pick(rng, GREENS))
    street_lamp(stage, uniform(rng, 18, 110), base + 10, uniform(rng, 36, 46), chance(rng, 0.5))
    flowers(
        stage.pen(),
        rng,
        int(uniform(rng, 0, 20)),
        (0, base + 18, SIZE, 124),
        ("#ffffff", "#ffd43b"),
        1.5,
    )
    return Layout(base - 5, (base + 8, 121), {"sky": (8, 32)})


@setting(
    "harbor", "day, dusk, night, rain", False,
    "in a harbor, by the harbor, on the water by a small town, at the waterfront",
    "harbor, small harbor, waterfront",
)  # fmt: skip
def harbor(stage: Stage) -> Layout:
    rng, base = stage.rng, uniform(stage.rng, 52, 60)
    sky(stage, base - 6)
    ridge(stage, base, 26, "#6f8f86", 0.55)
    x, pen = -4.0, stage.pen(0.2)
    while x < SIZE:
        w, h = uniform(rng, 11, 18), uniform(rng, 14, 27)
        tone = pick(rng, ("#d8664f", "#e8b65a", "#7fa8c4", "#efe2cc", "#c98a9a", "#8fb08a"))
        building(stage, pen, x, base, w, h, tone)
        pen.poly([(x - 1, base - h), (x + w + 1, base - h), (x + w / 2, base - h - 7)], "#a4503f")
        x += w
    sea = stage.pen()
    near, far = sea.flat("#2f7fa6"), mix(sea.flat("#3d93b5"), stage.light.sky[2], 0.5)
    sea.wash(base, SIZE, (far, near, sea.flat("#1f5f88")), lit=True)
    for _ in range(34):
        y = uniform(rng, base + 3, 126)
        w, x = 0.14 * (y - base) + 2, uniform(rng, 0, SIZE)
        shine = lighter(stage.light.sky[2], 0.35)
        sea.line([(x - w, y), (x, y - 0.6), (x + w, y)], shine, 0.7, lit=True, opacity=0.5)
    if stage.light.lamps:
        for _ in range(7):
            stage.pen().fade(
                uniform(rng, 4, 124), base + 1, 2, uniform(rng, 14, 30), "#ffd98a", 0.6, 0.0
            )
    pier = stage.pen()
    pier.rect(0, 110, SIZE, 18, ("#a98860", "#7a5c3e"))
    for k in range(14):
        pier.line([(10 * k, 110), (10 * k - 2, 128)], "#5f4630", 0.7)
    for x in (uniform(rng, 6, 40), uniform(rng, 84, 122)):
        pier.rect(x, 101, 5, 12, "#5f4630", r=1.5)
    return Layout(
        base - 6,
        (115, 124),
        {"water": (base + 8, 102), "road": (116, 124), "sky": (6, 28)},
        ("water",),
    )


@setting(
    "railway", "day, dusk, night, rain", False,
    "on the railway tracks, at a small country station, beside the tracks, along the railway",
    "railway station, country railway, railway",
)  # fmt: skip
def railway(stage: Stage) -> Layout:
    rng, base = stage.rng, uniform(stage.rng, 58, 66)
    sky(stage, base)
    ridge(stage, base, 20, "#7f9f86", 0.5)
    for _ in range(int(uniform(rng, 2, 6))):
        tree(
            stage.pen(0.25),
            rng,
            uniform(rng, 0, SIZE),
            base + 4,
            uniform(rng, 14, 26),
            pick(rng, GREENS),
        )
    ground(stage, base + 2, "#8fae62", 0.2)
    pen = stage.pen()
    pen.wash(92, 108, ("#8d8178", "#75695f"))
    for k in range(17):
        pen.poly(
            [(8 * k, 94), (8 * k + 3.4, 94), (8 * k + 2.6, 106), (8 * k - 1.2, 106)], "#5a4334"
        )
    for y in (95.5, 104):
        pen.rect(0, y, SIZE, 1.5, ("#e2e6ea", "#7c828a"))
    pen.rect(0, 110, SIZE, 2.4, "#f1e6b8")
    pen.wash(112, SIZE, ("#c4bbae", "#a39a8e"))
    if chance(rng, 0.6):
        street_lamp(stage, uniform(rng, 8, 120), 92, 40, chance(rng, 0.5))
    return Layout(base - 6, (116, 124), {"track": (105, 105.5), "sky": (8, 30)})


@setting(
    "skyline", "day, dusk, night, rain", False,
    "high above the city, in the sky over the city, above the rooftops, in the sky",
    "sky above the city, city skyline, wide sky",
)  # fmt: skip
def city_sky(stage: Stage) -> Layout:
    rng, base = stage.rng, uniform(stage.rng, 106, 122)
    sky(stage, SIZE)
    skyline(stage, base + 6, uniform(rng, 22, 44), 0.45)
    skyline(stage, SIZE + 4, uniform(rng, 12, 28), 0.1, "#4f5a70")
    return Layout(base - 40, (122, 126), {"sky": (34, 74)})
