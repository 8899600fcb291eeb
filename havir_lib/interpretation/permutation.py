r"""Null maps from permuted labels: what a map looks like when voxels and images are unrelated.

Training the networks again on permuted pairs would cost as many trainings as null maps. Two maps of
linear models have a closed form, so their nulls can be had hundreds of times. With voxels X,
targets Y and the kernel :math:`K = X X^\top` of n images (all centred):

- *covariance* :math:`X^\top Y`: how much each voxel shares with the targets. It looks at one voxel
  at a time, so its null holds voxel by voxel: a voxel unrelated to the images passes a level as
  often as the level says, whatever the others do.
- *norm* of ridge weights :math:`X^\top (K + \alpha I)^{-1} Y`, the linear counterpart of the
  paper's map. Weights compete: where some voxels carry signal, unrelated ones get *less* weight
  than in the null, so the test is conservative.

A Haufe pattern is not offered here: outputs of a decoder that works vary more than those of one
fitted to permuted labels, so voxels without any signal exceed this null, too (nearly all of them at
strong penalties). Neither null is one for the networks' own weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import cho_factor, cho_solve, eigh

from havir_lib.errors import ShapeError

Measure = Literal["covariance", "norm"]
TARGETS_AT_ONCE = 2**14


@dataclass(frozen=True, eq=False)
class LinearMaps:
    """A map of a linear model, and the same map under permuted labels.

    Attributes
    ----------
    observed : ndarray, (V,)
    null : ndarray, (R, V)
        For :func:`havir_lib.interpretation.compare_with_null` and
        :func:`havir_lib.interpretation.roi_summary`.
    """

    observed: np.ndarray
    null: np.ndarray


def permuted_label_maps(
    voxels: np.ndarray,
    targets: np.ndarray,
    *,
    measure: Measure = "covariance",
    alpha: float | None = None,
    n_permutations: int = 100,
    n_components: int | None = 64,
    seed: int = 0,
) -> LinearMaps:
    """L2 norm, over all targets, of each voxel's covariance or ridge weights, and its null.

    Parameters
    ----------
    voxels : array, shape (n, V)
        One row per image: repeats averaged, or the permutation would pair a picture with itself.
    targets : array, shape (n, ...)
        E.g. latents or tokens of the same images; further axes are flattened.
    measure : {"covariance", "norm"}
        See the module.
    alpha : float, optional
        Ridge penalty, > 0; for ``"norm"`` only.
    n_permutations : int
        R. No p below 1 / (R + 1) can occur for a single voxel.
    n_components : int or None
        Principal components of the targets that are kept; a norm over them is that over all
        targets but for what they leave out. None keeps all.
    seed : int

    Returns
    -------
    LinearMaps

    Raises
    ------
    ShapeError
        If the numbers of rows differ.
    """
    voxels = np.asarray(voxels, dtype=np.float32)
    targets = np.asarray(targets).reshape(len(targets), -1)
    if len(voxels) != len(targets):
        raise ShapeError(f"{len(voxels)} rows of voxels, but {len(targets)} rows of targets")
    voxels = voxels - voxels.mean(axis=0)
    scores = _components(targets, n_components)
    solved = _solver(voxels, alpha, measure)
    maps = [
        np.linalg.norm(voxels.T @ solved(scores[rows]), axis=1)
        for rows in _orders(len(voxels), n_permutations, seed)
    ]
    return LinearMaps(maps[0].astype(np.float64), np.stack(maps[1:]).astype(np.float64))


def _orders(n: int, n_permutations: int, seed: int) -> Iterator[np.ndarray]:
    """The true order, then permuted ones."""
    rng = np.random.default_rng(seed)
    yield np.arange(n)
    for _ in range(n_permutations):
        yield rng.permutation(n)


def _components(targets: np.ndarray, n_components: int | None) -> np.ndarray:
    """Centred rows in a basis of few directions that keeps their scalar products, (n, r)."""
    gram = np.zeros((len(targets), len(targets)))
    for start in range(0, targets.shape[1], TARGETS_AT_ONCE):  # tokens of NSD are 7 GB in float32
        part = targets[:, start : start + TARGETS_AT_ONCE].astype(np.float32)
        part -= part.mean(axis=0)
        gram += part @ part.T
    n = len(gram)
    values, vectors = eigh(gram, subset_by_index=[max(0, n - (n_components or n)), n - 1])
    return (vectors * np.sqrt(np.maximum(values, 0))).astype(np.float32)


def _solver(
    voxels: np.ndarray, alpha: float | None, measure: Measure
) -> Callable[[np.ndarray], np.ndarray]:
    """Function from targets Y, (n, r), to what X' has to be multiplied with for the map."""
    if measure not in ("covariance", "norm"):
        raise ValueError(f"measure must be 'covariance' or 'norm', but {measure!r} was passed")
    if measure == "covariance":
        return lambda y: y / (len(voxels) - 1)
    if alpha is None or alpha <= 0:
        raise ValueError(f"the norm of ridge weights needs alpha above 0, found {alpha}")
    kernel = (voxels @ voxels.T).astype(np.float64)
    factor = cho_factor(kernel + alpha * np.eye(len(kernel)))
    return lambda y: cho_solve(factor, y).astype(np.float32)
