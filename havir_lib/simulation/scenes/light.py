"""Light: how each kind of light colours sky, things, shadows and lamps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from .drawing import RGB, mix, parse, to_hex, uniform


@dataclass(frozen=True)
class Light:
    """One kind of light.

    Attributes
    ----------
    tint
        RGB multiplier on every painted colour.
    lift
        Colour of the ambient light, added with weight `lift_amount`.
    sky
        Colours of the sky from zenith to horizon.
    haze
        Colour that distance fades into.
    shadow
        Strength of cast shadows, 0 to 1.
    lamps
        Whether lamps and windows are lit.
    warmth, brightness
        What the simulated areas are told about the light, -1 to 1 and 0 to 1.
    """

    name: str
    tint: RGB
    lift: str
    lift_amount: float
    sky: tuple[str, str, str]
    haze: str
    shadow: float
    lamps: bool
    warmth: float
    brightness: float
    phrases: tuple[str, ...]
    indoor_phrases: tuple[str, ...] = ()


_TABLE = (
    Light(
        "day", (1.0, 1.0, 1.0), "#ffffff", 0.0, ("#3f9fe8", "#8fcdf5", "#e2f4fc"), "#cfe6f5",
        0.42, False, 0.1, 1.0,
        ("on a sunny day", "in bright daylight", "under a clear blue sky", "in the sunshine"),
        ("in bright daylight", "lit by daylight from the window", "on a bright morning"),
    ),
    Light(
        "dusk", (1.0, 0.80, 0.69), "#5a2a6a", 0.06, ("#4a4a96", "#d9708c", "#ffc26e"), "#f0a184",
        0.5, True, 0.8, 0.6,
        ("at sunset", "at dusk", "under a golden evening sky", "as the sun goes down"),
        ("in golden evening light", "at sunset"),
    ),
    Light(
        "night", (0.50, 0.56, 0.84), "#0a1440", 0.1, ("#0a1136", "#1a2a62", "#3c5090"), "#283870",
        0.45, True, -0.8, 0.2,
        ("at night", "on a dark night", "under the night sky", "late at night"),
        ("at night", "in a dark room at night", "in blue moonlight"),
    ),
    Light(
        "rain", (0.72, 0.78, 0.85), "#8795a4", 0.12, ("#687786", "#909da9", "#bcc7cf"), "#a3afb9",
        0.22, False, -0.5, 0.5,
        ("in the rain", "on a rainy day", "under a grey sky", "on a wet grey day"),
    ),
    Light(
        "pale yellow", (0.86, 0.78, 0.50), "#4a4014", 0.08, ("#4c4a30", "#94894f", "#e0d08a"),
        "#c4b673", 0.35, True, 0.5, 0.5,
        ("under pale yellow light", "in hazy yellow light", "under yellow street lights"),
    ),
    Light(
        "warm lamp", (1.0, 0.84, 0.63), "#5a2c08", 0.06, ("#151c40", "#2a3566", "#4a5590"),
        "#c89a60", 0.42, True, 0.9, 0.6, (),
        ("in warm lamp light", "under a warm lamp", "in a cozy warm glow"),
    ),
    Light(
        "dark red", (0.78, 0.29, 0.28), "#420810", 0.10, ("#1c0610", "#3a0a14", "#6a1820"),
        "#5a1016", 0.45, True, 1.0, 0.2, (),
        ("under dark red light", "in deep red light", "in a dim red glow"),
    ),
)  # fmt: skip

LIGHT_TABLE: dict[str, Light] = {light.name: light for light in _TABLE}
LIGHTS: tuple[str, ...] = tuple(LIGHT_TABLE)


def vary(light: Light, rng: np.random.Generator) -> Light:
    """Return the light with small random changes of strength and colour."""
    gain = uniform(rng, 0.92, 1.05)
    tint = tuple(min(c * gain * uniform(rng, 0.97, 1.03), 1.02) for c in light.tint)
    deep = uniform(rng, 0.0, 0.22)
    sky = (mix(light.sky[0], light.sky[1], deep), light.sky[1], light.sky[2])
    return replace(light, tint=tint, sky=sky)


def grading(light: Light, haze: float = 0.0) -> Callable[[str], str]:
    """Return the function that maps a painted colour to the colour seen in this light.

    Parameters
    ----------
    light
        The light; its tint multiplies, its lift adds.
    haze
        Fraction (0 to 1) by which distance fades the colour.
    """

    @cache
    def grade(colour: str) -> str:
        rgb = tuple(c * t for c, t in zip(parse(colour), light.tint, strict=True))
        lit = mix(to_hex(rgb), light.lift, light.lift_amount)
        return mix(lit, light.haze, haze) if haze else lit

    return grade
