"""From a subject's own grid to MNI and to the average surface, against scipy and nilearn."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from havir_lib.data.anatomy import anatomy_of
from havir_lib.data.layout import NsdLayout
from havir_lib.data.spaces import MNI, SurfaceMap, VolumeMap, native_space
from havir_lib.data.transforms import (
    MNI_AFFINE,
    MNI_SHAPE,
    interpolate,
    load_coordinates,
    load_vertices,
    volume_to_fsaverage,
    volume_to_fsaverage5,
    volume_to_mni,
)
from havir_lib.errors import DataError, ShapeError, SpaceError

GRID = (7, 8, 9)
CORNER = np.array([88, 40, 60])  # template voxel at the subject's voxel (0, 0, 0)
N_OWN = 50  # vertices of the subject's own surface


def grid_index(shape=GRID):
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).astype(float)


@pytest.fixture
def volume(rng):
    return rng.normal(size=GRID)


@pytest.mark.parametrize("method", ["linear", "nearest"])
def test_identity_returns_the_volume(volume, method):
    np.testing.assert_allclose(interpolate(volume, grid_index(), method), volume, rtol=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.tuples(*(st.integers(-3, 3),) * 3))
def test_whole_shifts_move_voxels_and_leave_nan_outside(shift):
    volume = np.random.default_rng(1).normal(size=GRID)
    found = interpolate(volume, grid_index() + shift)
    for index in np.ndindex(GRID):
        source = tuple(np.add(index, shift))
        inside = all(0 <= i < n for i, n in zip(source, GRID, strict=True))
        assert found[index] == pytest.approx(volume[source]) if inside else np.isnan(found[index])


def test_between_voxels_equals_scipy(volume, rng):
    places = rng.uniform(-0.5, 8.5, size=(400, 3))
    axes = [np.arange(n) for n in GRID]
    for method in ("linear", "nearest"):
        oracle = RegularGridInterpolator(axes, volume, method, bounds_error=False)
        np.testing.assert_allclose(interpolate(volume, places, method), oracle(places), rtol=1e-5)


def test_an_affine_transform_equals_nilearn(volume):
    from nilearn.image import resample_img

    source = np.array([[2.0, 0, 0, -6], [0, 3, 0, -9], [0, 0, 2.5, 4], [0, 0, 0, 1]])
    target = np.array([[-1.5, 0, 0, 5], [0, 2, 0, -8], [0, 0, 2, 5], [0, 0, 0, 1]])
    image = nib.Nifti1Image(volume, source)
    options = {"interpolation": "linear", "force_resample": True, "copy_header": True}
    oracle = resample_img(image, target, (6, 9, 8), fill_value=np.nan, **options).get_fdata()
    world = nib.affines.apply_affine(target, grid_index((6, 9, 8)))
    found = interpolate(volume, nib.affines.apply_affine(np.linalg.inv(source), world))
    both = np.isfinite(oracle) & np.isfinite(found)
    assert both.sum() > 200
    np.testing.assert_allclose(found[both], oracle[both], rtol=1e-5)


def test_a_map_is_not_pulled_to_zero_where_it_ends():
    volume = np.full(GRID, np.nan)
    volume[:4] = 5.0
    places = np.array([[3.4, 2.2, 2.7], [3.6, 2.2, 2.7], [np.nan, 1, 1]])
    found = interpolate(volume, places)
    assert found[0] == pytest.approx(5.0)  # 60 % of the weight has a value
    assert np.isnan(found[1:]).all()


def write_lookup(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.MGHImage if path.suffix == ".mgz" else nib.Nifti1Image
    nib.save(image(values, np.eye(4)), path)
    return path


def test_coordinates_count_from_1_and_9999_is_nothing(tmp_path):
    stored = np.array([[1, 2.5, 9], [9999, 9999, 9999]], np.float32)[:, None, None, :]
    found = load_coordinates(write_lookup(tmp_path / "lh.a-to-b.mgz", stored))
    np.testing.assert_allclose(found[0], [0, 1.5, 8])
    assert found.shape == (2, 3)
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize("wrong", [0, 51, 2.5])
def test_vertex_numbers_that_cannot_be(tmp_path, wrong):
    path = write_lookup(tmp_path / "v.mgz", np.array([1, 50, wrong], np.float32)[:, None, None])
    with pytest.raises(DataError, match=rf"v\.mgz: expected vertex numbers 1 to 50.*{wrong}"):
        load_vertices(path, 50)


def test_lookups_of_another_shape_or_damaged(tmp_path):
    path = write_lookup(tmp_path / "a.nii.gz", np.zeros((2, 3, 4), np.float32))
    with pytest.raises(DataError, match=r"a\.nii\.gz: expected coordinates .*\(2, 3, 4\)"):
        load_coordinates(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match=r"a\.nii\.gz: cannot be read"):
        load_coordinates(path)
    with pytest.raises(DataError, match=r"missing\.mgz, but it does not exist"):
        load_coordinates(tmp_path / "missing.mgz")


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    """Transforms of subj01 in NSD's files: to MNI, and to a surface of 50 vertices per side."""
    layout = NsdLayout(tmp_path_factory.mktemp("replica"))
    rng = np.random.default_rng(3)
    lookup = np.full((*MNI_SHAPE, 3), 9999, np.float32)
    box = tuple(slice(c, c + n) for c, n in zip(CORNER, GRID, strict=True))
    lookup[box] = grid_index() + 1
    write_lookup(layout.to_mni("subj01"), lookup)
    for side in ("lh", "rh"):
        for depth in ("layerB1", "layerB2", "layerB3"):
            places = rng.uniform(1, GRID, size=(N_OWN, 3)).astype(np.float32)
            places[7] = 9999
            write_lookup(layout.to_surface("subj01", side, depth), places[:, None, None])
        numbers = rng.integers(1, N_OWN + 1, 163_842).astype(np.int32)
        write_lookup(layout.to_fsaverage("subj01", side), numbers[:, None, None])
    return layout


def native(volume, subject="subj01"):
    return VolumeMap(volume, np.diag([1.8, 1.8, 1.8, 1]), native_space(subject, "func1pt8mm"))


def test_a_voxel_arrives_at_its_place_in_mni(layout, volume):
    mni = volume_to_mni(anatomy_of(layout, "subj01"), native(volume))
    assert (mni.space, mni.volume.shape) == (MNI, MNI_SHAPE)
    assert np.isfinite(mni.volume).sum() == np.prod(GRID)
    # the template's file runs from right to left: voxel 90 is the midline, lower ones are right
    voxel = np.linalg.inv(mni.affine) @ [2 - 4, 40 + 5 - 126, 60 + 1 - 72, 1]
    assert mni.volume[tuple(voxel[:3].astype(int))] == pytest.approx(volume[4, 5, 1])


def test_every_second_voxel_is_a_part_of_the_whole(layout, volume):
    whole = volume_to_mni(anatomy_of(layout, "subj01"), native(volume)).volume
    part = volume_to_mni(anatomy_of(layout, "subj01"), native(volume), step=2)
    np.testing.assert_array_equal(part.volume, whole[::2, ::2, ::2])
    np.testing.assert_allclose(part.affine @ [3, 4, 5, 1], MNI_AFFINE @ [6, 8, 10, 1])


def own_surface(layout, volume, side):
    """Mean over depths at each vertex of the subject's own surface, as NSD's code does it."""
    axes = [np.arange(n) for n in GRID]
    sample = RegularGridInterpolator(axes, volume, bounds_error=False)
    layers = []
    for depth in (1, 2, 3):
        file = layout.to_surface("subj01", side, f"layerB{depth}")
        layers.append(sample(np.asarray(nib.load(file).dataobj).reshape(-1, 3) - 1))
    return np.mean(layers, axis=0)


def test_surface_is_the_mean_over_depths_at_the_vertex_named(layout, volume):
    found = volume_to_fsaverage(anatomy_of(layout, "subj01"), native(volume))
    assert found.space == "fsaverage"
    for side, values in (("lh", found.left), ("rh", found.right)):
        numbers = np.asarray(nib.load(layout.to_fsaverage("subj01", side)).dataobj).ravel()
        own = own_surface(layout, volume, side)
        np.testing.assert_allclose(values, own[numbers - 1], rtol=1e-4)
        assert np.isnan(values[numbers == 8]).all()  # the vertex without data, counted from 1
    coarse = volume_to_fsaverage5(anatomy_of(layout, "subj01"), native(volume))
    np.testing.assert_array_equal(coarse.right, found.right[:10_242])


def test_labels_stay_labels(layout, rng):
    labels = rng.integers(1, 3, size=GRID).astype(float)
    labels[rng.random(GRID) < 0.3] = np.nan
    for found in (
        volume_to_mni(anatomy_of(layout, "subj01"), native(labels), method="nearest").volume,
        volume_to_fsaverage(anatomy_of(layout, "subj01"), native(labels), method="nearest").left,
    ):
        assert set(np.unique(found[np.isfinite(found)])) == {1, 2}


def test_maps_of_another_subject_or_space_are_refused(layout, volume):
    with pytest.raises(SpaceError, match="subj01 func1pt8mm.*'subj02 func1pt8mm'"):
        volume_to_mni(anatomy_of(layout, "subj01"), native(volume, "subj02"))
    already = VolumeMap(volume, np.eye(4), MNI)
    with pytest.raises(SpaceError, match="MNI152"):
        volume_to_fsaverage(anatomy_of(layout, "subj01"), already)


def test_transform_of_another_grid(layout):
    tiny = native(np.ones((1, 1, 1)))
    with pytest.raises(ShapeError, match=r"layerB1.*\(1, 1, 1\)"):
        volume_to_fsaverage(anatomy_of(layout, "subj01"), tiny)


def test_surface_maps_have_their_surface_s_vertices():
    with pytest.raises(ShapeError, match="fsaverage5 needs 10242 values"):
        SurfaceMap(np.zeros(10_242), np.zeros(50), "fsaverage5")
    SurfaceMap(np.zeros(49), np.zeros(50), "subj01 layerB2")
