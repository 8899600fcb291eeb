"""Start step, noising (Eq. 7), update rule (Eq. 9) and per-image noise."""

import numpy as np
import pytest
import torch

from havir_lib.diffusion.sampler import denoise
from havir_lib.diffusion.schedule import (
    SCHEDULERS,
    SOLVERS,
    draw_noise,
    generators,
    make_scheduler,
    n_steps_run,
    start_latents,
)
from havir_lib.errors import ConfigError

CONFIG = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}
BETAS = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
ALPHA_BAR = np.cumprod(1 - BETAS)
SHAPE = (5, 6, 8)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("strength", "noise", "structure"),
    [(0, 0, 20), (0.05, 1, 19), (0.5, 10, 10), (0.85, 17, 3), (0.99, 19, 1), (1, 20, 0)],
)
def test_both_readings_of_the_start_step(strength, noise, structure):
    assert n_steps_run(20, strength, "noise") == noise
    assert n_steps_run(20, strength, "structure") == structure


@pytest.mark.parametrize("steps", [7, 20, 100])
def test_start_step_is_exact_at_every_multiple(steps):
    runs = [n_steps_run(steps, k / steps, "noise") for k in range(steps + 1)]
    assert runs == list(range(steps + 1))


@pytest.mark.parametrize(("strength", "convention"), [(1.1, "noise"), (-0.1, "structure")])
def test_strength_out_of_range(strength, convention):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        n_steps_run(20, strength, convention)


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match=r"one of \['noise', 'structure'\], but 'weak'"):
        n_steps_run(20, 0.5, "weak")
    with pytest.raises(ConfigError, match="'ddpm', 'dpmsolver\\+\\+', 'unipc'.* but 'euler'"):
        make_scheduler("euler", CONFIG, 20)
    with pytest.raises(ConfigError, match="between 1 and 1000, but 1001"):
        make_scheduler("ddim", CONFIG, 1001)


@pytest.mark.parametrize("name", SOLVERS)
def test_solvers_end_without_noise_or_at_the_smallest_noise_of_the_schedule(name):
    """With a noise predictor that knows the truth, the end is the truth, at either noise level."""
    z, noise = normal(3, *SHAPE), normal(3, *SHAPE, seed=1)
    for final, alpha_bar in (("zero", 1.0), ("sigma_min", float(ALPHA_BAR[0]))):
        scheduler = make_scheduler(name, {**CONFIG, "prediction_type": "epsilon"}, 20, final)
        start = start_latents(scheduler, z, noise, 19)
        end = denoise(lambda *_: noise, scheduler, start, 19, generators([1, 2, 3]))
        expected = alpha_bar**0.5 * z + (1 - alpha_bar) ** 0.5 * noise
        torch.testing.assert_close(end, expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(ConfigError, match="'sigma_min', 'zero'.* but 'small'"):
        make_scheduler(name, CONFIG, 20, "small")


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("n_run", [1, 7, 19])
def test_start_is_noised_by_alpha_bar(name, n_run):
    scheduler = make_scheduler(name, CONFIG, 20)
    latents, noise = normal(3, *SHAPE), normal(3, *SHAPE, seed=1)
    start = start_latents(scheduler, latents, noise, n_run)
    alpha_bar = ALPHA_BAR[scheduler.timesteps[20 - n_run]]
    expected = alpha_bar**0.5 * latents + (1 - alpha_bar) ** 0.5 * noise
    torch.testing.assert_close(start, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_full_schedule_starts_from_pure_noise_and_empty_one_from_the_latent(name):
    latents, noise = normal(3, *SHAPE), normal(3, *SHAPE, seed=1)
    assert torch.equal(start_latents(make_scheduler(name, CONFIG, 9), latents, noise, 9), noise)
    assert torch.equal(start_latents(make_scheduler(name, CONFIG, 9), None, noise, 9), noise)
    assert torch.equal(start_latents(make_scheduler(name, CONFIG, 9), latents, noise, 0), latents)


def test_ddpm_step_is_equation_9():
    """Noise of variance beta at every step but the last, each image's from its own generator."""
    n_run, seeds = 4, [11, 12, 13]
    scheduler = make_scheduler("ddpm", CONFIG, 10)
    start = normal(3, *SHAPE)

    def predict(z, step):
        return torch.tanh(z + step / 500)

    found = denoise(predict, scheduler, start, n_run, generators(seeds))
    z, own = start.double(), generators(seeds)
    for t in (300, 200, 100, 0):
        # beta_t and alpha_t of the chain that visits every 100th step only
        alpha_bar, before = ALPHA_BAR[t], ALPHA_BAR[t - 100] if t else 1.0
        alpha = alpha_bar / before
        mean = (z - (1 - alpha) / (1 - alpha_bar) ** 0.5 * predict(z, t)) / alpha**0.5
        z = mean + (1 - alpha) ** 0.5 * draw_noise(own, SHAPE) if t else mean
    torch.testing.assert_close(found.double(), z, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_perfect_prediction_brings_back_the_latent(name, prediction):
    """The start comes from z and noise; a network that knows z must lead back to it."""
    z, noise = normal(3, *SHAPE), normal(3, *SHAPE, seed=1)
    scheduler = make_scheduler(name, {**CONFIG, "prediction_type": prediction}, 50)

    def predict(noisy, step):
        alpha_bar = float(ALPHA_BAR[step])
        epsilon = (noisy - alpha_bar**0.5 * z) / (1 - alpha_bar) ** 0.5
        velocity = alpha_bar**0.5 * epsilon - (1 - alpha_bar) ** 0.5 * z
        return {"epsilon": epsilon, "v_prediction": velocity}[prediction]

    start = start_latents(scheduler, z, noise, 40)
    assert (start - z).std() > 0.5
    end = denoise(predict, scheduler, start, 40, generators([1, 2, 3]))
    torch.testing.assert_close(end, z, rtol=0, atol=0.02)


def test_noise_depends_on_the_own_seed_only():
    alone = [draw_noise(generators([seed]), SHAPE) for seed in (5, 6, 7)]
    together = draw_noise(generators([7, 5, 6]), SHAPE)
    assert torch.equal(together, torch.cat([alone[2], alone[0], alone[1]]))
    assert not torch.equal(alone[0], alone[1])
