"""The scene: a picture as SVG with everything that is true of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .captions import write_captions
from .compose import Composition, Placed, arrange, compose, finish, with_other_main
from .light import LIGHTS
from .registry import all_categories, all_settings
from .stage import SIZE

STREAM = 20251122
"""First word of every scene's seed sequence, so that scenes share no stream with other parts."""
TWINS = 20261127
"""The same for what twins have of their own."""

CATEGORIES: dict[str, int] = {name: c.coco_id for name, c in all_categories().items()}
SETTINGS: tuple[str, ...] = tuple(all_settings())

__all__ = [
    "CATEGORIES",
    "LIGHTS",
    "SETTINGS",
    "Scene",
    "SceneObject",
    "complexity",
    "make_scene",
    "make_twin",
]


@dataclass(frozen=True)
class SceneObject:
    """One object of a scene.

    Attributes
    ----------
    category
        COCO category name.
    colour
        Colour name, or "" where no single colour describes it.
    box
        (x0, y0, x1, y1) within the picture, each in [0, 1], y downwards.
    visible
        Fraction not hidden by nearer objects or cut off by the frame, 0 to 1.
    main
        Whether it is the scene's main object.
    """

    category: str
    colour: str
    box: tuple[float, float, float, float]
    visible: float
    main: bool


@dataclass(frozen=True)
class Scene:
    """A captioned picture; `objects` run from far to near. See `make_scene`."""

    seed: int
    svg: str
    setting: str
    light: str
    objects: tuple[SceneObject, ...]
    captions: tuple[str, ...]
    complexity: float


def make_scene(seed: int) -> Scene:
    """Make the scene of a seed.

    Parameters
    ----------
    seed
        Non-negative integer; equal seeds give equal scenes, byte for byte.

    Returns
    -------
    Scene
        With one main object, 0 to 5 others, five captions and a complexity in [0, 1].
    """
    rng = _stream(STREAM, seed)
    return _scene(seed, compose(rng), rng)


def make_twin(seed: int) -> Scene | None:
    """The scene of a seed with another main object in the place of its own; the rest is the same.

    Returns
    -------
    Scene or None
        With captions of its own. None where no other category fits the place.
    """
    rng = _stream(TWINS, seed)
    arranged = with_other_main(arrange(_stream(STREAM, seed)), rng)
    return arranged and _scene(seed, finish(arranged), rng)


def _stream(*words: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


def _scene(seed: int, picture: Composition, rng: np.random.Generator) -> Scene:
    captions = write_captions(picture, rng)
    objects = tuple(_public(item) for item in picture.placed)
    return Scene(
        seed, picture.svg, picture.setting.name, picture.light.name, objects, captions,
        complexity(objects),
    )  # fmt: skip


def complexity(objects: tuple[SceneObject, ...]) -> float:
    """Score how complex a scene is, in [0, 1].

    The mean of four parts, each in [0, 1]: the number of other objects / 5; the hidden fraction of
    all objects, 4 x mean(1 - visible), capped; the number of small objects (box area under 3 % of
    the picture) / 3, capped; the number of different categories beyond the main one / 4, capped;
    weighted 0.4, 0.2, 0.2, 0.2.
    """
    number = min((len(objects) - 1) / 5, 1.0)
    hidden = min(4 * float(np.mean([1 - o.visible for o in objects])), 1.0)
    small = min(sum(_area(o.box) < 0.03 for o in objects if not o.main) / 3, 1.0)
    clutter = min((len({o.category for o in objects}) - 1) / 4, 1.0)
    return 0.4 * number + 0.2 * hidden + 0.2 * small + 0.2 * clutter


def _area(box: tuple[float, float, float, float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _public(item: Placed) -> SceneObject:
    box = tuple(min(max(v / SIZE, 0.0), 1.0) for v in item.box)
    colour = "" if item.colour.startswith("_") else item.colour
    return SceneObject(item.category.name, colour, box, item.visible, item.main)
