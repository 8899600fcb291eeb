"""Loading and saving the diffusion model in Versatile Diffusion's own hub layout.

::

    image_unet/   UNet2DConditionModel, guided by image tokens
    text_unet/    UNetFlatConditionModel, guided by text tokens; only its ``attentions`` are read
    vae/          AutoencoderKL, read by ``havir_lib.targets.vae``
    scheduler/    noise schedule

The rest of the hub repository (text and image encoders, tokenizer, ``model_index.json``) is not
needed. Both UNets give their transformer blocks the same names, so the blocks pair by name. The
text UNet's other layers work on text latents and take no part in making images; a ``text_unet/``
that holds only its ``attentions`` tensors, as the small model shipped with this package does, loads
just as well.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from diffusers import Transformer2DModel, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor

from havir_lib.diffusion.guidance import DualGuidedUNet, transformer_blocks
from havir_lib.diffusion.tensors import STEM, fill_network, read_config, read_tensors
from havir_lib.errors import WeightsError
from havir_lib.io import atomic_write, write_json

# Settings that change what a text block computes without changing the shape of any tensor.
SHARED_SETTINGS = {"attention_head_dim": 8, "norm_num_groups": 32}


def build_dual_unet(
    unet_config: dict, text_cross_attention_dim: int | None = None
) -> DualGuidedUNet:
    """A dual-guided UNet with fresh random weights, for training.

    Parameters
    ----------
    unet_config : dict
        Arguments of diffusers' ``UNet2DConditionModel``.
    text_cross_attention_dim : int, optional
        Width of the text tokens; default: that of the image tokens (``cross_attention_dim``).
    """
    unet = UNet2DConditionModel.from_config(unet_config)
    text_blocks = {
        name: _text_block(block, text_cross_attention_dim or block.config.cross_attention_dim)
        for name, block in transformer_blocks(unet).items()
    }
    return DualGuidedUNet(unet, text_blocks)


def _text_block(image_block: Transformer2DModel, token_width: int) -> Transformer2DModel:
    # Not `from_config`: it takes settings that were passed by position for unset ones.
    settings = {key: x for key, x in image_block.config.items() if not key.startswith("_")}
    return Transformer2DModel(**{**settings, "cross_attention_dim": token_width})


def load_dual_unet(
    path: Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> DualGuidedUNet:
    """Read ``image_unet/`` and the transformer blocks of ``text_unet/`` under `path`.

    Raises
    ------
    WeightsError
        If a file is missing or corrupt, or the tensors do not fit the configuration or each other.
    """
    image_folder, text_folder = Path(path) / "image_unet", Path(path) / "text_unet"
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(read_config(image_folder))
    fill_network(unet, read_tensors(image_folder, dtype, device), image_folder)
    return DualGuidedUNet(unet, _load_text_blocks(text_folder, unet, device, dtype)).eval()


def _load_text_blocks(
    folder: Path, unet: UNet2DConditionModel, device: torch.device | str, dtype: torch.dtype
) -> dict[str, Transformer2DModel]:
    _check_same_settings(folder, unet)
    tensors = read_tensors(folder, dtype, device, keep=lambda name: ".attentions." in name)
    blocks = {}
    for name, image_block in transformer_blocks(unet).items():
        own = _below(tensors, name)
        if not own:
            raise WeightsError(
                f"{folder} holds no tensors of {name}, which image_unet has. "
                "The two folders belong to different models, or the download is incomplete."
            )
        with torch.device("meta"):
            blocks[name] = _text_block(image_block, _token_width(own, image_block))
        fill_network(blocks[name], own, folder / name)
    return blocks


def _below(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    start = f"{name}."
    return {key.removeprefix(start): x for key, x in tensors.items() if key.startswith(start)}


def _token_width(tensors: dict[str, Tensor], image_block: Transformer2DModel) -> int:
    keys = tensors.get("transformer_blocks.0.attn2.to_k.weight")
    return image_block.config.cross_attention_dim if keys is None else keys.shape[1]


def _check_same_settings(text_folder: Path, unet: UNet2DConditionModel) -> None:
    config = read_config(text_folder)
    for key, default in SHARED_SETTINGS.items():
        image, text = unet.config[key], config.get(key, default)
        if image != text:
            raise WeightsError(
                f"{text_folder}/config.json has {key} = {text}, but image_unet has {image}. "
                "The two must agree for their transformer blocks to be paired."
            )


def save_dual_unet(model: DualGuidedUNet, folder: Path) -> None:
    """Write ``image_unet/`` and ``text_unet/`` in float16, to be read by :func:`load_dual_unet`.

    ``image_unet/`` is a whole ``UNet2DConditionModel`` that diffusers reads on its own.
    ``text_unet/`` holds the ``attentions`` tensors only.

    Parameters
    ----------
    model : DualGuidedUNet
    folder : Path
        Made if it does not exist. Existing files are replaced.
    """
    image, text = _split(model.unet.state_dict())
    config = {key: value for key, value in model.config.items() if key != "_use_default_values"}
    config["_class_name"] = "UNet2DConditionModel"
    _save_component(Path(folder) / "image_unet", config, image)
    _save_component(Path(folder) / "text_unet", _flat_config(config, text), text)


def _split(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    image, text = {}, {}
    for name, tensor in tensors.items():
        pair = re.sub(r"(\.attentions\.\d+)\.(image|text)\.", r"\1.", name)
        is_text = re.search(r"\.attentions\.\d+\.text\.", name) is not None
        (text if is_text else image)[pair] = tensor.detach().to("cpu", torch.float16).contiguous()
    return image, text


def _flat_config(config: dict, text: dict[str, Tensor]) -> dict:
    width = next(x.shape[1] for name, x in text.items() if name.endswith("attn2.to_k.weight"))
    sides = {
        side: [block.replace("2D", "Flat") for block in config[side]]
        for side in ("down_block_types", "up_block_types")
    }
    return {
        **config,
        **sides,
        "_class_name": "UNetFlatConditionModel",
        "mid_block_type": config["mid_block_type"].replace("2D", "Flat"),
        "cross_attention_dim": width,
    }


def _save_component(folder: Path, config: dict, tensors: dict[str, Tensor]) -> None:
    write_json(folder / "config.json", config)
    with atomic_write(folder / f"{STEM}.safetensors") as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
