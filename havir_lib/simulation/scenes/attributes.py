"""A scene as numbers: what the simulated high-level areas respond to.

Everything here comes from the list of objects, the setting and the light, never from a network.
"""

from __future__ import annotations

import numpy as np

from .light import LIGHT_TABLE
from .registry import all_categories, all_settings
from .scene import CATEGORIES, LIGHTS, SETTINGS, Scene

FAMILIES = ("people", "animals", "vehicles", "food", "furniture", "things")
MAX_COUNT = 6

ATTRIBUTES: tuple[str, ...] = (
    *(f"area:{name}" for name in CATEGORIES),
    *(f"setting:{name}" for name in SETTINGS),
    *(f"light:{name}" for name in LIGHTS),
    *(f"count:{name}" for name in (*FAMILIES, "total")),
    "indoor",
    "warmth",
    "brightness",
)


def attributes(scene: Scene) -> np.ndarray:
    """Return a scene's attributes.

    Returns
    -------
    np.ndarray
        float32 (n_attributes,), in the order of `ATTRIBUTES`: per category the square root of its
        visible share of the picture (boxes times visible fraction, capped at 1); one-hot setting
        and light; counts divided by 6; indoor 0 or 1; warmth in [-1, 1]; brightness in [0, 1].
    """
    values = dict.fromkeys(ATTRIBUTES, 0.0)
    families = {name: category.family for name, category in all_categories().items()}
    for item in scene.objects:
        x0, y0, x1, y1 = item.box
        values[f"area:{item.category}"] += (x1 - x0) * (y1 - y0) * item.visible
        values[f"count:{families[item.category]}"] += 1 / MAX_COUNT
    for name in CATEGORIES:
        values[f"area:{name}"] = min(values[f"area:{name}"], 1.0) ** 0.5
    light = LIGHT_TABLE[scene.light]
    values[f"setting:{scene.setting}"] = values[f"light:{scene.light}"] = 1.0
    values["count:total"] = len(scene.objects) / MAX_COUNT
    values["indoor"] = float(all_settings()[scene.setting].indoor)
    values["warmth"], values["brightness"] = light.warmth, light.brightness
    return np.array(list(values.values()), dtype=np.float32)
