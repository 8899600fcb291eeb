"""Pictures and captions by image id: what all data sets share, and a folder of one's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from havir_lib.cache.store import identity
from havir_lib.data.picture_files import SUFFIXES, read_picture
from havir_lib.data.tables import read_names
from havir_lib.errors import DataError

MOST_PIXELS = 8192 * 8192
HELP = "docs/data.md says what belongs there."
Ids = Sequence[int] | np.ndarray


def checked_ids(ids: Ids, n: int, what_they_are: str = "") -> np.ndarray:
    """Ids as int64, (m,).

    Raises
    ------
    DataError
        If one is not among the `n` images; `what_they_are` is a sentence to add.
    """
    ids = np.asarray(ids, dtype=np.int64)
    wrong = ids[(ids < 0) | (ids >= n)]
    if len(wrong):
        said = f"There are images 0 to {n - 1}, found ids {wrong[:3].tolist()}."
        raise DataError(f"{said} {what_they_are}".rstrip())
    return ids


def first_captions(
    found: Sequence[Sequence[str]], n: int, too_few: Callable[[int, int], str]
) -> list[list[str]]:
    """The first `n` captions of each image.

    Parameters
    ----------
    found : sequence of sequences of str
        All captions of each.
    n : int
    too_few : callable
        ``too_few(position, number)`` says that the image at a position has only so many.

    Raises
    ------
    DataError
        If an image has fewer.
    """
    for position, texts in enumerate(found):
        if len(texts) < n:
            raise DataError(too_few(position, len(texts)))
    return [list(texts[:n]) for texts in found]


class Uncaptioned:
    """Pictures of which nothing is known to be said: the one caption of each is empty.

    Attributes
    ----------
    pictures : Pictures
        Everything else is theirs.
    """

    def __init__(self, pictures: object) -> None:
        self.pictures = pictures

    def __getattr__(self, name: str) -> object:
        if name == "pictures":  # not there yet while a copy is made
            raise AttributeError(name)
        return getattr(self.pictures, name)

    def captions(self, ids: Ids, n: int = 1) -> list[list[str]]:
        """One empty caption for each image."""
        return [[""] for _ in ids]


class NamedPictures(ABC):
    """Pictures that go by names; an image's id is its row in the table.

    Parameters
    ----------
    table : DataFrame
        Column image, each name once.
    size : int
        Pixels per side that pictures are given.

    Attributes
    ----------
    table : DataFrame
        Also nsdId, the id.
    image_shape : tuple of int
        (size, size, 3).
    """

    captions_file: Path
    listing: Path
    too_few = ""
    """What to do about too few captions."""

    def __init__(self, table: pd.DataFrame, size: int) -> None:
        self.size = size
        self.image_shape = (size, size, 3)
        self.table = table.assign(nsdId=np.arange(len(table)))
        self._rows = {name: row for row, name in enumerate(table["image"])}

    def ids_of(self, names: Iterable[str], what: str) -> np.ndarray:
        """Ids of images by name.

        Raises
        ------
        DataError
            If one is not among them.
        """
        names = list(names)
        if lost := [name for name in names if name not in self._rows]:
            raise DataError(
                f"{what}: expected images of {self.listing}, found {len(lost)} missing, e.g. "
                f"{lost[0]!r}."
            )
        return np.array([self._rows[name] for name in names], dtype=np.int64)

    def images(self, ids: Ids) -> np.ndarray:
        """Pictures as uint8 (n, size, size, 3), in the order of `ids`, which may repeat.

        Raises
        ------
        DataError
            If an id is unknown, or a picture is missing, damaged or not square.
        """
        rows = checked_ids(ids, len(self.table)).tolist()
        if not rows:
            return np.zeros((0, *self.image_shape), np.uint8)
        return np.stack(self._read(rows))

    def captions(self, ids: Ids, n: int = 5) -> list[list[str]]:
        """The first `n` captions of each image.

        Raises
        ------
        DataError
            If there are none, or fewer for an image.
        """
        names = self.table["image"].iloc[checked_ids(ids, len(self.table))].tolist()
        found = [self._captions.get(name, []) for name in names]
        return first_captions(
            found,
            n,
            lambda position, number: (
                f"{self.captions_file}: expected {n} captions of image {names[position]!r}, found "
                f"{number}. {self.too_few}"
            ),
        )

    def scaled(self, image: Image.Image) -> np.ndarray:
        """A square picture in the size that all are given, uint8 (size, size, 3)."""
        if image.width == self.size:
            return np.asarray(image)
        return np.asarray(image.resize((self.size, self.size), Image.Resampling.LANCZOS))

    @abstractmethod
    def _read(self, rows: list[int]) -> list[np.ndarray]:
        """Pictures of rows, uint8 (size, size, 3) each."""

    @property
    @abstractmethod
    def _captions(self) -> Mapping[str, Sequence[str]]:
        """All captions by image."""


def by_image(table: pd.DataFrame, column: str = "image") -> dict[str, list[str]]:
    """Captions of a table (one per row) by image."""
    captions = defaultdict(list)
    for image, text in zip(table[column], table["caption"], strict=True):
        captions[image].append(text.strip())
    return dict(captions)


class PictureFolder(NamedPictures):
    """Files in a folder, of any size.

    Without ``stimuli.tsv``, images go by the names of the files, without their suffix.

    Parameters
    ----------
    root : Path
        Holds ``stimuli/``, ``stimuli.tsv`` (columns image, file) and ``captions.tsv`` (columns
        image, caption), the tables being optional.
    size : int
    crop : bool
        Take the central square of pictures that are not square, rather than refuse them.
    """

    too_few = f"Set targets.captions_per_image to the least that every image has. {HELP}"

    def __init__(self, root: Path, size: int, crop: bool = False) -> None:
        self.root, self.crop = Path(root), crop
        self.path = self.listing = self.root / "stimuli"
        self.captions_file = self.root / "captions.tsv"
        super().__init__(self._listed(), size)

    def _listed(self) -> pd.DataFrame:
        listing = self.root / "stimuli.tsv"
        if listing.is_file():
            table = read_names(listing, ("image", "file"))
        else:
            files = sorted(x.name for x in self.path.glob("*") if x.suffix.lower() in SUFFIXES)
            table = pd.DataFrame({"image": [Path(x).stem for x in files], "file": files})
        twice = table.loc[table["image"].duplicated(), "image"]
        if len(twice) or not len(table):
            found = f"{twice.iloc[0]!r} twice" if len(twice) else "none"
            raise DataError(
                f"{self.path}: expected pictures, each image once, found {found}. {HELP}"
            )
        return table.assign(shared1000=False)

    @property
    def files(self) -> list[Path]:
        """The tables and every picture: what images and captions depend on."""
        tables = [self.root / "stimuli.tsv", self.captions_file]
        return [x for x in tables if x.is_file()] + [self.path / x for x in self.table["file"]]

    def pictures_stamp(self) -> list:
        """Cheap identity of all pictures, and what is made of them."""
        files = [self.path / name for name in self.table["file"]]
        return [self.size, self.crop, *(identity(file) for file in files if file.is_file())]

    def _read(self, rows: list[int]) -> list[np.ndarray]:
        return [self._square(self.path / self.table["file"].iloc[row]) for row in rows]

    def _square(self, path: Path) -> np.ndarray:
        image = read_picture(path, MOST_PIXELS)
        side = min(image.size)
        if max(image.size) - side > 1 and not self.crop:
            raise DataError(
                f"{path}: expected a square picture, found {image.width}x{image.height}. Crop it "
                "as it was shown, or set data.picture_crop to take the central square."
            )
        left, top = (image.width - side) // 2, (image.height - side) // 2
        return self.scaled(image.crop((left, top, left + side, top + side)))

    @cached_property
    def _captions(self) -> dict[str, list[str]]:
        if not self.captions_file.is_file():
            raise DataError(
                f"{self.captions_file}: expected captions (columns image and caption, one per "
                f"line), found none; text tokens are learned from them. To do without: "
                f"targets.captions_per_image: 0 and diffusion.mixing: 0. {HELP}"
            )
        return by_image(read_names(self.captions_file, ("image", "caption")))
