"""Maps that say where the decoded signal is, rather than which weights extract it.

References
----------
Haufe et al. (2014), On the interpretation of weight vectors of linear models in multivariate
neuroimaging, NeuroImage 87. Hutchinson (1990), the random-probe estimate of a trace.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from havir_lib.devices import as_tensor
from havir_lib.errors import ShapeError

OUTPUTS_AT_ONCE = 2**14


def haufe_pattern(voxels: np.ndarray, weights: np.ndarray, *, whiten: bool = False) -> np.ndarray:
    r"""Haufe pattern of a linear decoder: :math:`\Sigma_x W`, or :math:`\Sigma_x W \Sigma_s^{-1}`.

    Parameters
    ----------
    voxels : array, shape (n, V)
        The data whose covariance is used, normally the training set.
    weights : array, shape (V, T)
        Of the linear or ridge model ``s = voxels @ weights``.
    whiten : bool
        Multiply by the inverse covariance of the outputs (Haufe's Eq. 6). It needs T < n outputs
        that are not collinear; without it, outputs count as uncorrelated.

    Returns
    -------
    float64 array, shape (V, T)
        In units of voxel × output (or voxel per output unit if whitened).
    """
    voxels, weights = np.asarray(voxels, np.float64), np.asarray(weights, np.float64)
    if voxels.shape[1] != weights.shape[0]:
        raise ShapeError(f"{voxels.shape[1]} voxels given, but the weights are for {len(weights)}")
    return activation_pattern(voxels, voxels @ weights, whiten=whiten)


def activation_pattern(
    voxels: np.ndarray, outputs: np.ndarray, *, whiten: bool = False
) -> np.ndarray:
    """Covariance of each voxel with each output of any model, (V, T).

    For a linear model this is :func:`haufe_pattern`; for a network, `outputs` are its predictions
    for the same n rows.

    Parameters
    ----------
    voxels : array, shape (n, V)
    outputs : array, shape (n, T) or (n, ...)
        Further axes are flattened.
    whiten : bool
        See :func:`haufe_pattern`.
    """
    voxels = np.asarray(voxels, dtype=np.float64)
    outputs = np.asarray(outputs, dtype=np.float64).reshape(len(outputs), -1)
    if len(voxels) != len(outputs):
        raise ShapeError(f"{len(voxels)} rows of voxels, but {len(outputs)} rows of outputs")
    outputs = outputs - outputs.mean(axis=0)
    pattern = (voxels - voxels.mean(axis=0)).T @ outputs / (len(voxels) - 1)  # never (V, V)
    if whiten:
        covariance = np.atleast_2d(np.cov(outputs, rowvar=False))
        pattern = np.linalg.solve(covariance, pattern.T).T
    return pattern


def pattern_norm(pattern: np.ndarray) -> np.ndarray:
    """One number per voxel: the L2 norm of its pattern over the T outputs, (V, T) → (V,)."""
    return np.linalg.norm(np.asarray(pattern, dtype=np.float64), axis=1)


def activation_pattern_norm(
    voxels: np.ndarray, outputs: Sequence[np.ndarray], device: torch.device | str = "cpu"
) -> np.ndarray:
    """:func:`pattern_norm` of :func:`activation_pattern` over all outputs, (V,), in little memory.

    The pattern of 10,000 voxels over all tokens of ViT-L/14 would take 20 GB. Products are in
    single precision, sums over outputs in double: within 1e-5 of double precision throughout.

    Parameters
    ----------
    voxels : array, shape (n, V)
    outputs : sequence of arrays, shapes (n, ...)
    device : torch.device or str
        Where to compute.
    """
    x = _centred(voxels, device)
    total = torch.zeros(x.shape[1], dtype=torch.float64)
    for flat in (part.reshape(len(part), -1) for part in outputs):
        for start in range(0, flat.shape[1], OUTPUTS_AT_ONCE):
            pattern = x.T @ _centred(flat[:, start : start + OUTPUTS_AT_ONCE], device)
            total += (pattern / (len(x) - 1)).square().sum(dim=1).cpu().double()
    return total.sqrt().numpy()


def _centred(values: np.ndarray, device: torch.device | str) -> Tensor:
    """Columns (n, ...) minus their means, float32."""
    rows = as_tensor(np.ascontiguousarray(values, np.float32)).to(device)
    return rows - rows.mean(dim=0)


def gradient_times_input(
    model: nn.Module, voxels: Tensor, *, n_probes: int = 8, seed: int = 0
) -> np.ndarray:
    r"""Gradient × input over all outputs, :math:`\sqrt{\langle x_v^2 \sum_o J_{ov}^2\rangle}`.

    :math:`J` is the Jacobian of all outputs at each input, and the mean is over inputs. The sum
    over outputs is estimated with random signs :math:`r`, since
    :math:`E[(r^\top J)_v^2] = \sum_o J_{ov}^2`. For a linear model the result is its weight norm
    times the root mean square of each voxel.

    Parameters
    ----------
    model : Module
        Maps (B, V) to a tensor or a tuple of tensors. Evaluated without dropout; its mode is
        restored.
    voxels : Tensor, shape (B, V)
        On the model's device.
    n_probes : int
        Random sign vectors per input; more give less noise.
    seed : int

    Returns
    -------
    float64 array, shape (V,)
    """
    was_training = model.training
    model.eval()
    try:
        inputs = voxels.detach().clone().requires_grad_(True)
        outputs = _flat_outputs(model(inputs))
        signs = torch.Generator().manual_seed(seed)
        total = torch.zeros_like(inputs)
        for probe in range(n_probes):
            sign = torch.randint(0, 2, outputs.shape, generator=signs, dtype=outputs.dtype) * 2 - 1
            (gradient,) = torch.autograd.grad(
                outputs, inputs, sign.to(outputs.device), retain_graph=probe < n_probes - 1
            )
            total += (gradient * inputs.detach()) ** 2
    finally:
        model.train(was_training)
    return (total / n_probes).mean(dim=0).sqrt().double().cpu().numpy()


def _flat_outputs(outputs: Tensor | tuple[Tensor, ...]) -> Tensor:
    parts = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
    return torch.cat([part.flatten(1) for part in parts], dim=1)
