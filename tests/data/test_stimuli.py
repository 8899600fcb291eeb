"""Images and captions by id."""

import json

import h5py
import numpy as np
import pytest

from havir_lib.data.layout import CAPTION_FOLDERS, NsdLayout
from havir_lib.data.load import load_stimuli
from havir_lib.data.stimuli import Stimuli
from havir_lib.download.coco import coco_items
from havir_lib.errors import DataError

SPLITS = ("train", "val")


@pytest.fixture
def stimuli(tree):
    return Stimuli(NsdLayout(tree.root))


def test_images_in_any_order_with_repeats(stimuli):
    ids = [41, 3, 59, 3, 0]
    with h5py.File(stimuli.path) as file:
        expected = file["imgBrick"][:][ids]
    images = stimuli.images(ids)
    assert images.dtype == np.uint8
    assert images.shape == (5, *stimuli.image_shape) == (5, 5, 5, 3)
    np.testing.assert_array_equal(images, expected)
    assert stimuli.images([]).shape == (0, 5, 5, 3)


def test_captions_follow_coco_id_and_annotation_order(stimuli):
    captions = stimuli.captions([41, 3, 41])
    assert captions[1] == [f"image 3, caption {k}" for k in range(5)]
    assert captions[0] == captions[2]
    assert captions[0][0] == "image 41, caption 0"
    assert stimuli.captions([7], n=2) == [["image 7, caption 0", "image 7, caption 1"]]


@pytest.mark.parametrize("ids", [[60], [-1], [5, 73000]])
def test_unknown_ids(stimuli, ids):
    for method in (stimuli.images, stimuli.captions):
        with pytest.raises(DataError, match="images 0 to 59"):
            method(ids)


def test_missing_captions_name_the_image_and_the_files(stimuli):
    path = stimuli.caption_files[0]
    content = json.loads(path.read_text())
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] != 900 - 12]
    path.write_text(json.dumps(content))
    assert len(stimuli.captions([11])[0]) == 5
    with pytest.raises(DataError, match=r"Image 12 \(cocoId 888\).*captions_train2017\.json"):
        stimuli.captions([11, 12])


def test_no_caption_files(tree):
    with pytest.raises(DataError, match="No caption files"):
        Stimuli(NsdLayout(tree.root), []).captions([1])


def test_caption_files_of_the_configuration(make_config, tree):
    inside = "nsddata_stimuli/stimuli/nsd/annotations/captions_{}2017.json"
    files = [inside.format(part) for part in ("train", "val")]
    from_config = load_stimuli(make_config(**{"data.captions": files}))
    assert from_config.captions([8]) == load_stimuli(make_config()).captions([8])
    missing = load_stimuli(make_config(**{"data.captions": ["captions_mine.json"]}))
    with pytest.raises(DataError, match=r"COCO captions.*captions_mine\.json"):
        missing.captions([8])


@pytest.mark.parametrize("folder", CAPTION_FOLDERS)
def test_captions_are_found_wherever_a_tree_keeps_them(make_config, tree, folder):
    """One function answers the loader, the check and the list of missing files."""
    expected = load_stimuli(make_config()).captions([8])
    config = make_config(
        **{"data.captions": [f"nsddata_stimuli/annotations/captions_{x}2017.json" for x in SPLITS]}
    )
    (tree.root / folder).mkdir(parents=True, exist_ok=True)
    for file in NsdLayout(tree.root).captions():
        file.rename(tree.root / folder / file.name)
    assert load_stimuli(config).captions([8]) == expected
    assert load_stimuli(make_config()).captions([8]) == expected
    assert not [item for item in coco_items(config, tree.root) if item.here() is None]


def test_one_file_at_both_places_is_read_once(make_config, tree):
    expected = load_stimuli(make_config()).captions([8], n=3)
    other = tree.root / CAPTION_FOLDERS[1]
    other.mkdir(parents=True)
    for file in NsdLayout(tree.root).captions():
        (other / file.name).write_bytes(file.read_bytes())
    assert load_stimuli(make_config()).captions([8], n=3) == expected


def test_caption_file_that_is_not_one(stimuli):
    for text in ("{", '{"images": []}', "[]"):
        stimuli.caption_files[1].write_text(text)
        with pytest.raises(DataError, match="not a COCO annotation file"):
            stimuli.captions([1])


def test_broken_stimulus_files(stimuli, tree):
    layout = NsdLayout(tree.root)
    whole = stimuli.path.read_bytes()
    stimuli.path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"nsd_stimuli\.hdf5.*truncated"):
        stimuli.images([3])
    with h5py.File(stimuli.path, "w") as file:
        file["imgBrick"] = np.zeros((60, 5, 5, 3), np.float32)
    with pytest.raises(DataError, match="expected uint8"):
        Stimuli(layout)
    with h5py.File(stimuli.path, "w") as file:
        file["imgBrick"] = np.zeros((59, 5, 5, 3), np.uint8)
    with pytest.raises(DataError, match="expected 60 images, found 59"):
        Stimuli(layout)
    stimuli.path.unlink()
    with pytest.raises(DataError, match="Stimulus images"):
        Stimuli(layout)


def test_pictures_that_are_not_square_are_refused(tree):
    layout = NsdLayout(tree.root)
    with h5py.File(layout.stimuli, "w") as file:
        file["imgBrick"] = np.zeros((60, 4, 5, 3), np.uint8)
    with pytest.raises(DataError, match=r"expected square pictures, found \(4, 5\) \(H, W\)"):
        Stimuli(layout)


def test_a_caption_file_that_lies_there_twice_counts_once(tree):
    layout = NsdLayout(tree.root)
    files = layout.captions()
    copy = files[0].with_name("captions_copy.json")
    copy.write_bytes(files[0].read_bytes())
    once, twice = Stimuli(layout, files), Stimuli(layout, [*files, copy])
    assert twice.captions([0, 5], 5) == once.captions([0, 5], 5)


def test_annotations_that_contradict_each_other_are_refused(tree):
    layout = NsdLayout(tree.root)
    files = layout.captions()
    other = files[0].with_name("captions_other.json")
    other.write_text(files[0].read_text().replace("image 3,", "another,"))
    with pytest.raises(DataError, match="was another in a file before it"):
        Stimuli(layout, [*files, other]).captions([0], 1)
