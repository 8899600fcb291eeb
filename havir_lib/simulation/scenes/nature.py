"""Backdrops of the country: meadow, garden, beach, savanna, mountains, snow."""

# ruff: noqa: E501  (outlines read best as one row of points)

from __future__ import annotations

from .drawing import chance, lighter, mix, pick, uniform
from .registry import Layout, setting
from .stage import (
    GREENS,
    SIZE,
    Stage,
    flowers,
    ground,
    pine,
    ridge,
    sky,
    tree,
)

BLOSSOM = ("#f48fb1", "#f06595", "#fbc2d6", "#e64980")
PALM_LEAVES = ((1, 0.2), (0.8, -0.5), (0.3, -0.9), (-0.4, -0.9), (-0.9, -0.4), (-1, 0.3))


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
        for angle in PALM_LEAVES:
            tip = (x + lean + 22 * angle[0], 44 + 14 * angle[1])
            mid = (x + lean + 13 * angle[0], 40 + 7 * angle[1])
            palm.line([(x + lean, 44), mid, tip], pick(rng, GREENS), 2.8)
    return Layout(base - 4, (shore + 8, 121), {"water": (base + 6, shore), "sky": (8, 34)})


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
