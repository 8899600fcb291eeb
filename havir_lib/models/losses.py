"""Training losses, Eqs. (1) to (6).

Eqs. (5) and (6) name the truth first and the prediction second, but Eq. (4) is written for
(prediction, target); here the prediction always comes first. On latents, sums over entries become
means, which scales both terms of Eq. (3) alike. Weights of all terms are in ``training.losses``.

Shape words: B batch, C latent channels, h w latent grid, T tokens, D token width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from havir_lib import config

Terms = dict[str, Tensor]


def mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Eq. (1): mean squared difference, over the batch and all entries."""
    return F.mse_loss(prediction, target)


def sobel_magnitude(latent: Tensor, eps: float = 1e-6) -> Tensor:
    """Length of the spatial gradient at every position of every channel.

    ``sqrt(gx² + gy² + eps)`` with the Sobel kernels divided by 8, so that a ramp of slope 1 has
    gradient 1, and edges replicated: kornia's conventions, which MindEye uses. The paper speaks of
    "gradient magnitude alignment" without stating a scale.

    Parameters
    ----------
    latent : Tensor, shape (B, C, h, w)
    eps : float
        Keeps the derivative of the square root finite where the latent is flat.

    Returns
    -------
    Tensor, shape (B, C, h, w)
    """
    smooth, slope = latent.new_tensor([1, 2, 1]) / 4, latent.new_tensor([-1, 0, 1]) / 2
    horizontal = torch.outer(smooth, slope)  # K_x; K_y is its transpose
    kernels = torch.stack([horizontal, horizontal.T])[:, None]
    flat = latent.flatten(0, 1)[:, None]  # every channel on its own
    gradients = F.conv2d(F.pad(flat, (1, 1, 1, 1), mode="replicate"), kernels)
    return (gradients.square().sum(1) + eps).sqrt().unflatten(0, latent.shape[:2])


def sobel(prediction: Tensor, target: Tensor) -> Tensor:
    """Eq. (2): mean squared difference of the gradient magnitudes of two latents (B, C, h, w)."""
    return F.mse_loss(sobel_magnitude(prediction), sobel_magnitude(target))


def soft_clip(
    prediction: Tensor, target: Tensor, temperature: float, direction: str = "both"
) -> Tensor:
    """Eq. (4): contrastive loss whose soft labels are the similarities among the targets.

    For each image i, the cross-entropy between ``softmax_j(t_i · t_j / temperature)`` and
    ``softmax_j(p_i · t_j / temperature)``, averaged over i. The tokens of an image are first
    flattened and scaled to length 1, as MindEye and MindBridge do.

    Parameters
    ----------
    prediction, target : Tensor, shape (B, ...)
    temperature : float
    direction : {"both", "forward"}
        ``"forward"`` is Eq. (4) as printed (which sums over i where this averages). ``"both"`` also
        compares each target with all predictions and takes the mean of the two: the code of MindEye
        and MindBridge, which the paper cites for this loss.

    Returns
    -------
    Tensor, shape ()
        At least the mean entropy of the soft labels, reached when prediction and target are equal.
    """
    p, t = _unit_vectors(prediction), _unit_vectors(target)
    labels = (t @ t.T / temperature).softmax(-1)
    logits = p @ t.T / temperature
    forward = -(labels * logits.log_softmax(-1)).sum(-1).mean()
    if direction == "forward":
        return forward
    backward = -(labels * logits.T.log_softmax(-1)).sum(-1).mean()
    return (forward + backward) / 2


def _unit_vectors(tokens: Tensor) -> Tensor:
    # float32 whatever the training precision: at temperature 0.005 a rounding error of 0.004 in a
    # cosine, usual in bfloat16, would be a factor of 2 in the softmax.
    return F.normalize(tokens.flatten(1).float(), dim=1)


def structural_loss(prediction: Tensor, target: Tensor, weights: config.Losses) -> Terms:
    """Eq. (3): MSE plus Sobel loss on latents (B, C, h, w).

    Returns
    -------
    dict
        ``loss`` (what is minimised) and its terms ``mse`` and ``sobel``, unweighted.
    """
    terms = {"mse": mse(prediction, target), "sobel": sobel(prediction, target)}
    return {"loss": weights.mse * terms["mse"] + weights.sobel * terms["sobel"], **terms}


def semantic_loss(
    prediction: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor], weights: config.Losses
) -> Terms:
    """Eqs. (5) and (6), added up: SoftCLIP plus MSE, for image tokens and for text tokens.

    ``weights.text`` scales Eq. (6) as a whole; at 0 the text head learns nothing.

    The MSE is Eq. (1) as printed, divided by the number of images but not of entries, and taken on
    tokens in Versatile Diffusion's scale, so that predictions come out in that scale. MindBridge
    takes it on vectors of length 1 (and must rescale afterwards) with a factor that amounts to
    ``token_mse`` of about 0.0002 for image tokens; its loss is nearly SoftCLIP alone.

    Parameters
    ----------
    prediction, target : tuple of Tensor, shapes (B, Ti, D) and (B, Tt, D)
        Image tokens, text tokens.

    Returns
    -------
    dict
        ``loss`` (what is minimised) and the unweighted terms ``image_mse``, ``image_softclip``,
        ``text_mse`` and ``text_softclip``.
    """
    terms, total = {}, torch.zeros((), device=prediction[0].device)
    shares = {"image": 1.0, "text": weights.text}
    for (kind, share), p, t in zip(shares.items(), prediction, target, strict=True):
        distance = mse(p, t) * t[0].numel()
        contrast = soft_clip(p, t, weights.temperature, weights.softclip_direction)
        total = total + share * (weights.token_mse * distance + weights.softclip * contrast)
        terms |= {f"{kind}_mse": distance, f"{kind}_softclip": contrast}
    return {"loss": total, **terms}
