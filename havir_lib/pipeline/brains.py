"""Steps 00 to 02: the data set, the subjects, their regions and splits."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from havir_lib.data import Stimuli, Subject, load_stimuli, load_subject, roi_table
from havir_lib.data.layout import layout_of
from havir_lib.data.published import SPACE, compare_counts
from havir_lib.data.rois import RoiAtlas
from havir_lib.data.zscore import WHAT_IT_SEES
from havir_lib.devices import describe_device
from havir_lib.pipeline.run import Run
from havir_lib.provenance import source_digest


def overview(run: Run) -> pd.Series:
    """The choices of this run that matter most to a reader."""
    config = run.config
    return pd.Series(
        {
            "profile": config.profile,
            "data": "SIMULATED" if run.simulated else str(config.data.root),
            "subjects": ", ".join(run.subjects),
            "base subject": run.base_subject,
            "z-scoring": WHAT_IT_SEES[config.data.zscore],
            "diffusion weights": config.weights.diffusion,
            "CLIP weights": config.weights.clip,
            "sampler": f"{config.diffusion.scheduler}, {config.diffusion.steps} steps",
            "device": describe_device(run.chosen_device),
        },
        name="value",
    ).to_frame()


@lru_cache(maxsize=4)
def data_root(run: Run) -> Path:
    """Folder that holds the data in NSD's layout; simulates them first if the profile says so."""
    if not run.simulated:
        return Path(run.config.data.root)
    from havir_lib.simulation.tree import write_tree

    recipe = {
        "simulation": run.config.simulation,
        "subjects": list(run.config.data.subjects),
        "folders": [run.config.data.space, run.config.data.betas_version],
        "source": source_digest("simulation", "noise_ceiling"),
    }
    return run.cached("nsd", recipe, lambda folder: write_tree(run.config, folder))


@lru_cache(maxsize=8)
def subject(run: Run, name: str) -> Subject:
    """One subject as the rest of the analysis sees it.

    The base subject brings all sessions; every other one only its first hours
    (``training.transfer_sessions``) for training, and all its test images.
    """
    brain = full_subject(run, name)
    return brain if run.is_base(name) else brain.hours(run.config.training.transfer_sessions)


@lru_cache(maxsize=2)
def full_subject(run: Run, name: str) -> Subject:
    """One subject with all its sessions."""
    return load_subject(run.config, name, root=data_root(run), cache=run.workspace.cache)


@lru_cache(maxsize=1)
def stimuli(run: Run) -> Stimuli:
    """Images and captions by NSD id."""
    return load_stimuli(run.config, root=data_root(run))


def test_images(run: Run, name: str) -> np.ndarray:
    """Stimuli of the test betas, in their order, uint8 (n, H, W, 3)."""
    return stimuli(run).images(subject(run, name).test_images)


def role_counts(run: Run, name: str) -> pd.DataFrame:
    """Voxels of each region and role, with those that two roles claim."""
    return subject(run, name).role_counts


def region_labels(run: Run) -> pd.DataFrame:
    """Every region that feeds a branch: columns roi, set, label (its integer in the file), role."""
    name = run.base_subject
    regions = regions_with_role(run, name)
    tables = RoiAtlas(layout_of(run.config, data_root(run)), name, subject(run, name).shape).tables
    labels = [tables[row.roi_set][row.roi] for row in regions.itertuples()]
    return regions.rename(columns={"roi_set": "set"}).assign(label=labels)


def voxel_counts(run: Run) -> pd.DataFrame:
    """Voxels per subject, role and region, and per role in all (roi ``"all"``)."""
    rows = []
    for name in run.subjects:
        brain = subject(run, name)
        for row in regions_with_role(run, name).itertuples():
            n = int((brain.rois[row.roi] & getattr(brain, row.role)).sum())
            rows.append({"subject": name, "role": row.role, "roi": row.roi, "n_voxels": n})
        for role in ("structural", "semantic"):
            n = int(getattr(brain, role).sum())
            rows.append({"subject": name, "role": role, "roi": "all", "n_voxels": n})
    return pd.DataFrame(rows)


def published_counts(run: Run) -> pd.DataFrame:
    """Sizes of NSD's masks beside published ones; without rows where the subjects are simulated."""
    measured = not run.simulated and run.config.data.space == SPACE
    names = run.subjects if measured and run.config.data.roi_folder == "roi" else []
    return compare_counts({name: full_subject(run, name).roi_counts for name in names})


def regions_with_role(run: Run, name: str) -> pd.DataFrame:
    """Labelled regions (roi_set, roi, role) of the sets and labels that the roles name."""
    regions = roi_table([subject(run, name)])
    labelled = regions[regions["roi"] != regions["roi_set"]]
    parts = []
    for role in ("structural", "semantic"):
        named = getattr(run.config.data.roles, role)
        chosen = labelled[labelled["roi"].isin(named) | labelled["roi_set"].isin(named)]
        parts.append(chosen[["roi_set", "roi"]].assign(role=role))
    return pd.concat(parts, ignore_index=True)


def split_summary(run: Run) -> pd.DataFrame:
    """Training and test images and trials per subject."""
    rows = []
    for name in run.subjects:
        brain = subject(run, name)
        rows.append(
            {
                "subject": name,
                "training sessions": len(np.unique(brain.train_sessions)),
                "training trials": len(brain.train_images),
                "training images": len(np.unique(brain.train_images)),
                "test images": len(brain.test_images),
                "repeats per test image": f"{brain.test_repeats.min()}–{brain.test_repeats.max()}",
            }
        )
    return pd.DataFrame(rows).set_index("subject")
