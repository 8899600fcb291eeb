"""What a branch learns from: trials grouped by image, and the targets of those images.

An image is shown several times (NSD: three). In training each step sees a random convex mix of an
image's repeats, at test time their mean, so the mix is the augmentation that leads to it.

Shape words: n images, B batch, R most repeats of one image, V voxels, K versions of one target
(captions; 1 for latents and image tokens).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from havir_lib.errors import DataError, ShapeError, SplitError
from havir_lib.lookup import rows_of

Batch = tuple[Tensor, tuple[Tensor, ...]]
CHECKED_AT_ONCE = 2**26  # numbers


@dataclass(frozen=True)
class TrainingSet:
    """Betas and targets as tensors; see :func:`make_training_set`.

    Attributes
    ----------
    betas : Tensor, shape (n_trials, V)
    trials : Tensor of int, shape (n, R)
        Which rows of `betas` show image i; -1 fills up images with fewer repeats.
    targets : tuple of Tensor, shapes (n, K, ...)
    """

    betas: Tensor
    trials: Tensor
    targets: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.trials)

    def draw(self, images: Tensor, mix: bool) -> Batch:
        """A training batch for `images` (B,): random mix of repeats, random version of targets.

        With `mix` false, one repeat at random instead of a mix. Random numbers come from torch's
        global CPU generator, so that the batch is the same on every device.
        """
        trials = self.trials[images]
        weights = torch.rand(trials.shape) * (trials >= 0)
        if not mix:
            weights = torch.nn.functional.one_hot(weights.argmax(1), trials.shape[1]).float()
        versions = [torch.randint(target.shape[1], (len(images),)) for target in self.targets]
        chosen = (t[images, k] for t, k in zip(self.targets, versions, strict=True))
        return self._weigh(trials, weights), tuple(target.float() for target in chosen)

    def mean(self, images: Tensor) -> Batch:
        """Mean over repeats and over versions for `images` (B,), for validation."""
        trials = self.trials[images]
        targets = tuple(target[images].float().mean(1) for target in self.targets)
        return self._weigh(trials, (trials >= 0).float()), targets

    def _weigh(self, trials: Tensor, weights: Tensor) -> Tensor:
        weights = (weights / weights.sum(1, keepdim=True)).to(self.betas.device)
        return torch.einsum("br,brv->bv", weights, self.betas[trials.clamp(min=0)])

    def to(self, device: torch.device) -> TrainingSet:
        """On `device` if it fits into half of the free memory there, else as it is."""
        tensors = (self.betas, *self.targets)
        if not _fits(sum(x.nbytes for x in tensors), device):
            return self
        return TrainingSet(
            self.betas.to(device), self.trials, tuple(x.to(device) for x in self.targets)
        )


def _fits(n_bytes: int, device: torch.device) -> bool:
    return device.type != "cuda" or 2 * n_bytes < torch.cuda.mem_get_info(device)[0]


def make_training_set(
    betas: np.ndarray, image_ids: np.ndarray, targets: Sequence[np.ndarray], target_ids: np.ndarray
) -> TrainingSet:
    """Check the arrays and group trials by image.

    Parameters
    ----------
    betas : ndarray, shape (n_trials, V)
    image_ids : ndarray of int, shape (n_trials,)
        Image of each trial; an image may occur once or several times.
    targets : sequence of ndarray, shapes (n, K, ...)
        Rows as in `target_ids`.
    target_ids : ndarray of int, shape (n,)
        Images of the targets; those without trials are left out.

    Raises
    ------
    ShapeError
        If lengths disagree.
    DataError
        If an image has trials but no targets, or betas or targets are not finite.
    """
    _check_lengths(betas, image_ids, targets, target_ids)
    ids, trials = group_by_image(image_ids)
    advice = "Compute the targets of all training images first."
    place = rows_of(ids, target_ids, "targets", advice, "training images")
    kept = [np.ascontiguousarray(target[place]) for target in targets]
    for name, array in [("betas", betas), *(("targets", target) for target in kept)]:
        check_finite(name, array)
    rows = torch.from_numpy(betas.astype(np.float32))
    return TrainingSet(rows, torch.from_numpy(trials), tuple(map(torch.from_numpy, kept)))


def group_by_image(image_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unique images (n,), ascending, and their trials (n, R), filled up with -1."""
    ids, image = np.unique(image_ids, return_inverse=True)
    order = np.argsort(image, kind="stable")
    counts = np.bincount(image)
    repeat = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    trials = np.full((len(ids), counts.max(initial=0)), -1)
    trials[image[order], repeat] = order
    return ids, trials


def split_images(n: int, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Deal n images at random into training and validation indices, both ascending.

    Raises
    ------
    SplitError
        If either part would be empty.
    """
    n_validation = max(1, round(fraction * n))
    if n_validation >= n:
        raise SplitError(
            f"{n} training images cannot be split with validation_fraction {fraction}: "
            "at least one image must remain for training and one for validation."
        )
    order = np.random.default_rng([seed, n]).permutation(n)
    parts = np.sort(order[n_validation:]), np.sort(order[:n_validation])
    return torch.from_numpy(parts[0]), torch.from_numpy(parts[1])


def check_finite(name: str, array: np.ndarray) -> None:
    """Raise :class:`DataError` if `array` holds NaN or infinity, saying how many and where."""
    n_bad, first = 0, None
    rows = max(1, CHECKED_AT_ONCE // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), rows):  # a mask of all tokens of NSD would take 3 GB
        bad = ~np.isfinite(array[start : start + rows])
        if first is None and bad.any():
            row, *axes = np.argwhere(bad)[0].tolist()
            first = (start + row, *axes)
        n_bad += int(bad.sum())
    if n_bad:
        raise DataError(
            f"{name}: expected finite numbers, found {n_bad} that are NaN or infinite among "
            f"{array.size}; the first is at index {first}. Drop bad voxels before training."
        )


def _check_lengths(betas, image_ids, targets, target_ids) -> None:
    if betas.ndim != 2 or len(betas) != len(image_ids):
        raise ShapeError(
            f"Expected betas (n_trials, V) and one image per trial, found betas {betas.shape} "
            f"and {len(image_ids)} images."
        )
    for target in targets:
        if len(target) != len(target_ids):
            raise ShapeError(
                f"Expected {len(target_ids)} targets, one per target image, found {len(target)}."
            )
