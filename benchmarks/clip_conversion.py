"""An open_clip model as transformers' CLIP classes, as the reference for our tokens.

Versatile Diffusion was trained on tokens that transformers' classes gave; the stock pipeline's
formulas are restated here on these classes.
"""

from __future__ import annotations

import open_clip
import torch
from torch import Tensor, nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

VISION = {
    "class_embedding": "embeddings.class_embedding",
    "positional_embedding": "embeddings.position_embedding.weight",
    "conv1.weight": "embeddings.patch_embedding.weight",
    "ln_pre": "pre_layrnorm",
    "ln_post": "post_layernorm",
    "proj": "visual_projection.weight",
}
TEXT = {
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_final": "final_layer_norm",
    "text_projection": "text_projection.weight",
}
BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def as_transformers(
    model: open_clip.CLIP, quick_gelu: bool
) -> tuple[CLIPVisionModelWithProjection, CLIPTextModelWithProjection]:
    """The two halves of an open_clip model with the same weights in transformers' classes."""
    visual, shared = model.visual, {"hidden_act": "quick_gelu" if quick_gelu else "gelu"}
    shared["projection_dim"] = model.text_projection.shape[1]
    image_size = visual.image_size if isinstance(visual.image_size, int) else visual.image_size[0]
    vision = CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            **shared,
            **_sizes(visual.transformer.resblocks),
            image_size=image_size,
            patch_size=visual.conv1.kernel_size[0],
        )
    )
    text = CLIPTextModelWithProjection(
        CLIPTextConfig(
            **shared,
            **_sizes(model.transformer.resblocks),
            vocab_size=model.vocab_size,
            max_position_embeddings=model.context_length,
            bos_token_id=model.vocab_size - 2,
            eos_token_id=model.vocab_size - 1,
        )
    )
    _copy(visual, vision, "vision_model", VISION)
    _copy(model, text, "text_model", TEXT)
    return vision.eval(), text.eval()


def _sizes(blocks: nn.ModuleList) -> dict[str, int]:
    return {
        "hidden_size": blocks[0].attn.embed_dim,
        "intermediate_size": blocks[0].mlp.c_fc.out_features,
        "num_hidden_layers": len(blocks),
        "num_attention_heads": blocks[0].attn.num_heads,
    }


def _copy(source: nn.Module, destination: nn.Module, prefix: str, names: dict[str, str]) -> None:
    """open_clip's tensors under transformers' names; every tensor must find its place."""
    tensors = dict(source.state_dict())
    found = {}
    for old, new in names.items():
        where = new if "projection" in new else f"{prefix}.{new}"
        if old.startswith("ln_"):
            found |= {f"{where}.{kind}": tensors[f"{old}.{kind}"] for kind in ("weight", "bias")}
        else:
            found[where] = tensors[old].T if "proj" in old else tensors[old]
    for layer in range(len(source.transformer.resblocks)):
        old, new = f"transformer.resblocks.{layer}", f"{prefix}.encoder.layers.{layer}"
        found |= _block(tensors, old, new)
    expected = {n for n in destination.state_dict() if not n.endswith("position_ids")}
    short = {name.removeprefix(f"{prefix}."): name for name in found}
    place = {name: name if name in found else short[name] for name in expected}
    if len(place) != len(found):
        raise ValueError(f"{len(found)} tensors of open_clip, {len(place)} of transformers")
    destination.load_state_dict({name: found[old] for name, old in place.items()}, strict=True)


def _block(tensors: dict[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    found = {}
    for kind in ("weight", "bias"):
        for a, b in BLOCK.items():
            found[f"{new}.{b}.{kind}"] = tensors[f"{old}.{a}.{kind}"]
        parts = tensors[f"{old}.attn.in_proj_{kind}"].chunk(3)
        for part, name in zip(parts, "qkv", strict=True):
            found[f"{new}.self_attn.{name}_proj.{kind}"] = part
        found[f"{new}.self_attn.out_proj.{kind}"] = tensors[f"{old}.attn.out_proj.{kind}"]
    return found


@torch.no_grad()
def image_tokens(vision: CLIPVisionModelWithProjection, images: Tensor) -> Tensor:
    """The stock pipeline's image tokens (B, Ti, D) of prepared images (B, 3, size, size)."""
    output = vision(images)
    inner = getattr(vision, "vision_model", vision)
    tokens = vision.visual_projection(inner.post_layernorm(output.last_hidden_state))
    return tokens / output.image_embeds.norm(dim=-1)[:, None, None]


@torch.no_grad()
def text_tokens(text: CLIPTextModelWithProjection, ids: Tensor) -> Tensor:
    """The stock pipeline's text tokens (B, Tt, D) of token ids (B, Tt)."""
    output = text(ids)
    return (
        text.text_projection(output.last_hidden_state)
        / output.text_embeds.norm(dim=-1)[:, None, None]
    )


def random_ids(model: open_clip.CLIP, lengths: list[int], generator: torch.Generator) -> Tensor:
    """Token ids (B, Tt) of captions of some lengths: start, words, end, padded with the end."""
    ids = torch.full((len(lengths), model.context_length), model.vocab_size - 1)
    for row, length in enumerate(lengths):
        ids[row, 0] = model.vocab_size - 2
        words = torch.randint(1, model.vocab_size - 2, (length,), generator=generator)
        ids[row, 1 : 1 + length] = words
    return ids
