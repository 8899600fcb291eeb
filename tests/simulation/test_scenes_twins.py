"""Twins: the same scene with another main object."""

import numpy as np
import pytest

from havir_lib.simulation.scenes import make_scene, make_twin, render

SEEDS = range(60)


@pytest.fixture(scope="module")
def pairs():
    made = [(make_scene(seed), make_twin(seed)) for seed in SEEDS]
    return [(scene, twin) for scene, twin in made if twin is not None]


def main_of(scene):
    return next(item for item in scene.objects if item.main)


def test_most_scenes_have_a_twin_and_twins_are_the_same_each_time(pairs):
    assert len(pairs) > 40
    scene, twin = pairs[0]
    assert make_twin(scene.seed) == twin


def test_only_the_main_object_is_another(pairs):
    for scene, twin in pairs:
        assert (scene.setting, scene.light) == (twin.setting, twin.light)
        assert main_of(scene).category != main_of(twin).category
        others = [{(o.category, o.box) for o in s.objects if not o.main} for s in (scene, twin)]
        assert others[1] <= others[0]  # what the main object held is gone


def test_captions_tell_the_new_object(pairs):
    told = [main_of(twin).category in " ".join(twin.captions) for _, twin in pairs]
    assert np.mean(told) > 0.8


def test_pictures_are_alike_but_for_the_object(pairs):
    alike = [np.corrcoef(*(render(s.svg, 64).ravel() for s in pair))[0, 1] for pair in pairs[:20]]
    assert 0.6 < np.mean(alike) < 0.95
