"""How different two pictures look: distance of a pretrained network's features.

As LPIPS (Zhang et al., 2018, section 3) without learned weights: features of some layers, scaled to
unit length over channels, squared difference, mean over places. The network is EfficientNet-Lite1,
which no metric of the companion uses, though its siblings Lite0 and Lite2 score the demo.

Shape words: B batch, H, W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from havir_lib.evaluation.networks import load_network

NETWORK = "efficientnet_lite1"
BLOCKS = (0, 3, 6, 14)
"""Last blocks of the first, second, third and fifth stage: a 2nd, 4th, 8th and 16th of the size."""


class PerceptualLoss(nn.Module):
    """Feature distance of pictures, differentiable by the first of them.

    Parameters
    ----------
    device : torch.device or str

    Raises
    ------
    WeightsError
        If the Python package that ships the network is missing or damaged.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        super().__init__()
        network = load_network(NETWORK, str(device))
        self.stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
        self.blocks = nn.ModuleList(network._blocks[: max(BLOCKS) + 1])

    def forward(self, images: Tensor, truth: Tensor) -> Tensor:
        """Mean distance of two batches (B, 3, H, W) in -1 to 1; 0 if they are the same."""
        with torch.no_grad():
            wanted = self._features(truth)
        pairs = zip(self._features(images), wanted, strict=True)
        return sum((a - b).square().sum(1).mean() for a, b in pairs)

    def _features(self, x: Tensor) -> list[Tensor]:
        # The network expects (v - 127) / 128 of v in 0 to 255.
        x = self.stem((127.5 * x + 0.5) / 128)
        found = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in BLOCKS:
                found.append(F.normalize(x.float(), dim=1))
        return found
