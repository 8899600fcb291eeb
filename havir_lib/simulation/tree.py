"""Write simulated subjects to disk in the layout of the Natural Scenes Dataset.

Third-party NSD code reads the tree unchanged. Three things are ours and not NSD's: the folder
``truth/`` (what generated the data), ``scene_info.csv``, and ``roi_template/`` (the same regions
drawn on the unwarped template, as if the subject's own anatomy were unknown). One file is coarser
than NSD's: ``white-to-fsaverage`` (:mod:`havir_lib.simulation.transforms`).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from havir_lib.config import Config, Simulation
from havir_lib.errors import DataError
from havir_lib.io import read_json, save_arrays, write_json, write_text
from havir_lib.noise_ceiling import estimate_ncsnr, zscore_within
from havir_lib.simulation import MARKER
from havir_lib.simulation.anatomy import Anatomy, make_anatomy, roi_volume
from havir_lib.simulation.betas import (
    Gains,
    draw_gains,
    session_betas,
    write_hdf5,
    write_nifti,
    write_nifti_betas,
)
from havir_lib.simulation.describe import description
from havir_lib.simulation.experiment import Experiment, make_design
from havir_lib.simulation.features import visual_features
from havir_lib.simulation.regions import ROI_SETS, label_numbers
from havir_lib.simulation.responses import Tuning, Voxels, draw_tuning, group_voxels, signals
from havir_lib.simulation.scenes import ATTRIBUTES
from havir_lib.simulation.stimuli import (
    ATTRIBUTE_FILE,
    SCENES,
    read_images,
    write_stimuli,
)
from havir_lib.simulation.tables import write_experiment, write_responses
from havir_lib.simulation.transforms import write_transforms

NCSNR_AT_ONCE = 2**27
"""Single-trial betas of which noise ceilings are estimated at once."""
BETAS_AT_ONCE = 2**29
"""Single-trial betas of subjects that are simulated side by side."""


def write_tree(config: Config, root: Path) -> None:
    """Simulate the subjects of ``config.data.subjects`` and write them under `root`.

    Equal configurations write equal bytes. Files appear only when complete; those already there
    are kept, so an interrupted call can be repeated.

    Raises
    ------
    ConfigError
        If a subject is not described in the simulation section.
    DataError
        If `root` holds a tree made from other settings.
    """
    root = Path(root)
    design = make_design(config)
    _claim(config, root)
    experiment = root / "nsddata" / "experiments" / "nsd"
    write_experiment(design, experiment)
    if not (root / SCENES).is_file():
        write_stimuli(design, config.simulation.image_size, root, workers=os.cpu_count() or 1)
    for roi_set in ROI_SETS:
        for subject in ("fsaverage", *design.subjects):
            folder = root / "nsddata" / "freesurfer" / subject / "label"
            write_text(folder / f"{roi_set}.mgz.ctab", _label_table(roi_set))
    missing = [subject for subject in design.subjects if not _truth(root, subject).is_file()]
    with ThreadPoolExecutor(_subjects_at_once(config.simulation, design)) as pool:
        written = pool.map(lambda subject: write_subject(config, design, subject, root), missing)
        list(tqdm(written, "simulating subjects", len(missing), unit="subject"))
    write_text(root / "SIMULATED.md", description(config, design))


def _subjects_at_once(settings: Simulation, design: Experiment) -> int:
    """One per core, as long as their single-trial betas fit into memory side by side."""
    largest = max(np.prod(settings.subjects[name].shape) for name in design.subjects)
    return int(np.clip(BETAS_AT_ONCE // (len(design.sessions) * largest), 1, os.cpu_count() or 1))


def _claim(config: Config, root: Path) -> None:
    """Mark `root` as belonging to these settings, or refuse it."""
    settings = {
        "simulation": config.simulation.model_dump(mode="json"),
        "subjects": list(config.data.subjects),
        "space": config.data.space,
        "betas_version": config.data.betas_version,
    }
    marker = root / MARKER
    if marker.is_file() and read_json(marker) != settings:
        raise DataError(
            f"{root} holds a simulated data set made from other settings ({marker}). "
            "Delete the folder, or choose another one."
        )
    write_json(marker, settings)


def _label_table(roi_set: str) -> str:
    """NSD's label tables have two columns, number and name, separated by one blank."""
    rows = {"Unknown": 0, **label_numbers(roi_set)}
    return "".join(f"{number} {name}\n" for name, number in rows.items())


def _truth(root: Path, subject: str) -> Path:
    return root / "truth" / f"{subject}.npz"


@dataclass(frozen=True)
class Person:
    """One simulated subject; `signal` (n_images, n) has variance 1 over images, or is 0."""

    seed: int
    anatomy: Anatomy
    voxels: Voxels
    gains: Gains
    signal: np.ndarray


def write_subject(config: Config, design: Experiment, subject: str, root: Path) -> None:
    """Write one subject's masks, behaviour, betas and truth; the stimuli must be there."""
    settings = config.simulation
    described = settings.subjects[subject]
    own = make_anatomy(described, settings.warp_mm)
    template = make_anatomy(described, 0.0)
    functional = root / "nsddata" / "ppdata" / subject / config.data.space
    write_masks(own, functional, "roi")
    write_masks(template, functional, "roi_template")
    write_nifti(functional / "brainmask.nii.gz", own.brain.astype(np.uint8), own.affine)
    write_nifti(functional / f"T1_to_{config.data.space}.nii.gz", own.t1, own.affine)
    source = config.data.space.removesuffix("mm")
    write_transforms(described, settings.warp_mm, functional.parent / "transforms", source)
    write_responses(design, subject, functional.parent / "behav" / "responses.tsv")

    rng = np.random.default_rng([described.seed, settings.seed, 3])
    voxels = group_voxels(own, data_mask(own, template), settings.crosstalk)
    tuning = draw_tuning(own, voxels, ATTRIBUTES, rng)
    gains = draw_gains(voxels, settings, rng)
    signal, parts = _signals(design, subject, voxels, tuning, root)
    person = Person(described.seed, own, voxels, gains, signal)
    betas = root / "nsddata_betas" / "ppdata" / subject / config.data.space
    _write_betas(person, settings, design, betas / config.data.betas_version)
    _write_truth(_truth(root, subject), voxels, tuning, gains, parts)


def write_masks(anatomy: Anatomy, functional: Path, folder: str) -> None:
    """Write every region set of an anatomy as ``<folder>/<set>.nii.gz``, and each hemisphere's."""
    for roi_set in ROI_SETS:
        volume = roi_volume(anatomy, roi_set)
        write_nifti(functional / folder / f"{roi_set}.nii.gz", volume, anatomy.affine)
        for name, side in (("lh", -1), ("rh", 1)):
            half = np.where(anatomy.side == side, volume, -1).astype(volume.dtype)
            write_nifti(functional / folder / f"{name}.{roi_set}.nii.gz", half, anatomy.affine)


def data_mask(own: Anatomy, template: Anatomy) -> np.ndarray:
    """Voxels that get data, bool (X, Y, Z): everything that a mask of either kind may ask for."""
    asked = [roi_volume(a, name) > 0 for a in (own, template) for name in ROI_SETS]
    return np.any(asked, axis=0)


def _signals(
    design: Experiment, subject: str, voxels: Voxels, tuning: Tuning, root: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Noise-free responses to the subject's images, (n_images, n), 0 where voxels see nothing."""
    ids = design.images_of(subject)
    attributes = np.load(root / ATTRIBUTE_FILE)[ids]
    visual = voxels.group > 0
    features = visual_features(read_images(root, ids))
    some, parts = signals(tuning, voxels.semantic_share[visual], features, attributes)
    everywhere = np.zeros((len(ids), len(visual)), np.float32)
    everywhere[:, visual] = some
    return everywhere, parts


def _write_betas(person: Person, settings: Simulation, design: Experiment, folder: Path) -> None:
    """Write every session that is not there yet, and the noise ceiling of all of them."""
    shown = design.masterordering.reshape(design.n_sessions, -1) - 1
    sessions = []
    for session, images in enumerate(shown, start=1):
        rng = np.random.default_rng([person.seed, settings.seed, 4, session])
        sessions.append(session_betas(person.signal, images, person.gains, settings, rng))
        path = folder / f"betas_session{session:02d}.{settings.betas_format}"
        if not path.is_file():
            _write_session(path, sessions[-1], person)
    ncsnr = np.zeros(person.anatomy.shape, np.float32)
    ncsnr[tuple(person.voxels.ijk.T)] = _ncsnr(sessions, design)
    write_nifti(folder / "ncsnr.nii.gz", ncsnr, person.anatomy.affine)


def _ncsnr(sessions: list[np.ndarray], design: Experiment) -> np.ndarray:
    """Of every voxel; some voxels at a time, since 40 sessions of a whole brain take 30 GB."""
    n_voxels, parts = sessions[0].shape[1], []
    step = max(1, NCSNR_AT_ONCE // len(design.masterordering))
    for start in range(0, n_voxels, step):
        betas = np.concatenate([session[:, start : start + step] for session in sessions])
        z = zscore_within(betas, design.sessions)
        parts.append(estimate_ncsnr(z, design.masterordering))
    return np.concatenate(parts)


def _write_session(path: Path, betas: np.ndarray, person: Person) -> None:
    ijk, shape = person.voxels.ijk, person.anatomy.shape
    if path.suffix == ".hdf5":
        write_hdf5(path, betas, ijk, shape)
    else:
        write_nifti_betas(path, betas, ijk, shape, person.anatomy.affine)


def _write_truth(
    path: Path, voxels: Voxels, tuning: Tuning, gains: Gains, parts: np.ndarray
) -> None:
    visual = voxels.group > 0
    variance = np.zeros((2, len(visual)), np.float32)
    variance[:, visual] = parts * gains.signal_sd[visual] ** 2
    fields = np.full((len(visual), 3), np.nan, np.float32)
    fields[visual] = np.stack([tuning.fields.x, tuning.fields.y, tuning.fields.size], axis=1)
    semantic = np.zeros((len(visual), tuning.semantic.shape[1]), np.float32)
    semantic[visual] = tuning.semantic
    save_arrays(
        path,
        ijk=voxels.ijk,
        group=voxels.group,
        semantic_share=voxels.semantic_share,
        structural_variance=variance[0],
        semantic_variance=variance[1],
        signal_sd=gains.signal_sd,
        noise_sd=gains.noise_sd,
        ncsnr=gains.ncsnr,
        field=fields,
        semantic_weights=semantic,
        attribute_names=np.array(ATTRIBUTES),
    )
