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
from torch.nn import functional as F

from havir_lib.errors import ShapeError


class Tokens:
    """Condition tokens, with the keys and values that each attention layer makes of them.

    Tokens stay the same at every denoising step, and so do their keys and values: they are computed
    at the first step that needs them and kept as long as this object lives.

    Parameters
    ----------
    states : Tensor, shape (B, T, D)
    """

    def __init__(self, states: Tensor) -> None:
        self.states = states
        self._projected: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def keys_values(self, attention: nn.Module) -> tuple[Tensor, Tensor]:
        """Keys and values for one attention layer, each (B, heads, T, channels per head)."""
        if attention not in self._projected:
            layers = (attention.to_k, attention.to_v)
            self._projected[attention] = tuple(
                _split_heads(layer(self.states), attention.heads) for layer in layers
            )
        return self._projected[attention]


class Guidance(NamedTuple):
    """What the dual blocks receive in place of one tensor of tokens."""

    image: Tokens | None
    text: Tokens | None
    mixing: float | Tensor


class CrossAttention:
    """Attention processor that takes keys and values from :class:`Tokens`."""

    def __call__(
        self,
        attn: nn.Module,
        hidden_states: Tensor,
        encoder_hidden_states: Tokens,
        attention_mask: None = None,
    ) -> Tensor:
        """Attend from the features (B, h w, channels) to the tokens."""
        keys, values = encoder_hidden_states.keys_values(attn)
        queries = _split_heads(attn.to_q(hidden_states), attn.heads)
        attended = F.scaled_dot_product_attention(queries, keys, values)
        return attn.to_out[1](attn.to_out[0](attended.transpose(1, 2).flatten(2)))


def _split_heads(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)  # (B, T, heads x d) -> (B, heads, T, d)


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
        for transformer in (image, text):
            for block in transformer.transformer_blocks:
                block.attn2.set_processor(CrossAttention())

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
        # Both include the input, and the weights sum to one: mixing outputs mixes residuals.
        return (mixing * text + (1 - mixing) * image,)

    @staticmethod
    def _branch(transformer: Transformer2DModel, x: Tensor, tokens: Tokens) -> Tensor:
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
        image_tokens: Tensor | Tokens | None = None,
        text_tokens: Tensor | Tokens | None = None,
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
            CLIP tokens. A missing kind is not computed; the other one then has all the weight. Pass
            :class:`Tokens` instead to keep keys and values over several calls.
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
    image_tokens: Tensor | Tokens | None,
    text_tokens: Tensor | Tokens | None,
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
    return Guidance(_as_tokens(image_tokens), _as_tokens(text_tokens), mixing)


def _as_tokens(tokens: Tensor | Tokens | None) -> Tokens | None:
    return Tokens(tokens) if isinstance(tokens, Tensor) else tokens


def transformer_blocks(unet: nn.Module) -> dict[str, Transformer2DModel]:
    """Transformer blocks of a UNet by name."""
    return {
        name: module
        for name, module in unet.named_modules()
        if isinstance(module, Transformer2DModel)
    }
