"""Transforms of simulated subjects: the template's places come out where they belong."""

import nibabel as nib
import numpy as np
import pytest

from havir_lib.config import SimulatedSubject
from havir_lib.simulation.anatomy import displacement, make_anatomy
from havir_lib.simulation.transforms import (
    MNI_AFFINE,
    mni_coordinates,
    native_coordinates,
    subject_position,
)

SUBJECT = SimulatedSubject(shape=(30, 21, 19), voxel_mm=5.0, seed=4)


@pytest.fixture(scope="module")
def template_mm():
    """Each voxel's place in the template, (X, Y, Z, 3)."""
    return make_anatomy(SUBJECT, warp_mm=5.0).template_mm


def test_position_undoes_the_displacement(rng):
    mni = rng.uniform([-60, -100, -40], [60, -20, 50], size=(500, 3))
    position = subject_position(SUBJECT, 5.0, mni)
    back = position + displacement(SUBJECT, position[:, None, None], 5.0)[:, 0, 0]
    error = np.linalg.norm(back - mni, axis=1)
    assert np.linalg.norm(position - mni, axis=1).mean() > 4
    assert np.median(error) < 0.05
    assert error.max() < 0.5
    np.testing.assert_array_equal(subject_position(SUBJECT, 0.0, mni), mni)


def sampled(template_mm, coordinates):
    """Nearest voxel's place in the template, for coordinates that count from 1."""
    index = np.rint(coordinates - 1).astype(int)
    return template_mm[tuple(index.T)]


def test_mni_voxels_find_the_tissue_that_belongs_there(template_mm):
    coordinates = mni_coordinates(SUBJECT, 5.0)
    assert coordinates.shape == (182, 218, 182, 3)
    assert coordinates.dtype == np.float32
    valid = coordinates[..., 0] != 9999
    assert 100_000 < valid.sum() < 1_500_000
    assert coordinates[valid].min() >= 1
    assert (coordinates[valid].max(axis=0) <= SUBJECT.shape).all()
    some = np.argwhere(valid)[::1000]
    mni = nib.affines.apply_affine(MNI_AFFINE, some)
    found = sampled(template_mm, coordinates[tuple(some.T)])
    # the nearest voxel centre is at most half a voxel away along each axis; the warp stretches it
    assert np.abs(found - mni).max() < 0.5 * SUBJECT.voxel_mm * 1.7
    assert np.abs((found - mni).mean(axis=0)).max() < 0.3  # no shift, no mirror
    assert np.corrcoef(found[:, 0], mni[:, 0])[0, 1] > 0.99


def test_places_outside_of_the_grid_have_no_data():
    far = np.array([[0.0, 80, 0], [0, -54, 4], [0, -54, 120]])
    found = native_coordinates(SUBJECT, 0.0, far)
    np.testing.assert_array_equal(found[[0, 2]], 9999)
    np.testing.assert_allclose(found[1], (np.array(SUBJECT.shape) + 1) / 2, atol=1 / 32)
