"""Score a folder of images that any method may have made (``havir evaluate DIR``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from havir_lib.data.picture_files import SUFFIXES, read_picture
from havir_lib.errors import DataError
from havir_lib.evaluation.metrics import get_metrics
from havir_lib.evaluation.scoring import TruthFeatures, score

MOST_PIXELS = 4096 * 4096
NAMING = "Name each image by its 0-based nsdId, e.g. 2950.png."


class _HasImages(Protocol):
    """What is needed of :class:`havir_lib.data.Stimuli`."""

    table: pd.DataFrame

    def images(self, ids: Sequence[int]) -> np.ndarray: ...


def evaluate_folder(
    folder: Path,
    stimuli: _HasImages,
    metrics: Sequence[str],
    image_ids: Sequence[int] | None = None,
    device: str = "cpu",
    batch_size: int = 32,
) -> pd.DataFrame:
    """Score the images of a folder against the stimuli of the same id.

    Parameters
    ----------
    folder : Path
        Holds ``<nsdId>.png`` (0-based; leading zeros and other image formats are fine), one file
        for each of `image_ids`, all of one size and of the stimuli's shape. Other kinds of files
        are ignored.
    stimuli : havir_lib.data.Stimuli
        Anything whose ``images(ids)`` returns uint8 (n, H, W, 3), with a ``table`` of nsdId and
        shared1000.
    metrics : sequence of str
        Names in :data:`havir_lib.evaluation.metrics.METRICS`.
    image_ids : sequence of int, optional
        The test images; by default those that every subject was meant to see, which may be more
        than a profile's test set. All are required:
        two-way identification gets easier or harder with the set of images, so scores of
        different sets cannot be compared.
    device, batch_size
        As in :func:`havir_lib.evaluation.scoring.score`.

    Returns
    -------
    pandas.DataFrame
        Columns image, metric, value.

    Raises
    ------
    DataError
        If no `image_ids` are given and no image is shared, the folder does not exist, an image is
        missing, unknown, given twice or unreadable (see :func:`read_picture_folder`), or sizes or
        shapes differ.
    """
    get_metrics(metrics)  # a misspelt metric should not cost the reading of a thousand images
    if image_ids is None:
        image_ids = stimuli.table.loc[stimuli.table["shared1000"], "nsdId"]
        if image_ids.empty:
            raise DataError(
                "No picture of this data set is marked as one that every subject was meant to see. "
                "Give image_ids, e.g. run.test_images(name)."
            )
    ids = [int(image) for image in image_ids]
    reconstructions, pictures = read_pictures(Path(folder), stimuli, ids)
    truth = TruthFeatures(pictures, device, batch_size)
    return score(reconstructions, truth, metrics, ids)


def read_pictures(
    folder: Path, stimuli: _HasImages, image_ids: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """A folder's pictures, (n, h, w, 3), and the stimuli of the same ids, (n, H, W, 3); uint8.

    Errors as :func:`evaluate_folder`; also if the pictures are longer or wider than the stimuli.
    """
    files = find_images(folder, image_ids)
    made = read_picture_folder([files[image] for image in image_ids])
    truth = stimuli.images(image_ids)
    (height, width), (high, wide) = made.shape[1:3], truth.shape[1:3]
    if height * wide != width * high:
        raise DataError(
            f"{folder}: expected pictures of the stimuli's shape ({wide}x{high}), found "
            f"{width}x{height}; they would be squeezed. Crop or pad them."
        )
    return made, truth


def read_ids(path: Path) -> list[int]:
    """Ids of a text file, 0-based nsdIds separated by white space.

    Raises
    ------
    DataError
        If it cannot be read, holds something else, none, or one twice.
    """
    try:
        words = Path(path).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected a text file of ids, found {error}.") from error
    wrong = [word for word in words if not (word.isascii() and word.isdigit())]
    if wrong or not words:
        raise DataError(f"{path}: expected 0-based nsdIds, found {wrong[:3] or 'none'}.")
    ids = [int(word) for word in words]
    if twice := sorted({image for image in ids if ids.count(image) > 1}):
        raise DataError(f"{path}: expected every id once, found twice: {_some(twice)}.")
    return ids


def find_images(folder: Path, image_ids: Sequence[int]) -> dict[int, Path]:
    """The file of each image id; see :func:`evaluate_folder` for what is refused."""
    if not folder.is_dir():
        raise DataError(f"Expected a folder of reconstructions at {folder}, found none.")
    files: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        image = _id_of(path)
        if image in files:
            raise DataError(
                f"Image {image} is in {folder} twice: {files[image].name} and {path.name}. "
                "Remove one."
            )
        files[image] = path
    _check_complete(folder, files, image_ids)
    return files


def _id_of(path: Path) -> int:
    if not (path.stem.isascii() and path.stem.isdigit()):
        raise DataError(f"{path}: {path.stem!r} is not an image id. {NAMING}")
    return int(path.stem)


def _check_complete(folder: Path, files: dict[int, Path], image_ids: Sequence[int]) -> None:
    unknown = sorted(set(files) - set(image_ids))
    if unknown:
        raise DataError(
            f"{folder} holds {len(unknown)} image(s) that are not among the {len(image_ids)} test "
            f"images: {_some(unknown)}. {NAMING} (If all ids are off by one, they are 1-based.)"
        )
    missing = sorted(set(image_ids) - set(files))
    if missing:
        raise DataError(
            f"{folder} lacks {len(missing)} of the {len(image_ids)} test images: {_some(missing)}. "
            f"{NAMING} Every test image is needed."
        )


def _some(ids: list[int], shown: int = 20) -> str:
    rest = f", … and {len(ids) - shown} more" if len(ids) > shown else ""
    return ", ".join(map(str, ids[:shown])) + rest


def read_picture_folder(paths: Sequence[Path]) -> np.ndarray:
    """Read image files as uint8 (n, H, W, 3), turned as their EXIF orientation says.

    Raises
    ------
    DataError
        If a file is none or cannot be read, is larger than `MOST_PIXELS`, holds several pages or
        frames, is transparent anywhere, is not grey or colour of 8 or 16 bits, or sizes differ.
    """
    images = [np.asarray(read_picture(path, MOST_PIXELS)) for path in paths]
    for path, image in zip(paths, images, strict=True):
        if image.shape != images[0].shape:
            raise DataError(
                f"{path} is {image.shape[1]}x{image.shape[0]} pixels, but {paths[0]} is "
                f"{images[0].shape[1]}x{images[0].shape[0]}. Give all images one size."
            )
    return np.stack(images)
