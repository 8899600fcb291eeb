"""Dual guidance: a UNet whose every transformer block looks at CLIP image tokens and text tokens.

Versatile Diffusion has one UNet trained with image tokens and one with text tokens. Their
convolutions are not both needed: guiding by both kinds means replacing each transformer block of
the image UNet by a pair, the image UNet's own block and the text UNet's block of the same name, and
mixing what the two add to the features. This is Eq. (8)'s ``CrosAtt(e'_img, e'_cap)``.

Shape words: B batch, C latent channels, h w latent grid, Ti image tokens, Tt text tokens, D token
width.
"""

from __future__ import annotations

from typing import NamedTuple

from diffusers import Transformer2DModel, UNet2DConditionModel
from torch import Tensor, nn

from havir_lib.errors import ShapeError


class Guidance(NamedTuple):
    """What the dual blocks receive in place of one tensor of tokens."""

    image: Tensor | None
    text: Tensor | None
    mixing: float | Tensor


class DualTransformer(nn.Module):
    """An image and a text transformer block side by side.

    With input ``x``, the output is ``x + mixing * (text(x) - x) + (1 - mixing) * (image(x) - x)``,
    as in diffusers' ``DualTransformer2DModel``. A branch without tokens is not computed, and the
    other one then has all the weight.
    """

    def __init__(self, image: Transformer2DModel, text: Transformer2DModel) -> None:
        super().__init__()
        self.image = image
        self.text = text

    def forward(
        self, hidden_states: Tensor, encoder_hidden_states: Guidance, **_: object
    ) -> tuple[Tensor]:
        """Features (B, channels, h, w) in and out; a UNet block's other arguments are unused."""
        image_tokens, text_tokens, mixing = encoder_hidden_states
        if text_tokens is None:
            return (self._branch(self.image, hidden_states, image_tokens),)
        if image_tokens is None:
            return (self._branch(self.text, hidden_states, text_tokens),)
        image = self._branch(self.image, hidden_states, image_tokens)
        text = self._branch(self.text, hidden_states, text_tokens)
        if isinstance(mixing, Tensor):
            # A float32 ratio would promote half-precision features.
            mixing = mixing.to(text.dtype)
        # Both include the input, and the weights sum to one: mixing outputs mixes residuals.
        return (mixing * text + (1 - mixing) * image,)

    @staticmethod
    def _branch(transformer: Transformer2DModel, x: Tensor, tokens: Tensor) -> Tensor:
        return transformer(x, encoder_hidden_states=tokens, return_dict=False)[0]


class DualGuidedUNet(nn.Module):
    """A ``UNet2DConditionModel`` guided by image and text tokens.

    Parameters
    ----------
    unet : UNet2DConditionModel
        Its transformer blocks (``Transformer2DModel``) become the image branch.
    text_blocks : dict of str to Transformer2DModel
        The text branch, by the name of the block in `unet`, e.g. ``"down_blocks.0.attentions.1"``.
    """

    def __init__(
        self, unet: UNet2DConditionModel, text_blocks: dict[str, Transformer2DModel]
    ) -> None:
        super().__init__()
        for name, image in transformer_blocks(unet).items():
            unet.set_submodule(name, DualTransformer(image, text_blocks[name]))
        self.unet = unet

    @property
    def config(self) -> dict:
        """Configuration of the image UNet."""
        return self.unet.config

    @property
    def dual_blocks(self) -> list[DualTransformer]:
        """The pairs of transformer blocks, in the UNet's order."""
        return [module for module in self.unet.modules() if isinstance(module, DualTransformer)]

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the latents it was made for."""
        size = self.config["sample_size"]
        height, width = (size, size) if isinstance(size, int) else size
        return self.config["in_channels"], height, width

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | int,
        image_tokens: Tensor | None = None,
        text_tokens: Tensor | None = None,
        mixing: float | Tensor = 0.5,
    ) -> Tensor:
        """Predict the noise in `sample`.

        Parameters
        ----------
        sample : Tensor, shape (B, C, h, w)
            Noisy latents.
        timestep : int or Tensor, shape () or (B,)
            Training time steps, 0 (clean) to ``num_train_timesteps - 1``.
        image_tokens : Tensor, shape (B, Ti, D), optional
        text_tokens : Tensor, shape (B, Tt, D), optional
            CLIP tokens. A missing kind is not computed; the other one then has all the weight.
        mixing : float or Tensor, shape (B,)
            Weight of text against image, 0 to 1. The number 0 or 1 leaves out a branch, too.

        Returns
        -------
        Tensor, shape (B, C, h, w)

        Raises
        ------
        ShapeError
            If both kinds of tokens are missing.
        """
        guidance = guide(image_tokens, text_tokens, mixing)
        return self.unet(sample, timestep, encoder_hidden_states=guidance, return_dict=False)[0]


def guide(
    image_tokens: Tensor | None,
    text_tokens: Tensor | None,
    mixing: float | Tensor,
) -> Guidance:
    """Put tokens and mixing ratio together, leaving out what has no weight."""
    if isinstance(mixing, Tensor):
        mixing = mixing.reshape(-1, 1, 1, 1)
    elif image_tokens is not None and text_tokens is not None:
        image_tokens = None if mixing == 1 else image_tokens
        text_tokens = None if mixing == 0 else text_tokens
    if image_tokens is None and text_tokens is None:
        raise ShapeError(
            "Expected image tokens, text tokens or both, found neither. "
            "Zeros of shape (B, T, D) stand for no guidance."
        )
    return Guidance(image_tokens, text_tokens, mixing)


def transformer_blocks(unet: nn.Module) -> dict[str, Transformer2DModel]:
    """Transformer blocks of a UNet by name."""
    return {
        name: module
        for name, module in unet.named_modules()
        if isinstance(module, Transformer2DModel)
    }
