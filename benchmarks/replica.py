"""Random weights in the layouts that the published ones come in, at full size or as a toy.

Under a folder given by the user::

    huggingface/hub/models--shi-labs--versatile-diffusion/snapshots/<commit>/...
    huggingface/hub/models--timm--vit_large_patch14_clip_224.openai/snapshots/<commit>/...
    torch/hub/checkpoints/alexnet-owt-7be5be79.pth, ...

With ``HF_HOME`` and ``TORCH_HOME`` pointing there, loaders find them by the names of
``configs/paper.yaml``. Nothing made from them means anything; only sizes and layouts are real.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import open_clip
import torch
import torchvision
from diffusers import AutoencoderKL, DDIMScheduler, ModelMixin, UNet2DConditionModel
from diffusers.pipelines.deprecated.versatile_diffusion import modeling_text_unet
from safetensors.torch import save_file
from torch import nn

from havir_lib import hub
from havir_lib.config import Weights
from havir_lib.download.weights import NETWORKS, STEM
from havir_lib.io import atomic_write, write_json, write_text
from havir_lib.mini.clip import write_tokenizer

DIFFUSION = "shi-labs/versatile-diffusion"
CLIP = "ViT-L-14-quickgelu"
CLIP_COMMIT = "0" * 40
BUILD: dict[str, Callable[[], nn.Module]] = {
    "AlexNet(2)": torchvision.models.alexnet,
    "Inception": lambda: torchvision.models.inception_v3(init_weights=False),
    "EffNet-B": torchvision.models.efficientnet_b1,
    "SwAV": torchvision.models.resnet50,
}


@dataclass(frozen=True)
class Sizes:
    """Widths and depths of the replica; the defaults are the published models'.

    Attributes
    ----------
    widths : tuple of int
        Channels of the UNets' levels.
    depth : int
        Residual blocks per level, and transformer blocks where a level has them.
    side : int
        Of the latents.
    vae_widths : tuple of int
    token_width : int
        D of image and text tokens.
    groups : int
        Of the group norms.
    clip : dict or None
        open_clip configuration of a small CLIP in a folder of its own; None: ViT-L/14.
    metrics : tuple of str
        Metrics whose networks are written.
    """

    widths: tuple[int, ...] = (320, 640, 1280, 1280)
    depth: int = 2
    side: int = 64
    vae_widths: tuple[int, ...] = (128, 256, 512, 512)
    vae_depth: int = 2
    token_width: int = 768
    groups: int = 32
    clip: dict | None = None
    metrics: tuple[str, ...] = tuple(BUILD)

    @property
    def image_unet(self) -> dict:
        """Arguments of ``UNet2DConditionModel``; what is not said is diffusers' default."""
        return {**self._both("2D"), "in_channels": 4, "out_channels": 4}

    @property
    def text_unet(self) -> dict:
        """Arguments of ``UNetFlatConditionModel``."""
        channels = [self.token_width, 1, 1]
        return {**self._both("Flat"), "in_channels": channels, "out_channels": channels}

    def _both(self, kind: str) -> dict:
        n = len(self.widths)
        return {
            "sample_size": self.side,
            "block_out_channels": self.widths,
            "layers_per_block": self.depth,
            "cross_attention_dim": self.token_width,
            "attention_head_dim": 8,
            "norm_num_groups": self.groups,
            "down_block_types": (f"CrossAttnDownBlock{kind}",) * (n - 1) + (f"DownBlock{kind}",),
            "up_block_types": (f"UpBlock{kind}",) + (f"CrossAttnUpBlock{kind}",) * (n - 1),
        }

    @property
    def vae(self) -> dict:
        """Arguments of ``AutoencoderKL``."""
        n = len(self.vae_widths)
        return {
            "block_out_channels": self.vae_widths,
            "down_block_types": ("DownEncoderBlock2D",) * n,
            "up_block_types": ("UpDecoderBlock2D",) * n,
            "layers_per_block": self.vae_depth,
            "norm_num_groups": min(32, math.gcd(*self.vae_widths)),
            "sample_size": 256,
        }


FULL = Sizes()
TOY_CLIP = {
    "embed_dim": 24,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 32, "layers": 2, "head_width": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "layers": 2, "heads": 2},
}
TOY = Sizes(
    widths=(16, 32),
    depth=1,
    side=16,
    vae_widths=(8, 8, 16, 16),
    vae_depth=1,
    token_width=24,
    groups=8,
    clip=TOY_CLIP,
    metrics=("SwAV",),
)


@dataclass(frozen=True)
class Replica:
    """Where the weights of a replica are.

    Attributes
    ----------
    root : Path
    environment : dict
        Variables under which the loaders find them.
    overrides : dict
        Settings of the configuration that a toy needs besides; none at full size.
    """

    root: Path
    overrides: dict = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Variables under which the loaders find the weights, and look nowhere else."""
        return {
            "HF_HOME": str(self.root / "huggingface"),
            "HF_HUB_CACHE": str(self.hub_cache),
            "HF_HUB_OFFLINE": "1",
            "TORCH_HOME": str(self.root / "torch"),
        }

    @property
    def hub_cache(self) -> Path:
        """The hub library's cache folder."""
        return self.root / "huggingface" / "hub"

    @property
    def diffusion(self) -> Path:
        """Folder of the diffusion model, in the hub's layout."""
        revision = Weights().diffusion_revision
        return hub.snapshot_folder(DIFFUSION, revision, str(self.hub_cache))


def write_replica(root: Path, sizes: Sizes = FULL, seed: int = 0) -> Replica:
    """Write every file that is not there yet; equal arguments write equal weights.

    Inside ``with torch.device("cuda")`` the numbers are drawn on the card, in seconds instead of
    minutes; they are others than on a CPU.
    """
    replica = Replica(Path(root).resolve(), overrides_of(Path(root).resolve(), sizes))
    write_versatile_diffusion(replica.diffusion, sizes, seed)
    if sizes.clip is None:
        write_clip(replica.hub_cache, seed)
    else:
        write_clip_folder(replica.root / "clip", sizes.clip, seed)
    write_metric_networks(replica.root / "torch" / "hub" / "checkpoints", sizes.metrics, seed)
    return replica


def overrides_of(root: Path, sizes: Sizes) -> dict:
    """Settings that a toy's weights in `root` need; none at full size."""
    if sizes.clip is None:
        return {}
    return {
        "weights.clip": str(root / "clip"),
        "evaluation.metrics": ["PixCorr", "SSIM", *sizes.metrics],
    }


def write_versatile_diffusion(folder: Path, sizes: Sizes = FULL, seed: int = 0) -> None:
    """Versatile Diffusion's hub layout, as ``.bin`` files in float32 like the published ones."""
    parts: dict[str, Callable[[], ModelMixin]] = {
        "image_unet": lambda: UNet2DConditionModel(**sizes.image_unet),
        "text_unet": lambda: modeling_text_unet.UNetFlatConditionModel(**sizes.text_unet),
        "vae": lambda: AutoencoderKL(**sizes.vae),
    }
    for number, (name, build) in enumerate(parts.items()):
        file = folder / name / f"{STEM}.bin"
        if not file.is_file():
            model = _random(build, seed + number)
            model.save_config(folder / name)
            _save(file, model.state_dict())
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    flags = {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}
    DDIMScheduler(**schedule, **flags).save_pretrained(folder / "scheduler")
    ranks = open_clip.SimpleTokenizer().bpe_ranks  # OpenAI's vocabulary, which open_clip ships
    write_tokenizer(folder / "tokenizer", sorted(ranks, key=ranks.get))


def write_clip(cache: Path, seed: int = 0) -> None:
    """ViT-L/14 where open_clip's repository of the OpenAI weights would be in a hub cache."""
    repository = hub.clip_repository(CLIP, "openai")
    folder = hub.repository_folder(repository, str(cache))
    file = folder / "snapshots" / CLIP_COMMIT / hub.CLIP_FILES[0]
    if not file.is_file():
        _save_tensors(file, _random(lambda: open_clip.create_model(CLIP), seed))
    write_text(folder / "refs" / "main", CLIP_COMMIT)


def write_clip_folder(folder: Path, settings: dict, seed: int = 0) -> None:
    """A CLIP model with its configuration in a folder, as ``weights.clip`` takes it."""
    write_json(folder / "open_clip_config.json", {"model_cfg": settings, "preprocess_cfg": {}})
    file = folder / "open_clip_model.safetensors"
    if not file.is_file():
        _save_tensors(file, _random(lambda: open_clip.CLIP(**settings), seed))


def write_metric_networks(folder: Path, metrics: tuple[str, ...], seed: int = 0) -> None:
    """Networks of metrics under the names that torch keeps them by."""
    for name in metrics:
        file = folder / NETWORKS[name].rsplit("/", 1)[1]
        if not file.is_file():
            state = _random(BUILD[name], seed).state_dict()
            _save(file, _as_swav(state) if name == "SwAV" else state)


def _as_swav(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """SwAV's checkpoint: names start with ``module.``, its own heads, no classifier."""
    kept = {f"module.{name}": x for name, x in state.items() if not name.startswith("fc.")}
    return {**kept, "module.prototypes.weight": torch.zeros(3000, 128)}


def _random(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build().eval().cpu()


def _save(file: Path, tensors: dict[str, torch.Tensor]) -> None:
    with _announced(file) as temporary:
        torch.save(tensors, temporary)


def _save_tensors(file: Path, model: nn.Module) -> None:
    with _announced(file) as temporary:
        save_file({name: x.contiguous() for name, x in model.state_dict().items()}, temporary)


@contextmanager
def _announced(file: Path) -> Iterator[Path]:
    with atomic_write(file) as temporary:
        yield temporary
    print(f"wrote {file.parent.name}/{file.name}: {file.stat().st_size / 1e9:.2f} GB", flush=True)
