"""Grouping trials by image, mixing repeats, choosing captions, splitting by image."""

import numpy as np
import pytest
import torch

from havir_lib.errors import DataError, ShapeError, SplitError
from havir_lib.training.data import group_by_image, make_training_set, split_images

IMAGES = np.array([40, 20, 40, 30, 20, 40])  # 3, 2 and 1 repeats


@pytest.fixture
def arrays(rng):
    betas = rng.standard_normal((6, 8)).astype("float32")
    latents = rng.standard_normal((4, 1, 7, 9)).astype("float16")
    captions = rng.standard_normal((4, 5, 7, 9)).astype("float16")
    return betas, IMAGES, [latents, captions], np.array([30, 40, 10, 20])


def test_trials_are_grouped_by_image():
    ids, trials = group_by_image(IMAGES)
    assert ids.tolist() == [20, 30, 40]
    assert trials.tolist() == [[1, 4, -1], [3, -1, -1], [0, 2, 5]]


def test_targets_follow_their_image(arrays):
    data = make_training_set(*arrays)
    _, (latents, _) = data.draw(torch.tensor([2, 0]), mix=True)  # images 40 and 20
    np.testing.assert_array_equal(latents, arrays[2][0][[1, 3], 0])


def test_mean_averages_repeats_and_captions(arrays):
    betas, _, (_, captions), _ = arrays
    found, (_, text) = make_training_set(*arrays).mean(torch.tensor([0, 2]))
    np.testing.assert_allclose(found[0], (betas[1] + betas[4]) / 2, rtol=1e-6)
    np.testing.assert_allclose(found[1], (betas[0] + betas[2] + betas[5]) / 3, rtol=1e-6)
    np.testing.assert_allclose(text[1], captions[1].astype("float32").mean(0), rtol=1e-5)


def test_mix_is_a_convex_combination_of_the_images_own_repeats(arrays):
    betas = torch.tensor(arrays[0])
    data = make_training_set(*arrays)
    found, _ = data.draw(torch.tensor([2] * 50), mix=True)
    own = torch.stack([betas[0], betas[2], betas[5]])
    weights = torch.linalg.lstsq(own.T, found.T).solution  # (3, 50)
    torch.testing.assert_close(own.T @ weights, found.T)
    assert (weights > -1e-4).all()
    torch.testing.assert_close(weights.sum(0), torch.ones(50))
    assert weights.std(1).min() > 0.05
    single, _ = data.draw(torch.tensor([1]), mix=True)
    torch.testing.assert_close(single[0], betas[3])


def test_without_mixing_each_repeat_comes_up_alone(arrays):
    betas = torch.tensor(arrays[0])
    found, _ = make_training_set(*arrays).draw(torch.tensor([2] * 60), mix=False)
    which = (found[:, None] == betas[None]).all(-1)
    assert which.sum(1).eq(1).all()
    assert which.any(0).tolist() == [True, False, True, False, False, True]


def test_every_caption_comes_up(arrays):
    _, (_, text) = make_training_set(*arrays).draw(torch.tensor([1] * 80), mix=True)
    captions = torch.tensor(arrays[2][1][0], dtype=torch.float32)  # of image 30
    which = (text[:, None] == captions[None]).all((-1, -2))
    assert which.sum(1).eq(1).all()
    assert which.any(0).all()


def test_draw_is_reproducible(arrays):
    data = make_training_set(*arrays)
    batches = []
    for _ in range(2):
        torch.manual_seed(5)
        batches.append(data.draw(torch.tensor([2, 0]), mix=True))
    torch.testing.assert_close(batches[0], batches[1], rtol=0, atol=0)


def test_split_is_by_image_and_seeded():
    fitted, held_out = split_images(50, 0.1, seed=3)
    assert len(held_out) == 5
    assert sorted([*fitted.tolist(), *held_out.tolist()]) == list(range(50))
    assert held_out.tolist() == split_images(50, 0.1, seed=3)[1].tolist()
    assert held_out.tolist() != split_images(50, 0.1, seed=4)[1].tolist()


def test_split_needs_two_images():
    with pytest.raises(SplitError, match="1 training images cannot be split"):
        split_images(1, 0.1, seed=0)


def test_nan_betas_are_named(arrays):
    arrays[0][4, 7] = np.nan
    with pytest.raises(DataError, match=r"betas: .*found 1 .*index \(4, 7\)"):
        make_training_set(*arrays)


def test_infinite_targets_are_named(arrays):
    arrays[2][0][3, 0, 1, 1] = np.inf
    with pytest.raises(DataError, match="targets: .*found 1"):
        make_training_set(*arrays)


def test_nan_in_targets_of_unused_images_does_no_harm(arrays):
    arrays[2][0][2] = np.nan  # image 10 has no trials
    assert len(make_training_set(*arrays)) == 3


def test_images_without_targets_are_named(arrays):
    betas, images, targets, ids = arrays
    with pytest.raises(DataError, match="1 of 3 training images have no targets, e.g. image 30"):
        make_training_set(betas, images, targets, np.where(ids == 30, 31, ids))


def test_lengths_must_agree(arrays):
    betas, images, targets, ids = arrays
    with pytest.raises(ShapeError, match=r"\(5, 8\) and 6 images"):
        make_training_set(betas[:5], images, targets, ids)
    with pytest.raises(ShapeError, match="Expected 4 targets.*found 3"):
        make_training_set(betas, images, [targets[0][:3]], ids)
