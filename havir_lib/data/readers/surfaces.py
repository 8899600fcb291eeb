"""A data set of one's own on a cortical surface (``docs/data.md``): a file per hemisphere.

As :mod:`havir_lib.data.readers.bids`, but ``dataset.json`` names a ``surface``, and instead of each
volume there are two files of vertices::

    sub-P01/betas/sub-P01_ses-03_hemi-L_betas.mgz   and hemi-R; or .func.gii: a column per trial
    sub-P01/rois/sub-P01_hemi-L_label-V1v_mask.mgz  or .shape.gii, .label.gii
    sub-P01/rois/sub-P01_hemi-L_seg-prf_dseg.mgz    labels, named in sub-P01_seg-prf_dseg.tsv
    sub-P01/sub-P01_hemi-L_ncsnr.mgz                optional
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from havir_lib.data.anatomy import Anatomy
from havir_lib.data.betas import BetasHeader
from havir_lib.data.nifti import Grid
from havir_lib.data.readers.bids import BidsReader, label_table
from havir_lib.data.readers.volumes import Masks, own_anatomy
from havir_lib.data.rois import whole_labels
from havir_lib.data.surface import KINDS, Pair, Surface, pair_of, read_pair, shape_of
from havir_lib.errors import ShapeError


@dataclass
class SurfaceMasks(Masks):
    """Regions of files for both hemispheres.

    Attributes
    ----------
    surface : Surface
    pairs : mapping
        Set → both files.
    """

    surface: Surface = field(kw_only=True)
    pairs: Mapping[str, Pair] = field(kw_only=True)

    def labels(self, roi_set: str) -> np.ndarray:
        """Labels of a set (n, 1, 1), int32; of a mask, above 0 inside."""
        if roi_set not in self._volumes:
            pair = self.pairs[roi_set]
            values = read_pair(pair, f"Region {roi_set} of {self.subject}", self.surface)
            on_grid = values[:, :1, None]
            self._volumes[roi_set] = whole_labels(pair[0], on_grid, self.tables[roi_set])
        return self._volumes[roi_set]


@dataclass(frozen=True)
class BidsSurfaceReader(BidsReader):
    """Files of one's own, on a surface."""

    _surfaces: dict[str, Surface] = field(default_factory=dict, repr=False)

    # --- betas

    def _pair(self, subject: str, session: int) -> Pair | None:
        folder = self.folder(subject) / "betas"
        for number in (f"{session:02d}", f"{session}"):
            if pair := pair_of(folder, f"{subject}_ses-{number}_hemi-{{side}}_betas"):
                return pair
        return None

    def _find(self, subject: str, session: int) -> Path | None:
        pair = self._pair(subject, session)
        return pair and pair[0]

    def betas_file(self, subject: str, session: int) -> Path:
        """The left hemisphere's file."""
        name = f"{subject}_ses-{session:02d}_hemi-L_betas.mgz"
        return self._find(subject, session) or self.folder(subject) / "betas" / name

    def headers(self, subject: str) -> dict[int, BetasHeader]:
        """Header of each session.

        Raises
        ------
        ShapeError
            If hemispheres or sessions do not fit each other, or not the surface.
        """
        if subject not in self._headers:
            pairs = {n: self._pair(subject, n) for n in self.sessions(subject)}
            self._headers[subject] = {n: self._header(pair, subject) for n, pair in pairs.items()}
        return self._headers[subject]

    def _header(self, pair: Pair, subject: str) -> BetasHeader:
        (left, n_trials, dtype), (right, others, _) = (shape_of(path) for path in pair)
        if others != n_trials:
            raise ShapeError(
                f"{pair[1]}: expected {n_trials} trials as {pair[0].name} has, found {others}."
            )
        found = Surface(self.about["surface"], left, right)
        found.check(pair[0])
        first = self._surfaces.setdefault(subject, found)
        if found != first:
            raise ShapeError(
                f"{pair[0]}: expected {first.n_left:,} and {first.n_right:,} vertices as the first "
                f"session has, found {left:,} and {right:,}."
            )
        return BetasHeader((left + right, 1, 1), n_trials, np.dtype(dtype))

    def surface(self, subject: str) -> Surface:
        """The surface that the betas lie on."""
        self.headers(subject)
        return self._surfaces[subject]

    def grid(self, subject: str) -> Grid:
        """Vertices in a row."""
        return next(iter(self.headers(subject).values())).grid

    def betas(self, subject: str, session: int, ijk: np.ndarray) -> np.ndarray:
        """All trials of a session, as float32."""
        what = f"Betas of {subject}, session {session}"
        values = read_pair(self._pair(subject, session), what, self.surface(subject))
        return np.ascontiguousarray(values[np.asarray(ijk)[:, 0]].T, dtype=np.float32)

    def ncsnr(self, subject: str) -> np.ndarray | None:
        """``<subject>_hemi-{L,R}_ncsnr``, if it is there."""
        pair = self._ncsnr(subject)
        if pair is None:
            return None
        values = read_pair(pair, f"Noise ceiling SNR of {subject}", self.surface(subject))
        return values[:, :1, None]

    def _ncsnr(self, subject: str) -> Pair | None:
        return pair_of(self.folder(subject), f"{subject}_hemi-{{side}}_ncsnr")

    # --- places

    def regions(self, subject: str) -> SurfaceMasks:
        """Masks (``label-V1v_mask``) and labels (``seg-prf_dseg``) of ``rois/``."""
        folder = self.masks_folder(subject)
        kinds = "|".join(re.escape(kind) for kind in KINDS)
        pattern = re.compile(
            rf"({re.escape(subject)}_(?:.*_)?)hemi-[LR]_(?:label-([^_]+)_mask|seg-([^_]+)_dseg)"
            rf"({kinds})"
        )
        pairs: dict[str, Pair] = {}
        tables: dict[str, dict[str, int]] = {}
        for path in self.mask_files(subject):
            if (found := pattern.fullmatch(path.name)) is None:
                continue
            start, mask, labels, kind = found.groups()
            rest = path.name.removesuffix(kind).partition("_hemi-")[2][2:]
            name = mask or labels
            pairs[name] = pair_of(folder, f"{start}hemi-{{side}}_{rest}")
            tables[name] = {} if mask else label_table(folder / f"{start}{rest}.tsv")
        return SurfaceMasks(
            folder, subject, self.grid(subject), {name: pair[0] for name, pair in pairs.items()},
            tables, surface=self.surface(subject), pairs=pairs,
        )  # fmt: skip

    def anatomy(self, subject: str) -> Anatomy:
        """The surface; an average one is its own way to maps."""
        folder = self.folder(subject)
        picture, signal = (folder / f"{subject}_{x}.nii.gz" for x in ("T1w", "ncsnr"))
        return replace(own_anatomy(subject, picture, signal), surface=self.surface(subject))

    def files(self, subject: str) -> list[Path]:
        """Tables, betas, masks and pictures."""
        pairs = [self._pair(subject, n) for n in self.sessions(subject)]
        both = [path for pair in [*pairs, self._ncsnr(subject)] if pair for path in pair]
        return list(dict.fromkeys([*super().files(subject), *both]))


def names_a_surface(root: Path) -> bool:
    """Whether ``dataset.json`` names a surface; what is wrong with it, reading it says."""
    try:
        return bool(json.loads((root / "dataset.json").read_text(encoding="utf-8"))["surface"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
