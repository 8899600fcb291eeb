"""Ridge regression from voxels to the same targets: the field's baseline, and our sanity check.

Takagi & Nishimoto and Brain-Diffuser decode latents and CLIP tokens this way. The penalty of every
target entry is chosen by cross-validation, where Brain-Diffuser fixes one by hand. himalaya, the
field's library, gives the same numbers, but decomposes the betas anew for every block of targets
whose weights fit into memory: 30 times for a subject of NSD, where 6 do.

Shape words: n images, V voxels, K = min(n, V), T target entries, A penalties.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from havir_lib.devices import as_tensor
from havir_lib.errors import ShapeError

TARGETS_BATCH = 4096
"""Target entries solved at once; bounds memory, does not change results."""


@dataclass(frozen=True)
class RidgeDecoder:
    """A fitted ridge regression.

    Attributes
    ----------
    coef : ndarray, shape (V, product of target_shape)
    intercept : ndarray, shape (product of target_shape,)
    alphas : ndarray, shape (product of target_shape,)
        Penalty chosen for each entry.
    cv_scores : ndarray, shape (product of target_shape,)
        Minus the mean squared error on held-out folds, at the chosen penalty.
    target_shape : tuple of int
        Shape of one target, e.g. (65, 128).
    """

    coef: np.ndarray
    intercept: np.ndarray
    alphas: np.ndarray
    cv_scores: np.ndarray
    target_shape: tuple[int, ...]

    def predict(self, betas: np.ndarray) -> np.ndarray:
        """Predict targets, shape (n, \\*target_shape) float32, from betas (n, V)."""
        if betas.ndim != 2 or betas.shape[1] != len(self.coef):
            raise ShapeError(
                f"Expected betas of shape (n, {len(self.coef)}), found {betas.shape}: "
                f"the ridge regression was fitted on {len(self.coef)} voxels."
            )
        flat = betas.astype(np.float32) @ self.coef + self.intercept
        return flat.reshape(len(betas), *self.target_shape)


def fit_ridge(
    betas: np.ndarray,
    targets: np.ndarray,
    *,
    alphas: tuple[float, float, int] = (0, 7, 15),
    folds: int = 5,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> RidgeDecoder:
    """Fit ``argmin_W |betas W + b - targets|² + alpha |W|²``, choosing alpha for each target entry.

    Parameters
    ----------
    betas : ndarray, shape (n, V)
        One row per image, averaged over its repeats.
    targets : ndarray, shape (n, ...)
        Latents, image tokens or text tokens of the same images.
    alphas : tuple
        Penalties to try: log10 of the smallest, log10 of the largest, how many.
    folds : int
        Cross-validation folds; images are dealt to them at random by `seed`.
    device : torch.device or str
        Where to compute.

    Raises
    ------
    ShapeError
        If the numbers of images differ, or there are fewer images than folds.
    """
    path = RidgePath.of(betas, targets, alphas, folds, seed, device)
    parts = [path.choose(block) for block in path.blocks(targets)]
    coef = torch.cat([path.whole.basis @ part.shrunk for part in parts], dim=1)
    mean, best, scores = (
        torch.cat([getattr(part, name) for part in parts])
        for name in ("mean", "alphas", "cv_scores")
    )
    intercept = mean - path.whole.mean @ coef
    found = (part.cpu().numpy() for part in (coef, intercept, best, scores))
    return RidgeDecoder(*found, targets.shape[1:])


def predict_ridge(
    betas: np.ndarray,
    targets: np.ndarray,
    new_betas: np.ndarray,
    *,
    alphas: tuple[float, float, int] = (0, 7, 15),
    folds: int = 5,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> np.ndarray:
    """Fit, and predict targets of other betas, without ever holding the weights.

    The weights of 10,000 voxels for all image tokens of ViT-L/14 would take 8 GB.

    Parameters
    ----------
    betas, targets, alphas, folds, seed, device
        As in :func:`fit_ridge`.
    new_betas : ndarray, shape (m, V)

    Returns
    -------
    ndarray, shape (m, ...) float32
    """
    path = RidgePath.of(betas, targets, alphas, folds, seed, device)
    new = path.whole.project(path.tensor(new_betas))
    found = np.empty((len(new_betas), math.prod(targets.shape[1:])), np.float32)
    for number, block in enumerate(tqdm(path.blocks(targets), desc="ridge", disable=None)):
        part, start = path.choose(block), number * TARGETS_BATCH
        values = new @ part.shrunk + part.mean
        found[:, start : start + values.shape[1]] = values.cpu().numpy()
    return found.reshape(len(new_betas), *targets.shape[1:])


@dataclass(frozen=True)
class Chosen:
    """Solutions of T target entries at the penalty that was best for each.

    Attributes
    ----------
    shrunk : Tensor, (K, T)
        Weights in the basis of the decomposition.
    mean, alphas, cv_scores : Tensor, (T,)
    """

    shrunk: Tensor
    mean: Tensor
    alphas: Tensor
    cv_scores: Tensor


@dataclass(frozen=True)
class RidgePath:
    """Everything of a cross-validated ridge regression that does not depend on the targets.

    All images and the images outside of each fold are decomposed once; every penalty and every
    target entry is then two matrix products.

    Attributes
    ----------
    penalties : Tensor, (A,)
    splits : list of (training rows, held-out rows)
    inner : list of (Decomposition, Tensor (n_held_out, K))
        Of the training rows of each fold, with its held-out rows in that basis.
    whole : Decomposition
    """

    penalties: Tensor
    splits: list[tuple[np.ndarray, np.ndarray]]
    inner: list[tuple[Decomposition, Tensor]]
    whole: Decomposition

    @classmethod
    def of(cls, betas, targets, alphas, folds, seed, device) -> RidgePath:
        """Decompose betas (n, V); arguments and errors as of :func:`fit_ridge`."""
        from sklearn.model_selection import KFold

        _check(betas, targets, folds)
        x = as_tensor(np.ascontiguousarray(betas, np.float32)).to(device)
        splits = list(KFold(folds, shuffle=True, random_state=seed).split(betas))
        inner = []
        for train, held_out in splits:
            made = Decomposition.of(x[train])
            inner.append((made, made.project(x[held_out])))
        penalties = torch.as_tensor(np.logspace(*alphas), dtype=x.dtype, device=x.device)
        return cls(penalties, splits, inner, Decomposition.of(x))

    def tensor(self, values: np.ndarray) -> Tensor:
        """float32 on the device where the decompositions are."""
        values = np.ascontiguousarray(values, np.float32)
        return as_tensor(values).to(self.penalties.device)

    def blocks(self, targets: np.ndarray) -> list[np.ndarray]:
        """Targets (n, ...) in blocks (n, T) of `TARGETS_BATCH` entries or less, not copied."""
        flat = targets.reshape(len(targets), -1)
        starts = range(0, flat.shape[1], TARGETS_BATCH)
        return [flat[:, start : start + TARGETS_BATCH] for start in starts]

    def choose(self, targets: np.ndarray) -> Chosen:
        """Solve for a block of targets (n, T), each entry at its best penalty."""
        y = self.tensor(targets)
        scores = sum(self._held_out(y, fold) for fold in range(len(self.splits))) / len(self.splits)
        best, index = scores.max(dim=0)
        mean = y.mean(dim=0)
        shrunk = self.whole.solve(y - mean, self.penalties[index])
        return Chosen(shrunk, mean, self.penalties[index], best)

    def _held_out(self, y: Tensor, fold: int) -> Tensor:
        """Minus the mean squared error of every penalty on a fold, (A, T)."""
        (train, held_out), (made, projected) = self.splits[fold], self.inner[fold]
        mean = y[train].mean(dim=0)
        wanted, inner = y[held_out] - mean, made.left.T @ (y[train] - mean)
        errors = [
            (projected @ (inner / (made.eigenvalues[:, None] + alpha)) - wanted).square().mean(0)
            for alpha in self.penalties
        ]
        return -torch.stack(errors)


@dataclass(frozen=True)
class Decomposition:
    """Eigenvectors of centred betas: of images by images, or of voxels by voxels if fewer.

    Attributes
    ----------
    mean : Tensor, (V,)
    basis : Tensor, (V, K)
        From voxels to the eigenvectors.
    left : Tensor, (n, K)
        What the targets are multiplied with.
    eigenvalues : Tensor, (K,)
    """

    mean: Tensor
    basis: Tensor
    left: Tensor
    eigenvalues: Tensor

    @classmethod
    def of(cls, x: Tensor) -> Decomposition:
        """Decompose betas (n, V) in double precision; kept in single."""
        mean = x.double().mean(dim=0)
        centred = x.double() - mean
        if x.shape[0] <= x.shape[1]:
            values, left = torch.linalg.eigh(centred @ centred.T)
            basis = centred.T @ left
        else:
            values, basis = torch.linalg.eigh(centred.T @ centred)
            left = centred @ basis
        parts = (mean, basis, left, values.clamp(min=0))
        return cls(*(part.to(x.dtype) for part in parts))

    def project(self, x: Tensor) -> Tensor:
        """Betas (m, V) in the basis of the eigenvectors, (m, K)."""
        return (x - self.mean) @ self.basis

    def solve(self, y: Tensor, alphas: Tensor) -> Tensor:
        """Weights (K, T) of centred targets (n, T), each with its own penalty (T,)."""
        return (self.left.T @ y) / (self.eigenvalues[:, None] + alphas)


def _check(betas: np.ndarray, targets: np.ndarray, folds: int) -> None:
    if betas.ndim != 2 or len(betas) != len(targets):
        raise ShapeError(
            f"Expected betas (n, V) and targets (n, ...) of the same n images, "
            f"found {betas.shape} and {targets.shape}."
        )
    if len(betas) < folds:
        raise ShapeError(f"Expected at least {folds} images for {folds} folds, found {len(betas)}.")
    if not math.prod(targets.shape[1:]):
        raise ShapeError(f"Expected targets with at least one entry, found shape {targets.shape}.")
