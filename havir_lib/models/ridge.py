"""Ridge regression from voxels to the same targets: the field's baseline, and our sanity check.

Takagi & Nishimoto and Brain-Diffuser decode latents and CLIP tokens this way. The penalty of every
target entry is chosen by cross-validation (himalaya), where Brain-Diffuser fixes one by hand.

Shape words: n images, V voxels.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from havir_lib.errors import ShapeError

TARGETS_BATCH = 4096  # target entries solved at once; bounds memory, does not change results
FITTED_AT_ONCE = 2**16  # target entries whose weights are in memory at once


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
        ``"cuda"`` solves on the GPU.

    Raises
    ------
    ShapeError
        If the numbers of images differ, or there are fewer images than folds.
    """
    from himalaya.ridge import solve_ridge_cv_svd  # slow to import
    from sklearn.model_selection import KFold

    _check(betas, targets, folds)
    y = targets.reshape(len(targets), -1)
    splitter = KFold(folds, shuffle=True, random_state=seed)
    with _backend(torch.device(device)) as backend:
        x = backend.asarray(betas, dtype="float32")
        options = {
            "alphas": backend.asarray(np.logspace(*alphas), dtype="float32"),
            "cv": splitter,
            "fit_intercept": True,
            "n_targets_batch": TARGETS_BATCH,
            "Y_in_cpu": True,
        }
        solve = _solve_dual if x.shape[0] < x.shape[1] else solve_ridge_cv_svd
        solution = solve(x, backend.asarray(y, dtype="float32", device="cpu"), **options)
        best, coef, scores, intercept = (backend.to_numpy(part) for part in solution)
    return RidgeDecoder(coef, intercept, best, scores.reshape(-1), targets.shape[1:])


def predict_ridge(
    betas: np.ndarray, targets: np.ndarray, new_betas: np.ndarray, **options
) -> np.ndarray:
    """Fit, and predict targets of other betas, some target entries at a time.

    The weights of 10,000 voxels for all image tokens of ViT-L/14 would take 8 GB, and as much again
    while they are made.

    Parameters
    ----------
    betas, targets, options
        As in :func:`fit_ridge`.
    new_betas : ndarray, shape (m, V)

    Returns
    -------
    ndarray, shape (m, ...) float32
    """
    flat = targets.reshape(len(targets), -1)
    parts = [
        fit_ridge(betas, flat[:, start : start + FITTED_AT_ONCE], **options).predict(new_betas)
        for start in range(0, max(1, flat.shape[1]), FITTED_AT_ONCE)
    ]
    return np.concatenate(parts, axis=1).reshape(len(new_betas), *targets.shape[1:])


def _solve_dual(x, y, **options):
    from himalaya.backend import get_backend
    from himalaya.kernel_ridge import solve_kernel_ridge_cv_eigenvalues

    # With fewer images than voxels the same problem is smaller when posed between images.
    best, dual, scores, intercept = solve_kernel_ridge_cv_eigenvalues(x @ x.T, y, **options)
    return (
        best,
        x.T @ get_backend().asarray(dual, device=getattr(x, "device", None)),
        scores,
        intercept,
    )


@contextlib.contextmanager
def _backend(device: torch.device) -> Iterator:
    from himalaya.backend import get_backend, set_backend

    # himalaya's backend is a global of that library; leave it as we found it.
    before = get_backend()
    try:
        yield set_backend("torch_cuda" if device.type == "cuda" else "numpy")
    finally:
        set_backend(before)


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
