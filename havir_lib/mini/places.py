"""Where the UNet looks: every place of a picture has an image token of its own.

Nothing tells a UNet where a feature is, and which token belongs to a place it must find out by
itself. Left to the denoising loss, after 3,000 steps a single one of 28 heads had done so, and what
tokens know of shapes was lost. So half of the heads learn it outright: each place of the features
is to look at the token of the patch that it lies in.

Shape words: B batch, N = places, row by row, C channels, T = 1 + P x P image tokens, D token width,
H heads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor
from torch.nn import functional as F

from havir_lib.diffusion import DualGuidedUNet


@contextmanager
def lookups(unet: DualGuidedUNet) -> Iterator[list[Tensor]]:
    """Collect, while a UNet runs, how far its heads are from looking at their own place.

    Yields
    ------
    list of Tensor (B,)
        One for each transformer block that saw image tokens: cross-entropy of attention and own
        token, mean over places and the first half of the heads; ln T for a head that looks
        everywhere.
    """
    found: list[Tensor] = []

    def note(attention: Attention, given: tuple, named: dict, _: object) -> None:
        found.append(surprise(attention, given[0], named["encoder_hidden_states"]))

    blocks = [block for pair in unet.dual_blocks for block in pair.image.transformer_blocks]
    hooks = [block.attn2.register_forward_hook(note, with_kwargs=True) for block in blocks]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def surprise(attention: Attention, x: Tensor, tokens: Tensor) -> Tensor:
    """Cross-entropy (B,) of where features x (B, N, C) look among tokens (B, T, D), see above."""
    heads = max(attention.heads // 2, 1)
    rows = attention.to_q.weight.shape[0] // attention.heads * heads
    query = F.linear(x, attention.to_q.weight[:rows]).unflatten(-1, (heads, -1))
    key = F.linear(tokens, attention.to_k.weight[:rows]).unflatten(-1, (heads, -1))
    scores = torch.einsum("bnhd,bthd->bhnt", query, key).float() * attention.scale
    own = own_token(x.shape[1], tokens.shape[1]).to(x.device)
    index = own[None, None, :, None].expand(*scores.shape[:2], -1, 1)
    return -scores.log_softmax(-1).gather(-1, index).mean(dim=(1, 2, 3))


def own_token(n_places: int, n_tokens: int) -> Tensor:
    """Index (N,) of each place's token; the first token is of the whole picture."""
    side, patches = math.isqrt(n_places), math.isqrt(n_tokens - 1)
    line = torch.arange(side) * patches // side
    return (1 + line[:, None] * patches + line).flatten()
