"""The perceptual distance against plain features, and the decoder that learns from it."""

import numpy as np
import pytest
import torch
from skimage.filters import gaussian

from havir_lib.evaluation import networks
from havir_lib.mini import vae
from havir_lib.mini.fit import Draw, Schedule, make_optimisers, train_step
from havir_lib.mini.perceptual import BLOCKS, NETWORK, PerceptualLoss
from havir_lib.simulation.scenes import make_scene, render

SCHEDULE = Schedule(steps=100, batch_size=2, warmup=1, decay=0.01)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.stack([render(make_scene(seed).svg, 128) for seed in range(600_000_000, 600_000_003)])


@pytest.fixture(scope="module")
def perceptual() -> PerceptualLoss:
    return PerceptualLoss()


def blurred(images: np.ndarray, sigma: float) -> torch.Tensor:
    soft = [gaussian(image, sigma, channel_axis=-1, preserve_range=True) for image in images]
    return vae.to_tensor(np.stack(soft).round().astype(np.uint8))


def test_distance_is_that_of_the_networks_features(perceptual, images):
    x, y = vae.to_tensor(images), blurred(images, 2)
    network, nodes = networks.load_network(NETWORK), [f"_blocks.{i}" for i in BLOCKS]
    expected = 0.0
    for node, size in zip(nodes, (64, 32, 16, 8), strict=True):
        a, b = (
            networks.features(network, [node], (127.5 * z + 127.5 - 127) / 128)[0]
            .numpy()
            .reshape(len(images), -1, size * size)
            for z in (y, x)
        )
        cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        expected += (2 - 2 * cosine).mean()  # squared distance of unit vectors
    assert float(perceptual(y, x)) == pytest.approx(expected, rel=1e-4)


def test_distance_grows_with_blur_from_zero(perceptual, images):
    x = vae.to_tensor(images)
    distances = [float(perceptual(blurred(images, sigma), x)) for sigma in (0, 0.7, 1.5, 3)]
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert distances[1] > 0.01


def test_gradients_reach_the_picture_and_not_the_network(perceptual, images):
    x = vae.to_tensor(images)
    y = blurred(images, 2).requires_grad_()
    perceptual(y, x).backward()
    assert float(y.grad.abs().max()) > 0
    assert not any(p.requires_grad for p in perceptual.parameters())


def test_decoder_learns_and_the_encoder_stays(images):
    model = vae.build_vae()
    model.requires_grad_(False)
    for part in (model.decoder, model.post_quant_conv):
        part.requires_grad_(True)
    before = {name: x.clone() for name, x in model.state_dict().items()}
    loss = vae.decoder_loss(model, images, np.zeros((len(images), *vae.LATENT_SHAPE), "f2"), 2)
    optimisers = make_optimisers(model, SCHEDULE)
    first = float(loss(Draw(77, 0))["loss"].detach())
    for step in range(10):
        train_step(model, optimisers, loss, SCHEDULE, step)
    assert float(loss(Draw(77, 0))["loss"].detach()) < 0.9 * first
    for name, x in model.state_dict().items():
        same = torch.equal(x, before[name])
        assert same == name.startswith(("encoder.", "quant_conv.")), name
