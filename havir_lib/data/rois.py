"""Regions of interest by name: single labels (``V1v``) or whole sets (``floc-faces``).

A set is one NIfTI of integer labels (0 unlabelled, -1 outside cortex) with a FreeSurfer label table
``<set>.mgz.ctab``; a file without a table is one mask. The same label can occur in several sets
(``V1v`` is in ``prf-visualrois`` and in ``Kastner2015``): the first of :data:`PREFERRED_SETS` that
has it is meant, and ``Kastner2015/V1v`` names the other.
"""

from __future__ import annotations

import difflib
import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np

from havir_lib.data.layout import GET_DATA, NsdLayout
from havir_lib.errors import DataError, ShapeError, require_file

log = logging.getLogger(__name__)

# Sets listed with every subject: drawn for the individual (prf, floc) or on fsaverage (the others).
PREFERRED_SETS = (
    "prf-visualrois",
    "floc-faces",
    "floc-bodies",
    "floc-places",
    "floc-words",
    "streams",
    "prf-eccrois",
    "nsdgeneral",
)
HEMISPHERES = ("lh.", "rh.")


@dataclass(frozen=True)
class Volume:
    """A NIfTI volume: values (X, Y, Z) and affine (4, 4), voxel to mm."""

    values: np.ndarray
    affine: np.ndarray


def read_volume(path: Path, what: str, grid: tuple[int, int, int] | None = None) -> Volume:
    """Read a 3D NIfTI.

    Parameters
    ----------
    path : Path
    what : str
        For messages, e.g. ``"ROI set floc-faces of subj01"``.
    grid : tuple of int, optional
        Shape it must have.

    Raises
    ------
    DataError
        If the file is missing or damaged.
    ShapeError
        If its shape is not `grid`.
    """
    require_file(path, what, GET_DATA)
    try:
        image = nib.load(path)
        values = np.asanyarray(image.dataobj)
    except (OSError, EOFError, ValueError, zlib.error, nib.filebasedimages.ImageFileError) as error:
        raise DataError(f"{path}: cannot be read as NIfTI ({error}). {GET_DATA}") from None
    if grid is not None and values.shape != grid:
        raise ShapeError(
            f"{path}: {what} has shape {values.shape}, but the betas have {grid}. "
            "Masks and betas must be on one grid (data.space)."
        )
    return Volume(values, image.affine)


def read_label_table(path: Path) -> dict[str, int]:
    """Label names and values of a FreeSurfer colour table: ``value name [r g b a]`` per line.

    Names of values below 1 (``Unknown``) are left out, and so are names that occur twice, with a
    warning: they would not say which region is meant.

    Raises
    ------
    DataError
        If a line does not start with a number and a name.
    """
    table: dict[str, int] = {}
    twice: set[str] = set()
    for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            value, name = int(words[0]), words[1]
        except (ValueError, IndexError):
            raise DataError(f"{path}: expected 'number name' per line, found {line!r}.") from None
        if name in table:
            twice.add(name)
        if value > 0:
            table[name] = value
    if twice:
        log.warning("%s: labels that occur twice are ignored: %s", path, sorted(twice))
    return {name: value for name, value in table.items() if name not in twice}


@dataclass
class RoiAtlas:
    """All ROI sets of one subject on one grid; volumes are read when first asked for.

    Attributes
    ----------
    layout : NsdLayout
    subject : str
    grid : tuple of int
        Shape (X, Y, Z) that every mask must have.
    tables : dict
        Set name → {label: value}; empty where the set has no table, or one that cannot be read.
    unreadable : dict
        Set name → what is wrong with its table. It stops only who asks for a label of the set.
    """

    layout: NsdLayout
    subject: str
    grid: tuple[int, int, int]
    tables: dict[str, dict[str, int]] = field(init=False)
    unreadable: dict[str, DataError] = field(init=False, default_factory=dict)
    _volumes: dict[str, np.ndarray] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.tables = {}
        for roi_set, path in _find_sets(self.layout, self.subject).items():
            try:
                self.tables[roi_set] = read_label_table(path) if path else {}
            except DataError as error:
                self.tables[roi_set], self.unreadable[roi_set] = {}, error

    def resolve(self, name: str) -> tuple[str, str | None]:
        """Set and label that `name` means; the label is None for a whole set.

        Raises
        ------
        DataError
            If no set and no label has this name; lists what is known.
        """
        if found := find_label(name, self.tables):
            return found
        if (wanted := name.rpartition("/")[0]) in self.unreadable:
            raise self.unreadable[wanted]
        raise DataError(self._unknown(name))

    def mask(self, name: str) -> np.ndarray:
        """Boolean mask (X, Y, Z) of a label, or of all labels > 0 of a set."""
        roi_set, label = self.resolve(name)
        values = self._volume(roi_set)
        return values > 0 if label is None else values == self.tables[roi_set][label]

    def listed_names(self) -> list[str]:
        """Sets of :data:`PREFERRED_SETS` that exist, each followed by its labels."""
        names = []
        for roi_set in PREFERRED_SETS:
            if self.layout.roi(self.subject, roi_set).is_file():
                names += [roi_set, *self.tables[roi_set]]
        return names

    def _volume(self, roi_set: str) -> np.ndarray:
        if roi_set not in self._volumes:
            path = self.layout.roi(self.subject, roi_set)
            what = f"ROI set {roi_set} of {self.subject}"
            self._volumes[roi_set] = read_volume(path, what, self.grid).values
        return self._volumes[roi_set]

    def _unknown(self, name: str) -> str:
        known = [*self.tables, *(label for table in self.tables.values() for label in table)]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        lines = [f"  {s}: {', '.join(self.tables[s]) or 'no table'}" for s in sorted(self.tables)]
        lost = "".join(f" Not read: {error}" for error in self.unreadable.values())
        return (
            f"{self.subject} has no ROI {name!r} in {self.layout.roi_directory(self.subject)}."
            f"{hint}{lost} Known sets and labels:\n" + ("\n".join(lines) or f"  none. {GET_DATA}")
        )


def find_label(name: str, tables: Mapping[str, Mapping[str, int]]) -> tuple[str, str | None] | None:
    """Set and label that a name means, the label None for a whole set; None if there are none.

    Parameters
    ----------
    name : str
        Of a set, of a label, or ``set/label``.
    tables : mapping
        Set name → {label: value}.
    """
    if name in tables or name in PREFERRED_SETS:
        return name, None
    wanted, _, label = name.rpartition("/")
    sets = [wanted] if wanted else _by_preference(tables)
    return next(((one, label) for one in sets if label in tables.get(one, {})), None)


def _find_sets(layout: NsdLayout, subject: str) -> dict[str, Path | None]:
    """Sets that have a mask file or a label table, and the table: the subject's, or fsaverage's."""
    volumes = (file.name for file in layout.roi_directory(subject).glob("*.nii.gz"))
    names = (name.removesuffix(".nii.gz") for name in volumes)
    tables: dict[str, Path | None] = dict.fromkeys(
        name for name in sorted(names) if not name.startswith(HEMISPHERES)
    )
    for folder in reversed(layout.label_directories(subject)):
        for path in sorted(folder.glob("*.mgz.ctab")):
            name = path.name.removesuffix(".mgz.ctab")
            if name in tables or name in PREFERRED_SETS:
                tables[name] = path
    return tables


def _by_preference(tables: Mapping[str, Mapping[str, int]]) -> list[str]:
    listed = [name for name in PREFERRED_SETS if name in tables]
    return listed + [name for name in tables if name not in PREFERRED_SETS]
