"""Pictures of one's own: files in a folder, listed in a table, of any size."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps, UnidentifiedImageError

from havir_lib.data.trials import read_table
from havir_lib.errors import DataError
from havir_lib.provenance import stamp

log = logging.getLogger(__name__)

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
MOST_PIXELS = 8192 * 8192
HELP = "docs/data.md says what belongs there."


class PictureFolder:
    """The pictures of a data set and what people wrote about them, by image id.

    An image's id is its line in ``stimuli.tsv``, from 0; without that table, its place among the
    files of ``stimuli/`` by name.

    Parameters
    ----------
    root : Path
        Holds ``stimuli/``, ``stimuli.tsv`` (columns image, file) and ``captions.tsv`` (columns
        image, caption), the tables being optional.
    size : int
        Pixels per side that pictures are given.
    crop : bool
        Take the central square of pictures that are not square, rather than refuse them.

    Attributes
    ----------
    table : DataFrame
        Columns image (its name), file, nsdId (its id here).
    """

    def __init__(self, root: Path, size: int, crop: bool = False) -> None:
        self.root, self.size, self.crop = Path(root), size, crop
        self.path = self.root / "stimuli"
        self.image_shape = (size, size, 3)
        self.table = self._listed()
        self._rows = {name: row for row, name in enumerate(self.table["image"])}

    def _listed(self) -> pd.DataFrame:
        listing = self.root / "stimuli.tsv"
        if listing.is_file():
            table = read_table(listing, "\t")
            if not {"image", "file"} <= set(table):
                raise DataError(
                    f"{listing}: expected the columns image and file separated by tabs, found "
                    f"{list(table)}. {HELP}"
                )
            table = table.astype({"image": str, "file": str})
        else:
            files = sorted(x.name for x in self.path.glob("*") if x.suffix.lower() in SUFFIXES)
            table = pd.DataFrame({"image": [Path(x).stem for x in files], "file": files})
        twice = table.loc[table["image"].duplicated(), "image"]
        if len(twice) or not len(table):
            found = f"{twice.iloc[0]!r} twice" if len(twice) else "none"
            raise DataError(
                f"{self.path}: expected pictures, each image once, found {found}. {HELP}"
            )
        return table.assign(nsdId=np.arange(len(table)), shared1000=False)

    @property
    def files(self) -> list[Path]:
        """The tables and every picture: what images and captions depend on."""
        tables = [self.root / "stimuli.tsv", self.root / "captions.tsv"]
        return [x for x in tables if x.is_file()] + [self.path / x for x in self.table["file"]]

    def pictures_stamp(self) -> list:
        """Cheap identity of all pictures, and what is made of them."""
        files = [self.path / name for name in self.table["file"]]
        return [self.size, self.crop, *(stamp(file) for file in files if file.is_file())]

    def ids_of(self, names: Iterable[str], what: str) -> np.ndarray:
        """Ids of images by name.

        Raises
        ------
        DataError
            If one is not among the pictures.
        """
        names = list(names)
        if lost := [name for name in names if name not in self._rows]:
            raise DataError(
                f"{what}: expected images of {self.path}, found {len(lost)} that are not there, "
                f"e.g. {lost[0]!r}. Images go by the names of stimuli.tsv, or else of the files "
                "without their suffix."
            )
        return np.array([self._rows[name] for name in names], dtype=np.int64)

    def images(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Pictures as uint8 (n, size, size, 3), in the order of `ids`, which may repeat.

        Raises
        ------
        DataError
            If an id is unknown, or a file is missing, damaged or not square.
        """
        paths = [self.path / self.table["file"].iloc[row] for row in self._check(ids)]
        if not paths:
            return np.zeros((0, *self.image_shape), np.uint8)
        return np.stack([_square(path, self.size, self.crop) for path in paths])

    def captions(self, ids: Sequence[int] | np.ndarray, n: int = 5) -> list[list[str]]:
        """The first `n` captions of each image, in the order of the table.

        Raises
        ------
        DataError
            If there are none, or fewer for an image.
        """
        found = [self._captions.get(self.table["image"].iloc[row], []) for row in self._check(ids)]
        for image, texts in zip(ids, found, strict=True):
            if len(texts) < n:
                raise DataError(
                    f"{self.root / 'captions.tsv'}: expected {n} captions of image "
                    f"{self.table['image'].iloc[image]!r}, found {len(texts)}. Set "
                    f"targets.captions_per_image to the least that every image has. {HELP}"
                )
        return [texts[:n] for texts in found]

    @cached_property
    def _captions(self) -> dict[str, list[str]]:
        path = self.root / "captions.tsv"
        if not path.is_file():
            raise DataError(
                f"{path}: expected captions (columns image and caption, one per line), found none; "
                f"text tokens are learned from them. {HELP}"
            )
        table = read_table(path, "\t")
        if not {"image", "caption"} <= set(table):
            raise DataError(f"{path}: expected the columns image and caption, found {list(table)}.")
        captions = defaultdict(list)
        for image, text in zip(table["image"].astype(str), table["caption"], strict=True):
            captions[image].append(str(text).strip())
        return dict(captions)

    def _check(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        ids = np.asarray(ids, dtype=np.int64)
        wrong = ids[(ids < 0) | (ids >= len(self.table))]
        if len(wrong):
            raise DataError(
                f"There are images 0 to {len(self.table) - 1}, found ids {wrong[:3].tolist()}."
            )
        return ids


@lru_cache(maxsize=512)
def _square(path: Path, size: int, crop: bool) -> np.ndarray:
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise DataError(f"{path}: expected at most {MOST_PIXELS:,} pixels.")
            turned = ImageOps.exif_transpose(image).convert("RGB")
    except FileNotFoundError:
        raise DataError(f"{path}: expected this picture, which stimuli.tsv lists.") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a picture ({error}).") from error
    side = min(turned.size)
    if max(turned.size) - side > 1 and not crop:
        raise DataError(
            f"{path}: expected a square picture, found {turned.width}x{turned.height}. Crop it as "
            "it was shown, or set data.picture_crop to take the central square."
        )
    left, top = (turned.width - side) // 2, (turned.height - side) // 2
    cut = turned.crop((left, top, left + side, top + side))
    return np.asarray(cut if side == size else cut.resize((size, size), Image.Resampling.LANCZOS))
