"""Which test images the figures show: chosen by a rule, or drawn at random."""

from __future__ import annotations

import numpy as np

from havir_lib.evaluation.correlation import paired_correlation
from havir_lib.evaluation.nearest import flat
from havir_lib.evaluation.preparation import resized
from havir_lib.run import Run

PICTURES_AT_ONCE = 64
THUMBNAIL = 32
"""Pixels; fine enough to tell where things are."""


def random_rows(seed: int, n_images: int, n: int) -> np.ndarray:
    """Rows drawn at random by the run's seed, in rising order."""
    rng = np.random.default_rng([seed, 12])
    return np.sort(rng.choice(n_images, min(n, n_images), replace=False))


def chosen_rows(truth: np.ndarray, made: np.ndarray, n: int) -> np.ndarray:
    """Test images that show the method at its best, unlike one another.

    They come from the quarter whose layout is reconstructed best. The best is the first; each
    further one is the one that looks least like those before it (mean squared difference).

    Parameters
    ----------
    truth, made : ndarray, uint8 (m, H, W, 3)
        Stimuli and their reconstructions.
    n : int
    """
    small, drawn = thumbnails(truth), thumbnails(made)
    quality = layout_correlation(small, drawn)
    best = np.argsort(-quality, kind="stable")[: max(n, len(quality) // 4)]
    looks = flat(small[best])
    chosen, distance = [0], np.inf
    while len(chosen) < min(n, len(best)):
        distance = np.minimum(distance, np.square(looks - looks[chosen[-1]]).mean(axis=1))
        chosen.append(int(np.argmax(distance)))
    return best[chosen]


def thumbnails(pictures: np.ndarray) -> np.ndarray:
    """Small versions, uint8 array (n, THUMBNAIL, THUMBNAIL, 3); a few at a time in full size."""
    parts = range(0, len(pictures), PICTURES_AT_ONCE)
    return np.concatenate([resized(pictures[i : i + PICTURES_AT_ONCE], THUMBNAIL) for i in parts])


def layout_correlation(truth: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Correlation of brightness gradients of each pair of pictures (n, size, size, 3): (n,)."""
    gradients = []
    for pictures in (truth, made):
        grey = pictures.mean(axis=-1)
        down, across = np.diff(grey, axis=1), np.diff(grey, axis=2)
        gradients.append(np.concatenate([flat(down), flat(across)], axis=1))
    return paired_correlation(*gradients)


def chosen_of(run: Run) -> np.ndarray:
    """The chosen rows among the base subject's test images."""
    name = run.base_subject
    return chosen_rows(
        run.test_stimuli(name), run.images(name).images, run.config.figures.n_examples
    )


def random_of(run: Run) -> np.ndarray:
    """Rows drawn at random among the base subject's test images."""
    n_images = len(run.subject(run.base_subject).test_images)
    return random_rows(run.config.seed, n_images, run.config.figures.n_examples)
