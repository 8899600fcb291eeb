"""Small pieces of the steps; the chain as a whole is tested through the notebooks."""

import numpy as np
import pytest

from havir_lib.errors import ConfigError, DataError
from havir_lib.run import images, open_run


def test_an_image_has_the_same_seed_in_every_set_and_order():
    one = images.image_seeds(np.array([3, 8, 21]), seed=0)
    other = images.image_seeds(np.array([21, 3]), seed=0)
    assert other == [one[2], one[0]]
    assert len(set(one)) == 3
    assert images.image_seeds(np.array([3]), seed=1) != one[:1]


def test_configurations_are_the_five_of_the_paper():
    off = {name: sorted(switches) for name, switches in images.CONFIGURATIONS.items()}
    assert off == {
        "HAVIR": [],
        "only z'": ["use_image", "use_text"],
        "w/o e_cap": ["use_text"],
        "w/o e_img": ["use_image"],
        "w/o z'": ["use_latent"],
    }
    for switches in images.CONFIGURATIONS.values():
        assert not any(switches.values())


def test_real_data_are_not_simulated(tmp_path):
    run = open_run("paper", {"data.root": str(tmp_path), "workspace": str(tmp_path / "ws")})
    assert not run.simulated
    assert run.data_root == tmp_path
    with pytest.raises(DataError, match="subj01"):
        run.subject("subj01")


def test_unknown_device_is_refused_before_anything_is_computed(tmp_path):
    with pytest.raises(ConfigError, match="device"):
        open_run("smoke", {"device": "tpu", "workspace": str(tmp_path)})


def test_a_stimulus_that_a_subject_did_not_see_has_no_reconstruction():
    pictures = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    made = images.Reconstructions(pictures, np.array([5, 9]))
    np.testing.assert_array_equal(made.of(np.array([9, 5])), pictures[::-1])
    with pytest.raises(DataError, match="no reconstruction by this subject.*image 7"):
        made.of(np.array([5, 7]))
    first, none, last = made.where_seen(np.array([5, 7, 9]))
    assert none is None
    np.testing.assert_array_equal([first, last], pictures)
