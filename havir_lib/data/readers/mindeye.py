"""MindEye's files: what most people of this field have on disk in place of NSD's own.

MindEye2 (data set ``pscotti/mindeyev2``): one HDF5 of betas per subject, which image each row is
of, and which images are shared::

    betas_all_subj01_fp32_renorm.hdf5   betas (n_trials, V) float32, V voxels of nsdgeneral
    COCO_73k_subj_indices.hdf5          subj01 (n_trials,): nsdId of each row
    shared1000.npy                      bool (73000,)
    brain_region_masks.hdf5             subj01/V1 … higher_vis: bool (V,); optional
    coco_images_224_float16.hdf5        images (73000, 3, 224, 224), 0 to 1
    COCO_73k_annots_curated.npy         captions (73000, 5), '' for none

With NSD's masks beside them (``nsddata/ppdata/subj01/func1pt8mm/roi``), voxels get their places,
and regions are NSD's; without, there are only MindEye2's own regions and no maps. The order of
voxels is that of ``volume[nsdgeneral > 0]``.

Betas were z-scored per voxel over all sessions. That is an affine map, so z-scores by session are
those that NSD's own betas give; % signal change cannot be had back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np
import pandas as pd

from havir_lib.cache.store import identity
from havir_lib.config import Data
from havir_lib.data.anatomy import Anatomy, anatomy_of
from havir_lib.data.hdf5 import open_dataset, open_file
from havir_lib.data.layout import NsdLayout
from havir_lib.data.nifti import Grid, grid_of
from havir_lib.data.pictures import Ids, checked_ids, first_captions
from havir_lib.data.readers.base import Normalised, Regions
from havir_lib.data.rois import RoiAtlas, look_at_atlas
from havir_lib.data.trials import trial_table
from havir_lib.errors import DataError, ShapeError, did_you_mean, require_file

GET = (
    "Fetch it from the data set pscotti/mindeyev2 of the Hugging Face hub (it asks you to accept "
    "NSD's terms first)."
)
BETAS = re.compile(r"betas_all_(subj\d\d)(_fp32_renorm)?\.hdf5")
INDICES, SHARED = "COCO_73k_subj_indices.hdf5", "shared1000.npy"
REGIONS, IMAGES = "brain_region_masks.hdf5", "coco_images_224_float16.hdf5"
CAPTIONS = "COCO_73k_annots_curated.npy"
GENERAL = "nsdgeneral"


@dataclass(frozen=True)
class MindEyeReader:
    """MindEye2's HDF5 files.

    Attributes
    ----------
    root : Path
    data : Data
    """

    root: Path
    data: Data
    name: ClassVar[str] = "mindeye"
    normalised: ClassVar[Normalised] = "training"
    simulated: ClassVar[bool] = False
    _places: dict[str, np.ndarray | None] = field(default_factory=dict, repr=False)

    def subjects(self) -> list[str]:
        """Those with a file of betas."""
        return sorted({m[1] for x in self.root.glob("*.hdf5") if (m := BETAS.fullmatch(x.name))})

    def betas_file(self, subject: str, session: int) -> Path:
        """One file for all sessions."""
        files = [x for x in sorted(self.root.glob("*.hdf5")) if (m := BETAS.fullmatch(x.name))
                 and m[1] == subject]  # fmt: skip
        if not files:
            hint = did_you_mean(subject, self.subjects())
            raise DataError(
                f"{self.root}: expected betas_all_{subject}_fp32_renorm.hdf5, found subjects "
                f"{', '.join(self.subjects()) or 'none'}.{hint} {GET}"
            )
        return files[-1]

    # --- trials

    def _ids(self, subject: str) -> np.ndarray:
        path = require_file(self.root / INDICES, "MindEye2's ids of images", GET)
        with open_dataset(path, subject) as dataset:
            ids = np.asarray(dataset[:]).astype(np.int64).ravel()
        n = self._shape(subject)[0]
        if len(ids) != n:
            raise DataError(
                f"{path}: expected {n} ids of {subject}, one for each row of its betas, found "
                f"{len(ids)}. Copies of 37 and of 40 sessions do not go together."
            )
        return ids

    def _shape(self, subject: str) -> tuple[int, int]:
        path = self.betas_file(subject, 1)
        with open_dataset(path, "betas") as dataset:
            if dataset.ndim != 2 or dataset.dtype.kind != "f":
                raise DataError(
                    f"{path}: expected betas (trials, voxels) of floats, found {dataset.shape} of "
                    f"{dataset.dtype}."
                )
            return dataset.shape

    def sessions(self, subject: str) -> list[int]:
        """As many as rows make, from 1."""
        n, length = self._shape(subject)[0], self.data.trials_per_session
        if n % length:
            raise DataError(
                f"{self.betas_file(subject, 1)}: expected sessions of {length} trials "
                f"(data.trials_per_session), found {n} rows."
            )
        wanted = self.data.sessions_of(subject) or n // length
        if wanted > n // length:
            raise DataError(
                f"{self.betas_file(subject, 1)}: expected {wanted} sessions (data.n_sessions), "
                f"found {n // length}."
            )
        return list(range(1, wanted + 1))

    def trials(self, subject: str) -> pd.DataFrame:
        """Rows of the betas in order; shared images are the test images."""
        length = self.data.trials_per_session
        lengths = dict.fromkeys(self.sessions(subject), length)
        ids = self._ids(subject)[: sum(lengths.values())]
        shared = _shared(self.root, ids.max() + 1)
        trials = trial_table(ids, lengths)
        return trials.assign(use=np.where(shared[ids], "test", "train"))

    # --- places

    @property
    def _layout(self) -> NsdLayout:
        return NsdLayout(self.root, self.data.space, self.data.betas_version)

    @property
    def _masks(self) -> NsdLayout:
        return replace(self._layout, roi_folder=self.data.roi_folder or NsdLayout.roi_folder)

    def _general(self, subject: str) -> np.ndarray | None:
        """Places (V, 3) of the columns, if NSD's ``nsdgeneral`` lies beside them."""
        if subject not in self._places:
            self._places[subject] = self._read_general(subject)
        return self._places[subject]

    def _read_general(self, subject: str) -> np.ndarray | None:
        path = self._layout.roi(subject, GENERAL)
        if not path.is_file():
            return None
        atlas = RoiAtlas(self._layout, subject, grid_of(path))
        places = np.argwhere(atlas.mask(GENERAL))
        if len(places) != self._shape(subject)[1]:
            raise ShapeError(
                f"{path}: expected {self._shape(subject)[1]} voxels above 0, the columns of the "
                f"betas of {subject}, found {len(places)}."
            )
        return places

    def grid(self, subject: str) -> Grid:
        """NSD's, or without its masks a row of voxels whose places are not known."""
        path = self._layout.roi(subject, GENERAL)
        return grid_of(path) if path.is_file() else Grid((self._shape(subject)[1], 1, 1))

    def stored(self, subject: str) -> str:
        """Rows and columns."""
        n, v = self._shape(subject)
        return f"{n} trials x {v} voxels of nsdgeneral, z-scored over all sessions"

    def unit(self, subject: str) -> float:
        """Betas have no unit any more."""
        return 1.0

    def betas(self, subject: str, session: int, ijk: np.ndarray) -> np.ndarray:
        """Rows of a session; a voxel outside of nsdgeneral is NaN."""
        general = self._general(subject)
        columns = ijk[:, 0] if general is None else _rows_of(ijk, general, self.grid(subject).shape)
        found = self._rows(subject, session, np.maximum(columns, 0))
        found[:, columns < 0] = np.nan
        return found

    def _rows(self, subject: str, session: int, columns: np.ndarray) -> np.ndarray:
        """Some columns of the rows of a session, float32."""
        length = self.data.trials_per_session
        with open_dataset(self.betas_file(subject, session), "betas") as dataset:
            rows = dataset[(session - 1) * length : session * length]
        return rows[:, columns].astype(np.float32)

    def ncsnr(self, subject: str) -> None:
        """Not shipped."""
        return

    def regions(self, subject: str) -> Regions:
        """NSD's masks if they lie beside, else MindEye2's own."""
        if self._layout.roi(subject, GENERAL).is_file():
            return RoiAtlas(self._masks, subject, self.grid(subject))
        return ColumnRegions(self.root / REGIONS, subject, self.grid(subject))

    def mask_files(self, subject: str) -> list[Path]:
        """NSD's masks, or MindEye2's own file."""
        if self._layout.roi(subject, GENERAL).is_file():
            return sorted(self._masks.roi_directory(subject).glob("*.nii.gz"))
        return [] if self.data.roi_folder or not (own := self.root / REGIONS).is_file() else [own]

    def look_at_regions(self, subject: str) -> Iterator[tuple[str, str]]:
        """What there is, and what NSD's masks would add."""
        regions = self.regions(subject)
        if isinstance(regions, RoiAtlas):
            yield from look_at_atlas(regions)
            return
        yield "ok", f"regions: {', '.join(regions.listed_names())}"
        yield (
            "note",
            (
                f"places of voxels are not known: no maps. With NSD's masks in "
                f"{self._layout.roi_directory(subject)} they are"
            ),
        )

    def anatomy(self, subject: str) -> Anatomy:
        """NSD's, if it lies beside."""
        return anatomy_of(self._layout, subject)

    # --- pictures

    @cached_property
    def stimuli(self) -> MindEyePictures:
        """Pictures and captions."""
        return MindEyePictures(self.root)

    def pictures(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """By nsdId."""
        return self.stimuli.images if (self.root / IMAGES).is_file() else None

    def files(self, subject: str) -> list[Path]:
        """Betas, ids, masks."""
        files = [self.betas_file(subject, 1), *(self.root / x for x in (INDICES, SHARED, IMAGES))]
        return [*(file for file in files if file.is_file()), *self.region_files(subject)]

    def region_files(self, subject: str) -> list[Path]:
        """What says where voxels are, and which regions they belong to."""
        files = [self.root / REGIONS, self._layout.roi(subject, GENERAL), *self.mask_files(subject)]
        for directory in self._layout.label_directories(subject):
            files += sorted(directory.glob("*.mgz.ctab"))
        return list(dict.fromkeys(file for file in files if file.is_file()))


def _shared(root: Path, n: int) -> np.ndarray:
    """Which of at least `n` images are shared, bool."""
    path = require_file(root / SHARED, "MindEye2's shared images", GET)
    shared = np.load(path)
    if shared.dtype != bool or shared.ndim != 1 or len(shared) < n:
        raise DataError(
            f"{path}: expected bool of all images (73000,), at least {n}, found {shared.dtype} "
            f"{shared.shape}."
        )
    return shared[:n]


def _rows_of(ijk: np.ndarray, places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Row of `places` that each of `ijk` is, -1 where it is none."""
    where = np.full(shape, -1, dtype=np.int64)
    where[tuple(places.T)] = np.arange(len(places))
    return where[tuple(ijk.T)]


@dataclass
class ColumnRegions:
    """Regions as flags of columns, bool (V,), on a row of voxels (V, 1, 1)."""

    path: Path
    subject: str
    grid: Grid
    tables: dict[str, dict[str, int]] = field(init=False)

    def __post_init__(self) -> None:
        require_file(self.path, "MindEye2's regions", GET)
        with open_file(self.path) as file:
            group = file.get(self.subject)
            names = sorted(group) if isinstance(group, h5py.Group) else []
        if not names:
            raise DataError(f"{self.path}: expected a group {self.subject!r} of masks, found none.")
        self.tables = {name: {} for name in names}

    def resolve(self, name: str) -> tuple[str, None]:
        """The mask itself.

        Raises
        ------
        DataError
            If there is none of this name.
        """
        if name in self.tables:
            return name, None
        raise DataError(
            f"{self.path}: {self.subject} has no region {name!r}; there are "
            f"{', '.join(self.tables)}. Name those under data.roles, or put NSD's masks beside."
        )

    def labels(self, roi_set: str) -> np.ndarray:
        """1 inside."""
        return self.mask(roi_set).astype(np.int32)

    def mask(self, name: str) -> np.ndarray:
        """Boolean mask (V, 1, 1)."""
        with open_dataset(self.path, f"{self.subject}/{self.resolve(name)[0]}") as dataset:
            flags = np.asarray(dataset[:]).astype(bool).ravel()
        if len(flags) != self.grid.shape[0]:
            raise ShapeError(
                f"{self.path}: {name} of {self.subject}: expected {self.grid.shape[0]} flags, one "
                f"for each column of the betas, found {len(flags)}."
            )
        return flags.reshape(-1, 1, 1)

    def listed_names(self) -> list[str]:
        """All of them."""
        return list(self.tables)


class MindEyePictures:
    """Pictures of 224 pixels and captions by nsdId.

    Parameters
    ----------
    root : Path

    Attributes
    ----------
    table : DataFrame
        Columns nsdId, shared1000.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.path = require_file(self.root / IMAGES, "MindEye2's pictures", GET)
        with self._open() as images:
            n, _, height, width = images.shape
        self.image_shape = (height, width, 3)
        self.table = pd.DataFrame({"nsdId": np.arange(n), "shared1000": _shared(self.root, n)})

    @property
    def files(self) -> list[Path]:
        """What images and captions depend on."""
        return [self.path, self.root / CAPTIONS]

    def pictures_stamp(self) -> list:
        """Cheap identity of all pictures."""
        return identity(self.path)

    def _open(self):
        return open_dataset(self.path, "images")

    def images(self, ids: Ids) -> np.ndarray:
        """Pictures as uint8 (n, H, W, 3), in the order of `ids`, which may repeat.

        Raises
        ------
        DataError
            If an id is unknown, or the file is damaged or holds something else.
        """
        unique, position = np.unique(self._check(ids), return_inverse=True)  # rising, for HDF5
        with self._open() as images:
            if images.ndim != 4 or images.shape[1] != 3 or images.dtype.kind != "f":
                raise DataError(
                    f"{self.path}: expected floats (n, 3, H, W) from 0 to 1, found {images.dtype} "
                    f"{images.shape}."
                )
            found = [images[int(k)].astype(np.float32) for k in unique]
        if not found:
            return np.zeros((0, *self.image_shape), np.uint8)
        values = np.stack(found).transpose(0, 2, 3, 1)
        return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)[position]

    def captions(self, ids: Ids, n: int = 5) -> list[list[str]]:
        """The first `n` captions of each image.

        Raises
        ------
        DataError
            If there are fewer.
        """
        found = [[str(x) for x in self._texts[k] if str(x)] for k in self._check(ids)]
        path = self.root / CAPTIONS
        return first_captions(
            found,
            n,
            lambda position, number: (
                f"{path}: expected {n} captions of image {ids[position]}, found {number}."
            ),
        )

    @cached_property
    def _texts(self) -> np.ndarray:
        path = require_file(self.root / CAPTIONS, "COCO captions", GET)
        texts = np.load(path)
        if texts.ndim != 2 or texts.dtype.kind != "U":
            raise DataError(f"{path}: expected text (n, 5), found {texts.dtype} {texts.shape}.")
        return texts

    def _check(self, ids: Ids) -> np.ndarray:
        return checked_ids(ids, len(self.table), "Ids are 0-based nsdId, not COCO's.")
