"""Any decoder on the voxels of each role: which rows it is fitted to, and what it gives back."""

import numpy as np
import pytest

from havir_lib.errors import DataError
from havir_lib.training.linear import decoded_predictions, decoded_tokens

IMAGES = np.array([7, 3, 7, 5, 3, 5])
TARGET_IDS = np.array([9, 3, 5, 7])  # in another order than the images, and one more


def of_the_first_voxel(betas, targets, new_betas):
    """The target of the image whose first voxel is nearest."""
    return targets[np.abs(betas[:, :1] - new_betas[:, 0]).argmin(axis=0)]


@pytest.fixture
def arrays(rng):
    betas = IMAGES[:, None] + 0.1 * rng.standard_normal((6, 4))
    new = np.array([[5.0], [3.0]]) + np.zeros((2, 4))
    shapes = ((2, 3, 3), (5, 6), (2, 4, 6))
    return (betas, new), tuple(rng.standard_normal((4, *shape)) for shape in shapes)


def test_each_image_is_decoded_to_its_own_target(arrays):
    betas, (latents, image, text) = arrays
    made = decoded_predictions(
        of_the_first_voxel, betas, betas, IMAGES, (latents, image, text), TARGET_IDS, np.arange(2)
    )
    np.testing.assert_allclose(made.latents, latents[[2, 1]], rtol=1e-6)
    unit = image[[2, 1]] / np.linalg.norm(image[[2, 1]], axis=-1, keepdims=True)
    found = made.image_tokens / np.linalg.norm(made.image_tokens, axis=-1, keepdims=True)
    np.testing.assert_allclose(found, unit, rtol=1e-5)
    assert made.text_tokens.shape == (2, 4, 6)


def test_tokens_alone_are_the_same(arrays):
    (betas, new), (_, image, _) = arrays
    made = decoded_tokens(of_the_first_voxel, betas, IMAGES, new, image, TARGET_IDS)
    np.testing.assert_allclose(made, image[[2, 1]], rtol=1e-6)


def test_images_without_targets_are_refused(arrays):
    (betas, new), (_, image, _) = arrays
    with pytest.raises(DataError, match="1 of 3 images have no targets, e.g. image 5"):
        decoded_tokens(of_the_first_voxel, betas, IMAGES, new, image, np.array([9, 3, 4, 7]))
