"""The three models: built, trained for a few steps, saved, and read by the usual loaders."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from safetensors.torch import load_file

from havir_lib.config import Weights
from havir_lib.diffusion import load_dual_unet, save_dual_unet
from havir_lib.diffusion.model import load_diffusion
from havir_lib.errors import ConfigError, WeightsError
from havir_lib.evaluation.objects import READER, load_reader
from havir_lib.mini import clip, train_all, train_mini, unet, vae
from havir_lib.mini.data import (
    EXPERIMENT_SEED,
    LABELS,
    SceneSet,
    load_scenes,
    main_category,
    patch_labels,
    scene_labels,
)
from havir_lib.mini.encoded import Encoded
from havir_lib.mini.fit import Draw, Schedule, make_optimisers, train_step
from havir_lib.mini.recipe import Recipe
from havir_lib.simulation.scenes import CATEGORIES, make_scene, render
from havir_lib.targets.clip import load_clip
from havir_lib.targets.tokenizer import load_tokenizer
from havir_lib.targets.vae import load_vae

SCHEDULE = Schedule(steps=100, batch_size=4, warmup=1, decay=0.01)


@pytest.fixture(scope="module")
def scenes() -> SceneSet:
    four = [make_scene(seed) for seed in range(600_000_000, 600_000_004)]
    return SceneSet(
        images=np.stack([render(scene.svg, 128) for scene in four]),
        captions=[list(scene.captions) for scene in four],
        labels=np.stack([scene_labels(scene) for scene in four]),
        patches=np.stack([patch_labels(scene) for scene in four]),
        main=np.array([main_category(scene) for scene in four]),
    )


@pytest.fixture(scope="module")
def vocabulary(scenes, tmp_path_factory):
    path = tmp_path_factory.mktemp("vocabulary")
    clip.train_vocabulary([text for five in scenes.captions for text in five], path)
    return path


def losses(model, loss, steps: int) -> list[float]:
    """Loss on one fixed draw, before and after some training steps."""
    optimisers = make_optimisers(model, SCHEDULE)
    model.eval()
    with torch.no_grad():
        before = float(loss(Draw(77, 0))["loss"])
    model.train()
    for step in range(steps):
        train_step(model, optimisers, loss, SCHEDULE, step)
    model.eval()
    with torch.no_grad():
        return [before, float(loss(Draw(77, 0))["loss"])]


def test_labels_agree_with_the_scene():
    scene = make_scene(7)
    labels = dict(zip(LABELS, scene_labels(scene), strict=True))
    main = next(o for o in scene.objects if o.main)
    assert labels[main.category]
    assert labels[scene.setting]
    assert labels[scene.light]
    assert sum(labels[name] for name in CATEGORIES) <= len({o.category for o in scene.objects})
    patches = patch_labels(scene).reshape(8, 8, -1)[..., main_category(scene)]
    x0, y0, x1, y1 = main.box
    row, column = int((y0 + y1) / 2 * 8), int((x0 + x1) / 2 * 8)
    assert patches[min(row, 7), min(column, 7)]


def test_seeds_of_the_experiment_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="unseen"):
        load_scenes(tmp_path, 10, EXPERIMENT_SEED - 5)


def test_rendered_scenes_come_back_in_order(tmp_path):
    both = load_scenes(tmp_path, 3, first=40, workers=1)
    assert both.images.shape == (3, 128, 128, 3)
    np.testing.assert_array_equal(both.images[2], render(make_scene(42).svg, 128))
    assert tuple(both.captions[2]) == make_scene(42).captions


def test_vocabulary_keeps_captions_whole(scenes, vocabulary):
    tokenizer = load_tokenizer(vocabulary, clip.CONTEXT)
    caption = scenes.captions[0][0]
    ids = tokenizer([caption])
    assert ids.shape == (1, clip.CONTEXT)
    assert int(ids.max()) == tokenizer.vocab_size - 1  # end of text: open_clip finds it as the max
    n = int(ids.argmax())
    text = tokenizer.words.decode(ids[0, 1:n].tolist())
    assert text.replace(" ", "") == caption.lower().replace(" ", "")
    words = caption.lower().replace(".", " .").replace(",", " ,").split()
    assert n - 1 == len(words)  # every word of the training captions became one token


def test_vae_learns_and_loads(scenes, tmp_path):
    model = vae.build_vae()
    before, after = losses(model, vae.vae_loss(model, scenes.images, 4), steps=8)
    assert after < 0.9 * before
    factor = vae.measure_scaling(model, scenes.images)
    vae.save_vae(model, tmp_path / "vae", factor)
    loaded = load_vae(tmp_path)
    with torch.no_grad():
        z = loaded.encode(vae.to_tensor(scenes.images)).latent_dist.mean
    assert z.shape == (4, 12, 16, 16)
    assert float((z * loaded.config.scaling_factor).std()) == pytest.approx(1, rel=0.02)


def test_clip_learns_and_loads(scenes, vocabulary):
    tokenizer = load_tokenizer(vocabulary, clip.CONTEXT)
    learner = clip.Learner(tokenizer.vocab_size, scenes.patches.shape[-1])
    before, after = losses(learner, clip.clip_loss(learner, scenes, tokenizer, 4), steps=8)
    assert after < 0.8 * before
    clip.save_clip(learner, vocabulary)
    encoder = load_clip(Weights(clip=str(vocabulary)))
    assert encoder.image_tokens(scenes.images).shape == (4, 65, 128)
    tokens = encoder.text_tokens([five[0] for five in scenes.captions])
    assert tokens.shape == (4, 32, 128)


def test_unet_learns_and_loads(scenes, vocabulary, rng, tmp_path):
    tokenizer = load_tokenizer(vocabulary, clip.CONTEXT)
    learner = clip.Learner(tokenizer.vocab_size, scenes.patches.shape[-1])
    clip.save_clip(learner, vocabulary)
    encoder = load_clip(Weights(clip=str(vocabulary)))
    data = Encoded(
        latents=rng.normal(size=(4, 12, 16, 16)).astype(np.float16),
        image_tokens=encoder.image_tokens(scenes.images).numpy().astype(np.float16),
        ids=clip.tokenize_all(tokenizer, scenes.captions),
        twin_latents=rng.normal(size=(3, 12, 16, 16)).astype(np.float16),
        twin_ids=clip.tokenize_all(tokenizer, scenes.captions[:3]),
    )
    model = unet.build_unet()
    before, after = losses(model, unet.unet_loss(model, data, encoder, 4), steps=10)
    assert after < 0.95 * before
    save_dual_unet(model, tmp_path)
    loaded = load_dual_unet(tmp_path)
    assert loaded.latent_shape == (12, 16, 16)


def test_models_need_those_before_them(scenes, tmp_path, monkeypatch):
    monkeypatch.setattr("havir_lib.mini.training.load_scenes", lambda *_, **__: scenes)
    with pytest.raises(WeightsError, match="--which vae"):
        train_mini("unet", tmp_path, recipe=replace(Recipe(), n_scenes=4))
    with pytest.raises(WeightsError, match="--which vae"):
        train_mini("decoder", tmp_path, recipe=replace(Recipe(), n_scenes=4))


def test_the_whole_recipe_runs_and_continues(tmp_path):
    tiny = Schedule(steps=1, batch_size=4)
    recipe = Recipe(n_scenes=5, vae=tiny, clip=tiny, unet=tiny, decoded=tiny, decoder=tiny)
    weights = train_all(tmp_path, recipe=recipe, workers=1)
    model = load_diffusion(weights)
    assert model.unet.latent_shape == (12, 16, 16)
    assert model.scheduler_config["prediction_type"] == "v_prediction"
    before = (weights / "image_unet" / "diffusion_pytorch_model.safetensors").read_bytes()
    train_mini("decoded", tmp_path, recipe=recipe, workers=1)  # all steps are done: nothing changes
    after = (weights / "image_unet" / "diffusion_pytorch_model.safetensors").read_bytes()
    assert before == after
    assert len(load_reader(weights / READER).bias) == 41
    last = load_file(weights / "vae" / "diffusion_pytorch_model.safetensors")
    train_mini(
        "vae", tmp_path, recipe=recipe, workers=1
    )  # goes back to the VAE before the last stage
    first = load_file(weights / "vae" / "diffusion_pytorch_model.safetensors")
    changed = {name for name in last if not torch.equal(last[name], first[name])}
    assert changed
    assert all(name.startswith(("decoder.", "post_quant_conv.")) for name in changed)


def test_unknown_models_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="vae, clip, unet, decoded, decoder, reader"):
        train_mini("gan", tmp_path)


def test_text_of_a_twin_wins_the_likelier_the_more_it_counts():
    index, n = np.arange(4000), 3000
    for mixing, least, most in ((0.1, 0, 0), (0.5, 0.7, 0.8), (0.9, 1, 1)):
        twin, moved = unet._twins(index, "both", torch.full((4000,), mixing), n, Draw(0, 0))
        assert not twin[n:].any()
        assert twin[:n].float().mean() == pytest.approx(unet.TWINS, abs=0.03)
        assert least <= moved[twin].float().mean() <= most
        assert not moved[~twin].any()
    assert not unet._twins(index, "image", torch.ones(4000), n, Draw(0, 0))[0].any()
    twin, moved = unet._twins(index, "text", torch.zeros(4000), n, Draw(0, 0))
    assert torch.equal(twin, moved)
    assert twin.any()


def test_the_clean_latents_of_a_velocity_are_where_it_leads():
    scheduler = DDPMScheduler.from_config(unet.SCHEDULER)
    z, noise = torch.randn(2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(3))
    time = torch.tensor([1, 500, 998])
    noisy = scheduler.add_noise(z, noise, time)
    found = unet._clean(unet._velocity(z, noisy, time, scheduler), noisy, time, scheduler)
    torch.testing.assert_close(found, z, rtol=1e-3, atol=1e-3)
