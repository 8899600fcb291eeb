"""Trials out of order, and ids of other pictures, show in the betas."""

import shutil

import numpy as np
import pytest

from havir_lib.config import load_config
from havir_lib.data import load_subject
from havir_lib.data.check import check_subject, has_errors
from havir_lib.data.layout import layout_of
from havir_lib.data.order import picture_features, pictures_followed, repeats_agree
from havir_lib.errors import DataError
from tests.conftest import SMALL

N, V, SNR = 300, 200, 0.3
EXPECTED = SNR**2 / (SNR**2 + 1)


@pytest.fixture
def pictures(rng):
    scale = rng.uniform(0.1, 1, (N, 4, 4, 1))
    noise = rng.normal(128, 60, (N, 32, 32, 3)) * np.kron(scale[..., 0], np.ones((8, 8)))[..., None]
    return np.clip(noise, 0, 255).astype(np.uint8)


@pytest.fixture
def trials(rng, pictures):
    """Betas of voxels that follow local contrast, each picture shown twice, in any order."""
    features = picture_features(lambda ids: pictures[ids], np.arange(N))
    true = features[:, 16:32] @ rng.normal(size=(16, V))
    true = (true - true.mean(0)) / true.std(0)
    images = rng.permutation(np.repeat(np.arange(N), 2))
    z = SNR * true[images] + rng.normal(size=(2 * N, V))
    return (z - z.mean(0)) / z.std(0), images


def means(z, images):
    return np.stack([z[images == image].mean(0) for image in range(N)])


def test_trials_in_order_agree(trials):
    found = repeats_agree(*trials, EXPECTED)
    assert found.verdict == "agree"
    assert found.value == pytest.approx(EXPECTED, rel=0.15)
    assert found.low < found.value < found.high
    assert found.n == N


@pytest.mark.parametrize("shift", [1, 7, -1])
def test_trials_out_of_order_contradict(trials, shift):
    z, images = trials
    assert repeats_agree(np.roll(z, shift, axis=0), images, EXPECTED).verdict == "contradict"


def test_without_an_expectation_nothing_is_contradicted(trials, rng):
    z, images = trials
    assert repeats_agree(rng.permutation(z), images).verdict == "cannot tell"


def test_too_few_repeats_cannot_tell(trials, rng):
    z, images = trials
    few = np.isin(images, np.arange(20))
    assert repeats_agree(rng.permutation(z[few]), images[few], EXPECTED).verdict == "cannot tell"
    once = np.arange(len(z))
    assert repeats_agree(z, once, EXPECTED).verdict == "cannot tell"


def test_half_of_the_trials_out_of_order_is_not_called_in_order_blindly(trials, rng):
    z, images = trials
    mixed = z.copy()
    mixed[N:] = rng.permutation(z[N:])
    assert repeats_agree(mixed, images, EXPECTED).value < 0.5 * EXPECTED


def test_the_right_pictures_are_followed(trials, pictures):
    features = picture_features(lambda ids: pictures[ids], np.arange(N))
    assert features.shape == (N, 33)
    found = pictures_followed(means(*trials), features, signal=True)
    assert found.verdict == "agree"
    assert found.value > 2 * found.chance


@pytest.mark.parametrize("ids", [np.roll(np.arange(N), 1), np.arange(N)[::-1]])
def test_ids_of_other_pictures_contradict(trials, pictures, ids):
    features = picture_features(lambda k: pictures[k], ids)
    assert pictures_followed(means(*trials), features, signal=True).verdict == "contradict"
    assert pictures_followed(means(*trials), features, signal=False).verdict == "cannot tell"


def test_too_few_pictures_cannot_tell(trials, pictures):
    features = picture_features(lambda k: pictures[k], np.arange(N))
    y = means(*trials)
    assert pictures_followed(y[:30], features[:30], signal=True).verdict == "cannot tell"
    assert pictures_followed(y[:100], features[100:200], signal=True).verdict == "cannot tell"


@pytest.fixture
def copy(run, tmp_path):
    """A simulated subject's files, to be mixed up, and the configuration that reads them."""
    shutil.copytree(run.data_root, tmp_path / "nsd")
    settings = {"data.root": str(tmp_path / "nsd"), "workspace": str(tmp_path / "w")}
    return layout_of(load_config("smoke", SMALL | settings)), load_config("smoke", SMALL | settings)


def test_a_simulated_subject_is_in_order(copy):
    _, config = copy
    found = {x.text: x.level for x in check_subject(config, "subj01") if x.topic == "order"}
    assert [level for text, level in found.items() if "repeats" in text] == ["ok"]
    load_subject(config, "subj01")


def test_sessions_that_were_exchanged_are_refused(copy):
    layout, config = copy
    one, two = (layout.betas("subj01", session) for session in (1, 2))
    kept = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(kept)
    with pytest.raises(DataError, match="Trials are not in the order of the pictures"):
        load_subject(config, "subj01")
    (wrong,) = (x for x in check_subject(config, "subj01") if x.level == "ERROR")
    assert (wrong.topic, "not in the order" in wrong.text) == ("order", True)
    mild = load_config("smoke", SMALL | {"data.root": config.data.root, "data.check_order": "warn",
                                         "workspace": config.workspace})  # fmt: skip
    load_subject(mild, "subj01")
    assert not has_errors(check_subject(mild, "subj01"))
