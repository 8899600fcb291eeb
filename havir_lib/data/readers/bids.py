"""A data set of one's own: a folder per subject, in names that follow BIDS (``docs/data.md``).

::

    dataset.json                            unit and normalisation of the betas
    stimuli.tsv                             image, file
    stimuli/                                the pictures
    captions.tsv                            image, caption; optional
    sub-P01/sub-P01_trials.tsv              session, image, use
    sub-P01/betas/sub-P01_ses-03_betas.nii.gz   or .hdf5, as GLMsingle writes it
    sub-P01/rois/sub-P01_label-V1v_mask.nii.gz  one mask per region, or
    sub-P01/rois/sub-P01_seg-prf_dseg.nii.gz    labels, named in the .tsv beside it
    sub-P01/sub-P01_ncsnr.nii.gz            optional; else estimated from repeats
    sub-P01/sub-P01_T1w.nii.gz              optional, on the grid of the betas: behind maps
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from havir_lib.config import Data
from havir_lib.data.anatomy import Anatomy
from havir_lib.data.betas import BetasHeader, read_betas
from havir_lib.data.nifti import Grid, grid_of, read_volume
from havir_lib.data.pictures import PictureFolder
from havir_lib.data.readers.base import Normalised
from havir_lib.data.readers.volumes import (
    Masks,
    headers_of,
    look_at_masks,
    own_anatomy,
    stored_as,
)
from havir_lib.data.surface import SPACES
from havir_lib.data.tables import read_names
from havir_lib.data.trials import trial_table
from havir_lib.errors import DataError, did_you_mean

log = logging.getLogger(__name__)

HELP = "docs/data.md says what belongs there; `havir subject check` reads all of it."
ROIS = "rois"
SUFFIXES = (".nii.gz", ".nii", ".hdf5", ".h5")
UNITS = {"percent": 1.0, "nsd": 1 / 300}
NORMALISED = ("none", "session", "run", "training", "unknown")
USES = ("train", "test", "unused")
PICKLED = (
    "{path}: GLMsingle's .npy is a pickle, which is not opened here. Run GLMsingle with "
    'wanthdf5=1, or convert it where you trust it: python -c "import numpy, h5py; '
    "d = numpy.load('{name}', allow_pickle=True).item(); "
    "h5py.File('{stem}.hdf5', 'w')['betasmd'] = d['betasmd']\""
)


@dataclass(frozen=True)
class BidsReader:
    """Files of one's own.

    Attributes
    ----------
    root : Path
    data : Data
    """

    root: Path
    data: Data
    name: ClassVar[str] = "bids"
    _headers: dict[str, dict[int, BetasHeader]] = field(default_factory=dict, repr=False)

    # --- the data set

    @cached_property
    def about(self) -> dict:
        """``dataset.json``: unit ("percent", "nsd", or a factor), normalised, and surface.

        Raises
        ------
        DataError
            If it is missing or says something else.
        """
        path = self.root / "dataset.json"
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
            unit, done = about["unit"], about.get("normalised", "none")
            surface = about.get("surface")
        except FileNotFoundError:
            raise DataError(f'{path}: expected {{"unit": "percent"}}, found none. {HELP}') from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f'{path}: expected {{"unit": …}} ({error!r}). {HELP}') from None
        number = isinstance(unit, int | float) and not isinstance(unit, bool) and unit > 0
        if not (number or unit in UNITS) or done not in NORMALISED:
            raise DataError(
                f"{path}: expected unit 'percent', 'nsd' or the factor to % signal change, and "
                f"normalised one of {', '.join(NORMALISED)}; found {unit!r}, {done!r}."
            )
        if surface not in (None, *SPACES):
            raise DataError(
                f"{path}: expected as surface one of {', '.join(SPACES)}, found {surface!r}. "
                "Without it, betas and masks are volumes."
            )
        return {
            "unit": float(unit) if number else UNITS[unit],
            "normalised": done,
            "simulated": bool(about.get("simulated", False)),
            "surface": surface,
        }

    @property
    def normalised(self) -> Normalised:
        """As ``dataset.json`` says."""
        return self.about["normalised"]

    @property
    def simulated(self) -> bool:
        """As ``dataset.json`` says."""
        return self.about["simulated"]

    def subjects(self) -> list[str]:
        """Folders ``sub-…`` that hold trials."""
        folders = [path for path in self.root.glob("sub-*") if path.is_dir()]
        return sorted(x.name for x in folders if any(x.glob(f"{x.name}_*trials.tsv")))

    def folder(self, subject: str) -> Path:
        """A subject's folder.

        Raises
        ------
        DataError
            If there is none.
        """
        if subject not in self.subjects():
            hint = did_you_mean(subject, self.subjects())
            raise DataError(
                f"{self.root / subject}: expected a subject's folder with {subject}_trials.tsv, "
                f"found {', '.join(self.subjects()) or 'no subject'}.{hint} {HELP}"
            )
        return self.root / subject

    # --- trials

    def sessions(self, subject: str) -> list[int]:
        """Sessions of the table whose betas are here; those missing are left out, with a remark."""
        wanted = sorted(self._table(subject)["session"].unique().tolist())
        here = [n for n in wanted if self._find(subject, n) is not None]
        if not here:
            self._refuse_pickles(subject)
            raise DataError(
                f"{self.folder(subject) / 'betas'}: expected {subject}_ses-{wanted[0]:02d}_betas"
                f"{SUFFIXES[0]} and the like, found none of sessions {wanted}. {HELP}"
            )
        if lost := [n for n in wanted if n not in here]:
            log.warning("%s: sessions %s have no betas; they are left out", subject, lost)
        most = self.data.sessions_of(subject)
        if most is not None and most > len(here):
            raise DataError(f"{subject}: expected {most} sessions (data.n_sessions), found {here}.")
        return here[:most]

    def _refuse_pickles(self, subject: str) -> None:
        for path in sorted((self.folder(subject) / "betas").glob("*.npy")):
            raise DataError(PICKLED.format(path=path, name=path.name, stem=path.stem))

    def _table(self, subject: str) -> pd.DataFrame:
        folder = self.folder(subject)
        whole = folder / f"{subject}_trials.tsv"
        if whole.is_file():
            return self._read_trials(whole, None)
        pattern = re.compile(rf"{re.escape(subject)}_ses-0*(\d+)_trials\.tsv")
        files = {int(m[1]): x for x in folder.iterdir() if (m := pattern.fullmatch(x.name))}
        return pd.concat([self._read_trials(files[n], n) for n in sorted(files)])

    def _read_trials(self, path: Path, session: int | None) -> pd.DataFrame:
        table = read_names(path, ("image", "use", *(("session",) if session is None else ())))
        table = table.assign(session=table["session"] if session is None else session)
        numbers = pd.to_numeric(table["session"], errors="coerce")
        wrong = table.index[numbers.isna() | (numbers % 1 != 0) | ~table["use"].isin(USES)]
        if len(wrong):
            row = table.loc[wrong[0]]
            raise DataError(
                f"{path}: line {wrong[0] + 2}: expected a whole number as session and a use of "
                f"{', '.join(USES)}, found {row['session']!r}, {row['use']!r}."
            )
        table = table.assign(session=numbers.astype(int))
        if "beta_index" in table:
            table = table.assign(beta_index=pd.to_numeric(table["beta_index"], errors="coerce"))
            table = table.sort_values(["session", "beta_index"], kind="stable")
        return table

    def trials(self, subject: str) -> pd.DataFrame:
        """In the order of the table, session by session.

        Raises
        ------
        DataError
            If a session has not as many lines as betas, or an image is not among the pictures.
        """
        table = self._table(subject)
        rows = []
        for session, header in self.headers(subject).items():
            part = table[table["session"] == session]
            if len(part) != header.n_trials:
                raise DataError(
                    f"{self.betas_file(subject, session)}: expected {len(part)} trials, the lines "
                    f"of session {session} in the table of trials, found {header.n_trials} betas. "
                    "Blank trials belong in neither."
                )
            rows.append(part)
        used = pd.concat(rows, ignore_index=True)
        ids = self.stimuli.ids_of(used["image"], f"trials of {subject}")
        lengths = {session: x.n_trials for session, x in self.headers(subject).items()}
        return trial_table(ids, lengths).assign(use=used["use"].to_numpy())

    # --- betas

    def _find(self, subject: str, session: int) -> Path | None:
        folder = self.folder(subject) / "betas"
        names = [f"{subject}_ses-{n}_betas" for n in (f"{session:02d}", f"{session}")]
        files = [folder / f"{name}{suffix}" for name in names for suffix in SUFFIXES]
        return next((file for file in files if file.is_file()), None)

    def betas_file(self, subject: str, session: int) -> Path:
        """``betas/<subject>_ses-NN_betas.*``."""
        found = self._find(subject, session)
        return found or self.folder(subject) / "betas" / f"{subject}_ses-{session:02d}_betas.nii.gz"

    def headers(self, subject: str) -> dict[int, BetasHeader]:
        """Header of each session.

        Raises
        ------
        ShapeError
            If they do not lie on one grid.
        """
        if subject not in self._headers:
            files = {n: self.betas_file(subject, n) for n in self.sessions(subject)}
            self._headers[subject] = headers_of(files)
        return self._headers[subject]

    def grid(self, subject: str) -> Grid:
        """As the betas say; of HDF5, as the first mask does."""
        header = next(iter(self.headers(subject).values()))
        masks = sorted((self.folder(subject) / ROIS).glob("*.nii.gz"))
        if header.affine is not None or not masks:
            return header.grid
        return Grid(header.shape, grid_of(masks[0]).affine)

    def stored(self, subject: str) -> str:
        """Number of files by suffix, and their types."""
        headers = self.headers(subject)
        return stored_as({n: self.betas_file(subject, n) for n in headers}, headers)

    def unit(self, subject: str) -> float:
        """As ``dataset.json`` says."""
        return self.about["unit"]

    def betas(self, subject: str, session: int, ijk: np.ndarray) -> np.ndarray:
        """All trials of a session, as float32."""
        values = read_betas(self.betas_file(subject, session), ijk, self.grid(subject))
        return values.astype(np.float32)

    def ncsnr(self, subject: str) -> np.ndarray | None:
        """``<subject>_ncsnr.nii.gz``, if it is there."""
        path = self.folder(subject) / f"{subject}_ncsnr.nii.gz"
        if not path.is_file():
            return None
        return read_volume(path, f"Noise ceiling SNR of {subject}", self.grid(subject)).values

    # --- places and pictures

    def regions(self, subject: str) -> Masks:
        """Masks (``label-V1v_mask``) and label images (``seg-prf_dseg``) of ``rois/``."""
        folder = self.masks_folder(subject)
        start = rf"{re.escape(subject)}_(?:.*_)?"
        mask = re.compile(rf"{start}label-([^_]+)_mask\.nii(\.gz)?")
        labels = re.compile(rf"{start}seg-([^_]+)_dseg\.nii(\.gz)?")
        files = self.mask_files(subject)
        masks = {m[1]: x for x in files if (m := mask.fullmatch(x.name))}
        sets = {m[1]: x for x in files if (m := labels.fullmatch(x.name))}
        named: dict[str, dict[str, int]] = {name: {} for name in masks}
        for name, volume in sets.items():
            named[name] = label_table(volume.with_name(volume.name.partition(".")[0] + ".tsv"))
        return Masks(folder, subject, self.grid(subject), {**masks, **sets}, named)

    def masks_folder(self, subject: str) -> Path:
        """``rois``, or what ``data.roi_folder`` names."""
        return self.folder(subject) / (self.data.roi_folder or ROIS)

    def mask_files(self, subject: str) -> list[Path]:
        """Volumes, surfaces and tables of that folder."""
        return sorted(x for x in self.masks_folder(subject).glob("*") if x.is_file())

    def look_at_regions(self, subject: str) -> Iterator[tuple[str, str]]:
        """How many there are, and which are empty."""
        return look_at_masks(self.regions(subject), self.masks_folder(subject), HELP)

    def anatomy(self, subject: str) -> Anatomy:
        """A T1-weighted picture, if there is one; no way to standard spaces."""
        folder = self.folder(subject)
        picture, signal = (folder / f"{subject}_{x}.nii.gz" for x in ("T1w", "ncsnr"))
        return own_anatomy(subject, picture, signal)

    @cached_property
    def stimuli(self) -> PictureFolder:
        """Pictures and captions."""
        return PictureFolder(self.root, self.data.picture_size, self.data.picture_crop)

    def pictures(self) -> Callable[[np.ndarray], np.ndarray]:
        """By image id."""
        return self.stimuli.images

    def files(self, subject: str) -> list[Path]:
        """Tables, betas, masks and pictures."""
        folder = self.folder(subject)
        files = [self.root / "dataset.json", *sorted(folder.glob("*.tsv"))]
        files += [self.betas_file(subject, n) for n in self.sessions(subject)]
        files += self.mask_files(subject)
        files += [folder / f"{subject}_ncsnr.nii.gz", *self.stimuli.files]
        return [file for file in files if file.is_file()]


def label_table(path: Path) -> dict[str, int]:
    """Names of the labels of an image, from the table beside it."""
    if not path.is_file():
        raise DataError(f"{path}: expected the names of the labels that lie beside, found none.")
    table = read_names(path, ("index", "name"))
    numbers = pd.to_numeric(table["index"], errors="coerce")
    if numbers.isna().any() or (numbers % 1 != 0).any() or table["name"].duplicated().any():
        raise DataError(f"{path}: expected a whole number as index, and every name once.")
    named = dict(zip(table["name"], numbers.astype(int).tolist(), strict=True))
    return {name: index for name, index in named.items() if index > 0}
