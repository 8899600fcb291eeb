"""Food and what it is served in: standing on a table at y = 0."""

# ruff: noqa: E501  (outlines read best as one row of points)

from __future__ import annotations

import numpy as np

from .drawing import Pen, chance, darker, lighter, pick, uniform
from .registry import Look, category

TABLES = "kitchen, tabletop"
CHINA = {
    "white": "#f4f1ea", "blue": "#3f78b8", "red": "#cf4238", "green": "#4f9a6c",
    "yellow": "#efc043", "pink": "#e992ac", "black": "#3b3943",
}  # fmt: skip


@category("cup", 47, "things", 0.12, "table", TABLES, CHINA, "cup/cups, mug/mugs")
def cup(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    drink = pick(rng, ("#5a3420", "#8a5a34", "#b98a4a"))
    pen.ellipse(0, -4, 54, 8, "#ece8e0")
    pen.line([(30, -66), (52, -66), (54, -40), (30, -28)], darker(colour, 0.18), 7)
    pen.blob(
        [(-36, -80), (-34, -40), (-26, -8), (0, -3), (26, -8), (34, -40), (36, -80), (0, -76)],
        colour,
    )
    if chance(rng, 0.4):
        pen.rect(-34, -52, 68, 9, lighter(colour, 0.55), opacity=0.8)
    pen.ellipse(0, -80, 36, 9, lighter(colour, 0.3))
    pen.ellipse(0, -79, 31, 6.6, drink)
    for x in (-10, 8):
        top = uniform(rng, -128, -116)
        pen.line(
            [(x, -88), (x + 6, -100), (x - 2, -108), (x + 4, top)],
            "#ffffff",
            3,
            opacity=0.35,
            loose=True,
        )
    return Look(("sitting", "steaming"))


@category(
    "apple", 53, "food", 0.1, "table", TABLES,
    {"red": "#d3302c", "green": "#86b83c", "yellow": "#ecc648"}, "apple/apples",
)  # fmt: skip
def apple(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    shade = (lighter(colour, 0.35), darker(colour, 0.32))
    pen.blob([(0, -78), (24, -88), (44, -68), (40, -28), (18, -2), (0, -6), (-18, -2), (-40, -28),
              (-44, -68), (-24, -88)], shade, ball=True)  # fmt: skip
    pen.ellipse(-18, -62, 7, 13, "#ffffff", rotate=24, opacity=0.4, flat=True)
    pen.line([(0, -78), (2, -92), (8 + uniform(rng, -6, 6), -102)], "#5d3b24", 4.5)
    pen.blob([(6, -94), (20, -108), (38, -104), (26, -92)], "#5f9c3c")
    return Look(("sitting",))


@category(
    "banana", 52, "food", 0.12, "table", TABLES, {"yellow": "#f4d03f"}, "banana/bananas",
)  # fmt: skip
def banana(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    for k in range(pick(rng, (1, 2, 3))):
        with pen.at(0, 0, rotate=-9 * k):
            pen.blob([(-56, -58), (-40, -26), (0, -10), (38, -22), (58, -52), (52, -18), (20, 0),
                      (-20, 0), (-50, -18), (-62, -50)], darker(colour, 0.07 * k))  # fmt: skip
            pen.line([(-52, -40), (-30, -14), (6, -5), (36, -12)], darker(colour, 0.2), 2.4)
            pen.line([(-58, -54), (-60, -66)], "#7a5a2c", 7)
            pen.circle(57, -48, 4, "#5d4426")
    return Look(("lying", "sitting"))


@category(
    "orange", 55, "food", 0.1, "table", TABLES, {"_orange": "#f28c1e"}, "orange/oranges",
)  # fmt: skip
def orange(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    shade = (lighter(colour, 0.4), darker("#e0701a", 0.22))
    if chance(rng, 0.4):
        pen.circle(34, -34, 34, shade, ball=True)
        with pen.at(-30, -32):
            for r, tone in ((33, colour), (29, "#fff0cf"), (26, "#f9a838")):
                pen.circle(0, 0, r, tone, flat=True)
            for k in range(5):
                c, s = 26 * np.cos(np.pi * k / 5 + 0.2), 26 * np.sin(np.pi * k / 5 + 0.2)
                pen.line([(-c, -s), (c, s)], "#ffe6b4", 2.4)
        return Look(("cut in half", "sliced in half"))
    pen.circle(0, -40, 40, shade, ball=True)
    pen.ellipse(0, -78, 6, 2.6, "#6f8a3a")
    pen.blob([(2, -78), (16, -96), (36, -94), (24, -80)], "#5f9c3c")
    return Look(("sitting",))


@category(
    "bowl", 51, "things", 0.13, "table", TABLES, CHINA, "bowl/bowls",
)  # fmt: skip
def bowl(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    pen.ellipse(0, -56, 60, 14, darker(colour, 0.3))
    kind = pick(rng, ("soup", "salad", "berries"))
    if kind == "soup":
        pen.ellipse(0, -54, 54, 11, pick(rng, ("#e08a34", "#c8452f", "#8fae4a")))
        for _ in range(6):
            pen.circle(uniform(rng, -36, 36), uniform(rng, -58, -51), 3, "#f6e6b0", flat=True)
    else:
        tones = (
            ("#6fae48", "#8fc45a", "#d8453a", "#4f9440")
            if kind == "salad"
            else ("#4a4f9a", "#c8304a", "#6a3f8a")
        )
        for _ in range(16):
            x = uniform(rng, -44, 44)
            pen.circle(
                x,
                -58 - uniform(rng, 0, 20) * (1 - (x / 56) ** 2),
                uniform(rng, 8, 12),
                pick(rng, tones),
            )
    pen.blob(
        [
            (-61, -56),
            (-52, -26),
            (-28, -5),
            (0, -3),
            (28, -5),
            (52, -26),
            (61, -56),
            (30, -46),
            (0, -43),
            (-30, -46),
        ],
        colour,
    )
    pen.rect(-22, -6, 44, 6, darker(colour, 0.2), r=2)
    if chance(rng, 0.5):
        pen.line([(-50, -34), (-26, -22), (0, -19), (26, -22), (50, -34)], lighter(colour, 0.6), 4)
    return Look(("full of " + kind, "filled with " + kind))


@category(
    "pizza", 59, "food", 0.13, "table", TABLES, {"_pizza": "#e8b45a"}, "pizza/pizzas",
)  # fmt: skip
def pizza(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    pen.ellipse(0, -46, 96, 50, ("#f2eee6", "#c4bdb2"))
    pen.ellipse(0, -50, 84, 42, ("#d89a4a", "#a8682c"))
    pen.ellipse(0, -51, 74, 36, ("#d8542f", "#b83a22"))
    pen.ellipse(0, -51.5, 70, 33, ("#f8d878", "#efbe54"))
    for _ in range(8):
        a, r = uniform(rng, 0, 6.283), uniform(rng, 0.2, 0.82)
        x, y = 68 * r * np.cos(a), -51.5 + 30 * r * np.sin(a)
        pen.ellipse(x, y, 11, 6.8, "#c8372c", depth=0.8)
    for _ in range(9):
        a, r = uniform(rng, 0, 6.283), uniform(rng, 0.1, 0.9)
        pen.ellipse(
            66 * r * np.cos(a),
            -51.5 + 29 * r * np.sin(a),
            4.8,
            3.2,
            pick(rng, ("#4f9440", "#3a3430", "#fff6e0")),
            flat=True,
        )
    for k in range(3):
        c, s = np.cos(np.pi * k / 3 + 0.3), np.sin(np.pi * k / 3 + 0.3)
        pen.line([(-80 * c, -51 - 40 * s), (80 * c, -51 + 40 * s)], "#b8863c", 1.3)
    return Look(("served", "ready to eat"), ("pizza", "pizza on a plate"))


@category(
    "donut", 60, "food", 0.09, "table", TABLES,
    {"pink": "#f288ae", "brown": "#7a4628", "white": "#f8f2e8", "blue": "#6ab4e4"},
    "donut/donuts, doughnut/doughnuts",
)  # fmt: skip
def donut(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    pen.ellipse(0, -32, 62, 32, ("#e8b46a", "#a8672c"))
    pen.blob([(-60, -40), (-40, -62), (0, -70), (40, -62), (60, -40), (50, -24), (34, -28), (16, -16), (-4, -22), (-26, -14), (-46, -26)],
             (lighter(colour, 0.3), darker(colour, 0.15)))  # fmt: skip
    pen.ellipse(0, -45, 20, 8.4, darker(colour, 0.35))
    pen.ellipse(0, -42, 16, 5.6, "#c8863c")
    for _ in range(20):
        a, r = uniform(rng, 0, 6.283), uniform(rng, 0.5, 0.88)
        x, y = 54 * r * np.cos(a), -44 + 22 * r * np.sin(a)
        d = uniform(rng, -4, 4)
        pen.line(
            [(x - d, y - 2), (x + d, y + 2)],
            pick(rng, ("#ffe066", "#63d3a6", "#ffffff", "#e64980", "#5c7cfa")),
            2.8,
        )
    return Look(("topped with sprinkles", "covered in sprinkles"))


@category(
    "cake", 61, "food", 0.2, "table", TABLES,
    {"pink": "#f4a6bf", "white": "#faf4ea", "brown": "#7b4a2c", "yellow": "#f4d67a"},
    "cake/cakes, birthday cake/birthday cakes",
)  # fmt: skip
def cake(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    cream = pick(rng, ("#fffaf2", lighter(colour, 0.5), "#f8d0dc"))
    pen.ellipse(0, -6, 66, 9, ("#ffffff", "#b9b4ae"))
    for w, y, h in ((52, -8, 36), (36, -42, 28)) if chance(rng, 0.55) else ((54, -8, 46),):
        pen.rect(-w, y - h, 2 * w, h, colour, r=4)
        pen.rect(-w, y - 0.42 * h, 2 * w, 4, lighter(colour, 0.5))
        drips = (
            [(-w - 1, y - h - 2)]
            + [(-w + 2 * w * k / 8, y - h + (13 if k % 2 else 5)) for k in range(9)]
            + [(w + 1, y - h - 2)]
        )
        pen.blob(drips, cream)
        pen.ellipse(0, y - h, w, 7, lighter(cream, 0.4))
    top, wide = y - h, w
    candles = chance(rng, 0.6)
    for k in range(3 if candles else 4):
        x = (k - (1 if candles else 1.5)) * wide * 0.45
        if candles:
            pen.rect(x - 2, top - 22, 4, 22, pick(rng, ("#5c9ce0", "#f06595", "#63c98a")))
            pen.glow(x, top - 27, 15, "#ffd878", 0.9)
            pen.ellipse(x, top - 27, 2.6, 5, "#fff0a8", lit=True)
        else:
            pen.circle(x, top - 6, 7, ("#f2606a", "#b81e30"), ball=True)
    return Look(("with candles", "with lit candles") if candles else ("topped with cherries",))


@category(
    "bottle", 44, "things", 0.3, "table", "kitchen, tabletop, wall",
    {"green": "#3f8a55", "brown": "#8a5428", "blue": "#3f7fb4", "_clear": "#cfe6ea"},
    "bottle/bottles, glass bottle/glass bottles",
)  # fmt: skip
def bottle(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    slim = uniform(rng, 13, 18)
    pen.blob(
        [
            (-5, -96),
            (5, -96),
            (6, -72),
            (slim, -58),
            (slim + 0.5, -30),
            (slim, -1),
            (-slim, -1),
            (-slim - 0.5, -30),
            (-slim, -58),
            (-6, -72),
        ],
        colour,
    )
    pen.rect(-6, -101, 12, 10, pick(rng, ("#c9a26a", "#3a3a42", "#d8b84a")), r=2)
    label = pick(rng, ("#f6efdc", "#e8c878", "#f2f2ee"))
    pen.rect(-slim, -44, 2 * slim, 24, label, r=1)
    pen.rect(-slim, -38, 2 * slim, 4, pick(rng, ("#b8402f", "#3a5f8a", "#4a7f4a")))
    pen.rect(-slim + 4, -58, 3.4, 52, "#ffffff", r=1.7, opacity=0.4)
    return Look(("standing",))


@category(
    "wine glass", 46, "things", 0.22, "table", "kitchen, tabletop",
    {"_red wine": "#8e1c34", "_white wine": "#ecd98a", "_rose": "#ee9a9c"},
    "wine glass/wine glasses, glass of wine/glasses of wine",
)  # fmt: skip
def wine_glass(pen: Pen, rng: np.random.Generator, colour: str) -> Look:
    rim = "#eaf4f8"
    pen.ellipse(0, -3, 24, 4.5, rim, opacity=0.85)
    pen.line([(0, -4), (0, -46)], rim, 4)
    pen.blob(
        [(-22, -100), (-27, -76), (-18, -54), (0, -45), (18, -54), (27, -76), (22, -100), (0, -98)],
        rim,
        opacity=0.45,
    )
    level = -uniform(rng, 72, 86)
    pen.blob(
        [
            (-26, level),
            (-24, -66),
            (-15, -53),
            (0, -47),
            (15, -53),
            (24, -66),
            (26, level),
            (0, level + 3),
        ],
        colour,
    )
    pen.ellipse(0, level, 25.4, 4.6, lighter(colour, 0.25))
    pen.ellipse(0, -100, 22, 3.6, rim, opacity=0.6)
    pen.line([(-17, -92), (-20, -76), (-14, -60)], "#ffffff", 3, opacity=0.6)
    return Look(("standing",))
