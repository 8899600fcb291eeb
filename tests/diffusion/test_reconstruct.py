"""Reconstruction: equality with the stock loop, batches, ablation switches, errors."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from benchmarks.stock import Comparison, own_latents, stock_latents
from havir_lib.diffusion import load_diffusion
from havir_lib.diffusion.inputs import Inputs, conditions
from havir_lib.diffusion.sampler import Sampling, sample
from havir_lib.diffusion.schedule import draw_noise, generators
from havir_lib.errors import ConfigError, DataError, ShapeError

LATENT = (5, 6, 8)
SEEDS = [3, 1, 4]
FEW = {"steps": 4, "progress": False}


@pytest.fixture(scope="module")
def model(hub):
    return load_diffusion(hub)


def denoised(model, latents, image, text, **settings):
    """Final latents, before decoding."""
    defaults = {"steps": 4, "strength": 1.0, "strength_convention": "noise"}
    defaults |= {"guidance_scale": 3.5, "mixing": 0.5, "scheduler": "unipc"}
    use = (image is not None, text is not None)
    image, text = conditions(model.unet, (image, text), (None, None), use, 3)
    inputs = Inputs(latents, image, text, SEEDS, LATENT)
    with torch.inference_mode():
        return sample(model.unet, model.scheduler_config, Sampling(**defaults | settings), inputs)


@pytest.mark.parametrize(
    ("scheduler", "mixing", "guidance_scale"),
    [
        ("ddpm", 0.3, 3.5),
        ("ddim", 0.3, 7.5),
        ("unipc", 0.6, 3.5),
        ("dpmsolver++", 0.6, 1.0),
        ("unipc", 0.0, 2.0),
        ("ddim", 1.0, 1.0),
    ],
)
def test_equals_the_stock_loop(pipeline, model, inputs, scheduler, mixing, guidance_scale):
    _, image, text = inputs
    given = Comparison(image, text, SEEDS, LATENT, scheduler, mixing, guidance_scale)
    expected = stock_latents(pipeline, model.scheduler_config, given)
    found = own_latents(model, given)
    assert expected.std() > 0.5
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_ddim_from_the_middle_equals_the_formula(model, inputs):
    """Independent of diffusers' schedulers: the last 2 of 4 steps, with guidance."""
    latents, image, text = inputs
    found = denoised(model, latents, image, text, scheduler="ddim", strength=0.5, mixing=0.3)
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    alpha_bar = np.cumprod(1 - betas)
    z = alpha_bar[251] ** 0.5 * latents + (1 - alpha_bar[251]) ** 0.5 * draw_noise(
        generators(SEEDS), LATENT
    )
    for t, after in ((251, alpha_bar[1]), (1, alpha_bar[0])):
        with torch.no_grad():
            null = model.unet(z, t, image * 0, text * 0, 0.3)
            noise = null + 3.5 * (model.unet(z, t, image, text, 0.3) - null)
        clean = (z - (1 - alpha_bar[t]) ** 0.5 * noise) / alpha_bar[t] ** 0.5
        z = (after**0.5 * clean + (1 - after) ** 0.5 * noise).float()
    torch.testing.assert_close(found, z, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("scheduler", ["ddpm", "unipc"])
def test_images_do_not_depend_on_batch_size_or_order(model, inputs, scheduler):
    settings = {"scheduler": scheduler, **FEW}
    whole = model.reconstruct(*inputs, seeds=SEEDS, batch_size=3, **settings)
    assert whole.shape == (3, 12, 16, 3)
    assert whole.dtype == np.uint8
    assert whole.std() > 10
    uneven = model.reconstruct(*inputs, seeds=SEEDS, batch_size=2, **settings)
    np.testing.assert_allclose(uneven.astype(int), whole, atol=1)
    turned = model.reconstruct(*(x.flip(0) for x in inputs), seeds=SEEDS[::-1], **settings)
    np.testing.assert_allclose(turned[::-1].astype(int), whole, atol=1)


def test_same_seeds_same_bytes_other_seeds_other_images(model, inputs):
    first, again, other = (
        model.reconstruct(*inputs, seeds=seeds, **FEW) for seeds in (SEEDS, SEEDS, [7, 8, 9])
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 5


def test_numpy_and_torch_inputs_are_alike(model, inputs):
    arrays = [x.numpy() for x in inputs]
    np.testing.assert_array_equal(
        model.reconstruct(*inputs, seeds=SEEDS, **FEW),
        model.reconstruct(*arrays, seeds=SEEDS, **FEW),
    )


def test_switches_equal_missing_inputs(model, inputs):
    latents, image, text = inputs
    for switches, arguments in (
        ({"use_image": False}, (latents, None, text)),
        ({"use_text": False}, (latents, image, None)),
        ({"use_latent": False}, (None, image, text)),
    ):
        off = model.reconstruct(*inputs, seeds=SEEDS, **switches, **FEW)
        missing = model.reconstruct(*arguments, seeds=SEEDS, **switches, **FEW)
        np.testing.assert_array_equal(off, missing)


def test_one_kind_of_tokens_is_the_model_with_that_branch_alone(model, inputs):
    latents, image, text = inputs
    torch.testing.assert_close(
        denoised(model, latents, image, None, mixing=0.5),
        denoised(model, latents, image, text, mixing=0.0),
    )
    torch.testing.assert_close(
        denoised(model, latents, None, text, mixing=0.5),
        denoised(model, latents, image, text, mixing=1.0),
    )


@pytest.mark.parametrize(
    ("settings", "evaluations", "rows"),
    [
        ({}, 3, 6),  # floor(4 * 0.85) steps, both halves of guidance
        ({"guidance_scale": 1.0}, 3, 3),
        ({"use_latent": False}, 4, 6),  # pure noise needs the whole schedule
        ({"strength": 0.25, "strength_convention": "structure"}, 3, 6),
        ({"use_image": False, "use_text": False}, 0, 0),
        ({"use_image": False, "use_text": False, "unguided": "denoise"}, 3, 3),
        ({"strength": 0.0}, 0, 0),
        ({"batch_size": 2}, 6, 4),
    ],
)
def test_only_what_is_needed_is_computed(model, inputs, settings, evaluations, rows):
    seen = []
    hook = model.unet.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    model.reconstruct(*inputs, seeds=SEEDS, **settings, **FEW)
    hook.remove()
    assert len(seen) == evaluations
    assert max(seen, default=0) == rows


def test_latent_alone_is_decoded_as_it_is(model, inputs):
    latents = inputs[0]
    expected = model.decode(latents)
    nothing = {"use_image": False, "use_text": False}
    for arguments, settings in (
        ((latents, None, None), nothing),
        (inputs, {"strength": 0.0}),
        (inputs, {"strength": 1.0, "strength_convention": "structure"}),
    ):
        found = model.reconstruct(*arguments, seeds=SEEDS, **settings, **FEW)
        np.testing.assert_array_equal(found, expected)


def test_full_strength_uses_no_latent(model, inputs):
    np.testing.assert_array_equal(
        model.reconstruct(*inputs, seeds=SEEDS, strength=1.0, **FEW),
        model.reconstruct(*inputs, seeds=SEEDS, use_latent=False, **FEW),
    )


def test_more_structure_keeps_closer_to_the_latent(model, inputs):
    target = model.decode(inputs[0]).astype(int)
    settings = {"strength_convention": "structure", "steps": 8, "progress": False}
    distances = [
        np.abs(model.reconstruct(*inputs, seeds=SEEDS, strength=s, **settings) - target).mean()
        for s in (0.1, 0.5, 0.9)
    ]
    assert distances[0] > distances[1] > distances[2] > 0


def test_unguided_denoising_equals_null_tokens(model, inputs):
    latents, image, text = inputs
    found = model.reconstruct(
        latents, None, None, seeds=SEEDS, use_image=False, use_text=False, unguided="denoise", **FEW
    )
    null = model.reconstruct(latents, image * 0, text * 0, seeds=SEEDS, **FEW)
    np.testing.assert_allclose(found.astype(int), null, atol=1)


def test_null_tokens_are_the_unconditional_side(model, inputs):
    latents, image, text = inputs
    arguments = (latents, image[:1].expand(3, -1, -1), text[:1].expand(3, -1, -1))
    null = {"null_image_tokens": image[0], "null_text_tokens": text[0]}
    # With null tokens equal to the tokens themselves, guidance changes nothing at any scale.
    guided = model.reconstruct(*arguments, seeds=SEEDS, guidance_scale=9.0, **null, **FEW)
    plain = model.reconstruct(*arguments, seeds=SEEDS, guidance_scale=1.0, **FEW)
    np.testing.assert_allclose(guided.astype(int), plain, atol=1)


def test_encode_and_decode_are_the_vaes(hub, model, rng):
    vae = AutoencoderKL.from_pretrained(hub / "vae")
    images = rng.integers(0, 256, (3, 12, 16, 3), dtype=np.uint8)
    pixels = torch.as_tensor(images).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        latents = vae.encode(pixels).latent_dist.mode() * 0.7
        decoded = vae.decode(latents / 0.7).sample
    found = model.encode(images, batch_size=2)
    np.testing.assert_allclose(found, latents.numpy(), rtol=1e-4, atol=1e-5)
    expected = ((decoded / 2 + 0.5).clamp(0, 1) * 255).round().permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(model.decode(latents, batch_size=2).astype(int), expected, atol=1)


def test_decoded_values_are_clamped_not_wrapped(model, monkeypatch):
    wild = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0]).expand(1, 3, 2, 5)
    monkeypatch.setattr(model.vae, "decode", lambda _: SimpleNamespace(sample=wild))
    decoded = model.decode(torch.zeros(1, *LATENT))
    np.testing.assert_array_equal(decoded[0, 0, :, 0], [0, 0, 128, 255, 255])


def test_bfloat16_is_close_to_float32(hub, model, inputs):
    # Guidance multiplies rounding errors, so compare without it.
    settings = {"seeds": SEEDS, "guidance_scale": 1.0, **FEW}
    half = load_diffusion(hub, dtype=torch.bfloat16).reconstruct(*inputs, **settings)
    assert np.abs(half.astype(int) - model.reconstruct(*inputs, **settings)).mean() < 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latents": torch.zeros(2, *LATENT)}, r"latents: expected shape .* \(3, 5, 6, 8\)"),
        ({"latents": torch.zeros(3, 4, 6, 8)}, r"found \(3, 4, 6, 8\)"),
        ({"image_tokens": torch.zeros(3, 9, 11)}, r"image_tokens: .*\(3, 9, 12\)"),
        ({"text_tokens": torch.zeros(3, 12)}, r"text_tokens: .*\(3, 'T', 12\)"),
        ({"null_text_tokens": torch.zeros(6, 12)}, r"null_text_tokens: .*\(7, 12\)"),
    ],
)
def test_shapes_that_do_not_fit(model, inputs, change, message):
    arguments = dict(zip(("latents", "image_tokens", "text_tokens"), inputs, strict=True))
    with pytest.raises(ShapeError, match=message):
        model.reconstruct(**arguments | change, seeds=SEEDS, **FEW)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mixing": 1.5}, "mixing must be between 0 and 1"),
        ({"scheduler": "euler"}, "but 'euler' was given"),
        ({"strength": 2.0}, "strength must be"),
        ({"use_image": False, "use_text": False, "use_latent": False}, "Nothing to reconstruct"),
        ({"use_image": False, "use_text": False, "unguided": "no"}, "unguided must be"),
    ],
)
def test_options_out_of_range(model, inputs, settings, message):
    with pytest.raises(ConfigError, match=message):
        model.reconstruct(*inputs, seeds=SEEDS, **settings, **FEW)


def test_a_missing_input_that_is_not_switched_off(model, inputs):
    with pytest.raises(ConfigError, match="image_tokens is None.*use_image=False"):
        model.reconstruct(inputs[0], None, inputs[2], seeds=SEEDS, **FEW)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_values_that_are_not_finite_are_counted(model, inputs, position):
    inputs[position][1, 2, :3] = float("nan")
    n_bad = inputs[position][1, 2, :3].numel()
    with pytest.raises(DataError, match=f"found {n_bad} that are NaN"):
        model.reconstruct(*inputs, seeds=SEEDS, **FEW)


def test_images_that_are_not_finite_are_refused(model):
    with pytest.raises(DataError, match="not finite"):
        model.decode(torch.full((1, *LATENT), float("inf")))
