"""Pixel scores and image preparation against scikit-image, NumPy and torchvision."""

import numpy as np
import pytest
import torch
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import normalize, resize

from havir_lib.errors import ShapeError
from havir_lib.evaluation.metrics import IMAGENET, METRICS, Preparation
from havir_lib.evaluation.pixels import pixel_correlation, ssim
from havir_lib.evaluation.preparation import prepare


@pytest.fixture
def images(rng):
    return rng.random((3, 28, 33, 3)).astype(np.float32)


@pytest.fixture
def noisy(images, rng):
    return np.clip(images + rng.normal(0, 0.2, images.shape), 0, 1).astype(np.float32)


def test_pixel_correlation_equals_numpy(images, noisy):
    expected = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(images, noisy, strict=True)]
    np.testing.assert_allclose(pixel_correlation(images, noisy), expected, atol=1e-6)


def gaussian_ssim(x, y, axes):
    """SSIM from its definition: Gaussian means and (co)variances over full windows."""
    taps = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    taps /= taps.sum()

    def blur(image):
        for axis in axes:
            image = np.apply_along_axis(np.convolve, axis, image, taps, mode="valid")
        return image

    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    cov = blur(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_x * mean_y + c1) * (2 * cov + c2)
    return (top / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean()


@pytest.mark.parametrize(("columnwise", "axes"), [(False, (0, 1)), (True, (0,))])
def test_ssim_equals_its_definition(images, noisy, columnwise, axes):
    greys = [rgb2gray(x.astype(np.float64)) for x in (images, noisy)]
    expected = [gaussian_ssim(a, b, axes) for a, b in zip(*greys, strict=True)]
    np.testing.assert_allclose(ssim(images, noisy, columnwise), expected, atol=1e-5)


def test_the_two_ssim_conventions_differ(images, noisy):
    assert np.abs(ssim(images, noisy) - ssim(images, noisy, columnwise=True)).min() > 0.001


def test_perfect_pixels(images):
    np.testing.assert_allclose(ssim(images, images), 1)
    np.testing.assert_allclose(pixel_correlation(images, images), 1)


def test_a_constant_reconstruction_has_no_pixel_correlation(images):
    grey = np.full_like(images, 0.3)
    np.testing.assert_array_equal(pixel_correlation(images, grey), 0)
    assert np.isfinite(ssim(images, grey)).all()


def test_the_field_calls_structural_similarity_with_an_argument_that_does_nothing(images, noisy):
    """scikit-image 0.20 and later ignore multichannel=True, so the default row is 2-D."""
    grey = [rgb2gray(x[0]) for x in (noisy, images)]
    value = structural_similarity(
        *grey, multichannel=True, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, data_range=1.0,
    )  # fmt: skip
    assert ssim(images[:1], noisy[:1])[0] == pytest.approx(value, abs=1e-7)


@pytest.mark.parametrize("antialias", [True, False])
def test_preparation_equals_torchvision(rng, antialias):
    images = rng.integers(0, 256, (2, 70, 70, 3), dtype=np.uint8)
    mean, std = IMAGENET
    how = Preparation(27, first_size=40, antialias=antialias, mean=mean, std=std)
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    for size in (40, 27):
        tensor = resize(tensor, [size, size], InterpolationMode.BILINEAR, antialias=antialias)
    torch.testing.assert_close(prepare(images, how), normalize(tensor, mean, std))


def test_antialiasing_changes_the_result(rng):
    images = rng.integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    smooth, sharp = (prepare(images, Preparation(16, antialias=a)) for a in (True, False))
    assert smooth.std() < 0.7 * sharp.std()


def test_the_papers_rows_state_the_fields_settings():
    sizes = {"AlexNet(2)": 256, "Inception": 342, "CLIP": 224, "EffNet-B": 255, "SwAV": 224}
    assert {name: METRICS[name].preparation.size for name in sizes} == sizes
    for name in [*sizes, "AlexNet(5)", "PixCorr", "SSIM"]:
        assert METRICS[name].preparation.first_size == 256
        assert METRICS[name].preparation.antialias is False


def test_float_images_are_refused():
    with pytest.raises(ShapeError, match="float64"):
        prepare(np.zeros((2, 9, 9, 3)), Preparation(8))
