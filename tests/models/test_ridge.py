"""Ridge regression against scikit-learn and himalaya."""

import numpy as np
import pytest
from himalaya.ridge import solve_ridge_cv_svd
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold

from havir_lib.errors import ShapeError
from havir_lib.models import fit_ridge, predict_ridge
from havir_lib.models import ridge as ridge_module


def make(rng, n, n_voxels, noise=2.0):
    betas = rng.standard_normal((n, n_voxels))
    targets = betas @ rng.standard_normal((n_voxels, 6)) + noise * rng.standard_normal((n, 6)) + 5
    return betas.astype("float32"), targets.reshape(n, 2, 3).astype("float32")


@pytest.mark.parametrize("n_voxels", [9, 60])  # fewer and more voxels than images
def test_equals_scikit_learn_with_the_same_folds(rng, n_voxels):
    betas, targets = make(rng, 40, n_voxels)
    ridge = fit_ridge(betas[:30], targets[:30], alphas=(-1, 4, 6), folds=5, seed=3)
    for entry in range(6):
        search = GridSearchCV(
            Ridge(),
            {"alpha": np.logspace(-1, 4, 6)},
            cv=KFold(5, shuffle=True, random_state=3),
            scoring="neg_mean_squared_error",
        )
        y = targets.reshape(40, 6)[:, entry]
        search.fit(betas[:30], y[:30])
        assert ridge.alphas[entry] == pytest.approx(search.best_params_["alpha"], rel=1e-5)
        found = ridge.predict(betas[30:]).reshape(10, 6)[:, entry]
        np.testing.assert_allclose(found, search.predict(betas[30:]), rtol=1e-3, atol=1e-3)


def test_keeps_the_shape_of_the_targets(rng):
    betas, targets = make(rng, 20, 9)
    assert fit_ridge(betas, targets).predict(betas[:4]).shape == (4, 2, 3)


def test_same_seed_same_result(rng):
    betas, targets = make(rng, 20, 9)
    one, two = (fit_ridge(betas, targets, seed=1) for _ in range(2))
    np.testing.assert_array_equal(one.coef, two.coef)


@pytest.mark.parametrize("n_voxels", [25, 200])
def test_equals_himalaya(rng, n_voxels):
    betas, targets = make(rng, 80, n_voxels)
    cv = KFold(5, shuffle=True, random_state=4)
    options = {"alphas": np.logspace(0, 4, 9), "cv": cv, "fit_intercept": True}
    reference = solve_ridge_cv_svd(betas.astype(float), targets.reshape(80, 6), **options)
    ridge = fit_ridge(betas, targets, alphas=(0, 4, 9), seed=4)
    for found, expected in zip(
        (ridge.alphas, ridge.coef, ridge.cv_scores, ridge.intercept), reference, strict=True
    ):
        np.testing.assert_allclose(found, np.squeeze(expected), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("n_voxels", [9, 60])
def test_blocks_change_nothing_and_decompose_once(rng, n_voxels, monkeypatch):
    betas, targets = make(rng, 40, n_voxels)
    expected = fit_ridge(betas[:30], targets[:30]).predict(betas[30:])
    made, of = [], ridge_module.Decomposition.of
    monkeypatch.setattr(ridge_module.Decomposition, "of", lambda x: made.append(x) or of(x))
    monkeypatch.setattr(ridge_module, "TARGETS_BATCH", 2)
    found = predict_ridge(betas[:30], targets[:30], betas[30:])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert len(made) == 6  # five folds and all images, whatever the number of targets


def test_errors_state_both_shapes(rng):
    betas, targets = make(rng, 20, 9)
    with pytest.raises(ShapeError, match=r"\(19, 9\) and \(20, 2, 3\)"):
        fit_ridge(betas[:19], targets)
    with pytest.raises(ShapeError, match="at least 5 images"):
        fit_ridge(betas[:4], targets[:4])
    with pytest.raises(ShapeError, match=r"\(n, 9\), found \(20, 8\)"):
        fit_ridge(betas, targets).predict(betas[:, :8])
