"""Composition: choose, place and draw the objects of a scene in its setting and light."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .drawing import Pen, chance, darker, mix, pick, uniform
from .light import LIGHT_TABLE, Light, vary
from .registry import Category, Layout, Look, Setting, all_categories, all_settings
from .stage import SIZE, Stage

SIZE_EXPONENT = 0.72
"""Heights follow real heights to this power, so that a bird beside a bus can still be seen."""

MAIN_VISIBLE = 0.6
"""Other objects may hide the main one only so far that this share of it stays visible."""
MAX_EXTRAS = 5
EXTRAS = (0, 1, 1, 2, 2, 3, 4, 5, 5)
"""How many other objects a scene asks for, each entry equally likely."""


@dataclass
class Placed:
    """An object on its way into the picture, in picture units (0 to 128)."""

    category: Category
    colour: str
    look: Look
    pen: Pen
    scale: float
    x: float
    y: float
    rotate: float
    flip: bool
    main: bool
    held: bool = False
    visible: float = 1.0

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1), not clipped to the picture."""
        x0, y0, x1, y1 = self.pen.box()
        half, high = 0.5 * (x1 - x0) * self.scale, (y1 - y0) * self.scale
        return self.x - half, self.y - high, self.x + half, self.y


@dataclass(frozen=True)
class Composition:
    """A finished picture and what is in it (far to near)."""

    svg: str
    setting: Setting
    light: Light
    placed: tuple[Placed, ...]


@dataclass(frozen=True)
class Arrangement:
    """A backdrop and what is to be drawn on it (the main object first)."""

    stage: Stage
    layout: Layout
    setting: Setting
    light: Light
    placed: tuple[Placed, ...]


def arrange(rng: np.random.Generator) -> Arrangement:
    """Choose setting, light and objects of one random scene, and where they are."""
    categories, settings = all_categories(), all_settings()
    main = categories[pick(rng, list(categories))]
    setting = settings[pick(rng, main.where)]
    # "day" twice as likely as each other light
    lights = setting.lights + (("day",) if "day" in setting.lights else ())
    light = vary(LIGHT_TABLE[pick(rng, lights)], rng)
    stage = Stage(light, rng)
    layout = setting.draw(stage)
    placed = [_place_main(stage, layout, main)]
    if main.name == "person" and light.name == "rain" and chance(rng, 0.7):
        placed.append(_held_umbrella(stage, placed[0], categories["umbrella"]))
    local = [c for c in categories.values() if _goes_with(c, main, setting)]
    for _ in range(pick(rng, EXTRAS)):
        for _ in range(4):
            if len(placed) > MAX_EXTRAS:
                break
            chosen = main if chance(rng, 0.2) else pick(rng, local)
            extra = _place_extra(stage, layout, chosen, placed)
            if extra is not None:
                placed.append(extra)
                break
    return Arrangement(stage, layout, setting, light, tuple(placed))


def with_other_main(given: Arrangement, rng: np.random.Generator) -> Arrangement | None:
    """The same scene with an object of another category in place of the main one.

    It stands where the main one stood and is as high, unless that would make it wider than the
    picture. What the main one held is gone. None where no other category fits the place.
    """
    old = given.placed[0]
    others = [
        category
        for category in all_categories().values()
        if category.zone == old.category.zone
        and given.setting.name in category.where
        and category.name != old.category.name
    ]
    if not others:
        return None
    category = pick(rng, others)
    pen, colour, look = _sketch(given.stage, category, 0.0, rng)
    x0, y0, x1, y1 = pen.box()
    scale = min((old.box[3] - old.box[1]) / (y1 - y0), 0.95 * SIZE / (x1 - x0))
    flip, turn = look.mirror and chance(rng, 0.5), _tilt(rng, category)
    new = Placed(category, colour, look, pen, scale, old.x, old.y, turn, flip, True)
    return replace(given, placed=(new, *(item for item in given.placed[1:] if not item.held)))


def finish(given: Arrangement) -> Composition:
    """Draw an arrangement."""
    placed = sorted(given.placed, key=_nearness)
    for i, item in enumerate(placed):
        item.visible = _visible(item, placed[i + 1 :])
    for item in placed:
        _draw(given.stage, given.layout, item)
    _atmosphere(given.stage, given.setting)
    return Composition(given.stage.svg(), given.setting, given.light, tuple(placed))


def compose(rng: np.random.Generator) -> Composition:
    """Draw one random scene."""
    return finish(arrange(rng))


def _nearness(item: Placed) -> tuple[int, float]:
    """Sort key from far to near: the sky, the wall, then the ground from the horizon on."""
    return {"sky": 0, "wall": 1}.get(item.category.zone, 2), item.y


def _goes_with(category: Category, main: Category, setting: Setting) -> bool:
    """Say whether a category may join the main one: same setting, not of a wildly other size."""
    aloft = "sky" in (category.zone, main.zone) or "wall" in (category.zone, main.zone)
    ratio = category.metres / main.metres
    return setting.name in category.where and (aloft or 1 / 9 <= ratio <= 9)


def _band(layout: Layout, zone: str) -> tuple[float, float]:
    return layout.zones.get(zone, layout.zones.get("table", layout.ground))


def _sketch(
    stage: Stage, category: Category, haze: float, rng: np.random.Generator
) -> tuple[Pen, str, Look]:
    colour = pick(rng, list(category.colours))
    pen = stage.sketch(haze, flat_below=150.0)
    return pen, colour, category.draw(pen, rng, category.colours[colour])


def _tilt(rng: np.random.Generator, category: Category) -> float:
    return uniform(rng, -10, 10) if category.zone == "sky" else uniform(rng, -1.5, 1.5)


def _place_main(stage: Stage, layout: Layout, category: Category) -> Placed:
    rng = stage.rng
    pen, colour, look = _sketch(stage, category, 0.0, stage.rng)
    x0, y0, x1, y1 = pen.box()
    far, near = _band(layout, category.zone)
    height = uniform(rng, 0.38, 0.66) * SIZE
    scale = min(height / (y1 - y0), uniform(rng, 0.66, 0.86) * SIZE / (x1 - x0))
    if category.zone in ("sky", "wall"):
        y = uniform(rng, far, near) + 0.5 * scale * (y1 - y0)
        y = max(y, scale * (y1 - y0) + 3)
    else:
        y = max(far + (near - far) * uniform(rng, 0.4, 1.0), scale * (y1 - y0) + 4)
    half = 0.5 * scale * (x1 - x0)
    spread = max(64 - half - 2, 0.0)
    x = 64 + spread * uniform(rng, -0.8, 0.8)
    flip, turn = look.mirror and chance(rng, 0.5), _tilt(rng, category)
    return Placed(category, colour, look, pen, scale, x, y, turn, flip, True)


def _place_extra(
    stage: Stage, layout: Layout, category: Category, placed: list[Placed]
) -> Placed | None:
    """Find a spot for one more object, or None when all tried spots hide too much."""
    rng, main = stage.rng, placed[0]
    far, near = _band(layout, category.zone)
    aloft = category.zone in ("sky", "wall")
    y = uniform(rng, far, near) if aloft else far + (near - far) * uniform(rng, 0, 1) ** 1.3
    depth = {"wall": 0.6, "sky": 0.7}.get(category.zone, 1.0)
    if not aloft and main.category.zone not in ("sky", "wall"):
        depth = (y - layout.horizon) / max(main.y - layout.horizon, 8)
    main_height = main.box[3] - main.box[1]
    size = main_height * (category.metres / main.category.metres) ** SIZE_EXPONENT * depth
    size = min(max(size * uniform(rng, 0.85, 1.15), 7.0), 70.0)
    haze = 0.0 if far == near or layout.horizon < 50 else 0.3 * max(0.0, 1 - depth)
    pen, colour, look = _sketch(stage, category, haze, rng)
    x0, y0, x1, y1 = pen.box()
    scale = min(size / (y1 - y0), 0.8 * SIZE / (x1 - x0))
    if aloft:
        y = max(y + 0.5 * scale * (y1 - y0), scale * (y1 - y0) + 2)
    limit = 0.5 if not aloft and chance(rng, 0.5) else 0.15
    for _ in range(10):
        x = uniform(rng, 6, SIZE - 6)
        flip = look.mirror and chance(rng, 0.5)
        item = Placed(category, colour, look, pen, scale, x, y, _tilt(rng, category), flip, False)
        if any(_overlap(item, other) > limit for other in placed):
            continue
        nearer = [p for p in [*placed, item] if _nearness(p) > _nearness(main)]
        if _visible(main, nearer) >= MAIN_VISIBLE:
            return item
    return None


def _held_umbrella(stage: Stage, person: Placed, category: Category) -> Placed:
    """Put an umbrella into a person's hand, opening above the head."""
    pen, colour, look = _sketch(stage, category, 0.0, stage.rng)
    x0, y0, x1, y1 = pen.box()
    top, height = person.box[1], person.box[3] - person.box[1]
    scale = 0.72 * height / (y1 - y0)
    x = person.x + (0.16 if chance(stage.rng, 0.5) else -0.16) * height
    y = top + 0.52 * height
    return Placed(category, colour, look, pen, scale, x, y, 0.0, False, False, held=True)


def _overlap(a: Placed, b: Placed) -> float:
    """Return the shared area of two boxes as a fraction of the farther object's box."""
    p, q = a.box, b.box
    w, h = min(p[2], q[2]) - max(p[0], q[0]), min(p[3], q[3]) - max(p[1], q[1])
    if w <= 0 or h <= 0:
        return 0.0
    hidden = p if a.y < b.y else q
    return w * h / ((hidden[2] - hidden[0]) * (hidden[3] - hidden[1]))


_GRID = (np.arange(12) + 0.5) / 12 - 0.5
_U, _V = (axis.ravel() for axis in np.meshgrid(_GRID, _GRID))
_ROUND = _U**2 + _V**2 <= 0.25


def _visible(item: Placed, nearer: list[Placed]) -> float:
    """Return the share of `item` that can be seen.

    Objects count as the ellipses inscribed in their boxes, sampled on a 12 x 12 grid; a point is
    seen when it lies in the picture and in no nearer ellipse.
    """
    x0, y0, x1, y1 = item.box
    x, y = (x0 + x1) / 2 + _U[_ROUND] * (x1 - x0), (y0 + y1) / 2 + _V[_ROUND] * (y1 - y0)
    seen = (x >= 0) & (x <= SIZE) & (y >= 0) & (y <= SIZE)
    for other in nearer:
        p0, q0, p1, q1 = other.box
        dx, dy = (x - (p0 + p1) / 2) / (p1 - p0), (y - (q0 + q1) / 2) / (q1 - q0)
        seen &= dx**2 + dy**2 > 0.25
    return float(seen.mean())


def _draw(stage: Stage, layout: Layout, item: Placed) -> None:
    """Add shadow, mirror image where the ground is wet, and the object itself."""
    x0, y0, x1, y1 = item.pen.box()
    pen, zone = stage.pen(), item.category.zone
    half, middle = 0.5 * item.scale * (x1 - x0), 0.5 * (x0 + x1)
    sx = -item.scale if item.flip else item.scale
    shape = f'<g transform="scale({sx:.4f} {item.scale:.4f}) translate({-middle:.1f} {-y1:.1f})">'
    shape += item.pen.svg() + "</g>"
    if zone == "wall":
        pen.shadow(item.x + 1.5, item.y - 0.5 * item.scale * (y1 - y0) + 2.5, half * 1.2,
                   0.62 * item.scale * (y1 - y0), stage.light.shadow)  # fmt: skip
    elif zone in layout.mirrors and not item.held:
        depth = 0.4 if zone == "water" else 0.8
        pen.parts.append(
            f'<g transform="translate({item.x:.1f} {item.y - 0.6:.1f}) scale(1 -{depth})" '
            f'opacity="0.3">{shape}</g>'
        )
    if zone not in ("sky", "wall", "water") and not item.held:
        lean = 0.25 * half if stage.light.name in ("day", "dusk") else 0
        pen.shadow(
            item.x + lean,
            item.y - 0.4,
            half * 1.12,
            max(0.16 * half, 1.2),
            stage.light.shadow + 0.2,
        )
    turn = f" rotate({item.rotate:.1f})" if abs(item.rotate) > 0.3 else ""
    pen.parts.append(f'<g transform="translate({item.x:.1f} {item.y:.1f}){turn}">{shape}</g>')


def _atmosphere(stage: Stage, setting: Setting) -> None:
    """Rain in front of everything, a little vignette, and the colour of the light."""
    rng, light, pen = stage.rng, stage.light, stage.pen()
    if light.name == "rain" and not setting.indoor:
        slant, drops = uniform(rng, -3, 3), []
        for _ in range(int(uniform(rng, 45, 80))):
            x, y, length = uniform(rng, -4, 132), uniform(rng, -6, 126), uniform(rng, 4, 9)
            drops.append(f"M{x:.1f} {y:.1f}l{slant * length / 9:.1f} {length:.1f}")
        pen.parts.append(
            f'<path d="{"".join(drops)}" stroke="#eaf2f8" stroke-width=".45" opacity=".5"/>'
        )
    edge = darker(mix(light.haze, "#000000", 0.5), 0.5)
    paint = stage.defs.add(
        '<radialGradient id="{id}" gradientUnits="userSpaceOnUse" cx="64" cy="64" r="94">'
        f'<stop offset=".68" stop-color="{edge}" stop-opacity="0"/><stop offset="1" '
        f'stop-color="{edge}" stop-opacity=".5"/></radialGradient>'
    )
    for k in range(4):  # the corners only: a gradient over the whole picture would cost more
        pen.parts.append(
            f'<path d="M0 0H58C30 6 6 30 0 58Z" fill="{paint}" transform="rotate({90 * k} 64 64)"/>'
        )
