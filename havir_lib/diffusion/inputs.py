"""What a reconstruction starts from: checked, switched on or off, and cut into batches.

Shape words: n images, C latent channels, h w latent grid, Ti image tokens, Tt text tokens, D token
width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from havir_lib.devices import as_tensor
from havir_lib.diffusion.guidance import DualGuidedUNet
from havir_lib.errors import ConfigError, DataError, ShapeError

Array = np.ndarray | Tensor


@dataclass(frozen=True)
class Condition:
    """Tokens of one kind, and what stands for their absence in classifier-free guidance.

    Attributes
    ----------
    tokens : Tensor, shape (n, T, D)
    null : Tensor, shape (1, T, D)
    """

    tokens: Tensor
    null: Tensor

    def batch(self, part: slice, device: torch.device) -> Condition:
        """Some images' tokens on `device`."""
        return Condition(self.tokens[part].to(device), self.null.to(device))

    def doubled(self) -> Tensor:
        """Unconditional half, then conditional half: (2 n, T, D)."""
        return torch.cat([self.null.expand_as(self.tokens), self.tokens])


@dataclass(frozen=True)
class Inputs:
    """Inputs of n images; None is what is switched off."""

    latents: Tensor | None
    image: Condition | None
    text: Condition | None
    seeds: Sequence[int]
    latent_shape: tuple[int, int, int]

    def batches(self, size: int, device: torch.device) -> Iterator[Inputs]:
        """Cut into batches of at most `size` images, on `device`."""
        for first in range(0, len(self.seeds), size):
            part = slice(first, first + size)
            yield Inputs(
                None if self.latents is None else self.latents[part].to(device),
                None if self.image is None else self.image.batch(part, device),
                None if self.text is None else self.text.batch(part, device),
                self.seeds[part],
                self.latent_shape,
            )


def latents_input(
    latents: Array | None, n: int, latent_shape: tuple[int, int, int], use: bool
) -> Tensor | None:
    """Predicted latents as float32 (n, C, h, w), or None if they are not used."""
    if not use:
        return None
    tensor = _required(latents, "latents", "use_latent")
    _check_shape(tensor, (n, *latent_shape), "latents", "(n, C, h, w)")
    return tensor


def decode_only(unguided: str, latents: Tensor | None) -> bool:
    """Whether latents without any tokens are only decoded.

    Raises
    ------
    ConfigError
        If `unguided` is unknown, or there are no latents to decode.
    """
    if unguided not in ("decode", "denoise"):
        raise ConfigError(f"unguided must be 'decode' or 'denoise', but {unguided!r} was given.")
    if unguided == "decode" and latents is None:
        raise ConfigError(
            "Nothing to reconstruct from: latents and both kinds of tokens are switched off. "
            "Switch one on, or pass unguided='denoise'."
        )
    return unguided == "decode"


def conditions(
    unet: DualGuidedUNet,
    tokens: tuple[Array | None, Array | None],
    null: tuple[Array | None, Array | None],
    use: tuple[bool, bool],
    n: int,
) -> tuple[Condition | None, Condition | None]:
    """Image and text condition of n images; with both switched off, null tokens take their place.

    Parameters
    ----------
    tokens : pair of arrays, shape (n, T, D)
        Image tokens, text tokens.
    null : pair of arrays, shape (T, D), optional
        Default: zeros.
    use : pair of bool
    """
    widths = token_widths(unet)
    if not any(use):
        return tuple(_null_condition(*pair, n) for pair in zip(null, widths, strict=True))
    parts = zip(("image", "text"), tokens, null, widths, use, strict=True)
    return tuple(
        _condition(kind, own, absent, width, n) if used else None
        for kind, own, absent, width, used in parts
    )


def _condition(
    kind: str, tokens: Array | None, null: Array | None, width: int, n: int
) -> Condition:
    tensor = _required(tokens, f"{kind}_tokens", f"use_{kind}")
    length = tensor.shape[1] if tensor.ndim == 3 else "T"
    _check_shape(tensor, (n, length, width), f"{kind}_tokens", "(n, T, D)")
    absent = torch.zeros(length, width) if null is None else _float(null)
    _check_shape(absent, (length, width), f"null_{kind}_tokens", "(T, D)")
    return Condition(tensor, absent[None])


def _null_condition(null: Array | None, width: int, n: int) -> Condition:
    # Zeros all give the same keys and values: attending to one or to many is the same.
    absent = torch.zeros(1, 1, width) if null is None else _float(null)[None]
    return Condition(absent.expand(n, -1, -1), absent)


def token_widths(unet: DualGuidedUNet) -> tuple[int, int]:
    """D of the image and of the text branch."""
    block = unet.dual_blocks[0]
    return tuple(
        transformer.transformer_blocks[0].attn2.to_k.in_features
        for transformer in (block.image, block.text)
    )


def _required(value: Array | None, name: str, switch: str) -> Tensor:
    if value is None:
        raise ConfigError(f"{name} is None. Pass an array, or switch it off with {switch}=False.")
    tensor = _float(value)
    if not tensor.isfinite().all():
        n_bad = int((~tensor.isfinite()).sum())
        raise DataError(
            f"{name}: expected finite numbers, found {n_bad} that are NaN or infinite. "
            "Look for NaN among the voxels, or a training that diverged."
        )
    return tensor


def _float(value: Array) -> Tensor:
    return as_tensor(value).to(torch.float32)


def _check_shape(value: Tensor, expected: tuple, name: str, words: str) -> None:
    if tuple(value.shape) != tuple(expected):
        raise ShapeError(
            f"{name}: expected shape {words} = {tuple(expected)} "
            f"(n is the number of seeds), found {tuple(value.shape)}."
        )
