"""Which published weights a profile uses, and where the loaders look for them.

- Versatile Diffusion and CLIP are in repositories of the Hugging Face hub, at a revision that the
  configuration names, and lie in the hub's cache (:mod:`havir_lib.hub`).
- Networks of the metrics lie where torch keeps downloaded files (``TORCH_HOME`` moves that).

What ships with packages, and what the configuration gives as a local folder or file, is only looked
for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from havir_lib import hub
from havir_lib.config import Config, Weights
from havir_lib.download.checksum import Checksum
from havir_lib.download.items import Item
from havir_lib.download.web import at_mirror

_TORCHVISION = "https://download.pytorch.org/models"
NETWORKS = {
    "AlexNet(2)": f"{_TORCHVISION}/alexnet-owt-7be5be79.pth",
    "AlexNet(5)": f"{_TORCHVISION}/alexnet-owt-7be5be79.pth",
    "Inception": f"{_TORCHVISION}/inception_v3_google-0cc3c7bd.pth",
    "EffNet-B": f"{_TORCHVISION}/efficientnet_b1-c27df63c.pth",
    "SwAV": "https://dl.fbaipublicfiles.com/deepcluster/swav_800ep_pretrain.pth.tar",
}
"""Weights of the networks behind metrics. The metric table and torchvision, which say the same, are
slow to import, and what is missing should be known at once."""
CLIP_METRIC = "CLIP"
STEM = "diffusion_pytorch_model"
TOKENIZER = tuple(f"tokenizer/{name}" for name in hub.TOKENIZER_FILES)
DIFFUSION_FILES = (
    "image_unet/config.json",
    f"image_unet/{STEM}.bin",
    "text_unet/config.json",
    f"text_unet/{STEM}.bin",
    "vae/config.json",
    f"vae/{STEM}.bin",
    "scheduler/scheduler_config.json",
    *TOKENIZER,
)
"""Of shi-labs/versatile-diffusion; the text and image encoders beside them are not used."""

Resolved = Mapping[str, hub.Revision]
"""What revisions of repositories are, by source (``hub:...``)."""


def hub_source(repository: str, revision: str) -> str:
    """The name of a source that is a revision of a repository."""
    return f"hub:{repository}@{revision}"


def weight_items(config: Config, resolved: Resolved | None = None) -> list[Item]:
    """Weights that a profile needs.

    Parameters
    ----------
    config : Config
        Sections ``weights`` and ``evaluation``.
    resolved : mapping, optional
        What the server says of revisions; without it, what this machine's locks say.
    """
    resolved = resolved or {}
    items = _diffusion(config.weights, resolved) + _clip(config.weights, resolved)
    items += _metric_networks(config, resolved)
    return list({item.path: item for item in items}.values())


def _diffusion(weights: Weights, resolved: Resolved) -> list[Item]:
    name = weights.diffusion
    kind = "diffusion model"
    if name == "mini":
        return []
    if not hub.is_repository(name):
        return [Item("weights", kind, Path(name) / file, "", "") for file in ("vae/config.json",)]
    source = hub_source(name, weights.diffusion_revision)
    folder, held = _place(name, weights.diffusion_revision, weights.hub_cache, resolved)
    names = DIFFUSION_FILES if held is None else diffusion_files(held)
    return [_hub_item(kind, folder, source, file) for file in names]


def _place(
    repository: str, revision: str, cache: str | None, resolved: Resolved
) -> tuple[Path, list[str] | None]:
    """Folder of a revision in the hub's cache, and the names of its files if they are known."""
    meant = resolved.get(hub_source(repository, revision)) or hub.locked(
        repository, revision, cache
    )
    if meant is None:
        return hub.snapshot_folder(repository, revision, cache), None
    folder = hub.repository_folder(repository, cache) / "snapshots" / meant.commit
    return folder, list(meant.files)


def _hub_item(kind: str, folder: Path, source: str, name: str) -> Item:
    path = folder / name
    others = ()
    if path.suffix == ".bin":  # the same tensors in the other formats that the loaders read
        stem = path.with_suffix("")
        others = (stem.with_suffix(".safetensors"), Path(f"{stem}.safetensors.index.json"))
    return Item("weights", kind, path, source, name, alternatives=others)


def diffusion_files(names: Iterable[str]) -> list[str]:
    """Of all files of a repository, those the loaders read: safetensors where there are any."""
    names = sorted(names)
    chosen = [name for name in names if name in {"scheduler/scheduler_config.json", *TOKENIZER}]
    for component in ("image_unet", "text_unet", "vae"):
        chosen += [name for name in names if name == f"{component}/config.json"]
        for suffix in (".safetensors", ".bin"):
            pattern = rf"{component}/{STEM}(-\d+-of-\d+)?{re.escape(suffix)}(\.index\.json)?"
            if found := [name for name in names if re.fullmatch(pattern, name)]:
                chosen += found
                break
    return chosen


def _clip(weights: Weights, resolved: Resolved) -> list[Item]:
    kind = "CLIP"
    if weights.clip == "mini" or Path(weights.clip).is_dir():
        return []
    if weights.clip_pretrained and Path(weights.clip_pretrained).suffix:  # a file, not a tag
        return [Item("weights", kind, Path(weights.clip_pretrained), "", "")]
    repository = hub.clip_repository(weights.clip, weights.clip_pretrained)
    if repository is None:
        return [Item("weights", kind, Path(weights.clip), "", "")]
    source = hub_source(repository, weights.clip_revision)
    folder, held = _place(repository, weights.clip_revision, weights.hub_cache, resolved)
    held = hub.CLIP_FILES if held is None else held
    name = next((file for file in hub.CLIP_FILES if file in held), hub.CLIP_FILES[0])
    others = tuple(folder / file for file in hub.CLIP_FILES if file != name)
    return [Item("weights", kind, folder / name, source, name, alternatives=others)]


def _metric_networks(config: Config, resolved: Resolved) -> list[Item]:
    used = config.evaluation.metrics
    urls = dict.fromkeys(NETWORKS[metric] for metric in used if metric in NETWORKS)
    items = [_network(url, config) for url in urls]
    if CLIP_METRIC in used:
        settings = {"clip": "ViT-L-14-quickgelu", "clip_pretrained": "openai"}
        items += _clip(config.weights.model_copy(update=settings), resolved)
    return items


def network_folder() -> Path:
    """Where torch keeps downloaded files: below ``torch.hub.get_dir()``, without importing it."""
    caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = Path(os.environ.get("TORCH_HOME", Path(caches) / "torch")).expanduser()
    return home / "hub" / "checkpoints"


def network_file(url: str) -> Path:
    """Where torch keeps the file of an address."""
    return network_folder() / url.rsplit("/", 1)[1]


def network_checksum(url: str) -> Checksum | None:
    """torchvision's file names end in the first eight digits of their SHA-256."""
    match = re.search(r"-([0-9a-f]{8})\.", url.rsplit("/", 1)[1])
    return Checksum("first digits of SHA-256", match[1]) if match else None


def _network(url: str, config: Config) -> Item:
    address, pinned = at_mirror(url, config.download), network_checksum(url)
    return Item("weights", "metric networks", network_file(url), "web", address, pinned=pinned)
