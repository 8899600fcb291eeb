"""What can appear in a scene: the registry of categories and of settings.

A category is one drawing function with one `@category(...)` line above it. The function draws with
the ground at y = 0, up being negative, facing right, in any unit: the composer scales what it drew.
It returns a `Look`: how captions may call what was drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .drawing import Pen


@dataclass(frozen=True)
class Look:
    """What a drawing turned out to be, in words.

    Attributes
    ----------
    pose
        What it does ("sitting", "parked"); one is always true of the drawing.
    nouns
        Singular nouns that fit this drawing; empty means the category's own.
    mirror
        Whether it may be mirrored (not so for writing and clocks).
    """

    pose: tuple[str, ...] = ()
    nouns: tuple[str, ...] = ()
    mirror: bool = True


Draw = Callable[[Pen, np.random.Generator, str], Look]


@dataclass(frozen=True)
class Category:
    """One COCO category and how to draw, place and name it.

    Attributes
    ----------
    family
        people, animals, vehicles, food, furniture or things.
    metres
        Usual height; relative sizes in a scene follow it.
    zone
        Where it goes: ground, road, water, sky, wall or table.
    where
        Settings it may appear in; one listed twice is twice as likely for a main object.
    colours
        Colour name to "#rrggbb". Names starting with "_" are not mentioned in captions.
    nouns
        (singular, plural) pairs for captions, the first being the usual one.
    """

    name: str
    coco_id: int
    family: str
    metres: float
    zone: str
    where: tuple[str, ...]
    colours: dict[str, str]
    nouns: tuple[tuple[str, str], ...]
    draw: Draw


@dataclass(frozen=True)
class Layout:
    """Where things may stand in a drawn setting, in picture units (0 to 128, y down).

    Attributes
    ----------
    horizon
        y at which ground objects would vanish.
    ground
        (far, near) y of the feet of ground objects.
    zones
        (far, near) y for the other zones offered: road, water, table, wall, sky.
    mirrors
        Zones whose objects are mirrored in the ground or water below them.
    """

    horizon: float
    ground: tuple[float, float]
    zones: dict[str, tuple[float, float]] = field(default_factory=dict)
    mirrors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Setting:
    """One kind of place: how to draw it, its lights, and phrases for it."""

    name: str
    lights: tuple[str, ...]
    indoor: bool
    phrases: tuple[str, ...]
    nouns: tuple[str, ...]
    draw: Callable


_CATEGORIES: dict[str, Category] = {}
_SETTINGS: dict[str, Setting] = {}


def category(
    name: str,
    coco_id: int,
    family: str,
    metres: float,
    zone: str,
    where: str,
    colours: dict[str, str],
    nouns: str = "",
) -> Callable[[Draw], Draw]:
    """Register the decorated function as the drawing of a COCO category.

    `where` lists setting names separated by commas; `nouns` lists "singular/plural" pairs.
    """
    pairs = tuple(tuple(pair.split("/")) for pair in nouns.split(", ")) if nouns else ()
    pairs = pairs or ((name, name + "s"),)

    def register(draw: Draw) -> Draw:
        places = tuple(where.split(", "))
        _CATEGORIES[name] = Category(
            name, coco_id, family, metres, zone, places, colours, pairs, draw
        )
        return draw

    return register


def setting(name: str, lights: str, indoor: bool, phrases: str, nouns: str) -> Callable:
    """Register the decorated function as the backdrop of a setting (lists split at ", ")."""

    def register(draw: Callable) -> Callable:
        split = (
            tuple(lights.split(", ")),
            indoor,
            tuple(phrases.split(", ")),
            tuple(nouns.split(", ")),
        )
        _SETTINGS[name] = Setting(name, *split, draw)
        return draw

    return register


def all_categories() -> dict[str, Category]:
    """Return every registered category by name, ordered by COCO id."""
    return dict(sorted(_CATEGORIES.items(), key=lambda item: item[1].coco_id))


def all_settings() -> dict[str, Setting]:
    """Return every registered setting by name, in order of registration."""
    return dict(_SETTINGS)
