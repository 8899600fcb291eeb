"""LAION-fMRI (ViCCo group): five people, 7 T, 30 sessions each, BIDS derivatives.

As its public repository and bucket name files (``ViCCo-Group/LAION-fMRI``); both the older and the
newer places of masks are looked at::

    derivatives/glmsingle-tedana/sub-01/ses-01/func/
        sub-01_ses-01_task-images_space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz
        sub-01_ses-01_task-images_desc-SingletrialBetas_trials.tsv     session run beta_index label
    derivatives/glmsingle-tedana/sub-01/
        sub-01_task-images_space-T1w_desc-NoiseceilingAllrep_statmap.nii.gz            percent
    derivatives/rois/sub-01/<set>/sub-01_space-T1w_res-1pt8_label-V1v_mask.nii.gz
    derivatives/atlases/sub-01/rois/V1v.nii.gz                                        (older)
    stimuli/task-images_stimuli.h5          images: encoded files
    stimuli/task-images_metadata.csv        image_name, row by row
    stimuli/task-images_desc-captions.csv   image_name, caption_idx, caption

Which images train and which test is a split of its package, a JSON file that ``data.split`` names;
images in neither list are not used.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from havir_lib.cache.store import identity
from havir_lib.config import Data
from havir_lib.data.anatomy import Anatomy
from havir_lib.data.betas import BetasHeader, read_betas
from havir_lib.data.hdf5 import open_dataset
from havir_lib.data.nifti import Grid, read_volume
from havir_lib.data.picture_files import decode_picture
from havir_lib.data.pictures import MOST_PIXELS, NamedPictures, by_image
from havir_lib.data.readers.base import Normalised
from havir_lib.data.readers.volumes import (
    Masks,
    headers_of,
    look_at_masks,
    own_anatomy,
    stored_as,
)
from havir_lib.data.tables import read_names
from havir_lib.data.trials import trial_table
from havir_lib.errors import DataError, require_file

GET = (
    "Brain data come from the bucket laion-fmri without an account, pictures after its data-use "
    "agreement; its package laion_fmri fetches both."
)
BETAS = "derivatives/glmsingle-tedana"
STEM = "{subject}_ses-{session:02d}_task-images"
CEILINGS = ("Allrep", "12rep", "4rep")
GREY = (128, 128, 128)
"""Behind pictures that are transparent, as they were shown."""


@dataclass(frozen=True)
class LaionReader:
    """LAION-fMRI's files.

    Attributes
    ----------
    root : Path
    data : Data
    """

    root: Path
    data: Data
    name: ClassVar[str] = "laion_fmri"
    normalised: ClassVar[Normalised] = "none"
    simulated: ClassVar[bool] = False
    _headers: dict[str, dict[int, BetasHeader]] = field(default_factory=dict, repr=False)

    def subjects(self) -> list[str]:
        """Folders of betas."""
        return sorted(x.name for x in (self.root / BETAS).glob("sub-*") if x.is_dir())

    def _func(self, subject: str, session: int) -> Path:
        return self.root / BETAS / subject / f"ses-{session:02d}" / "func"

    def betas_file(self, subject: str, session: int) -> Path:
        """Single-trial betas of a session."""
        stem = STEM.format(subject=subject, session=session)
        name = f"{stem}_space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz"
        return self._func(subject, session) / name

    def trials_file(self, subject: str, session: int) -> Path:
        """Labels of a session's betas."""
        stem = STEM.format(subject=subject, session=session)
        return self._func(subject, session) / f"{stem}_desc-SingletrialBetas_trials.tsv"

    def sessions(self, subject: str) -> list[int]:
        """Sessions whose betas are here."""
        if subject not in self.subjects():
            raise DataError(
                f"{self.root / BETAS / subject}: expected a subject's folder, found "
                f"{', '.join(self.subjects()) or 'none'}. {GET}"
            )
        folders = (self.root / BETAS / subject).glob("ses-*")
        numbers = sorted(int(m[1]) for x in folders if (m := re.fullmatch(r"ses-(\d+)", x.name)))
        here = [n for n in numbers if self.betas_file(subject, n).is_file()]
        most = self.data.sessions_of(subject)
        if not here or (most is not None and most > len(here)):
            raise DataError(
                f"{self.root / BETAS / subject}: expected betas of {most or 'some'} sessions, "
                f"found {here or 'none'}. {GET}"
            )
        return here[:most]

    # --- trials

    @cached_property
    def _split(self) -> dict[str, str]:
        if self.data.split is None:
            raise DataError(
                "data.split: expected a split of LAION-fMRI's package (splits/data/<pool>/"
                "<name>.json, a path as seen from the data folder), found none."
            )
        path = require_file(self.root / self.data.split, "Split (data.split)", GET)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            lists = content["variants"][0] if "variants" in content else content
            use = dict.fromkeys(map(str, lists["train_ids"]), "train")
            both = [x for x in map(str, lists["test_ids"]) if x in use]
            use |= dict.fromkeys(map(str, lists["test_ids"]), "test")
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise DataError(
                f"{path}: expected JSON with train_ids and test_ids ({error!r})."
            ) from None
        if both:
            raise DataError(f"{path}: {len(both)} images are in both lists, e.g. {both[0]!r}.")
        return use

    def trials(self, subject: str) -> pd.DataFrame:
        """In the order of ``beta_index``; use by the split, images in neither list unused."""
        labels: list[str] = []
        lengths = {}
        for session, header in self.headers(subject).items():
            found = self._labels(subject, session)
            if len(found) != header.n_trials:
                raise DataError(
                    f"{self.betas_file(subject, session)}: expected {len(found)} betas, the lines "
                    f"of {self.trials_file(subject, session).name}, found {header.n_trials}."
                )
            lengths[session] = header.n_trials
            labels += found
        use = [self._split.get(label, "unused") for label in labels]
        ids = self.stimuli.ids_of(labels, f"trials of {subject}")
        return trial_table(ids, lengths).assign(use=use)

    def _labels(self, subject: str, session: int) -> list[str]:
        path = require_file(self.trials_file(subject, session), "Labels of trials", GET)
        table = read_names(path, ("beta_index", "label"))
        index = pd.to_numeric(table["beta_index"], errors="coerce")
        table = table.assign(beta_index=index).sort_values("beta_index", kind="stable")
        if not np.array_equal(table["beta_index"], np.arange(len(table))):
            raise DataError(f"{path}: expected beta_index to be 0 to {len(table) - 1}, each once.")
        return table["label"].tolist()

    # --- betas and places

    def headers(self, subject: str) -> dict[int, BetasHeader]:
        """Header of each session, on one grid."""
        if subject not in self._headers:
            files = {n: self.betas_file(subject, n) for n in self.sessions(subject)}
            self._headers[subject] = headers_of(files)
        return self._headers[subject]

    def grid(self, subject: str) -> Grid:
        """Of the first session."""
        return next(iter(self.headers(subject).values())).grid

    def stored(self, subject: str) -> str:
        """Type and number of files."""
        headers = self.headers(subject)
        return stored_as({n: self.betas_file(subject, n) for n in headers}, headers)

    def unit(self, subject: str) -> float:
        """GLMsingle's percent, shrunk by ridge regression."""
        return 1.0

    def betas(self, subject: str, session: int, ijk: np.ndarray) -> np.ndarray:
        """All trials of a session, float32."""
        values = read_betas(self.betas_file(subject, session), ijk, self.grid(subject))
        return values.astype(np.float32)

    def ncsnr(self, subject: str) -> np.ndarray | None:
        """From the noise ceiling in percent: ``snr² = nc · mean(1/m) / (100 - nc)``.

        `m` are the repeats of the images that the ceiling is of; it is a map of all of them, or
        else of those shown 12 or 4 times.
        """
        path = self._ceiling(subject)
        if not path.is_file():
            return None
        ceiling = read_volume(path, f"Noise ceiling of {subject}", self.grid(subject)).values
        ceiling = np.clip(np.nan_to_num(ceiling.astype(float)), 0, None)
        if ceiling.max(initial=0) <= 1:  # a share, as some of its examples have it
            ceiling = ceiling * 100
        mean = self._mean_of_inverse_repeats(subject, path)
        return np.sqrt(ceiling * mean / np.maximum(100 - ceiling, 1e-3)).astype(np.float32)

    def _ceiling(self, subject: str) -> Path:
        folder, stem = self.root / BETAS / subject, f"{subject}_task-images_space-T1w_desc"
        files = [folder / f"{stem}-Noiseceiling{kind}_statmap.nii.gz" for kind in CEILINGS]
        return next((file for file in files if file.is_file()), files[0])

    def _mean_of_inverse_repeats(self, subject: str, ceiling: Path) -> float:
        for kind, repeats in (("12rep", 12), ("4rep", 4)):
            if kind in ceiling.name:
                return 1 / repeats
        labels = [label for n in self.sessions(subject) for label in self._labels(subject, n)]
        shown = pd.Series(labels).value_counts().to_numpy()
        repeated = shown[shown > 1]
        return float(np.mean(1 / repeated)) if len(repeated) else 1.0

    def regions(self, subject: str) -> UnsignedMasks:
        """One mask per region, in the newer or the older place."""
        files = self._masks(subject)
        return UnsignedMasks(
            self._newer(subject), subject, self.grid(subject), files, {name: {} for name in files}
        )

    def mask_files(self, subject: str) -> list[Path]:
        """Its masks of 1.8 mm."""
        return list(self._masks(subject).values())

    def _newer(self, subject: str) -> Path:
        return self.root / "derivatives" / (self.data.roi_folder or "rois") / subject

    def _masks(self, subject: str) -> dict[str, Path]:
        older = self.root / "derivatives/atlases" / subject / (self.data.roi_folder or "rois")
        files = {x.name.removesuffix(".nii.gz"): x for x in sorted(older.glob("*.nii.gz"))}
        pattern = re.compile(r".*_label-([^_]+)_mask\.nii\.gz")
        for path in sorted(self._newer(subject).rglob("*_mask.nii.gz")):
            if (m := pattern.fullmatch(path.name)) and "res-1pt5" not in path.name:
                files[m[1]] = path
        return files

    def look_at_regions(self, subject: str) -> Iterator[tuple[str, str]]:
        """How many there are, and which are empty."""
        regions = self.regions(subject)
        return look_at_masks(regions, regions.folder, GET)

    def anatomy(self, subject: str) -> Anatomy:
        """Its T1-weighted picture on the grid of the betas; no way to standard spaces."""
        folder = self.root / "derivatives/anatomical" / subject / "ses-PrismaAnat/anat"
        name = f"{subject}_ses-PrismaAnat_space-T1w_res-1pt8_desc-brain_T1w.nii.gz"
        return own_anatomy(subject, folder / name, self._ceiling(subject))

    # --- pictures

    @cached_property
    def stimuli(self) -> LaionPictures:
        """Pictures and captions."""
        return LaionPictures(self.root, self.data.picture_size)

    def pictures(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """By row of the metadata."""
        return self.stimuli.images if self.stimuli.path.is_file() else None

    def files(self, subject: str) -> list[Path]:
        """Betas, labels, masks, ceilings, split."""
        files = [file(subject, n) for n in self.sessions(subject)
                 for file in (self.betas_file, self.trials_file)]  # fmt: skip
        files += sorted((self.root / BETAS / subject).glob("*Noiseceiling*"))
        files += [*self.regions(subject).files.values(), *self.stimuli.files]
        files += [self.root / self.data.split] if self.data.split else []
        return [file for file in files if file.is_file()]


class UnsignedMasks(Masks):
    """Masks whose names are the same without signs: ``FFA-1`` and the bucket's ``FFA1``."""

    def known_as(self, name: str) -> str | None:
        """The mask of this name, whatever its signs."""
        return {_plain(known): known for known in self.tables}.get(_plain(name))


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name)


class LaionPictures(NamedPictures):
    """Pictures as encoded files in one HDF5, by row of the metadata.

    Parameters
    ----------
    root : Path
    size : int
        Pixels per side that pictures are given.
    """

    too_few = (
        "Own images have three captions of people and one of a model: set "
        "targets.captions_per_image to 4 or less; pictures out of distribution have none."
    )

    def __init__(self, root: Path, size: int) -> None:
        folder = Path(root) / "stimuli"
        self.path = folder / "task-images_stimuli.h5"
        self.listing = folder / "task-images_metadata.csv"
        self.captions_file = folder / "task-images_desc-captions.csv"
        super().__init__(self._listed(), size)

    def _listed(self) -> pd.DataFrame:
        path = require_file(self.listing, "Metadata of pictures", GET)
        table = read_names(path, ("image_name",), ",").rename(columns={"image_name": "image"})
        if table["image"].duplicated().any():
            raise DataError(f"{path}: expected every image_name once.")
        shared = table["unique_or_shared"].eq("shared") if "unique_or_shared" in table else False
        return table[["image"]].assign(shared1000=shared)

    @property
    def files(self) -> list[Path]:
        """What images and captions depend on."""
        return [self.path, self.listing, self.captions_file]

    def pictures_stamp(self) -> list:
        """Cheap identity of all pictures."""
        return [self.size, identity(self.path)]

    def _read(self, rows: list[int]) -> list[np.ndarray]:
        require_file(self.path, "Pictures", GET)
        with open_dataset(self.path, "images") as images:
            if len(images) != len(self.table):
                raise DataError(
                    f"{self.path}: expected {len(self.table)} pictures, the lines of "
                    f"{self.listing.name}, found {len(images)}."
                )
            return [self._decoded(images[row], row) for row in rows]

    def _decoded(self, content: np.ndarray, row: int) -> np.ndarray:
        name = f"{self.path}: {self.table['image'].iloc[row]}"
        stream = io.BytesIO(np.asarray(content, np.uint8).tobytes())
        image = decode_picture(stream, name, MOST_PIXELS, behind=GREY)
        if image.width != image.height:
            raise DataError(
                f"{name}: expected a square picture, found {image.width}x{image.height}."
            )
        return self.scaled(image)

    @cached_property
    def _captions(self) -> dict[str, list[str]]:
        """People's before a model's."""
        path = require_file(self.captions_file, "Captions", GET)
        table = read_names(path, ("image_name", "caption", "caption_idx"), ",")
        by_model = table["source"].ne("human") if "source" in table else False
        number = pd.to_numeric(table["caption_idx"], errors="coerce")
        table = table.assign(by_model=by_model, number=number)
        ordered = table.sort_values(["image_name", "by_model", "number"], kind="stable")
        return by_image(ordered, "image_name")
