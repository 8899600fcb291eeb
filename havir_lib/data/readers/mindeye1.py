"""MindEye1's webdatasets (``pscotti/naturalscenesdataset``), packed or unpacked.

::

    webdataset_avg_split/{train,val,test}/*_subj01_*.tar      as fetched, or
    webdataset_avg_split/{train,val,test}/subj01/             unpacked, as MindBridge has them
        sample000000349.jpg              224 x 224
        sample000000349.coco73k.npy      (1,) nsdId
        sample000000349.nsdgeneral.npy   (3, V) float16, one row per repeat, voxels of nsdgeneral
        sample000000349.num_uniques.npy  (1,) how many of the rows are repeats; others fill up
    COCO_73k_annots_curated.npy          captions (73000, 5), '' for none

Whole brains that lie in the same archives are skipped over. Betas were z-scored session by session,
and which session a row is of is lost: they stay as they are. Test images are those of ``test``;
``train`` and ``val`` are trained on. Archives are read in order, each sample once; places and
regions as in :mod:`havir_lib.data.readers.mindeye`.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from havir_lib.cache.store import identity
from havir_lib.data.picture_files import decode_picture
from havir_lib.data.pictures import MOST_PIXELS, Ids
from havir_lib.data.readers.base import Normalised
from havir_lib.data.readers.mindeye import CAPTIONS, MindEyePictures, MindEyeReader
from havir_lib.data.trials import trial_table
from havir_lib.errors import DataError, did_you_mean

FOLDER = "webdataset_avg_split"
PARTS = {"train": "train", "val": "train", "test": "test"}
"""Folder → use."""
BETAS, IMAGE, UNIQUE, PICTURE = "nsdgeneral.npy", "coco73k.npy", "num_uniques.npy", "jpg"
KINDS = (BETAS, IMAGE, UNIQUE, PICTURE)
HELP = "docs/data.md says what belongs there."


@dataclass(frozen=True)
class Place:
    """Where the bytes of one file are: in an archive, or a file of its own (`size` None)."""

    path: Path
    start: int = 0
    size: int | None = None

    def read(self) -> bytes:
        """The bytes."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            return file.read() if self.size is None else file.read(self.size)


@dataclass(frozen=True)
class Sample:
    """One image and its repeats.

    Attributes
    ----------
    name : str
        For messages.
    use : {"train", "test"}
    image : int
        nsdId.
    n : int
        Repeats.
    parts : dict
        Kind of file → where it is.
    """

    name: str
    use: str
    image: int
    n: int
    parts: Mapping[str, Place]

    def rows(self) -> np.ndarray:
        """Repeats (n, V), float16 as stored.

        Raises
        ------
        DataError
            If there are fewer, or something else.
        """
        rows = _rows(self.parts, self.name)
        if self.n > len(rows):
            raise DataError(
                f"{self.name}: expected at most {len(rows)} repeats, found num_uniques {self.n}."
            )
        return rows[: self.n]


@dataclass(frozen=True)
class MindEye1Reader(MindEyeReader):
    """MindEye1's tars or folders.

    Attributes
    ----------
    root : Path
        Holds ``webdataset_avg_split``, or is it.
    data : Data
    """

    name: ClassVar[str] = "mindeye1"
    normalised: ClassVar[Normalised] = "session"
    _samples: dict[str, list[Sample]] = field(default_factory=dict, repr=False)

    @property
    def folder(self) -> Path:
        """Where ``train`` and ``test`` are."""
        inside = self.root / FOLDER
        return inside if inside.is_dir() else self.root

    def subjects(self) -> list[str]:
        """Those with training samples."""
        train = self.folder / "train"
        names = [x.name.split("_")[1] for x in train.glob("train_subj??_*.tar")]
        return sorted({*names, *(x.name for x in train.glob("subj??") if x.is_dir())})

    def archives(self, subject: str, part: str) -> list[Path]:
        """Archives of a subject in their order, or its unpacked folder."""
        folder = self.folder / part
        tars = folder.glob(f"{part}_{subject}_*.tar")
        numbered = sorted(tars, key=lambda x: (len(x.name), x.name))
        unpacked = folder / subject
        return numbered or ([unpacked] if unpacked.is_dir() else [])

    def betas_file(self, subject: str, session: int) -> Path:
        """The first archive."""
        return self.all_archives(subject)[0]

    def all_archives(self, subject: str) -> list[Path]:
        """Archives or folders of all parts; DataError if there is none of training or test."""
        found = {part: self.archives(subject, part) for part in PARTS}
        for part in ("train", "test"):
            if not found[part]:
                hint = did_you_mean(subject, self.subjects())
                raise DataError(
                    f"{self.folder / part}: expected {part}_{subject}_0.tar and the like, or a "
                    f"folder {subject}, found none; there are subjects "
                    f"{', '.join(self.subjects()) or 'none'}.{hint} {HELP}"
                )
        return [path for part in PARTS for path in found[part]]

    def samples(self, subject: str) -> list[Sample]:
        """Every sample once, in the order of the archives.

        Raises
        ------
        DataError
            If an image is in two of them, or a sample lacks a file.
        """
        if subject not in self._samples:
            self.all_archives(subject)
            found = [
                sample
                for part, use in PARTS.items()
                for path in self.archives(subject, part)
                for sample in _samples_of(path, use)
            ]
            images = pd.Series([sample.image for sample in found])
            if (again := images[images.duplicated()]).size:
                raise DataError(
                    f"{self.folder}: expected each image of {subject} once, found nsdId "
                    f"{again.iloc[0]} again. Versions of the data set were mixed."
                )
            self._samples[subject] = found
        return self._samples[subject]

    def sessions(self, subject: str) -> list[int]:
        """One: which trial is of which session is lost."""
        if self.data.sessions_of(subject) not in (None, 1):
            raise DataError(
                f"{self.folder}: sessions of {subject} are not known, and data.n_sessions asks for "
                f"{self.data.sessions_of(subject)}. Set it to null."
            )
        return [1]

    def trials(self, subject: str) -> pd.DataFrame:
        """A trial for each repeat; repeats of an image follow each other."""
        samples = self.samples(subject)
        counts = [sample.n for sample in samples]
        ids = np.repeat([sample.image for sample in samples], counts)
        use = np.repeat([sample.use for sample in samples], counts)
        return trial_table(ids, {1: len(ids)}).assign(use=use)

    def _shape(self, subject: str) -> tuple[int, int]:
        samples = self.samples(subject)
        return sum(sample.n for sample in samples), samples[0].rows().shape[1]

    def stored(self, subject: str) -> str:
        """Samples, rows and columns."""
        n, v = self._shape(subject)
        return (
            f"{len(self.samples(subject))} samples, {n} trials x {v} voxels of nsdgeneral, "
            "z-scored by session; sessions are not known"
        )

    def _rows(self, subject: str, session: int, columns: np.ndarray) -> np.ndarray:
        n, v = self._shape(subject)
        rows = np.empty((n, len(columns)), np.float32)
        start = 0
        for sample in self.samples(subject):
            values = sample.rows()
            if values.shape[1] != v:
                raise DataError(
                    f"{sample.name}: expected {v} voxels, as in the first sample of {subject}, "
                    f"found {values.shape[1]}."
                )
            rows[start : start + sample.n] = values[:, columns]
            start += sample.n
        return rows

    @cached_property
    def stimuli(self) -> TarPictures:
        """Pictures of the samples of ``data.subjects``, and captions."""
        return TarPictures(self)

    def files(self, subject: str) -> list[Path]:
        """Archives, captions and masks."""
        given = [
            file
            for path in self.all_archives(subject)
            for file in ([path] if path.is_file() else sorted(path.iterdir()))
        ]
        return [*given, *self.region_files(subject)]

    def pictures(self):
        """By nsdId."""
        return self.stimuli.images


class TarPictures(MindEyePictures):
    """Pictures of 224 pixels out of samples, and captions by nsdId.

    Attributes
    ----------
    table : DataFrame
        Column nsdId: as many as there are captions, though only those of samples have pictures.
    """

    def __init__(self, reader: MindEye1Reader) -> None:
        self.root = reader.root
        subjects = reader.data.subjects
        self.archives = [x for name in subjects for x in reader.all_archives(name)]
        samples = [x for name in subjects for x in reader.samples(name)]
        self._places = {sample.image: sample.parts[PICTURE] for sample in samples}
        n = max(len(self._texts), 1 + max(self._places))
        self.table = pd.DataFrame({"nsdId": np.arange(n)})
        self.image_shape = self._read(next(iter(self._places))).shape

    @property
    def files(self) -> list[Path]:
        """What images and captions depend on."""
        return [*self.archives, self.root / CAPTIONS]

    def pictures_stamp(self) -> list:
        """Cheap identity of all archives."""
        return [identity(path) for path in self.archives]

    def images(self, ids: Ids) -> np.ndarray:
        """Pictures as uint8 (n, H, W, 3), in the order of `ids`, which may repeat.

        Raises
        ------
        DataError
            If an image is in no sample, or its picture is damaged or of another size.
        """
        wanted = self._check(ids).tolist()
        if lost := [k for k in wanted if k not in self._places]:
            raise DataError(
                f"{self.root}: expected a sample of nsdId {lost[0]}, found none; its images are "
                f"those that its subjects saw ({len(self._places)})."
            )
        read = {k: self._read(k) for k in dict.fromkeys(wanted)}
        if not wanted:
            return np.zeros((0, *self.image_shape), np.uint8)
        for k, picture in read.items():
            if picture.shape != self.image_shape:
                raise DataError(
                    f"{self._places[k].path}: nsdId {k}: expected a picture of "
                    f"{self.image_shape}, found {picture.shape}."
                )
        return np.stack([read[k] for k in wanted])

    def _read(self, image: int) -> np.ndarray:
        place = self._places[image]
        name = f"{place.path}: nsdId {image}"
        return np.asarray(decode_picture(io.BytesIO(place.read()), name, MOST_PIXELS))


def _samples_of(path: Path, use: str) -> Iterator[Sample]:
    """Samples of an archive or a folder, by name."""
    found: dict[str, dict[str, Place]] = {}
    for name, place in _members(path):
        key, _, kind = name.partition(".")  # at the first dot
        if kind in KINDS:
            found.setdefault(key, {})[kind] = place
    for key, parts in found.items():
        named = f"{path}: {key}"
        if lost := [kind for kind in (BETAS, IMAGE, PICTURE) if kind not in parts]:
            raise DataError(f"{named}: expected .{lost[0]}, found {', '.join(sorted(parts))}.")
        image = int(_array(parts[IMAGE], named).ravel()[0])
        yield Sample(named, use, image, _repeats(parts, named), parts)


def _members(path: Path) -> Iterator[tuple[str, Place]]:
    if path.is_dir():
        yield from ((x.name, Place(x)) for x in sorted(path.iterdir()) if x.is_file())
        return
    try:
        with tarfile.open(path, "r:") as archive:  # not compressed, so that files can be found
            for member in archive:
                if member.isreg():
                    yield Path(member.name).name, Place(path, member.offset_data, member.size)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as a tar ({error}). Fetch it again.") from None


def _repeats(parts: Mapping[str, Place], named: str) -> int:
    """How many rows are repeats: as the sample says, else those that differ from rows before."""
    if UNIQUE in parts:
        n = int(_array(parts[UNIQUE], named).ravel()[0])
        if n < 1:
            raise DataError(f"{named}: expected 1 repeat or more, found num_uniques {n}.")
        return n
    rows = _rows(parts, named)
    again = [any(np.array_equal(rows[i], rows[j]) for j in range(i)) for i in range(len(rows))]
    return again.index(True) if True in again else len(rows)


def _rows(parts: Mapping[str, Place], named: str) -> np.ndarray:
    """All rows of a sample, those that fill up included."""
    rows = _array(parts[BETAS], named)
    if rows.ndim != 2 or rows.dtype.kind != "f" or not len(rows):
        raise DataError(
            f"{named}: expected betas (repeats, voxels) of floats, found {rows.dtype} {rows.shape}."
        )
    return rows


def _array(place: Place, named: str) -> np.ndarray:
    """A ``.npy``; pickles are not opened."""
    content = place.read()
    try:
        return np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{named}: a .npy cannot be read ({error}). Fetch it again.") from None
