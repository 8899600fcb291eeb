"""Every method that is compared, by name: where its predictions come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from havir_lib.pipeline import brains
from havir_lib.pipeline.decoding import designs, templates
from havir_lib.pipeline.decoding.networks import (
    Design,
    design_predictions,
    shuffled_predictions,
)
from havir_lib.pipeline.decoding.ridge import ridge_predictions
from havir_lib.pipeline.decoding.shared import (
    as_predictions,
    similarity_to,
    targets,
    true_predictions,
)
from havir_lib.pipeline.run import Run
from havir_lib.training import Predictions


@dataclass(frozen=True)
class Method:
    """One method of the comparison.

    Attributes
    ----------
    label : str
        What it is, for readers.
    predict : callable
        ``predict(run, name)`` gives its predictions for a subject's test images.
    shown : callable, optional
        ``shown(run, name)`` gives ids of stimuli that are its "reconstructions", for a method that
        looks pictures up instead of making them.
    full : bool
        It trains networks of its own and runs only with ``comparison.full``.
    bound : bool
        An upper or lower bound rather than a competitor: never marked as best.
    """

    label: str
    predict: Callable[[Run, str], Predictions]
    shown: Callable[[Run, str], np.ndarray] | None = None
    full: bool = False
    bound: bool = False


def _of_design(label: str, design: Design) -> Method:
    return Method(label, partial(design_predictions, design=design), full=True)


def _ridge(run: Run, name: str) -> Predictions:
    return ridge_predictions(run, brains.subject(run, name), targets(run, name))


def _nearest(run: Run, name: str) -> Predictions:
    found = targets(run, name).select(nearest_training_images(run, name))
    return as_predictions(found, brains.subject(run, name).test_images)


@lru_cache(maxsize=16)
def nearest_training_images(run: Run, name: str, method: str = "HAVIR") -> np.ndarray:
    """Ids of the training images whose image tokens correlate most with the predicted ones.

    A method that has merely learnt which training image is most like the stimulus can do no
    better than show it.
    """
    pool = np.unique(brains.subject(run, name).train_images)
    target, predicted = targets(run, name), predictions(run, name, method)
    similarity = similarity_to(predicted.image_tokens, target.image_tokens, target.rows(pool))
    return pool[similarity.argmax(axis=1)]


METHODS: dict[str, Method] = {
    "HAVIR": Method("HAVIR (this companion)", design_predictions),
    "ridge": Method("Ridge regression to the same targets, Brain-Diffuser's way", _ridge),
    "nearest training image": Method(
        "The training image nearest to HAVIR's image tokens, shown as it is",
        _nearest,
        shown=nearest_training_images,
    ),
    "all voxels": _of_design("HAVIR without the split: both branches see all voxels",
                             designs.ALL_VOXELS),
    "swapped roles": _of_design("HAVIR with the regions of the two branches swapped",
                                designs.SWAPPED_ROLES),
    "template masks": _of_design("HAVIR with template masks instead of the individual's",
                                 designs.TEMPLATE_MASKS),
    "in the style of MindBridge": _of_design(
        "All voxels, max-pooled to a common number; image and text tokens, no latent",
        designs.MINDBRIDGE_STYLE,
    ),
    "in the style of MindEye": _of_design(
        "All voxels; latent and image tokens (contrastive and MSE loss), no text, no prior",
        designs.MINDEYE_STYLE,
    ),
    "shuffled voxels": Method(
        "HAVIR with shuffled voxels: the floor", shuffled_predictions, bound=True
    ),
    "true targets": Method("True targets: the upper bound", true_predictions, bound=True),
}  # fmt: skip
"""Name → method, in the order of tables."""


def method_names(run: Run, bounds: bool = True) -> tuple[str, ...]:
    """The methods that this run compares; without `bounds`, only those that compete."""
    return tuple(
        name
        for name, method in METHODS.items()
        if (run.config.comparison.full or not method.full)
        and (bounds or not method.bound)
        and not (name == "template masks" and templates.why_not(run))
    )


@lru_cache(maxsize=4)  # about 1 GB each with NSD's 982 images and full-size tokens
def predictions(run: Run, name: str, method: str = "HAVIR") -> Predictions:
    """What a method predicts for a subject's test images."""
    return METHODS[method].predict(run, name)
