"""The same voxels in the same order from both formats."""

import h5py
import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import havir_lib.data.betas as module
from havir_lib.data.betas import read_betas, read_header
from havir_lib.errors import DataError, ShapeError

GRID = (7, 8, 9)
VOXELS = st.tuples(*(st.integers(0, size - 1) for size in GRID))


@pytest.fixture
def both(tree):
    """Session 3 (19 trials) as HDF5 and as NIfTI."""
    values = tree.session("subj01", 3)
    return [tree.write_betas("subj02", 3, values, suffix) for suffix in (".hdf5", ".nii.gz")]


def test_headers_agree(both):
    for path in both:
        header = read_header(path)
        assert header.shape == GRID
        assert header.n_trials == 19
        assert header.unit == 1 / 300


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)
@given(ijk=st.lists(VOXELS, min_size=1, max_size=20))
def test_any_voxels_in_any_order_equal_plain_indexing(tree, both, ijk):
    ijk = np.array(ijk)
    expected = tree.session("subj01", 3)[tuple(ijk.T)].T  # (trials, V)
    for path in both:
        values = read_betas(path, ijk)
        assert values.dtype == np.int16
        np.testing.assert_array_equal(values, expected)


def test_nifti_is_the_same_read_in_small_blocks(both, monkeypatch):
    ijk = np.array([[6, 7, 8], [0, 0, 0], [2, 5, 1]])
    whole = read_betas(both[1], ijk)
    monkeypatch.setattr(module, "BLOCK_BYTES", 4 * 7 * 8 * 9 * 2)  # 4 of 19 volumes, 3 in the last
    np.testing.assert_array_equal(read_betas(both[1], ijk), whole)


@pytest.mark.parametrize(
    "storage",
    [{"chunks": (19, 1, 1, 1), "compression": "gzip"}, {"chunks": (5, 2, 3, 4)}, {"chunks": None}],
)
def test_other_hdf5_storage_gives_the_same_values(tree, both, storage, tmp_path):
    values = tree.session("subj01", 3)
    path = tmp_path / "betas_session01.hdf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("betas", data=values.transpose(3, 2, 1, 0), **storage)
    ijk = np.array([[5, 1, 8], [5, 1, 3], [0, 7, 2], [5, 1, 8]])
    np.testing.assert_array_equal(read_betas(path, ijk), read_betas(both[0], ijk))


def test_big_endian_values(tree, both, tmp_path):
    path = tmp_path / "betas_session01.hdf5"
    with h5py.File(path, "w") as file:
        data = tree.session("subj01", 3).transpose(3, 2, 1, 0).astype(">i2")
        file.create_dataset("betas", data=data, chunks=(19, 1, 1, 1))
    ijk = np.array([[5, 1, 8], [0, 7, 2]])
    np.testing.assert_array_equal(read_betas(path, ijk), read_betas(both[0], ijk))


def test_chunks_never_written_are_zeros(tmp_path):
    path = tmp_path / "betas_session01.hdf5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("betas", (4, 9, 8, 7), "i2", chunks=(4, 1, 1, 1))
        data[:, 3, 2, 1] = [5, 6, 7, 8]
    values = read_betas(path, np.array([[1, 2, 3], [0, 0, 0]]))
    assert values.T.tolist() == [[5, 6, 7, 8], [0, 0, 0, 0]]


def test_float_files_are_in_their_own_unit(tmp_path, rng):
    values = rng.normal(size=(*GRID, 3)).astype(np.float32)
    path = tmp_path / "betas_session01.nii.gz"
    nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    assert read_header(path).unit == 1.0
    np.testing.assert_array_equal(read_betas(path, np.array([[1, 2, 3]]))[:, 0], values[1, 2, 3])


@pytest.mark.parametrize("index", [0, 1])
def test_truncated_files(both, index):
    path = both[index]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=f"{path.name}.*(truncated|damaged)"):
        read_betas(path, np.array([[1, 2, 3]]))


def test_files_that_are_something_else(both):
    for path in both:
        path.write_text("<html>not found</html>")
        with pytest.raises(DataError, match=path.name):
            read_header(path)


def test_hdf5_without_betas(both):
    with h5py.File(both[0], "w") as file:
        file["other"] = np.zeros(3)
    with pytest.raises(DataError, match=r"'betas' .*found \['other'\]"):
        read_header(both[0])


def test_wrong_type_and_rank(both):
    with h5py.File(both[0], "w") as file:
        file["betas"] = np.zeros((3, 9, 8, 7), np.uint8)
    with pytest.raises(DataError, match="found uint8"):
        read_header(both[0])
    nib.save(nib.Nifti1Image(np.zeros(GRID, np.float32), np.eye(4)), both[1])
    with pytest.raises(DataError, match=r"four axes .* found shape \(7, 8, 9\)"):
        read_header(both[1])


def test_scaled_nifti_is_refused(both):
    image = nib.load(both[1])
    image.header.set_slope_inter(0.5, 0)
    nib.save(image, both[1])
    with pytest.raises(DataError, match="scale 0.5"):
        read_betas(both[1], np.array([[1, 2, 3]]))


@pytest.mark.parametrize("ijk", [[[7, 0, 0]], [[0, -1, 0]], [[0, 0]]])
def test_voxels_outside_the_grid(both, ijk):
    for path in both:
        with pytest.raises(ShapeError, match=r"inside the grid \(7, 8, 9\)"):
            read_betas(path, np.array(ijk))
