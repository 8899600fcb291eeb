"""The scenes: reproducible, true to their own description, and covering what they promise."""

import hashlib
import re

import numpy as np
import pytest

from havir_lib.simulation import scenes
from havir_lib.simulation.scenes.registry import all_categories, all_settings

SCENES = scenes.make_scenes(range(300))


def _words(category):
    singular = {noun for pair in category.nouns for noun in pair}
    return singular | ({"man", "woman", "person", "lady"} if category.name == "person" else set())


def _mentions(caption, noun):
    return re.search(rf"\b{re.escape(noun)}\b", caption.lower()) is not None


def test_the_same_seed_gives_the_same_bytes():
    again = scenes.make_scene(123)
    assert again == SCENES[123]
    assert again.svg != SCENES[124].svg


def test_seeds_do_not_depend_on_their_neighbours():
    assert scenes.make_scenes([7, 3, 7]) == [SCENES[7], SCENES[3], SCENES[7]]


def test_workers_change_nothing():
    seeds = [5, 900, 2, 31]
    alone = scenes.render_many(seeds, 24)
    together = scenes.render_many(seeds, 24, workers=2)
    assert alone.shape == (4, 24, 24, 3)
    assert alone.dtype == np.uint8
    np.testing.assert_array_equal(alone, together)


def test_render_keeps_size_and_orientation():
    blue_over_red = '<path fill="#00f" d="M0 0H4V1H0Z"/><path fill="#f00" d="M0 1H4V4H0Z"/>'
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 4">'
    image = scenes.render(f"{head}{blue_over_red}</svg>", 8)
    assert image.shape == (8, 8, 3)
    assert image[0, 7].tolist() == [0, 0, 255]
    assert image[7, 0].tolist() == [255, 0, 0]


def test_pictures_are_opaque_and_not_flat():
    for image in scenes.render_many(range(20), 32):
        assert image.std() > 8


def test_contact_sheet_is_row_by_row():
    sheet = scenes.contact_sheet([3, 8, 5], columns=2, size=16, gap=2)
    assert sheet.shape == (2 * 18 + 2, 2 * 18 + 2, 3)
    np.testing.assert_array_equal(sheet[2:18, 20:36], scenes.render(SCENES[8].svg, 16))
    np.testing.assert_array_equal(sheet[20:36, 2:18], scenes.render(SCENES[5].svg, 16))
    assert (sheet[20:36, 20:36] == 255).all()


@pytest.mark.parametrize(
    ("name", "coco_id"),
    [("person", 1), ("car", 3), ("cat", 17), ("zebra", 24), ("pizza", 59), ("clock", 85)],
)
def test_coco_ids(name, coco_id):
    assert scenes.CATEGORIES[name] == coco_id


def test_at_least_as_much_variety_as_promised():
    assert len(scenes.CATEGORIES) >= 20
    assert len(scenes.SETTINGS) >= 10
    assert len(scenes.LIGHTS) >= 5
    assert len(set(scenes.CATEGORIES.values())) == len(scenes.CATEGORIES)


def test_every_category_setting_and_light_is_reached():
    mains = {o.category for s in SCENES for o in s.objects if o.main}
    assert mains == set(scenes.CATEGORIES)
    assert {s.setting for s in SCENES} == set(scenes.SETTINGS)
    assert {s.light for s in SCENES} == set(scenes.LIGHTS)


def test_every_category_lives_somewhere_that_exists():
    for category in all_categories().values():
        assert set(category.where) <= set(all_settings())


def test_objects_lie_in_the_picture_and_one_is_main():
    for scene in SCENES:
        assert [o.main for o in scene.objects].count(True) == 1
        assert 1 <= len(scene.objects) <= 6
        for item in scene.objects:
            x0, y0, x1, y1 = item.box
            assert 0 <= x0 < x1 <= 1
            assert 0 <= y0 < y1 <= 1
            assert 0 <= item.visible <= 1
            assert not item.main or item.visible >= 0.55


def test_captions_are_five_short_sentences():
    for scene in SCENES:
        assert len(set(scene.captions)) == 5
        for caption in scene.captions:
            assert caption[0].isupper()
            assert caption.endswith(".")
            assert 3 <= len(caption.split()) <= 18


def test_captions_name_the_main_object_and_nothing_absent():
    categories = all_categories()
    for scene in SCENES:
        main = next(o.category for o in scene.objects if o.main)
        present = {o.category for o in scene.objects}
        allowed = {noun for name in present for noun in _words(categories[name])}
        for caption in scene.captions:
            assert any(_mentions(caption, noun) for noun in _words(categories[main]))
            for name in set(categories) - present:
                for noun in _words(categories[name]) - allowed:
                    assert not _mentions(caption, noun), (scene.seed, caption, noun)


def test_captions_count_right():
    for scene in SCENES:
        main = next(o.category for o in scene.objects if o.main)
        count = sum(o.category == main for o in scene.objects)
        if count == 1:
            plurals = {p for s, p in all_categories()[main].nouns if s != p}
            assert not any(_mentions(c, p) for c in scene.captions for p in plurals)


def test_complexity_is_graded_over_its_range():
    values = np.array([s.complexity for s in SCENES])
    assert values.min() == 0
    assert values.max() > 0.75
    assert len(np.unique(values.round(2))) > 30
    assert np.corrcoef(values, [len(s.objects) for s in SCENES])[0, 1] > 0.7


def test_complexity_grows_with_clutter_and_occlusion():
    main = scenes.SceneObject("car", "red", (0.1, 0.4, 0.8, 0.9), 1.0, True)
    far = scenes.SceneObject("dog", "", (0.1, 0.4, 0.2, 0.5), 1.0, False)
    hidden = scenes.SceneObject("dog", "", (0.1, 0.4, 0.2, 0.5), 0.4, False)
    large = scenes.SceneObject("dog", "", (0.1, 0.4, 0.6, 0.9), 1.0, False)
    score = scenes.complexity
    assert score((main,)) == 0
    assert score((main,)) < score((main, large)) < score((main, far)) < score((main, hidden))
    assert score((main, far)) < score((main, far, far)) <= 1


def test_attributes_agree_with_the_scene():
    names = list(scenes.ATTRIBUTES)
    for scene in SCENES[:60]:
        values = scenes.attributes(scene)
        assert values.shape == (len(names),)
        assert values.dtype == np.float32
        record = dict(zip(names, values, strict=True))
        shown = {o.category for o in scene.objects}
        assert {n[5:] for n in names if n.startswith("area:") and record[n] > 0} <= shown
        assert record["area:" + next(o.category for o in scene.objects if o.main)] > 0.1
        assert [n for n in names if n.startswith("setting:") and record[n]] == [
            f"setting:{scene.setting}"
        ]
        assert [n for n in names if n.startswith("light:") and record[n]] == [
            f"light:{scene.light}"
        ]
        assert record["count:total"] == pytest.approx(len(scene.objects) / 6)
        families = [record[n] for n in names if n.startswith("count:") and n != "count:total"]
        assert sum(families) == pytest.approx(record["count:total"], abs=1e-5)


def test_drawings_fill_the_boxes_they_report():
    """The tracked box of each drawing matches the pixels it paints, to a tenth of its size."""
    from havir_lib.simulation.scenes.drawing import Defs, Pen

    for category in all_categories().values():
        defs = Defs()
        pen = Pen(defs)
        category.draw(pen, np.random.default_rng(4), next(iter(category.colours.values())))
        x0, y0, x1, y1 = pen.box()
        side, cx, cy = 2 * max(x1 - x0, y1 - y0), (x0 + x1) / 2, (y0 + y1) / 2
        view = f"{cx - side / 2} {cy - side / 2} {side} {side}"
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}">{defs.svg()}'
        black, white = (
            scenes.render(
                head + f'<path d="M-999 -999H999V999H-999Z" fill="{ground}"/>{pen.svg()}</svg>', 100
            ).astype(int)
            for ground in ("#000000", "#ffffff")
        )
        rows, columns = np.nonzero((white - black).max(axis=2) < 128)
        drawn = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / 100
        told = (np.array([x0 - cx, y0 - cy, x1 - cx, y1 - cy]) / side) + 0.5
        assert np.abs(drawn - told).max() < 0.06, category.name


def test_the_scenes_are_those_the_small_models_were_trained_on():
    """A change of any drawing or caption needs the shipped models retrained; then update this."""
    text = "".join(s.svg + "".join(s.captions) for s in SCENES[:20])
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "92219ce5a244d29c"
