"""Where every file of an NSD tree is; the one place that knows these paths.

The tree is the Natural Scenes Dataset's own (its manual, section "Data files"); simulated subjects
are written in the same layout. ``<root>`` holds ``nsddata``, ``nsddata_betas``,
``nsddata_stimuli``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from havir_lib.config import Config
from havir_lib.errors import DataError, require_file

GET_DATA = (
    "If the subject is simulated, run `havir simulate`; "
    "if it is NSD's, check data.root and run `havir download` for the missing part."
)
BETAS_SUFFIXES = (".hdf5", ".nii.gz")  # in order of preference: HDF5 reads single voxels quickly
CAPTION_FOLDERS = ("nsddata_stimuli/stimuli/nsd/annotations", "nsddata_stimuli/annotations")
"""Where COCO's captions may be, since NSD has none: first nsd_access's place."""
DEPTHS = ("layerB1", "layerB2", "layerB3")
"""NSD's three depths of the cortex."""
ANATOMY = "anatomy behind maps"
GLASS_BRAIN = "maps on MNI's glass brain"
SURFACE = "maps on the average surface"


@dataclass(frozen=True)
class NsdLayout:
    """Paths of one NSD tree.

    Attributes
    ----------
    root : Path
        Folder with ``nsddata``, ``nsddata_betas`` and ``nsddata_stimuli``.
    space : str
        Voxel grid, e.g. ``func1pt8mm``.
    betas_version : str
        Which single-trial estimate, e.g. ``betas_fithrf_GLMdenoise_RR``.
    roi_folder : str
        Folder of ROI masks inside the subject's grid folder.
    """

    root: Path
    space: str = "func1pt8mm"
    betas_version: str = "betas_fithrf_GLMdenoise_RR"
    roi_folder: str = "roi"

    @property
    def stim_info(self) -> Path:
        """Table of all images: ids, COCO ids, who saw what."""
        return self.root / "nsddata/experiments/nsd/nsd_stim_info_merged.csv"

    @property
    def experiment_design(self) -> Path:
        """Order of presentation of all subjects."""
        return self.root / "nsddata/experiments/nsd/nsd_expdesign.mat"

    @property
    def stimuli(self) -> Path:
        """All images as one array."""
        return self.root / "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5"

    def captions(self, named: Sequence[str] | None = None) -> list[Path]:
        """COCO caption files: those of these names, or all that the tree itself holds.

        Parameters
        ----------
        named : sequence of str, optional
            Paths relative to the root. A file that is not there is looked for by its name where
            captions may be; if it is nowhere, the path is returned as given.

        Returns
        -------
        list of Path
            Without `named`, sorted by name; of two files of one name, nsd_access's.
        """
        folders = [self.root / folder for folder in CAPTION_FOLDERS]
        if named is None:
            files = [file for folder in folders for file in folder.glob("captions_*.json")]
            return [file for _, file in sorted({file.name: file for file in files[::-1]}.items())]
        return [self._caption_file(self.root / name, folders) for name in named]

    def _caption_file(self, given: Path, folders: list[Path]) -> Path:
        places = [given, *(folder / given.name for folder in folders)]
        return next((file for file in places if file.is_file()), given)

    def responses(self, subject: str) -> Path:
        """What the subject saw and pressed, trial by trial."""
        return self.root / "nsddata/ppdata" / subject / "behav/responses.tsv"

    def betas_folder(self, subject: str) -> Path:
        """Folder of single-trial betas."""
        return self.root / "nsddata_betas/ppdata" / subject / self.space / self.betas_version

    def betas(self, subject: str, session: int) -> Path:
        """Betas of one session (1-based): the HDF5 file if there is one, else NIfTI."""
        stem = self.betas_folder(subject) / f"betas_session{session:02d}"
        files = [stem.with_name(stem.name + suffix) for suffix in BETAS_SUFFIXES]
        return next((file for file in files if file.is_file()), files[0])

    def anatomy(self, subject: str) -> Path:
        """T1-weighted picture on the grid of the betas."""
        return self.functional(subject) / f"T1_to_{self.space}.nii.gz"

    def brain_mask(self, subject: str) -> Path:
        """1 in the subject's own brain, on the grid of the betas."""
        return self.functional(subject) / "brainmask.nii.gz"

    def ncsnr(self, subject: str) -> Path:
        """Noise ceiling signal-to-noise ratio per voxel."""
        return self.betas_folder(subject) / "ncsnr.nii.gz"

    def functional(self, subject: str) -> Path:
        """Folder of what is on the grid of the betas."""
        return self.root / "nsddata/ppdata" / subject / self.space

    def roi_directory(self, subject: str) -> Path:
        """Folder of ROI masks."""
        return self.functional(subject) / self.roi_folder

    def roi(self, subject: str, roi_set: str) -> Path:
        """Label volume of one set of ROIs, e.g. ``prf-visualrois``."""
        return self.roi_directory(subject) / f"{roi_set}.nii.gz"

    def transforms(self, subject: str) -> Path:
        """Folder of the coordinates that map between the subject's spaces."""
        return self.root / "nsddata/ppdata" / subject / "transforms"

    @property
    def transform_source(self) -> str:
        """The grid's name in the names of transforms: ``func1pt8`` for ``func1pt8mm``."""
        return {"func1mm": "func1pt0"}.get(self.space, self.space.removesuffix("mm"))

    def to_mni(self, subject: str) -> Path:
        """Where each voxel of the MNI template lies in the subject's grid."""
        return self.transforms(subject) / f"{self.transform_source}-to-MNI.nii.gz"

    def to_surface(self, subject: str, hemisphere: str, depth: str) -> Path:
        """Where each vertex of the subject's own surface lies in its grid.

        `hemisphere` is ``lh`` or ``rh``, `depth` e.g. ``layerB2`` (the middle of the cortex).
        """
        return self.transforms(subject) / f"{hemisphere}.{self.transform_source}-to-{depth}.mgz"

    def to_fsaverage(self, subject: str, hemisphere: str) -> Path:
        """Which vertex of the subject's own surface each vertex of fsaverage corresponds to."""
        return self.transforms(subject) / f"{hemisphere}.white-to-fsaverage.mgz"

    def label_directories(self, subject: str) -> list[Path]:
        """Folders of label tables: the subject's own first, then fsaverage's."""
        freesurfer = self.root / "nsddata/freesurfer"
        return [freesurfer / subject / "label", freesurfer / "fsaverage/label"]

    def subjects(self) -> list[str]:
        """Names of the subjects whose betas folder exists."""
        folders = (self.root / "nsddata_betas/ppdata").glob(f"*/{self.space}/{self.betas_version}")
        return sorted(folder.parents[1].name for folder in folders)

    def sessions(self, subject: str) -> list[int]:
        """Numbers (1-based) of the sessions whose betas exist."""
        folder = self.betas_folder(subject)
        pattern = re.compile(r"betas_session(\d+)(\.hdf5|\.nii\.gz)")
        matches = (pattern.fullmatch(file.name) for file in folder.glob("betas_session*"))
        return sorted({int(match[1]) for match in matches if match})


def layout_of(config: Config, root: Path | str | None = None) -> NsdLayout:
    """Layout of the tree a configuration reads; errors as :func:`folder_of`."""
    data = config.data
    folder = folder_of(config, root)
    folder_of_masks = data.roi_folder or NsdLayout.roi_folder
    return NsdLayout(folder, data.space, data.betas_version, folder_of_masks)


def folder_of(config: Config, root: Path | str | None = None) -> Path:
    """Folder of the data that a configuration reads: `root`, else ``data.root``.

    Raises
    ------
    DataError
        If neither is given, as for a simulated data set whose folder nobody named.
    """
    chosen = root or config.data.root
    if chosen is None:
        raise DataError(
            f"No data folder: profile {config.profile!r} has no data.root and none was passed. "
            "`havir simulate` writes the simulated subjects and prints their folder."
        )
    return Path(chosen).expanduser()


def subject_number(name: str) -> int:
    """NSD's number of a subject, e.g. 5 for ``subj05``; its row in the experiment design.

    Raises
    ------
    DataError
        If the name has not NSD's form.
    """
    match = re.fullmatch(r"subj(\d+)", name)
    if match is None or int(match[1]) == 0:
        raise DataError(f"Expected a subject name such as 'subj01', found {name!r}.")
    return int(match[1])


def used_sessions(layout: NsdLayout, subject: str, n_sessions: int | None) -> list[int]:
    """Sessions 1 to `n_sessions`, or all that exist; no gap is allowed.

    A gap would shift every later trial against the order of presentation.

    Raises
    ------
    DataError
        Unknown subject, a session missing in the middle, or fewer sessions than asked for.
    """
    if subject not in layout.subjects():
        raise DataError(
            f"There are no betas of subject {subject!r}: expected the folder "
            f"{layout.betas_folder(subject)}. Subjects found: "
            f"{', '.join(layout.subjects()) or 'none'}. {GET_DATA}"
        )
    found = layout.sessions(subject)
    last = n_sessions or max(found, default=1)
    for session in range(1, last + 1):
        what = f"Betas of {subject}, session {session} of {last} (found sessions {found})"
        require_file(
            layout.betas(subject, session), what, f"{GET_DATA} Or set data.n_sessions to fewer."
        )
    return list(range(1, last + 1))
