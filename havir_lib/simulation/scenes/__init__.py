"""Rendered, captioned scenes that stand in for COCO photographs in the simulated demo."""

from . import (  # noqa: F401  (they fill the registry)
    animals,
    food,
    furniture,
    indoors,
    nature,
    people,
    street,
    town,
    vehicles,
)
from .attributes import ATTRIBUTES, attributes
from .render import contact_sheet, make_scenes, render, render_many
from .scene import (
    CATEGORIES,
    LIGHTS,
    SETTINGS,
    Scene,
    SceneObject,
    complexity,
    make_scene,
    make_twin,
)

__all__ = [
    "ATTRIBUTES",
    "CATEGORIES",
    "LIGHTS",
    "SETTINGS",
    "Scene",
    "SceneObject",
    "attributes",
    "complexity",
    "contact_sheet",
    "make_scene",
    "make_scenes",
    "make_twin",
    "render",
    "render_many",
]
