"""Muon: momentum whose update is made orthogonal, for matrices and convolutions.

With few steps to spend (two CPU cores), it needs fewer of them than AdamW. Jordan et al. 2024,
"Muon: An optimizer for hidden layers in neural networks"; scaled as in Liu et al. 2025, "Muon is
scalable for LLM training", so that learning rates mean what they mean for AdamW.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the Newton-Schulz polynomial; five rounds bring singular values to within 0.7 and 1.2."""


class Muon(torch.optim.Optimizer):
    """Muon for parameters of two dimensions or more; convolutions count as (out, in x k x k)."""

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                memory = self.state[p].setdefault("memory", torch.zeros_like(p))
                memory.lerp_(p.grad, 1 - group["momentum"])
                direction = orthogonal(p.grad.lerp(memory, group["momentum"]).flatten(1))
                rate = group["lr"] * 0.2 * max(direction.shape) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(direction.view_as(p), alpha=rate)


def orthogonal(matrix: Tensor, rounds: int = 5) -> Tensor:
    """Nearly the orthogonal factor of a matrix's polar decomposition, by Newton-Schulz rounds.

    Every round multiplies ``x`` by a polynomial of ``x @ x.T``; rounds are taken on this smaller
    matrix, and their product meets ``x`` once: a third of the time for 3 x 3 convolutions.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    square = x @ x.T
    product = identity = torch.eye(len(x), dtype=x.dtype, device=x.device)
    for _ in range(rounds):
        factor = a * identity + b * square + c * square @ square
        product = factor @ product
        square = factor @ square @ factor
    x = product @ x
    return x.T if tall else x
