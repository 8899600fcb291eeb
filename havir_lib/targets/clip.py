"""CLIP image and text tokens in the scale that Versatile Diffusion was trained on.

Not only the pooled embedding but every token goes through the last LayerNorm and the projection
into the joint space; all tokens of an image are then divided by the length of its class token, all
tokens of a caption by the length of its pooled (end-of-text) token. Models come from open_clip.

Shape words: B batch, Ti image tokens (class token first), Tt text tokens, D width of joint space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from havir_lib import hub
from havir_lib.config import Weights
from havir_lib.devices import as_tensor
from havir_lib.errors import ShapeError, WeightsError
from havir_lib.paths import MINI_WEIGHTS
from havir_lib.targets import tokenizer
from havir_lib.targets.pixels import clip_pixels

if TYPE_CHECKING:
    import open_clip  # takes seconds to import, and most steps read from the cache

REMEDY = (
    "weights.clip must be 'mini', a folder with open_clip_config.json and its weights, or an "
    "open_clip model name with weights.clip_pretrained set to a tag or a file."
)


@dataclass(frozen=True)
class ClipEncoder:
    """An open_clip model and its tokenizer.

    Attributes
    ----------
    model : open_clip.CLIP
    tokenize : callable
        Captions to token ids, (B, Tt).
    """

    model: open_clip.CLIP
    tokenize: Callable[[Sequence[str]], Tensor]

    def image_tokens(self, images: np.ndarray) -> Tensor:
        """Tokens (B, Ti, D) of uint8 images (B, H, W, 3); the class token has length 1."""
        device = self.model.logit_scale.device
        return image_tokens(self.model, self.preprocess(as_tensor(images).to(device)))

    def text_tokens(self, captions: Sequence[str]) -> Tensor:
        """Tokens (B, Tt, D) of captions; the end-of-text token has length 1."""
        ids = self.tokenize(captions).to(self.model.logit_scale.device)
        return text_tokens(self.model, ids)

    def preprocess(self, images: Tensor) -> Tensor:
        """uint8 (B, H, W, 3) to the model's input (B, 3, size, size), on its device."""
        import open_clip

        settings = open_clip.get_model_preprocess_cfg(self.model)
        return clip_pixels(images.cpu(), settings).to(self.model.logit_scale.device)


def load_clip(weights: Weights, device: torch.device | str = "cpu") -> ClipEncoder:
    """Load the CLIP model that a configuration names, and the tokenizer of its captions.

    Raises
    ------
    WeightsError
        If one cannot be found, or its files do not fit each other.
    """
    model = load_clip_model(weights).to(device)
    folder = tokenizer.tokenizer_folder(weights, _locate(weights)[1])
    tokenize = tokenizer.load_tokenizer(folder, model.context_length)
    if tokenize.vocab_size != model.vocab_size:
        raise WeightsError(
            f"{folder}: the tokenizer knows {tokenize.vocab_size} tokens, "
            f"but the model was made for {model.vocab_size}. They belong to different models."
        )
    return ClipEncoder(model, tokenize)


def load_clip_model(weights: Weights) -> open_clip.CLIP:
    """The CLIP model alone, not to be trained; errors as of :func:`load_clip`."""
    import open_clip

    name, folder = _locate(weights)
    pretrained = None if folder else _pretrained(weights)
    try:
        model = open_clip.create_model(name, pretrained, require_pretrained=True)
    except Exception as error:  # open_clip raises whatever the hub or the file reader raised
        raise WeightsError(
            f"The CLIP model {name} could not be loaded: {error}. {REMEDY}"
        ) from error
    return model.eval().requires_grad_(False)


def clip_content(weights: Weights) -> dict[str, Any]:
    """What the tokens depend on: hashes of the model's and the tokenizer's files."""
    model = model_identity(weights)
    return model | tokenizer.tokenizer_content(
        tokenizer.tokenizer_folder(weights, _locate(weights)[1])
    )


def model_identity(weights: Weights) -> dict[str, Any]:
    """What the model is: hashes of its files; before they were fetched, name and tag."""
    name, folder = _locate(weights)
    if folder:
        files = sorted(file for file in folder.iterdir() if file.is_file())
        return {file.name: hub.checked_digest(file) for file in files}
    pretrained = Path(_pretrained(weights) or "")
    tag = hub.checked_digest(pretrained) if pretrained.is_file() else weights.clip_pretrained
    return {"model": name, "pretrained": tag}


def _pretrained(weights: Weights) -> str | None:
    """The file fetched for the configured revision; else the tag or file of the configuration."""
    fetched = hub.clip_file(
        weights.clip, weights.clip_pretrained, weights.clip_revision, weights.hub_cache
    )
    return str(fetched) if fetched else weights.clip_pretrained


def _locate(weights: Weights) -> tuple[str, Path | None]:
    """open_clip's name of the model, and its folder if it is one."""
    folder = MINI_WEIGHTS / "clip" if weights.clip == "mini" else Path(weights.clip)
    if folder.is_dir():
        return f"local-dir:{folder}", folder
    if weights.clip == "mini":
        raise WeightsError(
            f"The small CLIP model should be in {folder}, which does not exist. "
            "It is part of this package: reinstall it."
        )
    return weights.clip, None


def image_tokens(model: open_clip.CLIP, images: Tensor) -> Tensor:
    """All image tokens (B, Ti, D), class token first, divided by its length.

    Parameters
    ----------
    model : open_clip.CLIP
        With a vision transformer.
    images : Tensor, shape (B, 3, size, size)
        Normalised as the model expects.

    Raises
    ------
    ShapeError
        If the image size is not the model's.
    """
    size = model.visual.image_size
    size = (size, size) if isinstance(size, int) else tuple(size)
    if tuple(images.shape[1:]) != (3, *size):
        raise ShapeError(
            f"Expected images (B, 3, {size[0]}, {size[1]}), found {tuple(images.shape)}."
        )
    output = model.visual.forward_intermediates(
        images,
        indices=1,  # the last block only
        normalize_intermediates=True,  # ln_post
        intermediates_only=True,
        output_fmt="NLC",
        output_extra_tokens=True,
    )
    kinds = ("image_intermediates_prefix", "image_intermediates")
    tokens = torch.cat([output[kind][-1] for kind in kinds], dim=1) @ model.visual.proj
    return tokens / tokens[:, :1].norm(dim=-1, keepdim=True)


def text_tokens(model: open_clip.CLIP, ids: Tensor) -> Tensor:
    """All text tokens (B, Tt, D), divided by the length of the end-of-text token.

    Parameters
    ----------
    model : open_clip.CLIP
    ids : Tensor of int, shape (B, Tt)
        The end-of-text token has the highest id; where there are several, as where it also pads,
        the first one ends the caption.
    """
    output = model.forward_intermediates(
        text=ids, text_indices=1, normalize_intermediates=True, intermediates_only=True
    )
    tokens = output["text_intermediates"][-1] @ model.text_projection
    first_end = ids.argmax(-1)  # of equal maxima, torch returns the first
    end = tokens[torch.arange(len(ids), device=ids.device), first_end]
    return tokens / end.norm(dim=-1)[:, None, None]
