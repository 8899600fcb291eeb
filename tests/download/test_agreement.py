"""What is downloaded is what the loaders look for: two places that must say the same."""

from pathlib import Path

import pytest
import torch
import torchvision
from open_clip.pretrained import get_pretrained_cfg

from havir_lib import hub
from havir_lib.config import Weights
from havir_lib.download.weights import (
    CLIP_METRIC,
    DIFFUSION_FILES,
    NETWORKS,
    network_checksum,
    network_file,
)
from havir_lib.errors import WeightsError
from havir_lib.evaluation.metrics import METRICS
from havir_lib.evaluation.networks import load_network
from havir_lib.targets import clip
from havir_lib.targets.vae import diffusion_folder

SHIPPED = {None, "mini_clip", "efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"}


def test_every_metric_is_known():
    downloaded = {name: metric for name, metric in METRICS.items() if metric.network not in SHIPPED}
    assert set(downloaded) == {*NETWORKS, CLIP_METRIC}
    assert downloaded[CLIP_METRIC].network == "clip_vit_l14"


def test_addresses_are_torchvisions():
    urls = {
        "alexnet": torchvision.models.AlexNet_Weights.IMAGENET1K_V1.url,
        "inception_v3": torchvision.models.Inception_V3_Weights.IMAGENET1K_V1.url,
        "efficientnet_b1": torchvision.models.EfficientNet_B1_Weights.IMAGENET1K_V2.url,
    }
    for name, url in NETWORKS.items():
        if METRICS[name].network in urls:
            assert url == urls.pop(METRICS[name].network, url)
            assert network_checksum(url).value == url[-12:-4]
    assert not urls
    assert network_checksum(NETWORKS["SwAV"]) is None


def test_metric_networks_are_looked_for_where_they_are_put(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)  # another test may have set it
    for name, url in NETWORKS.items():
        assert network_file(url).parent == Path(torch.hub.get_dir()) / "checkpoints"
        load_network.cache_clear()
        with pytest.raises(WeightsError, match=str(network_file(url))):
            load_network(METRICS[name].network)


def test_clip_repository_is_open_clips():
    weights = Weights(clip="ViT-L-14-quickgelu", clip_pretrained="openai")
    expected = get_pretrained_cfg(weights.clip, weights.clip_pretrained)["hf_hub"].rstrip("/")
    assert hub.clip_repository(weights.clip, weights.clip_pretrained) == expected
    assert hub.clip_repository("ViT-B-32", "laion2b_s34b_b79k").startswith("laion/")
    assert hub.clip_repository("ViT-B-32", "no-such-tag") is None


def test_clip_is_loaded_from_what_was_fetched(tmp_path):
    weights = Weights(clip="ViT-L-14-quickgelu", clip_pretrained="openai", hub_cache=str(tmp_path))
    assert clip._pretrained(weights) == "openai"
    repository = hub.clip_repository(weights.clip, weights.clip_pretrained)
    hub.lock(repository, "main", hub.Revision("c" * 40, {}), str(tmp_path))
    file = hub.snapshot_folder(repository, "main", str(tmp_path)) / hub.CLIP_FILES[0]
    file.parent.mkdir(parents=True)
    file.touch()
    assert clip._pretrained(weights) == str(file)


def test_diffusion_model_is_loaded_from_what_was_fetched(tmp_path):
    weights = Weights(diffusion="shi-labs/versatile-diffusion", hub_cache=str(tmp_path))
    with pytest.raises(WeightsError, match="havir download"):
        diffusion_folder(weights)
    folder = hub.snapshot_folder(weights.diffusion, weights.diffusion_revision, str(tmp_path))
    for name in DIFFUSION_FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert diffusion_folder(weights) == folder
