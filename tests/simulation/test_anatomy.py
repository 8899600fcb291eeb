import numpy as np
import pytest

from havir_lib.config import SimulatedSubject
from havir_lib.simulation.anatomy import (
    displacement,
    grid_affine,
    height_above_calcarine,
    make_anatomy,
    roi_volume,
)
from havir_lib.simulation.atlas import AREAS, load_atlas
from havir_lib.simulation.regions import ROI_SETS, label_numbers
from havir_lib.simulation.retinotopy import MAX_ECCENTRICITY, early_fields

SUBJECT = SimulatedSubject(shape=(37, 24, 22), voxel_mm=4.0, seed=3)


@pytest.fixture(scope="module")
def person():
    return make_anatomy(SUBJECT, warp_mm=5.0)


def voxels_with(anatomy, name):
    return np.argwhere(
        roi_volume(anatomy, "prf-visualrois") == label_numbers("prf-visualrois")[name]
    )


def test_atlas_knows_every_area_and_v1_is_occipital():
    atlas = load_atlas()
    assert set(atlas.numbers) == set(AREAS)
    assert len(set(atlas.numbers.values())) == len(AREAS)
    calcarine = np.array([[-8.0, -80.0, 4.0], [9.0, -80.0, 5.0]])
    v1 = atlas.numbers["V1"]
    np.testing.assert_array_equal(atlas.labels.sample(calcarine, order=0), [v1, v1 + 180])
    np.testing.assert_allclose(atlas.brain.sample(np.array([[0.0, 0, 20], [0, 0, 200]]), 0), [1, 0])


def test_affine_maps_the_middle_of_the_grid_to_the_middle_of_the_view():
    affine = grid_affine(SUBJECT)
    middle = affine @ [*(np.array(SUBJECT.shape) - 1) / 2, 1]
    np.testing.assert_allclose(middle, [0, -54, 4, 1])
    np.testing.assert_allclose(np.diag(affine), [4, 4, 4, 1])


def test_without_warp_every_voxel_shows_the_template_at_its_own_place():
    template = make_anatomy(SUBJECT, warp_mm=0.0)
    i, j, k = 20, 5, 9
    world = (template.affine @ [i, j, k, 1])[:3]
    np.testing.assert_allclose(template.template_mm[i, j, k], world)
    label = load_atlas().labels.sample(world[None], order=0)[0]
    assert template.area[i, j, k] in {(label - 1) % 180 + 1, 0}


def test_displacement_has_the_stated_size_and_is_smooth():
    world = np.stack(np.meshgrid(*[np.arange(-90, 90, 6.0)] * 3, indexing="ij"), axis=-1)
    shifts = [displacement(SUBJECT.model_copy(update={"seed": s}), world, 5.0) for s in range(6)]
    assert np.sqrt(np.mean(np.square(shifts))) == pytest.approx(5.0, rel=0.15)
    step = np.diff(shifts[0], axis=0)  # between points 6 mm apart
    assert step.std() < 0.5 * shifts[0].std()
    assert not np.allclose(shifts[0], shifts[1])


def test_warp_moves_areas_but_keeps_their_size(person):
    template = make_anatomy(SUBJECT, warp_mm=0.0)
    own, standard = (roi_volume(a, "prf-visualrois") > 0 for a in (person, template))
    dice = 2 * (own & standard).sum() / (own.sum() + standard.sum())
    assert 0.2 < dice < 0.9
    assert 0.6 < own.sum() / standard.sum() < 1.6


def test_dorsal_lies_above_and_ventral_below_the_calcarine(person):
    height = height_above_calcarine(person)
    for name in ("V1", "V2", "V3"):
        assert height[tuple(voxels_with(person, name + "d").T)].min() >= 0
        assert height[tuple(voxels_with(person, name + "v").T)].max() < 0


def test_every_label_is_in_cortex_and_has_voxels_on_a_demo_grid(person):
    for roi_set in ROI_SETS:
        volume = roi_volume(person, roi_set)
        assert (volume >= 0).sum() == person.cortex.sum()
        assert not (volume[~person.cortex] != -1).any()
        found = set(np.unique(volume[volume > 0]))
        assert found == set(label_numbers(roi_set).values())


def test_words_lean_to_the_left():
    template = make_anatomy(SUBJECT, warp_mm=0.0)
    words = roi_volume(template, "floc-words") > 0
    assert (words & (template.side < 0)).sum() > 1.5 * (words & (template.side > 0)).sum()


@pytest.mark.parametrize("area", ["V1", "V2", "V3"])
def test_dorsal_areas_see_the_lower_and_ventral_areas_the_upper_field(person, rng, area):
    dorsal = early_fields(person, voxels_with(person, area + "d"), rng)
    ventral = early_fields(person, voxels_with(person, area + "v"), rng)
    assert np.mean(dorsal.y < 0) > 0.9
    assert np.mean(ventral.y > 0) > 0.9
    assert dorsal.y.mean() < -0.2
    assert ventral.y.mean() > 0.2


def test_each_hemisphere_sees_the_other_side(person, rng):
    ijk = voxels_with(person, "V1d")
    fields = early_fields(person, ijk, rng)
    left = person.side[tuple(ijk.T)] < 0
    assert np.mean(fields.x[left] > 0) > 0.9
    assert np.mean(fields.x[~left] < 0) > 0.9


def test_borders_follow_the_mirror_rule(person, rng):
    """V1/V2 meet at the vertical and V2/V3 at the horizontal meridian."""
    steepness = {}
    for name in ("V1d", "V2d", "V3d"):
        ijk = voxels_with(person, name)
        fields = early_fields(person, ijk, rng)
        height = height_above_calcarine(person)[tuple(ijk.T)]
        angle = np.arctan2(np.abs(fields.y), np.abs(fields.x))
        steepness[name] = np.corrcoef(height, angle)[0, 1]
    assert steepness["V1d"] > 0.2
    assert steepness["V2d"] < -0.2
    assert steepness["V3d"] > 0.2


def test_fields_cover_the_picture_and_grow_outwards_and_upstream(person, rng):
    ijk = np.argwhere(roi_volume(person, "prf-visualrois") > 0)
    fields = early_fields(person, ijk, rng)
    eccentricity = np.hypot(fields.x, fields.y)
    assert np.quantile(eccentricity, 0.02) < 0.12
    assert 0.9 * MAX_ECCENTRICITY < eccentricity.max() < 2 * MAX_ECCENTRICITY
    for x_sign in (-1, 1):
        for y_sign in (-1, 1):
            quadrant = (np.sign(fields.x) == x_sign) & (np.sign(fields.y) == y_sign)
            assert quadrant.mean() > 0.15
    assert np.corrcoef(eccentricity, fields.size)[0, 1] > 0.3
    label = roi_volume(person, "prf-visualrois")[tuple(ijk.T)]
    sizes = [fields.size[np.isin(label, pair)].mean() for pair in ((1, 2), (3, 4), (5, 6), (7,))]
    assert sizes == sorted(sizes)
