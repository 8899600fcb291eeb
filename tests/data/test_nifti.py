"""Geometry in millimetres: another order of axes is put right, another place refused."""

import gzip
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest

from havir_lib.data import load_subject
from havir_lib.data.betas import read_betas
from havir_lib.data.check import check_subject, has_errors
from havir_lib.data.nifti import Grid, grid_of, read_volume
from havir_lib.errors import DataError, ShapeError
from tests.data.conftest import AFFINE, GRID

TURNS = [(axes, flips) for axes in permutations(range(3)) for flips in product([1, -1], repeat=3)]


def turned(values, affine, axes, flips):
    """The same place in another order of axes, with the header that says so."""
    order = np.array(list(zip(axes, flips, strict=True)), dtype=float)
    into = affine @ nib.orientations.inv_ornt_aff(order, values.shape[:3])
    return nib.orientations.apply_orientation(values, order), into


@pytest.mark.parametrize(("axes", "flips"), TURNS)
def test_another_order_of_axes_is_the_same_place(tmp_path, rng, axes, flips):
    affine = nib.affines.from_matvec(np.diag([1.8, 2.0, 2.2]), [-60, -80, -40])
    values = rng.random((4, 5, 6)).astype(np.float32)
    nib.save(nib.Nifti1Image(*turned(values, affine, axes, flips)), tmp_path / "a.nii.gz")
    found = read_volume(tmp_path / "a.nii.gz", "A map", Grid((4, 5, 6), affine))
    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_array_equal(found.affine, affine)


@pytest.mark.parametrize(("axes", "flips"), TURNS)
def test_sessions_may_have_another_order_of_axes(tmp_path, rng, axes, flips):
    affine = nib.affines.from_matvec(np.diag([1.8, 2.0, 2.2]), [-60, -80, -40])
    values = rng.integers(-900, 900, (4, 5, 6, 3)).astype(np.int16)
    parts = [turned(values[..., t], affine, axes, flips) for t in range(3)]
    stored = np.stack([part for part, _ in parts], axis=-1)
    nib.save(nib.Nifti1Image(stored, parts[0][1]), tmp_path / "betas.nii.gz")
    ijk = np.array([[0, 0, 0], [3, 4, 5], [1, 3, 2]])
    found = read_betas(tmp_path / "betas.nii.gz", ijk, Grid((4, 5, 6), affine))
    np.testing.assert_array_equal(found, values[tuple(ijk.T)].T)


MOVED = {
    "shifted by a voxel": nib.affines.from_matvec(np.eye(3), [1.8, 0, 0]),
    "mirrored in place": np.diag([-1.0, 1, 1, 1]),
    "other voxels": np.diag([1.1, 1.1, 1.1, 1]),
    "turned by 20 degrees": nib.affines.from_matvec(nib.eulerangles.euler2mat(z=0.35)),
}


@pytest.mark.parametrize("how", MOVED)
def test_another_place_is_refused_with_both(tree, how):
    path = tree.write_roi("subj01", "floc-faces", tree.labels["floc-faces"])
    nib.save(nib.Nifti1Image(tree.labels["floc-faces"].astype("i2"), MOVED[how] @ AFFINE), path)
    with pytest.raises(ShapeError, match=r"lies elsewhere.*expected \(7, 8, 9\) RAS.*found"):
        read_volume(path, "ROI set", Grid(GRID, AFFINE))
    nib.save(nib.Nifti1Image(np.zeros((*GRID, 2), "i2"), MOVED[how] @ AFFINE), path)
    with pytest.raises(ShapeError, match=r"lies elsewhere"):
        read_betas(path, np.array([[0, 0, 0]]), Grid(GRID, AFFINE))


def test_origins_that_differ_by_half_a_voxel_are_one(tmp_path):
    near = nib.affines.from_matvec(np.diag([1.8] * 3), [0.9, 0.9, 0.9])
    nib.save(nib.Nifti1Image(np.ones(GRID, "f4"), near), tmp_path / "a.nii.gz")
    assert read_volume(tmp_path / "a.nii.gz", "A map", Grid(GRID, AFFINE)).values.all()


def test_a_file_that_does_not_say_where_it_lies_goes_by_its_shape(tmp_path):
    image = nib.Nifti1Image(np.ones(GRID, "f4"), None)
    image.header["sform_code"] = image.header["qform_code"] = 0
    nib.save(image, tmp_path / "a.nii")
    assert grid_of(tmp_path / "a.nii").affine is None
    assert read_volume(tmp_path / "a.nii", "A map", Grid(GRID, AFFINE)).values.all()
    with pytest.raises(ShapeError, match="place unknown"):
        read_volume(tmp_path / "a.nii", "A map", Grid((9, 8, 7), AFFINE))


@pytest.mark.parametrize("flips", list(product([1, -1], repeat=3))[1:])
def test_a_flipped_mask_gives_the_same_subject(tree, config, flips):
    expected = load_subject(config, "subj01")
    for name, labels in tree.labels.items():
        values, affine = turned(labels.astype(np.int16), AFFINE, (0, 1, 2), flips)
        nib.save(nib.Nifti1Image(values, affine), tree.write_roi("subj01", name, labels))
    found = load_subject(config, "subj01")
    np.testing.assert_array_equal(found.ijk, expected.ijk)
    np.testing.assert_array_equal(found.betas, expected.betas)
    assert not has_errors(check_subject(config, "subj01"))


@pytest.mark.parametrize("position", [20, 200, -7, -5, -1])
def test_one_changed_byte_of_a_compressed_file_is_noticed(tree, tmp_path, position, rng):
    path = tmp_path / "betas_session01.nii.gz"
    values = rng.integers(-900, 900, (*GRID, 4)).astype(np.int16)
    nib.save(nib.Nifti1Image(values, AFFINE), path)
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="betas_session01.nii.gz"):
        read_betas(path, np.array([[0, 0, 0]]))
    mask = tree.write_roi("subj01", "floc-faces", tree.labels["floc-faces"])
    content = bytearray(mask.read_bytes())
    content[position if abs(position) < len(content) else -12] ^= 1
    mask.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"floc-faces.nii.gz: (damaged|cannot be read)"):
        read_volume(mask, "ROI set")


def test_bytes_behind_the_end_are_noticed(tmp_path, rng):
    path = tmp_path / "a.nii.gz"
    nib.save(nib.Nifti1Image(rng.random(GRID), AFFINE), path)
    path.write_bytes(path.read_bytes() + gzip.compress(b"")[:7])
    with pytest.raises(DataError, match="damaged or cut short"):
        read_volume(path, "A map")
