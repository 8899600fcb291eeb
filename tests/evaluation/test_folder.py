"""A folder of images is scored like the arrays in it, and anything doubtful is refused."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from havir_lib.errors import ConfigError, DataError
from havir_lib.evaluation import evaluate_folder, score

IDS = [3, 14, 159, 26]


class Pictures:
    """Four noise images under the ids above, of which the first three are shared."""

    def __init__(self, rng):
        self.table = pd.DataFrame({"nsdId": IDS, "shared1000": [True, True, True, False]})
        self.pixels = dict(
            zip(IDS, rng.integers(0, 256, (4, 24, 24, 3), dtype=np.uint8), strict=True)
        )

    def images(self, ids):
        return np.stack([self.pixels[image] for image in ids])


@pytest.fixture
def pictures(rng):
    return Pictures(rng)


@pytest.fixture
def folder(tmp_path, pictures):
    for image, pixels in pictures.pixels.items():
        Image.fromarray(255 - pixels).save(tmp_path / f"{image:05d}.png")
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def test_a_folder_scores_like_its_arrays(folder, pictures):
    metrics = ["PixCorr", "SSIM"]
    truth = pictures.images(IDS)
    expected = score(255 - truth, truth, metrics, IDS)
    pd.testing.assert_frame_equal(evaluate_folder(folder, pictures, metrics, IDS), expected)
    assert expected.query("metric == 'PixCorr'")["value"].max() < -0.9


def test_the_shared_images_are_the_default(folder, pictures):
    (folder / "00026.png").unlink()
    assert list(evaluate_folder(folder, pictures, ["PixCorr"])["image"]) == IDS[:3]


def test_missing_images_are_listed(folder, pictures):
    (folder / "00003.png").unlink()
    (folder / "00159.png").unlink()
    with pytest.raises(DataError, match="lacks 2 of the 4 test images: 3, 159"):
        evaluate_folder(folder, pictures, ["PixCorr"], IDS)


def test_unknown_images_are_listed(folder, pictures):
    (folder / "00003.png").rename(folder / "00004.png")
    with pytest.raises(DataError, match="not among the 4 test images: 4"):
        evaluate_folder(folder, pictures, ["PixCorr"], IDS)


def test_names_that_are_not_ids_are_refused(folder, pictures):
    (folder / "00003.png").rename(folder / "cat.png")
    with pytest.raises(DataError, match="'cat' is not an image id"):
        evaluate_folder(folder, pictures, ["PixCorr"], IDS)


def test_two_files_of_one_image_are_refused(folder, pictures):
    (folder / "3.jpg").write_bytes((folder / "00003.png").read_bytes())
    with pytest.raises(DataError, match=r"Image 3 .* twice: 00003.png and 3.jpg"):
        evaluate_folder(folder, pictures, ["PixCorr"], IDS)


def test_truncated_files_are_named(folder, pictures):
    content = (folder / "00014.png").read_bytes()
    (folder / "00014.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"00014.png cannot be read"):
        evaluate_folder(folder, pictures, ["PixCorr"], IDS)


def test_mixed_sizes_are_refused(folder, pictures):
    Image.new("RGB", (9, 7)).save(folder / "00014.png")
    with pytest.raises(DataError, match=r"00014.png is 9x7 pixels, but .*00003.png is 24x24"):
        evaluate_folder(folder, pictures, ["PixCorr"], IDS)


def test_images_of_floats_are_refused(folder, pictures):
    Image.fromarray(np.full((24, 24), 0.5, dtype=np.float32)).save(folder / "00014.tiff")
    (folder / "00014.png").unlink()
    with pytest.raises(DataError, match="8 or 16 bits, found mode F"):
        evaluate_folder(folder, pictures, ["PixCorr"], IDS)


def test_no_folder_and_wrong_metric(tmp_path, pictures):
    with pytest.raises(DataError, match="Expected a folder"):
        evaluate_folder(tmp_path / "none", pictures, ["PixCorr"], IDS)
    with pytest.raises(ConfigError, match="PixCor"):
        evaluate_folder(tmp_path, pictures, ["PixCor"], IDS)
