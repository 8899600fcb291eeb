"""Parts that both branches share: the voxel embedding and the residual MLP (appendices A and B).

Shape words: B batch, V voxels, H hidden units.
"""

from __future__ import annotations

from torch import Tensor, nn

from havir_lib.errors import ShapeError


def voxel_embedding(
    n_voxels: int, hidden: int, activation: type[nn.Module], dropout: float, bias: bool
) -> nn.Sequential:
    """Linear → LayerNorm → activation → dropout, (B, V) → (B, H).

    The only part of a branch that depends on the subject: transfer replaces it, and the rows of its
    first weight matrix (H, V) are what Figures 5 and 6 show.
    """
    return nn.Sequential(
        nn.Linear(n_voxels, hidden, bias=bias),
        nn.LayerNorm(hidden),
        activation(),
        nn.Dropout(dropout),
    )


class ResidualMLP(nn.Module):
    """`n_blocks` times ``x + [Linear → LayerNorm → activation → dropout](x)``, (B, H) → (B, H)."""

    def __init__(
        self, hidden: int, n_blocks: int, activation: type[nn.Module], dropout: float, bias: bool
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            voxel_embedding(hidden, hidden, activation, dropout, bias) for _ in range(n_blocks)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, H) in and out."""
        for block in self.blocks:
            x = x + block(x)
        return x


def check_voxels(betas: Tensor, n_voxels: int) -> None:
    """Raise :class:`ShapeError` unless `betas` is (B, `n_voxels`)."""
    if betas.ndim != 2 or betas.shape[1] != n_voxels:
        raise ShapeError(
            f"Expected betas of shape (B, {n_voxels}), found {tuple(betas.shape)}: "
            f"the model was made for {n_voxels} voxels. "
            "Use the voxels of the subject and role that it was trained on."
        )
