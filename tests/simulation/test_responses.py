import numpy as np
import pytest

from havir_lib.config import SimulatedSubject, load_config
from havir_lib.noise_ceiling import estimate_ncsnr, zscore_within
from havir_lib.simulation.anatomy import make_anatomy, roi_volume
from havir_lib.simulation.betas import (
    draw_gains,
    noise_ceiling_to_snr,
    session_betas,
)
from havir_lib.simulation.features import (
    COLOUR_SIDE,
    ENERGY_SIDE,
    N_CHANNELS,
    N_COLOUR,
    N_FEATURES,
    N_ORIENTATIONS,
    field_weights,
    visual_features,
)
from havir_lib.simulation.responses import (
    FLOC_SETS,
    GROUPS,
    Tuning,
    Voxels,
    draw_tuning,
    group_voxels,
    liked_attributes,
    signals,
)
from havir_lib.simulation.retinotopy import Fields
from havir_lib.simulation.scenes import ATTRIBUTES

SETTINGS = load_config("demo").simulation


def energy_maps(features):
    start = N_COLOUR * COLOUR_SIDE**2
    return features[:, start:].reshape(len(features), -1, ENERGY_SIDE, ENERGY_SIDE)


def colour_maps(features):
    end = N_COLOUR * COLOUR_SIDE**2
    return features[:, :end].reshape(len(features), N_COLOUR, COLOUR_SIDE, COLOUR_SIDE)


def grating(wavelength, vertical, size=64):
    wave = np.round(127.5 + 120 * np.sin(2 * np.pi * np.arange(size) / wavelength))
    image = np.broadcast_to(wave[None, :] if vertical else wave[:, None], (size, size))
    return np.repeat(image[..., None], 3, axis=-1).astype(np.uint8)


def test_luminance_and_colour_are_signed_and_in_place():
    image = np.full((1, 128, 128, 3), 128, np.uint8)
    image[0, :64, :64] = 255  # white, upper left
    image[0, 64:, 64:] = (255, 0, 0)  # red, lower right
    image[0, 64:, :64] = 0  # black, lower left
    luminance, red_green, blue_yellow = colour_maps(visual_features(image))[0]
    assert luminance[5, 5] == pytest.approx(0.5)
    assert luminance[28, 5] == pytest.approx(-0.5)
    assert red_green[28, 28] == pytest.approx(1)
    assert blue_yellow[28, 28] == pytest.approx(-0.5)
    assert red_green[5, 5] == blue_yellow[5, 5] == 0


@pytest.mark.parametrize(("scale", "wavelength"), [(0, 4), (1, 8), (2, 16)])
def test_energy_prefers_its_own_scale_and_orientation_whatever_the_phase(scale, wavelength):
    images = np.stack([grating(wavelength, True), grating(wavelength, False)])
    images = np.concatenate([images, np.roll(images, wavelength // 4, axis=(1, 2))])
    energy = energy_maps(visual_features(images)).mean((2, 3))
    vertical = scale * N_ORIENTATIONS  # luminance changes along x
    horizontal = vertical + N_ORIENTATIONS // 2
    assert energy[0].argmax() == vertical
    assert energy[1].argmax() == horizontal
    np.testing.assert_allclose(energy[2:], energy[:2], rtol=0.02, atol=1e-3)


def test_uniform_pictures_have_no_energy():
    energy = energy_maps(visual_features(np.full((2, 96, 96, 3), 77, np.uint8)))
    np.testing.assert_allclose(energy, 0, atol=1e-5)


def test_receptive_fields_look_where_they_say():
    """x to the right and y upwards, against rows that run downwards."""
    fields = Fields(x=np.array([0.5, -0.5]), y=np.array([0.5, -0.5]), size=np.array([0.1, 0.1]))
    channels = np.zeros((2, N_CHANNELS))
    channels[:, 0] = 1.0
    weights = field_weights(fields, channels)
    assert weights.shape == (2, N_FEATURES)
    upper_right = np.full((1, 64, 64, 3), 0, np.uint8)
    upper_right[0, :32, 32:] = 255
    response = visual_features(upper_right) @ weights.T
    np.testing.assert_allclose(response, [[0.5, -0.5]], atol=1e-3)


def test_no_weight_is_too_small_to_be_multiplied_quickly():
    fields = Fields(x=np.array([0.9, 0.0]), y=np.array([-0.9, 0.5]), size=np.array([0.05, 0.3]))
    weights = np.abs(field_weights(fields, np.full((2, N_CHANNELS), 1e-3)))
    assert (weights == 0).any()
    assert weights[weights > 0].min() > 1e-30


def test_parts_of_the_signal_have_the_variances_that_crosstalk_asks_for(rng):
    n, v = 4000, 5
    features = rng.standard_normal((n, N_FEATURES), dtype=np.float32)
    attributes = rng.standard_normal((n, 11), dtype=np.float32)
    nothing = Fields(*np.zeros((3, v)))
    visual = rng.standard_normal((v, N_FEATURES), dtype=np.float32)
    semantic = rng.standard_normal((v, 11), dtype=np.float32)
    share = np.array([0.0, 0.3, 0.5, 0.7, 1.0], np.float32)
    tuning = Tuning(visual, semantic, nothing)
    signal, parts = signals(tuning, share, features, attributes)
    np.testing.assert_allclose(signal.var(0), 1, rtol=1e-3)
    np.testing.assert_allclose(parts[1] / parts.sum(0), share, atol=1e-6)
    # least squares on the attributes finds that share of the variance again
    design = np.column_stack([attributes, np.ones(n)])
    fit = design @ np.linalg.lstsq(design, signal, rcond=None)[0]
    np.testing.assert_allclose(fit.var(0), share, atol=0.06)


@pytest.fixture(scope="module")
def person():
    return make_anatomy(SimulatedSubject(shape=(37, 24, 22), voxel_mm=4.0, seed=3), 5.0)


def test_groups_follow_the_regions(person):
    mask = roi_volume(person, "nsdgeneral") >= 0
    voxels = group_voxels(person, mask, crosstalk=0.2)
    at = tuple(voxels.ijk.T)
    prf, general = (roi_volume(person, name)[at] for name in ("prf-visualrois", "nsdgeneral"))
    floc = np.any([roi_volume(person, name)[at] > 0 for name in FLOC_SETS], axis=0)
    np.testing.assert_array_equal(voxels.in_group("early"), (prf >= 1) & (prf <= 6))
    np.testing.assert_array_equal(voxels.in_group("higher"), floc & (prf <= 0))
    assert (voxels.semantic_share[prf > 0] == np.float32(0.2)).all()
    assert (voxels.semantic_share[voxels.in_group("higher")] == np.float32(0.8)).all()
    nowhere = voxels.in_group("none")
    np.testing.assert_array_equal(nowhere, ~((prf > 0) | floc | (general > 0)))


def test_localiser_areas_prefer_what_their_name_says(person, rng):
    mask = np.any([roi_volume(person, name) > 0 for name in FLOC_SETS], axis=0)
    voxels = group_voxels(person, mask, crosstalk=0.3)
    weights = draw_tuning(person, voxels, ATTRIBUTES, rng).semantic
    np.testing.assert_allclose(np.linalg.norm(weights, axis=1), 1, atol=0.5)
    at = tuple(voxels.ijk[voxels.group > 0].T)
    faces = roi_volume(person, "floc-faces")[at] > 0
    places = roi_volume(person, "floc-places")[at] > 0
    animals = weights[:, ATTRIBUTES.index("count:animals")]
    indoor = weights[:, ATTRIBUTES.index("indoor")]
    assert animals[faces].mean() > 0.05 > abs(animals[places & ~faces].mean())
    assert indoor[places].mean() > 0.05 > abs(indoor[faces & ~places].mean())


def test_liked_attributes_are_disjoint_for_places_and_people():
    places, faces = (liked_attributes(name, ATTRIBUTES) for name in ("floc-places", "floc-faces"))
    assert places[ATTRIBUTES.index("indoor")]
    assert faces[ATTRIBUTES.index("area:person")]
    assert not (places & faces).any()


def test_noise_ceiling_formula_inverts():
    snr = noise_ceiling_to_snr(37.0)
    assert 100 * snr**2 / (snr**2 + 1 / 3) == pytest.approx(37.0)


@pytest.mark.parametrize("drift", [0.0, 0.5])
def test_written_noise_ceilings_match_the_configured_medians(rng, drift):
    """Estimated from the int16 betas as NSD does; session drifts must not change it much."""
    settings = SETTINGS.model_copy(
        update={
            "session_drift": drift,
            "noise_ceiling": {"early": 45.0, "intermediate": 30.0, "higher": 15.0},
        }
    )
    group = np.repeat(np.arange(4, dtype=np.int8), 300)
    voxels = Voxels(np.zeros((1200, 3), np.int32), group, np.zeros(1200, np.float32))
    gains = draw_gains(voxels, settings, rng)
    n_images, n_sessions = 200, 4
    signal = rng.standard_normal((n_images, 1200), np.float32)
    images = rng.permutation(np.repeat(np.arange(n_images), 3))
    sessions = np.repeat(np.arange(n_sessions), len(images) // n_sessions)
    betas = np.concatenate(
        [session_betas(signal, images[sessions == s], gains, settings, rng) for s in range(4)]
    )
    ncsnr = estimate_ncsnr(zscore_within(betas, sessions), images)
    ceiling = 100 * ncsnr**2 / (ncsnr**2 + 1 / 3)
    for k, name in enumerate(GROUPS[1:], start=1):
        assert np.median(ceiling[group == k]) == pytest.approx(settings.noise_ceiling[name], abs=5)
    assert np.median(ceiling[group == 0]) < 8
    visual = group > 0
    assert np.corrcoef(ncsnr[visual], gains.ncsnr[visual])[0, 1] > 0.8


def test_sessions_drift_by_voxel(rng):
    settings = SETTINGS.model_copy(update={"session_drift": 0.6, "session_gain": 0.0})
    group = np.ones(400, np.int8)
    voxels = Voxels(np.zeros((400, 3), np.int32), group, np.zeros(400, np.float32))
    gains = draw_gains(voxels, settings, rng)
    signal, shown = np.zeros((9, 400), np.float32), np.tile(np.arange(9), 100)
    means = [session_betas(signal, shown, gains, settings, rng).mean(0) / 300 for _ in range(2)]
    offset = (means[0] - means[1]) / gains.noise_sd / np.sqrt(2)
    assert offset.std() == pytest.approx(0.6, rel=0.15)
    assert gains.baseline.mean() == pytest.approx(np.mean(means), rel=0.1)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_spontaneous_activity_correlates_voxels_with_like_tuning(rng, share):
    settings = SETTINGS.model_copy(
        update={"noise_correlation": share, "session_drift": 0.0, "session_gain": 0.0}
    )
    voxels = Voxels(np.zeros((3, 3), np.int32), np.ones(3, np.int8), np.zeros(3, np.float32))
    gains = draw_gains(voxels, settings, rng)
    first, other = rng.standard_normal((2, 5000), np.float32)
    signal = np.stack([first, first, other], axis=1)  # two voxels tuned alike, one otherwise
    betas = session_betas(signal, np.arange(5000), gains, settings, rng) / 300
    noise = betas - gains.baseline - gains.signal_sd * signal
    np.testing.assert_allclose(noise.std(0), gains.noise_sd, rtol=0.05)
    correlation = np.corrcoef(noise.T)
    assert correlation[0, 1] == pytest.approx(share, abs=0.05)
    assert correlation[0, 2] == pytest.approx(0, abs=0.05)
