"""The networks load real weights, give documented features, and say what is missing."""

import numpy as np
import open_clip
import pytest
import torch
import torchvision
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file
from skimage import data
from torch import nn

from havir_lib.config import Weights
from havir_lib.errors import ConfigError, WeightsError
from havir_lib.evaluation import networks
from havir_lib.evaluation.metrics import CLIP, METRICS
from havir_lib.evaluation.preparation import prepare
from havir_lib.io import write_json
from havir_lib.targets import clip as clip_targets


@pytest.fixture(scope="module")
def photographs():
    """A cup of espresso and a tabby cat (n, 3, 224, 224), both kept inside scikit-image."""
    how = METRICS["EffNetLite0-dist"].preparation
    images = [data.coffee()[:, 100:500], data.chelsea()[:, 60:360]]
    return torch.cat([prepare(image[None], how) for image in images])


def test_lite0_recognises_photographs(photographs):
    logits = networks.features(networks.load_network("efficientnet_lite0"), [""], photographs)[0]
    espresso, tabby_like = 967, {281, 282, 285}
    assert logits[0].argmax() == espresso
    assert int(logits[1].argmax()) in tabby_like


def test_folding_batch_norms_changes_nothing(photographs):
    plain = EfficientNet.from_name("efficientnet-lite0").eval()
    for module in plain.modules():  # default statistics of 0 and 1 would hide mistakes
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
    with torch.no_grad():
        expected = plain(photographs)
        result = networks._fold_batch_norms(plain)(photographs)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in plain.modules())
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("names", "shapes"),
    [
        (["EffNetLite0(2)", "EffNetLite0(5)"], [24 * 56 * 56, 112 * 14 * 14]),
        (["EffNetLite0-dist"], [1280]),
        (["EffNetLite2", "EffNetLite2-dist"], [1280, 1280]),
    ],
)
def test_demo_features_have_the_documented_length(rng, names, shapes):
    rows = [METRICS[name] for name in names]
    images = prepare(rng.integers(0, 256, (1, 9, 9, 3), dtype=np.uint8), rows[0].preparation)
    network = networks.load_network(rows[0].network)
    found = networks.features(network, [row.node for row in rows], images)
    assert [tuple(f.shape) for f in found] == [(1, length) for length in shapes]


@pytest.mark.parametrize(
    ("build", "names", "shapes"),
    [
        (torchvision.models.alexnet, ["AlexNet(2)", "AlexNet(5)"], [192 * 31**2, 256 * 15**2]),
        (torchvision.models.efficientnet_b1, ["EffNet-B"], [1280]),
        (torchvision.models.resnet50, ["SwAV"], [2048]),
        (torchvision.models.inception_v3, ["Inception"], [2048]),
    ],
)
def test_paper_features_have_the_documented_length(rng, build, names, shapes):
    """Architectures without weights: the nodes exist and follow a rectifier or pooling."""
    rows = [METRICS[name] for name in names]
    images = prepare(rng.integers(0, 256, (1, 9, 9, 3), dtype=np.uint8), rows[0].preparation)
    options = {"init_weights": False} if build is torchvision.models.inception_v3 else {}
    found = networks.features(build(**options).eval(), [row.node for row in rows], images)
    assert [tuple(f.shape) for f in found] == [(1, length) for length in shapes]
    assert all((f >= 0).all() for f in found if "AlexNet" in names[0])


def test_alexnet_nodes_follow_the_second_and_fifth_convolution():
    layers = torchvision.models.alexnet().features
    for name, count in {"AlexNet(2)": 2, "AlexNet(5)": 5}.items():
        index = int(METRICS[name].node.removeprefix("features."))
        before = [m for m in layers[: index + 1] if isinstance(m, nn.Conv2d)]
        assert len(before) == count
        assert isinstance(layers[index], nn.ReLU)


def test_hooks_are_removed():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    networks.features(network, ["0", "1"], torch.rand(1, 3, 7, 8))
    assert not network[0]._forward_hooks


@pytest.fixture
def empty_hub(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    networks.load_network.cache_clear()
    yield tmp_path / "checkpoints"
    networks.load_network.cache_clear()


@pytest.mark.parametrize("name", ["alexnet", "inception_v3", "efficientnet_b1", "swav_resnet50"])
def test_missing_weights_say_what_to_download(empty_hub, name):
    with pytest.raises(WeightsError, match="download https://"):
        networks.load_network(name)


def test_weights_of_another_network_are_refused(empty_hub):
    empty_hub.mkdir()
    foreign = nn.Linear(2, 3).state_dict()
    torch.save(foreign, empty_hub / "alexnet-owt-7be5be79.pth")
    with pytest.raises(WeightsError, match="does not fit AlexNet"):
        networks.load_network("alexnet")


def test_truncated_weights_are_refused(empty_hub):
    empty_hub.mkdir()
    (empty_hub / "alexnet-owt-7be5be79.pth").write_bytes(b"PK\x03\x04 not a whole archive")
    with pytest.raises(WeightsError, match="Cannot read"):
        networks.load_network("alexnet")


def test_swav_checkpoint_layout_loads(empty_hub):
    """The published file: names start with 'module.', SwAV's heads are in, no classifier."""
    network = torchvision.models.resnet50()
    state = {f"module.{k}": v for k, v in network.state_dict().items() if not k.startswith("fc.")}
    state |= {
        f"module.{head}.weight": torch.ones(2) for head in ("projection_head.0", "prototypes")
    }
    empty_hub.mkdir()
    torch.save(state, empty_hub / "swav_800ep_pretrain.pth.tar")
    loaded = networks.load_network("swav_resnet50")
    torch.testing.assert_close(loaded.conv1.weight, network.conv1.weight)


@pytest.fixture
def tiny_clip(tmp_path):
    """A random CLIP model of 1 block in the folder layout of the small pretrained one."""
    tower = {"layers": 1, "width": 32, "heads": 2}
    config = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "patch_size": 16, "head_width": 16} | tower,
        "text_cfg": {"context_length": 9, "vocab_size": 49408} | tower,
    }
    del config["vision_cfg"]["heads"]
    model = open_clip.CLIP(**config)
    preprocess = {"mean": CLIP[0], "std": CLIP[1], "size": [32, 32]}
    write_json(
        tmp_path / "open_clip_config.json", {"model_cfg": config, "preprocess_cfg": preprocess}
    )
    save_file(model.state_dict(), tmp_path / "open_clip_model.safetensors")
    return tmp_path, model.eval()


def test_clip_features_are_its_image_embedding(tiny_clip):
    folder, model = tiny_clip
    network = networks._clip(Weights(clip=str(folder)), "").eval()
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        expected = model.encode_image(images)
    found = networks.features(network, [""], images)[0]
    assert found.shape == (3, 24)
    torch.testing.assert_close(found, expected)


def test_missing_clip_names_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(clip_targets, "MINI_WEIGHTS", tmp_path)
    networks.load_network.cache_clear()
    with pytest.raises(WeightsError, match="havir mini train"):
        networks.load_network("mini_clip")


def test_unknown_networks_and_nodes_are_refused():
    with pytest.raises(ConfigError, match="vgg"):
        networks.load_network("vgg")
    with pytest.raises(ConfigError, match="no module 'layer9'"):
        networks.features(nn.ReLU(), ["layer9"], torch.rand(1, 3, 7, 8))
