"""Outdoor backdrops."""

# ruff: noqa: E501  (outlines read best as one row of points)

from __future__ import annotations

from .drawing import chance, darker, lighter, mix, pick, uniform
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
        tree(
            stage.pen(0.3),
            rng,
            uniform(rng, 4, 124),
            base + 3,
            uniform(rng, 12, 22),
            pick(rng, GREENS),
        )
    if chance(rng, 0.4):
        pen, y = stage.pen(), base + 10
        for k in range(10):
            pen.rect(k * 14 - 2, y - 9, 2, 11, "#b99b78")
        for dy in (-7, -3):
            pen.line([(-4, y + dy), (132, y + dy + 0.6)], "#c7aa86", 1.3)
    tones = pick(
        rng,
        (
            ("#ffffff", "#ffe066"),
            ("#f06595", "#fbc2d6"),
            ("#b197fc", "#ffffff"),
            ("#ff6b6b", "#ffd43b"),
        ),
    )
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
    far = mix(pen.flat("#2f86b8"), stage.light.sky[2], 0.5)
    pen.wash(base, shore + 12, (far, pen.flat("#3a9cc0"), pen.flat("#9be0dc")), lit=True)
    for _ in range(14):
        y = uniform(rng, base + 2, shore)
        w, x = 0.2 * (y - base) + 3, uniform(rng, 0, SIZE)
        pen.line(
            [(x - w, y), (x, y - 0.5), (x + w, y)],
            lighter(stage.light.sky[2], 0.5),
            0.6,
            lit=True,
            opacity=0.6,
        )
    wave = [(x, shore + 3 * uniform(rng, -0.5, 0.5)) for x in range(-16, 150, 16)]
    pen.blob([(-30, 150), *[(x, y - 2) for x, y in wave], (160, 150)], "#f4fbfb", flat=True)
    pen.blob(
        [(-30, 160), *[(x, y + 1.5) for x, y in wave], (160, 160)],
        ("#e8cf9c", "#f0dbac", "#d9ba82"),
    )
    for _ in range(16):
        y = uniform(rng, shore + 8, 127)
        pen.ellipse(
            uniform(rng, 0, SIZE),
            y,
            1.2,
            0.6,
            pick(rng, ("#c9a878", "#fff4dc", "#f2b8a2")),
            flat=True,
        )
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
        grass.line(
            [(x, y), (x + uniform(rng, -1, 1), y - h)],
            pick(rng, ("#b8923e", "#e6cc84", "#a78a44")),
            0.7,
        )
    return Layout(base - 4, (base + 6, 121), {"sky": (8, 40)})


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
    "garden", "day, dusk, rain, night", False,
    "in a garden full of pink flowers, among pink flowers, in front of pink flowers, in a flower garden",
    "garden with pink flowers, flower garden, blooming garden",
)  # fmt: skip
def garden(stage: Stage) -> Layout:
    rng, base = stage.rng, uniform(stage.rng, 58, 70)
    sky(stage, base)
    hedge = stage.pen(0.12)
    for k in range(12):
        x, r = 12 * k + uniform(rng, -3, 3), uniform(rng, 11, 17)
        hedge.circle(x, base - 2, r, pick(rng, GREENS), ball=True)
    if chance(rng, 0.5):
        fence = stage.pen()
        for k in range(13):
            x = 10.4 * k
            fence.poly(
                [
                    (x, base + 6),
                    (x, base - 12),
                    (x + 3, base - 16),
                    (x + 6, base - 12),
                    (x + 6, base + 6),
                ],
                "#f6f1e6",
            )
        fence.rect(0, base - 8, SIZE, 2.6, "#efe8da")
    ground(stage, base + 3, pick(rng, ("#74b350", "#66a856")), 0.05)
    flowers(
        stage.pen(), rng, int(uniform(rng, 50, 80)), (0, base - 12, SIZE, base + 12), BLOSSOM, 2.6
    )
    flowers(stage.pen(), rng, int(uniform(rng, 16, 34)), (0, base + 14, SIZE, 128), BLOSSOM, 3.6)
    return Layout(base - 8, (base + 12, 121), {"sky": (8, 30)})


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
    "mountains", "day, dusk, night, rain", False,
    "in the mountains, in a mountain valley, in front of snowy mountains, near high mountains",
    "mountain valley, mountain landscape, valley",
)  # fmt: skip
def mountains(stage: Stage) -> Layout:
    rng, base = stage.rng, uniform(stage.rng, 64, 74)
    sky(stage, base)
    for haze, tall in ((0.55, 54), (0.3, 38)):
        pen, x = stage.pen(haze), uniform(rng, -30, -10)
        while x < SIZE:
            w, h = uniform(rng, 46, 74), tall * uniform(rng, 0.6, 1.0)
            top = (x + w * uniform(rng, 0.4, 0.6), base - h)
            pen.poly([(x, base + 2), top, (x + w, base + 2)], "#6f7f96")
            pen.poly([top, (x + w, base + 2), (top[0] + 0.06 * w, base + 2)], "#55647c")
            left, right = (
                (top[0] + 0.3 * (x - top[0]), base - 0.7 * h),
                (top[0] + 0.3 * (x + w - top[0]), base - 0.7 * h),
            )
            pen.poly([top, right, (top[0] + 0.1 * w, base - 0.76 * h), (top[0], base - 0.64 * h),
                      (top[0] - 0.07 * w, base - 0.74 * h), left], "#f6f9fc")  # fmt: skip
            x += w * uniform(rng, 0.5, 0.8)
    ridge(stage, base + 4, 12, "#4f7f5a", 0.15)
    wood = stage.pen(0.12)
    for _ in range(int(uniform(rng, 6, 16))):
        pine(
            wood, uniform(rng, 0, SIZE), base + uniform(rng, 2, 7), uniform(rng, 10, 22), "#3c6b4c"
        )
    ground(stage, base + 5, pick(rng, ("#7fae58", "#8db562", "#6fa05a")), 0.1)
    flowers(
        stage.pen(),
        rng,
        int(uniform(rng, 4, 26)),
        (0, base + 16, SIZE, 126),
        ("#ffffff", "#b197fc", "#ffe066"),
        1.6,
    )
    return Layout(base - 2, (base + 10, 121), {"sky": (8, 34), "road": (base + 16, 120)})


@setting(
    "snow", "day, dusk, night", False,
    "in the snow, in a snowy field, on a snowy winter landscape, on snow covered ground",
    "snowy field, winter landscape, snow covered field",
)  # fmt: skip
def snow(stage: Stage) -> Layout:
    rng, base = stage.rng, uniform(stage.rng, 60, 72)
    sky(stage, base)
    ridge(stage, base, 24, "#b9c9dc", 0.45)
    wood = stage.pen(0.15)
    for _ in range(int(uniform(rng, 6, 15))):
        pine(
            wood,
            uniform(rng, 0, SIZE),
            base + uniform(rng, 1, 8),
            uniform(rng, 14, 34),
            "#41695c",
            True,
        )
    ground(stage, base + 4, "#eef3fa", 0.15)
    pen = stage.pen()
    for _ in range(5):
        y = uniform(rng, base + 12, 126)
        pen.ellipse(
            uniform(rng, 0, SIZE), y, uniform(rng, 12, 30), 2, "#d5e0ee", flat=True, opacity=0.7
        )
    if chance(rng, 0.7):
        for _ in range(60):
            pen.circle(
                uniform(rng, 0, SIZE),
                uniform(rng, 0, SIZE),
                uniform(rng, 0.4, 1.0),
                "#ffffff",
                flat=True,
            )
    return Layout(base - 4, (base + 10, 121), {"sky": (8, 36), "road": (base + 16, 120)})


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
