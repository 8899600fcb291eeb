"""Drawing primitives: a `Pen` that turns points and colours into SVG and keeps track of bounds.

Every fill is shaded (lighter above, darker below) and every colour passes through the pen's
`grade`, which is how light falls on a scene: no blend modes, no filters, so rendering stays cheap.
Coordinates follow SVG: x to the right, y downwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from math import cos, radians, sin
from typing import TypeVar

import numpy as np

T = TypeVar("T")
RGB = tuple[float, float, float]
Point = tuple[float, float]
Colour = str | tuple[str, ...]
"""A "#rrggbb" string, or several for an explicit gradient from top to bottom."""


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw one float from [low, high)."""
    return low + (high - low) * float(rng.random())


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Draw one of `options`, all equally likely."""
    return options[int(rng.random() * len(options))]


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Return True with the given probability."""
    return bool(rng.random() < probability)


@lru_cache(maxsize=4096)
def parse(colour: str) -> RGB:
    """Turn "#rrggbb" into three floats in [0, 1]."""
    value = int(colour[1:], 16)
    return (value >> 16) / 255, (value >> 8 & 255) / 255, (value & 255) / 255


def to_hex(rgb: RGB) -> str:
    """Turn three floats (clipped to [0, 1]) into "#rrggbb"."""
    r, g, b = (int(255 * min(max(c, 0.0), 1.0) + 0.5) for c in rgb)
    return f"#{r << 16 | g << 8 | b:06x}"


@lru_cache(maxsize=65536)
def mix(first: str, second: str, amount: float) -> str:
    """Blend two colours; `amount` 0 gives the first, 1 the second."""
    (r, g, b), (x, y, z) = parse(first), parse(second)
    return to_hex((r + (x - r) * amount, g + (y - g) * amount, b + (z - b) * amount))


def lighter(colour: str, amount: float = 0.2) -> str:
    """Blend towards white."""
    return mix(colour, "#ffffff", amount)


def darker(colour: str, amount: float = 0.2) -> str:
    """Blend towards a deep violet, which reads as shadow rather than dirt."""
    return mix(colour, "#160e2c", amount)


def curved_path(points: Sequence[Point], closed: bool) -> str:
    """Return SVG path data of a smooth (Catmull-Rom) curve through `points`."""
    n = len(points)
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for i in range(n if closed else n - 1):
        p0 = points[(i - 1) % n] if closed or i > 0 else points[i]
        p1, p2 = points[i], points[(i + 1) % n]
        p3 = points[(i + 2) % n] if closed or i + 2 < n else p2
        parts.append(
            f"C{p1[0] + (p2[0] - p0[0]) / 6:.1f} {p1[1] + (p2[1] - p0[1]) / 6:.1f} "
            f"{p2[0] - (p3[0] - p1[0]) / 6:.1f} {p2[1] - (p3[1] - p1[1]) / 6:.1f} "
            f"{p2[0]:.1f} {p2[1]:.1f}"
        )
    return "".join(parts) + ("Z" if closed else "")


def straight(points: Sequence[Point], closed: bool) -> str:
    """Return SVG path data of straight segments through `points`."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + ("Z" if closed else "")


class Defs:
    """The gradients of one SVG, each stored once."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def add(self, element: str) -> str:
        """Store a gradient (with `{id}` where its name goes) and return its `url(...)`."""
        name = self._ids.setdefault(element, f"g{len(self._ids)}")
        return f"url(#{name})"

    def svg(self) -> str:
        """Return the `<defs>` element."""
        inner = "".join(text.replace("{id}", name) for text, name in self._ids.items())
        return f"<defs>{inner}</defs>"


class Pen:
    """Collect SVG shapes, grading their colours and tracking the box they fill.

    Parameters
    ----------
    defs
        Where gradients go; shared by all pens of a scene.
    grade
        Maps a colour as painted to the colour as lit. Emissive shapes (`lit=True`) skip it.
    flat_below
        Shapes whose box is smaller than this area get one colour: gradients are slow to render.
    """

    def __init__(
        self,
        defs: Defs,
        grade: Callable[[str], str] = lambda colour: colour,
        flat_below: float = 30.0,
    ) -> None:
        self.defs = defs
        self.flat_below = flat_below
        self.grade = grade
        self.parts: list[str] = []
        self._matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
        self._xs: list[float] = []
        self._ys: list[float] = []

    # -- shapes ---------------------------------------------------------------------------

    def blob(self, points: Sequence[Point], colour: Colour, **look) -> None:
        """Fill a smooth closed curve through `points`."""
        self._path(curved_path(points, True), points, colour, look)

    def poly(self, points: Sequence[Point], colour: Colour, **look) -> None:
        """Fill a polygon."""
        self._path(straight(points, True), points, colour, look)

    def line(
        self, points: Sequence[Point], colour: str, width: float, smooth: bool = True, **look
    ) -> None:
        """Stroke an open line with round ends; with `loose=True` it leaves the box alone."""
        data = curved_path(points, False) if smooth and len(points) > 2 else straight(points, False)
        paint = self.flat(colour, look.get("lit", False))
        if not look.get("loose"):
            self._track(points, width / 2)
        self.parts.append(
            f'<path d="{data}" fill="none" stroke="{paint}" stroke-width="{width:.2f}" '
            f'stroke-linecap="{look.get("cap", "round")}" stroke-linejoin="round"'
            f"{_opacity(look, 'stroke')}/>"
        )

    def ellipse(
        self, cx: float, cy: float, rx: float, ry: float, colour: Colour, rotate: float = 0, **look
    ) -> None:
        """Fill an ellipse, optionally rotated by `rotate` degrees."""
        c, s = abs(cos(radians(rotate))), abs(sin(radians(rotate)))
        wide, high = (
            (rx * rx * c * c + ry * ry * s * s) ** 0.5,
            (rx * rx * s * s + ry * ry * c * c) ** 0.5,
        )
        area = self._track([(cx - wide, cy - high), (cx + wide, cy + high)], 0.0)
        turn = f' transform="rotate({rotate:.1f} {cx:.1f} {cy:.1f})"' if rotate else ""
        self.parts.append(
            f'<ellipse cx="{cx:.1f}" cy="{cy:.1f}" rx="{rx:.1f}" ry="{ry:.1f}" '
            f'fill="{self.paint(colour, look, area)}"{turn}{_opacity(look)}/>'
        )

    def circle(self, cx: float, cy: float, r: float, colour: Colour, **look) -> None:
        """Fill a circle."""
        self.ellipse(cx, cy, r, r, colour, **look)

    def ring(self, cx: float, cy: float, r: float, colour: str, width: float) -> None:
        """Stroke a circle."""
        half = r + width / 2
        self._track([(cx - half, cy - half), (cx + half, cy + half), (cx - half, cy + half)], 0.0)
        self.parts.append(
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{r:.1f}" fill="none" '
            f'stroke="{self.flat(colour)}" stroke-width="{width:.2f}"/>'
        )

    def rect(
        self, x: float, y: float, w: float, h: float, colour: Colour, r: float = 0, **look
    ) -> None:
        """Fill a rectangle with corner radius `r`."""
        area = self._track([(x, y), (x + w, y), (x, y + h), (x + w, y + h)], 0.0)
        corner = f' rx="{r:.1f}"' if r else ""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}"{corner} '
            f'fill="{self.paint(colour, look, area)}"{_opacity(look)}/>'
        )

    def wash(self, y0: float, y1: float, colours: Sequence[str], lit: bool = False) -> None:
        """Fill the full width from `y0` to `y1` with a vertical gradient.

        Drawn as flat strips, one per two units: the renderer is ten times faster at those than at
        gradients, and neighbouring strips differ by too little to be seen.
        """
        steps = max(2, round((y1 - y0) / 2))
        shades = [self.flat(c, lit) for c in colours]
        high = (y1 - y0) / steps
        for k in range(steps):
            place = k / (steps - 1) * (len(shades) - 1)
            i = min(int(place), len(shades) - 2)
            self.parts.append(
                f'<path d="M0 {y0 + k * high:.2f}H128V{y0 + (k + 1) * high + 0.5:.2f}H0Z" '
                f'fill="{mix(shades[i], shades[i + 1], place - i)}"/>'
            )

    def glow(self, x: float, y: float, r: float, colour: str, strength: float = 0.8) -> None:
        """Add a soft round light; not part of the tracked box."""
        paint = self.defs.add(
            f'<radialGradient id="{{id}}"><stop offset="0" stop-color="{colour}" '
            f'stop-opacity="{strength:.2f}"/><stop offset=".35" stop-color="{colour}" '
            f'stop-opacity="{0.38 * strength:.2f}"/><stop offset="1" stop-color="{colour}" '
            'stop-opacity="0"/></radialGradient>'
        )
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" fill="{paint}"/>')

    def shadow(self, x: float, y: float, rx: float, ry: float, strength: float) -> None:
        """Add a soft dark ellipse; not part of the tracked box."""
        paint = self.defs.add(
            '<radialGradient id="{id}"><stop offset="0" stop-color="#0c0a1e" '
            f'stop-opacity="{strength:.2f}"/><stop offset=".55" stop-color="#0c0a1e" '
            f'stop-opacity="{0.6 * strength:.2f}"/><stop offset="1" stop-color="#0c0a1e" '
            'stop-opacity="0"/></radialGradient>'
        )
        self.parts.append(
            f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{rx:.1f}" ry="{ry:.1f}" fill="{paint}"/>'
        )

    def fade(
        self, x: float, y: float, w: float, h: float, colour: str, top: float, bottom: float
    ) -> None:
        """Add a rectangle whose opacity runs from `top` to `bottom`."""
        paint = self.defs.add(
            f'<linearGradient id="{{id}}" x2="0" y2="1"><stop stop-color="{colour}" '
            f'stop-opacity="{top:.2f}"/><stop offset="1" stop-color="{colour}" '
            f'stop-opacity="{bottom:.2f}"/></linearGradient>'
        )
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" fill="{paint}"/>'
        )

    @contextmanager
    def at(
        self, x: float, y: float, rotate: float = 0.0, scale: float = 1.0, flip: bool = False
    ) -> Iterator[None]:
        """Draw with the origin moved to (x, y), then rotated (degrees), scaled, mirrored."""
        c, s = scale * cos(radians(rotate)), scale * sin(radians(rotate))
        m = -1.0 if flip else 1.0
        inner = (m * c, m * s, -s, c, x, y)
        outer, self._matrix = self._matrix, _compose(self._matrix, inner)
        self.parts.append('<g transform="matrix({})">'.format(" ".join(f"{v:.3f}" for v in inner)))
        yield
        self.parts.append("</g>")
        self._matrix = outer

    # -- paint ----------------------------------------------------------------------------

    def flat(self, colour: str, lit: bool = False) -> str:
        """Return the colour as lit, or unchanged when it is a light itself."""
        return colour if lit else self.grade(colour)

    def paint(self, colour: Colour, look: dict, area: float) -> str:
        """Return the fill for a shape: a shaded gradient unless `flat=True` or it is small."""
        lit, ball = look.get("lit", False), look.get("ball", False)
        if isinstance(colour, tuple):
            shades = colour
        elif look.get("flat") or lit:
            return self.flat(colour, lit)
        else:
            depth = look.get("depth", 1.0)
            shades = lighter(colour, 0.2 * depth), darker(colour, 0.24 * depth)
        stops = "".join(
            f'<stop offset="{i / (len(shades) - 1):.2f}" stop-color="{self.flat(c, lit)}"/>'
            for i, c in enumerate(shades)
        )
        if area < self.flat_below:
            return mix(self.flat(shades[0], lit), self.flat(shades[-1], lit), 0.5)
        if ball:
            head = '<radialGradient id="{id}" cx=".36" cy=".3" r=".75">'
            return self.defs.add(f"{head}{stops}</radialGradient>")
        x2 = "0" if isinstance(colour, tuple) else ".35"
        return self.defs.add(
            f'<linearGradient id="{{id}}" x2="{x2}" y2="1">{stops}</linearGradient>'
        )

    # -- bookkeeping ----------------------------------------------------------------------

    def box(self) -> tuple[float, float, float, float]:
        """Return (x0, y0, x1, y1) of everything drawn so far, glows and shadows left out."""
        return min(self._xs), min(self._ys), max(self._xs), max(self._ys)

    def svg(self) -> str:
        """Return the collected shapes."""
        return "".join(self.parts)

    def _path(self, data: str, points: Sequence[Point], colour: Colour, look: dict) -> None:
        fill = self.paint(colour, look, self._track(points, 0.0))
        self.parts.append(f'<path d="{data}" fill="{fill}"{_opacity(look)}/>')

    def _track(self, points: Sequence[Point], pad: float) -> float:
        """Widen the box by `points`; return the area of their own box."""
        a, b, c, d, e, f = self._matrix
        xs = [a * x + c * y + e for x, y in points]
        ys = [b * x + d * y + f for x, y in points]
        x0, x1, y0, y1 = min(xs), max(xs), min(ys), max(ys)
        self._xs += (x0 - pad, x1 + pad)
        self._ys += (y0 - pad, y1 + pad)
        return (x1 - x0) * (y1 - y0)


def _opacity(look: dict, kind: str = "fill") -> str:
    # plain "opacity" would make the renderer allocate a layer per shape
    return f' {kind}-opacity="{look["opacity"]:.2f}"' if "opacity" in look else ""


def _compose(outer: tuple[float, ...], inner: tuple[float, ...]) -> tuple[float, ...]:
    a, b, c, d, e, f = outer
    g, h, i, j, k, m = inner
    return (
        a * g + c * h,
        b * g + d * h,
        a * i + c * j,
        b * i + d * j,
        a * k + c * m + e,
        b * k + d * m + f,
    )
