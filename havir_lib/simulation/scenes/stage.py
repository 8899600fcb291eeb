"""What every backdrop shares: the stage it is drawn on, the sky, trees, buildings, lamps."""

# ruff: noqa: E501  (outlines read best as one row of points)

from __future__ import annotations

import numpy as np

from .drawing import Defs, Pen, chance, darker, lighter, mix, pick, uniform
from .light import Light, grading

SIZE = 128.0
"""Width and height of the picture in drawing units."""
GREENS = ("#5fa04a", "#4c8f4e", "#79ad4e", "#3f8458")
"""Leaf colours."""


class Stage:
    """The picture being built: layers from back to front, all in one light."""

    def __init__(self, light: Light, rng: np.random.Generator) -> None:
        self.light = light
        self.rng = rng
        self.defs = Defs()
        self.layers: list[Pen] = []

    def pen(self, haze: float = 0.0) -> Pen:
        """Start a new layer in front of the others, faded by `haze`."""
        pen = self.sketch(haze)
        self.layers.append(pen)
        return pen

    def sketch(self, haze: float = 0.0, flat_below: float = 30.0) -> Pen:
        """Return a pen of this light that is not (yet) part of the picture."""
        return Pen(self.defs, grading(self.light, haze), flat_below)

    def svg(self) -> str:
        """Return the whole picture."""
        body = "".join(layer.svg() for layer in self.layers)
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 128 128">'
            f"{self.defs.svg()}{body}</svg>"
        )


def sky(stage: Stage, horizon: float) -> None:
    """Draw sky, sun or moon, stars and clouds above `horizon`."""
    pen, rng, light = stage.pen(), stage.rng, stage.light
    pen.wash(0, horizon + 6, light.sky, lit=True)
    x = uniform(rng, 12, 116)
    if light.name == "night":
        for _ in range(int(uniform(rng, 14, 34))):
            star = uniform(rng, 0.3, 0.8)
            pen.circle(uniform(rng, 0, SIZE), uniform(rng, 0, horizon), star, "#f4f2ff", lit=True)
        if chance(rng, 0.6):
            y = uniform(rng, 8, 0.5 * horizon)
            pen.glow(x, y, 24, "#cfd8ff", 0.5)
            pen.circle(x, y, 5, "#f3f0dc", lit=True)
            pen.circle(x + 1.5, y - 1, 1.1, "#d9d5c2", lit=True)
    elif light.name == "dusk":
        y = horizon - uniform(rng, 0, 10)
        pen.glow(x, y, 46, "#fff0b8", 0.9)
        pen.circle(x, y, 6.5, "#fff6d2", lit=True)
    elif light.name == "day" and chance(rng, 0.5):
        y = uniform(rng, 6, 0.4 * horizon)
        pen.glow(x, y, 26, "#fffbe0", 0.95)
        pen.circle(x, y, 4.5, "#fffdf0", lit=True)
    _clouds(stage, horizon)


def _clouds(stage: Stage, horizon: float) -> None:
    rng, light = stage.rng, stage.light
    tone = {
        "day": "#ffffff", "dusk": "#ffb9a0", "night": "#2c3a70", "rain": "#7f8c99",
        "pale yellow": "#b5a765",
    }.get(light.name, "#ffffff")  # fmt: skip
    pen = stage.pen()
    count = int(uniform(rng, 3, 6)) if light.name == "rain" else int(uniform(rng, 0, 4))
    for _ in range(count):
        x, y = uniform(rng, -10, 125), uniform(rng, 4, 0.75 * horizon)
        w = uniform(rng, 8, 18) * (1.6 if light.name == "rain" else 1)
        # flat colours: clouds are large, and large translucent gradients are slow to render
        for dx, dy, r, shade in (
            (-0.8, 0.1, 0.5, 0.1), (0.75, 0.08, 0.52, 0.1), (0, -0.12, 0.62, 0.24), (0.1, 0.2, 0.9, 0.0),
        ):  # fmt: skip
            ry = 0.42 * r * w * (0.55 if r > 0.8 else 1)
            puff = lighter(tone, shade)
            pen.ellipse(x + dx * w, y + dy * w, r * w, ry, puff, lit=True, flat=True, opacity=0.75)


def ridge(
    stage: Stage, base: float, height: float, colour: str, haze: float, steps: int = 6
) -> None:
    """Draw one line of rolling hills whose tops lie about `height` above `base`."""
    rng = stage.rng
    points = [(-20.0, base + 40), (-20.0, base - 0.3 * height)]
    for k in range(steps + 1):
        points.append((k * SIZE / steps, base - height * uniform(rng, 0.25, 1.0)))
    points += [(148.0, base - 0.3 * height), (148.0, base + 40)]
    stage.pen(haze).blob(points, colour)


def ground(stage: Stage, y: float, colour: str, haze: float = 0.35) -> None:
    """Fill from `y` to the bottom, fading into haze towards the horizon."""
    pen = stage.pen()
    far = mix(pen.flat(lighter(colour, 0.12)), stage.light.haze, haze)
    pen.wash(y, SIZE, (far, pen.flat(colour), pen.flat(darker(colour, 0.2))), lit=True)


def tree(pen: Pen, rng: np.random.Generator, x: float, y: float, h: float, colour: str) -> None:
    """Draw a round-crowned tree with its foot at (x, y)."""
    pen.shadow(x, y, 0.4 * h, 0.07 * h, 0.35)
    pen.poly([(x - 0.05 * h, y), (x + 0.05 * h, y), (x + 0.03 * h, y - 0.5 * h),
              (x - 0.03 * h, y - 0.5 * h)], "#6b4a34")  # fmt: skip
    for dx, dy, r in ((-0.2, 0.5, 0.2), (0.2, 0.52, 0.21), (-0.1, 0.74, 0.22), (0.13, 0.76, 0.2),
                      (0, 0.6, 0.26)):  # fmt: skip
        jig = uniform(rng, 0.88, 1.12)
        shade = (lighter(colour, 0.22), darker(colour, 0.28))
        pen.circle(x + dx * h, y - dy * h, r * h * jig, shade, ball=True)


def pine(pen: Pen, x: float, y: float, h: float, colour: str, snow: bool = False) -> None:
    """Draw a conifer with its foot at (x, y)."""
    pen.rect(x - 0.04 * h, y - 0.16 * h, 0.08 * h, 0.16 * h, "#5d4030")
    for k, w in enumerate((0.3, 0.24, 0.16)):
        top, low = y - h * (0.55 + 0.22 * k), y - h * (0.12 + 0.24 * k)
        pen.poly([(x, top), (x + w * h, low), (x - w * h, low)], colour)
        if snow:
            mid = low - 0.45 * (low - top)
            pen.poly([(x, top), (x + 0.55 * w * h, mid), (x, mid - 0.04 * h),
                      (x - 0.55 * w * h, mid)], "#f4f7fb")  # fmt: skip


def building(stage: Stage, pen: Pen, x: float, base: float, w: float, h: float, tone: str) -> None:
    """Draw a house front with windows, some lit when lamps are on."""
    rng, lamps = stage.rng, stage.light.lamps
    pen.rect(x, base - h, w, h, tone)
    pen.rect(x - 0.6, base - h - 1.6, w + 1.2, 2.4, darker(tone, 0.3))
    columns, rows = max(2, int(w / 7)), max(2, int(h / 11))
    for r in range(rows):
        for c in range(columns):
            wx = x + (c + 0.5) * w / columns - 1.7
            wy = base - h + 3 + r * (h - 6) / rows
            if lamps and chance(rng, 0.45):
                pen.rect(wx, wy, 3.4, 5, pick(rng, ("#ffd98a", "#ffca66", "#ffe7b0")), lit=True)
            else:
                pen.rect(wx, wy, 3.4, 5, pick(rng, ("#9fc0d3", "#86a6bb")), flat=True)


def skyline(stage: Stage, base: float, height: float, haze: float, tone: str = "#6d7688") -> None:
    """Draw a row of distant towers."""
    rng, pen = stage.rng, stage.pen(haze)
    x = -6.0
    while x < SIZE:
        w, h = uniform(rng, 7, 16), height * uniform(rng, 0.4, 1.0)
        pen.rect(x, base - h, w, h + 2, tone, depth=0.6)
        if chance(rng, 0.25):
            pen.rect(x + w / 2 - 0.4, base - h - 6, 0.8, 6, tone)
        for _ in range(int(w * h / 45)):
            wx, wy = x + uniform(rng, 1, w - 2), base - uniform(rng, 2, h - 1)
            if stage.light.lamps:
                pen.rect(wx, wy, 1.1, 1.4, "#ffdc94", lit=True, opacity=0.85)
            else:
                pen.rect(wx, wy, 1.1, 1.6, lighter(tone, 0.35), flat=True)
        x += w + uniform(rng, -1, 2)


def street_lamp(stage: Stage, x: float, y: float, h: float, flip: bool = False) -> None:
    """Draw a street lamp with its foot at (x, y); it shines when lamps are on."""
    pen, m = stage.pen(), -1 if flip else 1
    pen.line([(x, y), (x, y - 0.92 * h), (x + m * 2, y - h), (x + m * 9, y - h)], "#3c424c", 1.5)
    hx, hy = x + m * 9, y - h + 1
    pen.poly(
        [(hx - 3.5, hy + 1.4), (hx + 3.5, hy + 1.4), (hx + 2, hy - 1.4), (hx - 2, hy - 1.4)],
        "#3c424c",
    )
    if stage.light.lamps:
        pen.glow(hx, hy + 2, 26, "#ffdf8e", 0.85)
        pen.ellipse(hx, hy + 1.8, 2.6, 1.3, "#fff8dc", lit=True)
        pen.glow(hx, y + 2, 20, "#ffd98a", 0.22)


def flowers(
    pen: Pen, rng: np.random.Generator, count: int, area: tuple[float, float, float, float],
    colours: tuple[str, ...], size: float,
) -> None:  # fmt: skip
    """Scatter blossoms over area (x0, y0, x1, y1), larger towards its lower edge."""
    x0, y0, x1, y1 = area
    for y in sorted(uniform(rng, y0, y1) for _ in range(count)):
        x, r = uniform(rng, x0, x1), size * (0.35 + 0.65 * (y - y0) / (y1 - y0))
        colour = pick(rng, colours)
        if r > 1.5:
            pen.line([(x, y), (x + uniform(rng, -r, r), y + 2.5 * r)], "#4a8a42", 0.3 * r)
            for k in range(5):
                angle = 2 * np.pi * k / 5 + x
                px, py = x + 0.6 * r * np.cos(angle), y + 0.6 * r * np.sin(angle)
                pen.circle(px, py, 0.58 * r, colour)
            pen.circle(x, y, 0.4 * r, "#ffe08a", flat=True)
        else:
            pen.circle(x, y, r, colour, flat=True)


def window(stage: Stage, x: float, y: float, w: float, h: float, curtain: str) -> None:
    """Draw an indoor window showing the sky, with curtains."""
    pen, rng = stage.pen(), stage.rng
    pen.rect(x - 2, y - 2, w + 4, h + 4, "#efe8da")
    pen.rect(x, y, w, h, stage.light.sky, lit=True)
    if stage.light.name in ("day", "dusk"):
        pen.ellipse(x + 0.3 * w, y + 0.97 * h, 0.5 * w, 0.24 * h, "#6fae62", flat=True)
        pen.rect(x, y + h, w, 2, "#efe8da")
    elif stage.light.name == "night":
        pen.circle(x + 0.68 * w, y + 0.26 * h, 2.6, "#f3f0dc", lit=True)
    pen.rect(x + w / 2 - 0.7, y, 1.4, h, "#efe8da")
    pen.rect(x, y + h / 2 - 0.6, w, 1.2, "#efe8da")
    drop = uniform(rng, 4, 9)
    for m, cx in ((-1, x - 1), (1, x + w + 1)):
        pen.poly([(cx - m * 5, y - 4), (cx + m * 4, y - 4), (cx + m * 5, y + h + drop),
                  (cx - m * 1, y + h + drop), (cx - m * 2.5, y + 0.6 * h)], curtain)  # fmt: skip
    pen.rect(x - 8, y - 5.4, w + 16, 1.6, "#7a5a42", r=0.8)
