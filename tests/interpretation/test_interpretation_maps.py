import nibabel as nib
import numpy as np
import pytest
import torch
from torch import nn

from havir_lib.errors import ShapeError
from havir_lib.interpretation import (
    activation_pattern,
    gradient_times_input,
    haufe_pattern,
    pattern_norm,
    save_volume,
    scaled_weight_norm,
    to_volume,
    weight_norm,
)


def test_weight_norm_is_per_voxel(rng):
    weight = rng.normal(size=(8, 5))
    expected = [np.sqrt(sum(w**2 for w in weight[:, v])) for v in range(5)]
    np.testing.assert_allclose(weight_norm(weight), expected)
    np.testing.assert_allclose(
        weight_norm(nn.Linear(5, 8).weight.detach().numpy()).shape, (5,)
    )  # torch stores (out, in)
    with pytest.raises(ShapeError, match=r"\(H, V\)"):
        weight_norm(weight[0])


def test_scaled_norm_undoes_a_change_of_units(rng):
    weight, sd = rng.normal(size=(8, 5)), rng.uniform(0.5, 3, size=5)
    np.testing.assert_allclose(scaled_weight_norm(weight / sd, sd), weight_norm(weight))
    with pytest.raises(ShapeError, match="5 voxels"):
        scaled_weight_norm(weight, sd[:4])


def test_haufe_pattern_is_the_closed_form(rng):
    x, w = rng.normal(size=(30, 10)) @ rng.normal(size=(10, 10)), rng.normal(size=(10, 3))
    covariance = np.cov(x, rowvar=False)
    np.testing.assert_allclose(haufe_pattern(x, w), covariance @ w)
    full = covariance @ w @ np.linalg.inv(np.cov(x @ w, rowvar=False))
    np.testing.assert_allclose(haufe_pattern(x, w, whiten=True), full)
    with pytest.raises(ShapeError, match="10 voxels given"):
        haufe_pattern(x, w[:9])


def test_haufe_pattern_finds_the_signal_where_weights_mislead(rng):
    """Haufe's example: voxel 2 holds only noise, but cancels that of voxel 1."""
    signal, noise = rng.normal(size=(2, 4000))
    x = np.stack([signal + noise, noise], axis=1)
    w = np.linalg.lstsq(x, signal, rcond=None)[0][:, None]
    assert weight_norm(w.T)[1] > 0.9
    pattern = pattern_norm(haufe_pattern(x, w))
    assert pattern[1] < 0.05 < pattern[0]


def test_activation_pattern_of_outputs_with_axes(rng):
    x, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 2, 3))
    both = np.cov(np.hstack([x, y.reshape(30, 6)]), rowvar=False)
    np.testing.assert_allclose(activation_pattern(x, y), both[:4, 4:])
    np.testing.assert_allclose(pattern_norm(both[:4, 4:]), np.sqrt((both[:4, 4:] ** 2).sum(1)))


def test_gradient_times_input_of_a_linear_model_is_the_scaled_norm():
    model = nn.Linear(6, 4).train()
    x = torch.randn(50, 6) * torch.tensor([0.1, 1, 2, 3, 4, 5.0])
    found = gradient_times_input(model, x, n_probes=400)
    rms = x.square().mean(0).sqrt().numpy()
    np.testing.assert_allclose(
        found, scaled_weight_norm(model.weight.detach().numpy(), rms), rtol=0.05
    )
    assert model.training


def test_gradient_times_input_ignores_dropout_and_takes_tuples():
    class TwoHeads(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop, self.a, self.b = nn.Dropout(0.9), nn.Linear(3, 4), nn.Linear(3, 2)

        def forward(self, x):
            x = self.drop(torch.cat([x[:, :2], torch.zeros_like(x[:, :1])], dim=1))
            return self.a(x).reshape(-1, 2, 2), self.b(x)

    model, x = TwoHeads(), torch.randn(5, 3)
    first, second = (gradient_times_input(model, x, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first[2] == 0  # the model does not look at voxel 2
    assert (first[:2] > 0).all()


def test_values_land_at_their_voxel(rng):
    shape = (7, 8, 9)
    ijk = np.array([[6, 7, 8], [0, 1, 2], [3, 0, 5]])
    data = to_volume(np.array([1.5, -2, 4]), ijk, shape)
    assert data.shape == shape
    assert data[6, 7, 8] == 1.5
    assert data[0, 1, 2] == -2
    assert data[3, 0, 5] == 4
    assert np.isnan(data).sum() == 7 * 8 * 9 - 3
    assert data.dtype == np.float32


@pytest.mark.parametrize(
    ("ijk", "message"),
    [([[0, 0, 9]], "outside"), ([[0, -1, 0]], "outside"), ([[0, 0]], r"\(V, 3\)")],
)
def test_bad_indices_are_refused(ijk, message):
    with pytest.raises(ShapeError, match=message):
        to_volume(np.ones(1), np.array(ijk), (7, 8, 9))


def test_a_voxel_cannot_occur_twice():
    with pytest.raises(ShapeError, match="twice"):
        to_volume(np.ones(2), np.zeros((2, 3), int), (7, 8, 9))


def test_saved_volumes_are_read_back_and_stable(tmp_path):
    data = to_volume(np.arange(1.0, 3), np.array([[1, 2, 3], [4, 5, 6]]), (7, 8, 9))
    image = nib.Nifti1Image(data, np.eye(4))
    first = save_volume(image, tmp_path / "a.nii.gz").read_bytes()
    assert save_volume(image, tmp_path / "b.nii.gz").read_bytes() == first
    found = nib.load(tmp_path / "a.nii.gz")
    assert found.get_fdata()[4, 5, 6] == 2
    assert found.get_data_dtype() == np.float32
