"""A folder of images is scored like the arrays in it, and anything doubtful is refused."""

import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from havir_lib.errors import ConfigError, DataError
from havir_lib.evaluation import evaluate_folder, score
from havir_lib.evaluation.folder import read_ids, read_picture_folder

IDS = [3, 14, 159, 26]

pytestmark = pytest.mark.fault("odd images")


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


def test_where_no_image_is_shared_the_ids_are_asked_for(folder, pictures):
    pictures.table = pictures.table.assign(shared1000=False)
    with pytest.raises(DataError, match="Give image_ids"):
        evaluate_folder(folder, pictures, ["PixCorr"])


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


def _save_with_alpha(path, alpha):
    pixels = np.zeros((24, 24, 4), dtype=np.uint8)
    pixels[..., 3] = alpha
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize("alpha", [0, 254])
def test_transparent_pictures_are_refused(folder, pictures, alpha):
    _save_with_alpha(folder / "00014.png", alpha)
    with pytest.raises(DataError, match=r"00014.png: expected an opaque picture.*100%.*Flatten"):
        evaluate_folder(folder, pictures, ["PixCorr"], IDS)


def test_a_transparent_colour_of_a_palette_is_refused(folder, pictures):
    image = Image.fromarray(pictures.pixels[14]).quantize(8)
    image.save(folder / "00014.png", transparency=1)
    with pytest.raises(DataError, match="expected an opaque picture"):
        evaluate_folder(folder, pictures, ["PixCorr"], IDS)


def test_an_opaque_alpha_channel_says_nothing(folder, pictures):
    before = evaluate_folder(folder, pictures, ["PixCorr"], IDS)
    Image.open(folder / "00014.png").convert("RGBA").save(folder / "00014.png")
    pd.testing.assert_frame_equal(evaluate_folder(folder, pictures, ["PixCorr"], IDS), before)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_their_orientation_says(folder, pictures, orientation):
    turn = {
        1: [], 2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM], 5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90], 7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }[orientation]  # fmt: skip
    image = Image.fromarray(pictures.pixels[14])
    for step in turn:  # as a camera that was held so would have stored it
        image = image.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(folder / "00014.png", exif=exif)
    assert np.array_equal(read_picture_folder([folder / "00014.png"])[0], pictures.pixels[14])


def test_other_shapes_than_the_stimuli_are_refused(folder, pictures):
    for path in folder.glob("*.png"):
        Image.open(path).resize((32, 24)).save(path)
    with pytest.raises(DataError, match=r"stimuli's shape \(24x24\), found 32x24"):
        evaluate_folder(folder, pictures, ["PixCorr"], IDS)


@pytest.mark.parametrize("suffix", ["tiff", "webp", "png"])
def test_several_pages_are_refused(folder, pictures, suffix):
    first, second = (Image.fromarray(pictures.pixels[image]) for image in IDS[:2])
    (folder / "00014.png").unlink()
    first.save(folder / f"00014.{suffix}", save_all=True, append_images=[second])
    with pytest.raises(DataError, match="expected one picture, found 2 pages or frames"):
        evaluate_folder(folder, pictures, ["PixCorr"], IDS)


@pytest.mark.parametrize("side", [4097, 60_000, 2**31 - 1])
def test_pictures_of_enormous_size_are_refused_before_they_are_read(folder, pictures, side):
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (folder / "00014.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + b"\0" * 99)
    with pytest.raises(DataError, match=r"00014.png.*(pixels|cannot be read)"):
        evaluate_folder(folder, pictures, ["PixCorr"], IDS)


def _special(kind, path):
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "dangling link":
        path.symlink_to("nowhere")
    else:
        socket.socket(socket.AF_UNIX).bind(str(path))


@pytest.mark.parametrize("kind", ["pipe", "folder", "dangling link", "socket"])
def test_special_files_are_refused(folder, pictures, kind, monkeypatch):
    monkeypatch.chdir(folder)  # the path of a socket may not be long
    (folder / "00014.png").unlink()
    _special(kind, Path("00014.png"))
    with pytest.raises(DataError, match="expected an image file, found something else"):
        evaluate_folder(folder, pictures, ["PixCorr"], IDS)


JUNK = {
    "empty": b"", "text": b"not an image", "header only": b"\x89PNG\r\n\x1a\n",
    "html": b"<html></html>", "gif": b"GIF89a\x01\x00", "zeros": bytes(1000),
    "bmp": b"BM" + bytes(60), "webp": b"RIFF\x10\0\0\0WEBPVP8 ", "tiff": b"II*\0\xff\xff\xff\xff",
}  # fmt: skip


@pytest.mark.parametrize("content", JUNK.values(), ids=JUNK)
def test_junk_is_named(folder, pictures, content):
    (folder / "00014.png").write_bytes(content)
    with pytest.raises(DataError, match=r"00014.png cannot be read"):
        evaluate_folder(folder, pictures, ["PixCorr"], IDS)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA"])
def test_common_kinds_are_read(tmp_path, mode):
    Image.new("RGB", (6, 6), "white").convert(mode).save(tmp_path / "1.png")
    assert (read_picture_folder([tmp_path / "1.png"]) == 255).all()


def test_ids_of_a_file(tmp_path):
    (tmp_path / "ids.txt").write_text("3 14\n159\n")
    assert read_ids(tmp_path / "ids.txt") == [3, 14, 159]


@pytest.mark.parametrize("text", ["", "3 x", "-1", "1.5", "3 3", "\udcff"])
def test_odd_files_of_ids(tmp_path, text):
    (tmp_path / "ids.txt").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match="ids.txt: expected"):
        read_ids(tmp_path / "ids.txt")
