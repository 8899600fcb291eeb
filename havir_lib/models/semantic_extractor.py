"""Semantic Extractor (section III-B, appendix B): semantic voxels → CLIP image and text tokens.

The appendix gives the order of the layers, not their widths; widths, dropout rates and the
activation are those of MindBridge's single-subject model, without its adapters, which the paper
does not mention. Its voxel pooling, not mentioned either, is there for the baseline in its style.

Shape words: B batch, V voxels, Ti image tokens, Tt text tokens, D token width.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from havir_lib import config
from havir_lib.errors import ConfigError
from havir_lib.models.blocks import ResidualMLP, check_voxels, voxel_embedding


class SemanticExtractor(nn.Module):
    """Betas (B, V) → image tokens (B, Ti, D) and text tokens (B, Tt, D).

    Parameters
    ----------
    n_voxels : int
    image_shape, text_shape : tuple of int
        ``(Ti, D)`` and ``(Tt, D)``; (257, 768) and (77, 768) for CLIP ViT-L/14.
    settings : havir_lib.config.SemanticExtractor
        With ``pooled_voxels``, neighbours in the list of voxels share weights: the list is cut into
        that many pieces of nearly equal length, and the largest beta of each counts.

    Raises
    ------
    ConfigError
        If ``pooled_voxels`` is not smaller than `n_voxels`: it would repeat voxels, not pool them.
    """

    branch = "semantic"

    def __init__(
        self,
        n_voxels: int,
        image_shape: tuple[int, int],
        text_shape: tuple[int, int],
        settings: config.SemanticSettings | None = None,
    ) -> None:
        super().__init__()
        settings = settings or config.SemanticSettings()
        self.n_voxels, self.settings = n_voxels, settings
        self.image_shape, self.text_shape = tuple(image_shape), tuple(text_shape)
        hidden = settings.hidden
        self.embed = self.embedding(n_voxels, settings)  # first, see `build_embedding`
        self.mlp = ResidualMLP(hidden, settings.n_blocks, nn.GELU, settings.dropout, bias=True)
        self.image_head = nn.Linear(hidden, math.prod(image_shape))
        self.text_head = nn.Linear(hidden, math.prod(text_shape))
        for head, (_, width) in ((self.image_head, image_shape), (self.text_head, text_shape)):
            _start_at_token_scale(head, width)

    @staticmethod
    def embedding(n_voxels: int, settings: config.SemanticSettings) -> nn.Sequential:
        """The layer that belongs to a subject, (B, V) → (B, hidden), with fresh weights."""
        n_inputs = _n_inputs(n_voxels, settings.pooled_voxels)
        return voxel_embedding(n_inputs, settings.hidden, nn.GELU, settings.dropout_in, bias=True)

    def forward(self, betas: Tensor) -> tuple[Tensor, Tensor]:
        """Predict tokens (B, Ti, D) and (B, Tt, D) in Versatile Diffusion's scale."""
        check_voxels(betas, self.n_voxels)
        if self.settings.pooled_voxels is not None:
            betas = F.adaptive_max_pool1d(betas, self.settings.pooled_voxels)
        x = self.mlp(self.embed(betas))  # (B, H)
        return (
            self.image_head(x).unflatten(1, self.image_shape),
            self.text_head(x).unflatten(1, self.text_shape),
        )

    @property
    def architecture(self) -> dict[str, Any]:
        """Everything needed to build this model again, as JSON; see ``havir_lib.models.build``."""
        return {
            "branch": self.branch,
            "n_voxels": self.n_voxels,
            "image_shape": list(self.image_shape),
            "text_shape": list(self.text_shape),
            "settings": self.settings.model_dump(mode="json"),
        }


def _n_inputs(n_voxels: int, pooled_voxels: int | None) -> int:
    if pooled_voxels is None:
        return n_voxels
    if pooled_voxels >= n_voxels:
        raise ConfigError(
            f"semantic_extractor.pooled_voxels is {pooled_voxels}, but there are only {n_voxels} "
            "voxels to pool. Choose a smaller number (comparison.pooled_voxels)."
        )
    return pooled_voxels


def _start_at_token_scale(head: nn.Linear, width: int) -> None:
    # SoftCLIP does not see the length of a prediction, so a head that starts with torch's default
    # weights, several times too long for tokens of length 1, would take most of training to shrink.
    nn.init.normal_(head.weight, std=(head.in_features * width) ** -0.5)
    nn.init.zeros_(head.bias)
