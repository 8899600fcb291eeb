import numpy as np
import pytest
from sklearn.linear_model import Ridge

from havir_lib.errors import ShapeError
from havir_lib.interpretation import (
    compare_with_null,
    pattern_norm,
    permuted_label_maps,
    weight_norm,
)

ALPHA = 30.0


@pytest.fixture
def data(rng):
    """60 images; voxels 0-9 carry the targets, 10-40 only noise."""
    targets = rng.normal(size=(60, 2, 5))
    voxels = rng.normal(size=(60, 41))
    voxels[:, :10] += 2 * targets.reshape(60, 10) + 3
    return voxels, targets


def test_norms_equal_scikit_learn_s_ridge(data):
    voxels, targets = data
    model = Ridge(alpha=ALPHA).fit(voxels, targets.reshape(60, -1))
    found = permuted_label_maps(
        voxels, targets, measure="norm", alpha=ALPHA, n_permutations=2, n_components=None
    )
    np.testing.assert_allclose(found.observed, weight_norm(model.coef_), rtol=1e-3)
    assert found.null.shape == (2, 41)


def test_covariances_equal_numpy_s(data):
    voxels, targets = data
    expected = pattern_norm(np.cov(voxels.T, targets.reshape(60, -1).T)[:41, 41:])
    found = permuted_label_maps(voxels, targets, n_permutations=2, n_components=None)
    np.testing.assert_allclose(found.observed, expected, rtol=1e-4)


@pytest.mark.parametrize("measure", ["norm", "covariance"])
def test_null_is_the_map_of_permuted_labels(data, measure):
    voxels, targets = data
    options = {"measure": measure, "alpha": ALPHA, "n_permutations": 1, "seed": 4}
    found = permuted_label_maps(voxels, targets, **options)
    order = np.random.default_rng(4).permutation(60)
    again = permuted_label_maps(voxels, targets[order], **options)
    np.testing.assert_allclose(found.null[0], again.observed, rtol=1e-4)


def test_covariance_finds_voxels_with_signal_and_keeps_its_level(rng):
    """200 unrelated voxels, of which one in twenty may pass; 10 that carry the targets."""
    targets = rng.normal(size=(150, 10))
    voxels = rng.normal(size=(150, 210)) * rng.uniform(0.2, 5, 210)
    voxels[:, :10] = targets + rng.normal(size=(150, 10))
    maps = permuted_label_maps(voxels, targets, n_permutations=199, seed=1)
    p = compare_with_null(maps.observed, maps.null, pool=False)["p"].to_numpy()
    assert (p[:10] == 1 / 200).all()
    assert np.mean(p[10:] <= 0.05) < 0.1
    assert np.mean(p[10:]) == pytest.approx(0.5, abs=0.08)


def test_norm_is_conservative_beside_voxels_with_signal(data):
    voxels, targets = data
    maps = permuted_label_maps(voxels, targets, measure="norm", alpha=ALPHA, n_permutations=99)
    p = compare_with_null(maps.observed, maps.null, pool=False)["p"].to_numpy()
    assert (p[:10] <= 0.02).all()
    assert (p[10:] > 0.05).all()


def test_few_components_are_close_to_all(rng):
    directions = rng.normal(size=(4, 300))
    targets = rng.normal(size=(80, 4)) @ directions + 0.01 * rng.normal(size=(80, 300))
    voxels = rng.normal(size=(80, 20))
    few, many = (
        permuted_label_maps(voxels, targets, n_permutations=1, n_components=n).observed
        for n in (4, None)
    )
    np.testing.assert_allclose(few, many, rtol=1e-2)


def test_wrong_arguments(data):
    voxels, targets = data
    with pytest.raises(ShapeError, match="59 rows of voxels, but 60"):
        permuted_label_maps(voxels[1:], targets)
    with pytest.raises(ValueError, match="needs alpha above 0, found None"):
        permuted_label_maps(voxels, targets, measure="norm")
    with pytest.raises(ValueError, match="'covariance' or 'norm'"):
        permuted_label_maps(voxels, targets, measure="weights")
