"""Indoor backdrops."""

# ruff: noqa: E501  (outlines read best as one row of points)

from __future__ import annotations

from .drawing import chance, darker, lighter, pick, uniform
from .registry import Layout, setting
from .stage import SIZE, Stage, window

WALLS = ("#d9cdb8", "#b9c9c4", "#c9b8c4", "#e3c9a8", "#a9bccb", "#c7cfae", "#d8a99a")
WOOD = ("#b07a48", "#8d5a34", "#c99862", "#a5744e")


def _floor(stage: Stage, y: float, tone: str) -> None:
    pen = stage.pen()
    pen.wash(y, SIZE, (darker(tone, 0.2), tone))
    for k in range(-7, 8):
        x = 64 + 11 * k
        pen.line([(x, y), (64 + (x - 64) * 2.1, SIZE)], darker(tone, 0.3), 0.5)
    pen.rect(0, y - 3, SIZE, 3.4, "#efe6d6")


def _lamp(stage: Stage, x: float, y: float, h: float) -> None:
    """Floor lamp with a shade, shining when lamps are on."""
    pen = stage.pen()
    pen.line([(x, y), (x, y - h)], "#4c3a34", 1.4)
    pen.ellipse(x, y, 5, 1.4, "#4c3a34")
    shade = [(x - 7, y - h + 6), (x + 7, y - h + 6), (x + 4, y - h - 5), (x - 4, y - h - 5)]
    red = stage.light.name == "dark red"
    if stage.light.lamps:
        glow = "#ff4a3a" if red else "#ffd48a"
        pen.glow(x, y - h, 40, glow, 0.6)
        pen.poly(shade, ("#ffb0a0", "#ff6a54") if red else ("#fff1c8", "#ffd083"), lit=True)
    else:
        pen.poly(shade, "#e8d8b8")


@setting(
    "living room", "day, warm lamp, dark red, night", True,
    "in a living room, in a cozy living room, on the floor of a living room, inside a house",
    "living room, room, sitting room",
)  # fmt: skip
def living_room(stage: Stage) -> Layout:
    rng, floor = stage.rng, uniform(stage.rng, 76, 86)
    wall, pen = pick(rng, WALLS), stage.pen()
    pen.wash(0, floor, (lighter(wall, 0.1), darker(wall, 0.12)))
    if chance(rng, 0.5):
        for k in range(17):
            pen.rect(8 * k, 0, 3, floor, lighter(wall, 0.14), flat=True, opacity=0.6)
    x = pick(rng, (14.0, 78.0))
    window(stage, x, 14, 32, 36, pick(rng, ("#c85a54", "#5f8fa8", "#d9a441", "#6f9a72")))
    px, frame = 132 - x - 34, stage.pen()
    frame.rect(px - 2, 20, 24, 18, "#6b4a34")
    frame.rect(px, 22, 20, 14, (pick(rng, ("#f2b07c", "#9fc7d9", "#e7d58a")), "#5d8a72"))
    _floor(stage, floor, pick(rng, WOOD))
    rug = pick(rng, ("#b8504a", "#4f6f9a", "#d8b56a", "#6a8f7a"))
    pen = stage.pen()
    pen.ellipse(64, 112, 54, 13, rug)
    pen.ellipse(64, 112, 46, 10.4, lighter(rug, 0.3))
    pen.ellipse(64, 112, 42, 9.2, rug)
    _lamp(stage, pick(rng, (8.0, 120.0)), floor + 6, uniform(rng, 44, 56))
    return Layout(floor - 44, (floor + 8, 120), {"wall": (14, 40)})


@setting(
    "kitchen", "day, warm lamp, dark red, night", True,
    "in a kitchen, on a kitchen counter, in a small kitchen, in the kitchen at home",
    "kitchen, small kitchen, kitchen counter",
)  # fmt: skip
def kitchen(stage: Stage) -> Layout:
    rng, top = stage.rng, uniform(stage.rng, 84, 94)
    tile, pen = pick(rng, ("#e6e2d6", "#cfdde0", "#e2d2bd", "#d5e0cc")), stage.pen()
    pen.wash(0, top, (lighter(tile, 0.1), darker(tile, 0.1)))
    for k in range(1, 11):
        pen.line([(0, 10 * k), (SIZE, 10 * k)], darker(tile, 0.18), 0.5)
        for c in range(9):
            x = 16 * c + 8 * (k % 2)
            pen.line([(x, 10 * k - 10), (x, 10 * k)], darker(tile, 0.18), 0.5)
    wood, left = (
        pick(rng, ("#5f8a8b", "#b07a48", "#8a94a8", "#c9664f", "#7f9a68")),
        chance(rng, 0.5),
    )
    for k in range(3):
        x = 2 + 24 * k if left else 54 + 24 * k
        pen.rect(x, 0, 23, 28, wood, r=1)
        pen.rect(x + 3, 3, 17, 22, lighter(wood, 0.12), r=1)
        pen.circle(x + (20 if k % 2 else 3), 20, 1.1, "#f0e0b0")
    window(stage, 84 if left else 14, 10, 28, 34, pick(rng, ("#e0b04a", "#c85a54", "#f1ead8")))
    pen, x = stage.pen(), 36 if left else 90
    pen.line([(x, 0), (x, 34)], "#3c3a40", 0.8)
    pen.poly([(x - 8, 42), (x + 8, 42), (x + 3, 34), (x - 3, 34)], "#3f4a54")
    if stage.light.lamps:
        glow = "#ff4030" if stage.light.name == "dark red" else "#ffd890"
        pen.glow(x, 44, 40, glow, 0.75)
        pen.ellipse(x, 42.5, 5, 1.6, "#fff3d0", lit=True)
    counter = pick(rng, ("#c9a074", "#8d5a3a", "#d8d2c8", "#6a6f78"))
    pen.wash(top, SIZE, (lighter(counter, 0.12), darker(counter, 0.12)))
    pen.rect(0, top, SIZE, 1.2, lighter(counter, 0.4))
    for _ in range(6):
        y = uniform(rng, top + 4, 127)
        pen.line([(0, y), (64, y + uniform(rng, -1, 1)), (SIZE, y)], darker(counter, 0.18), 0.4)
    return Layout(top - 26, (top + 6, 122), {"table": (top + 6, 122), "wall": (30, 54)})


@setting(
    "bedroom", "day, warm lamp, night, dark red", True,
    "in a bedroom, in a cozy bedroom, on the bedroom floor, in a quiet bedroom",
    "bedroom, small bedroom, cozy bedroom",
)  # fmt: skip
def bedroom(stage: Stage) -> Layout:
    rng, floor = stage.rng, uniform(stage.rng, 72, 82)
    wall, pen = pick(rng, ("#b9c4e0", "#e0c4cc", "#c8d8c8", "#d9cfe6", "#f0dfc0")), stage.pen()
    pen.wash(0, floor, (lighter(wall, 0.1), darker(wall, 0.12)))
    if chance(rng, 0.6):
        for _ in range(40):
            pen.circle(
                uniform(rng, 0, SIZE), uniform(rng, 0, floor), 0.9, lighter(wall, 0.4), flat=True
            )
    x = pick(rng, (14.0, 48.0, 84.0))
    window(stage, x, 12, 28, 34, pick(rng, ("#e8a6b4", "#8fa8d8", "#f1ead8", "#a890c8")))
    _floor(stage, floor, pick(rng, WOOD))
    rug = pick(rng, ("#f0e6da", "#c8a0b0", "#8fa8c8"))
    stage.pen().poly([(24, 104), (104, 104), (118, 124), (10, 124)], rug)
    _lamp(stage, 122.0 if x < 60 else 6.0, floor + 4, uniform(rng, 36, 46))
    return Layout(floor - 42, (floor + 8, 120), {"wall": (14, 36)})


@setting(
    "tabletop", "day, warm lamp, dark red, night", True,
    "on a wooden table, on a table, on a rustic table, on top of a table",
    "wooden table, rustic table, table",
)  # fmt: skip
def tabletop(stage: Stage) -> Layout:
    rng, top = stage.rng, uniform(stage.rng, 56, 72)
    wall, pen = (
        pick(rng, ("#7f9a94", "#c9a58a", "#8794b0", "#d8c8a8", "#a8808a", "#5f6f7f")),
        stage.pen(),
    )
    pen.wash(0, top, (lighter(wall, 0.15), darker(wall, 0.2)))
    for _ in range(int(uniform(rng, 4, 10))):
        tone = pick(rng, ("#ffe2b0", "#ffffff", lighter(wall, 0.5)))
        pen.circle(
            uniform(rng, 0, SIZE),
            uniform(rng, 0, top - 6),
            uniform(rng, 3, 8),
            tone,
            flat=True,
            opacity=0.22,
        )
    wood = pick(rng, ("#b07a48", "#8d5a34", "#d0a878", "#6f4a34", "#c98f5c"))
    pen.wash(top, SIZE, (lighter(wood, 0.18), wood, darker(wood, 0.15)))
    for k in range(-6, 7):
        x = 64 + 12 * k
        pen.line([(x, top), (64 + (x - 64) * 2.2, SIZE)], darker(wood, 0.3), 0.6)
    if chance(rng, 0.45):
        cloth = pick(rng, ("#d85a52", "#f2ece0", "#5f86b4", "#e9c46a"))
        pen.poly([(26, top + 4), (102, top + 4), (126, SIZE), (2, SIZE)], cloth)
        for k in range(5):
            f = (k + 0.5) / 5
            pen.line(
                [(26 + 76 * f, top + 4), (2 + 124 * f, SIZE)], lighter(cloth, 0.4), 1.2, opacity=0.6
            )
            y = top + 4 + (SIZE - top - 4) * f
            pen.line(
                [(26 - 24 * f, y), (102 + 24 * f, y)],
                lighter(cloth, 0.4),
                0.8 + 1.2 * f,
                opacity=0.6,
            )
    if stage.light.lamps:
        pen.glow(
            pick(rng, (20.0, 108.0)),
            6,
            44,
            "#ff4030" if stage.light.name == "dark red" else "#ffdc9a",
            0.7,
        )
    return Layout(top - 30, (top + 10, 120), {"table": (top + 10, 120), "wall": (16, 34)})


@setting(
    "wall", "day, warm lamp, dark red, night", True,
    "in front of a textured wall, against a patterned wall, on a shelf by a textured wall, in front of a brick wall",
    "textured wall, patterned wall, brick wall",
)  # fmt: skip
def textured_wall(stage: Stage) -> Layout:
    rng, pen = stage.rng, stage.pen()
    wall, shelf = pick(rng, ("#c06a4e", "#8f9fae", "#d8c49a", "#7fa08a", "#b08fae", "#e0d8cc")), 106
    dark = darker(wall, 0.25)
    pen.wash(0, SIZE, (lighter(wall, 0.12), darker(wall, 0.12)))
    for k in range(14):
        pen.line([(0, 8 * k), (SIZE, 8 * k)], dark, 0.9)
        for c in range(9):
            x = 16 * c + 8 * (k % 2)
            pen.line([(x, 8 * k), (x, 8 * k + 8)], dark, 0.9)
            if chance(rng, 0.25):
                pen.rect(
                    x + 0.5,
                    8 * k + 0.5,
                    15,
                    7,
                    pick(rng, (lighter(wall, 0.15), darker(wall, 0.12))),
                    flat=True,
                )
    board = pick(rng, WOOD)
    pen.rect(0, shelf, SIZE, 22, (lighter(board, 0.2), board))
    pen.rect(0, shelf + 16, SIZE, 6, darker(board, 0.35))
    if stage.light.lamps:
        pen.glow(
            uniform(rng, 30, 98),
            0,
            46,
            "#ff4030" if stage.light.name == "dark red" else "#ffdc9a",
            0.7,
        )
    return Layout(
        shelf - 60, (shelf + 5, shelf + 14), {"table": (shelf + 5, shelf + 14), "wall": (38, 66)}
    )
