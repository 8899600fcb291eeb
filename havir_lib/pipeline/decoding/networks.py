"""Both branches: trained for HAVIR itself, or for a design that differs from it in one respect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from havir_lib.config import Config
from havir_lib.data.subject import Subject
from havir_lib.pipeline import brains
from havir_lib.pipeline.decoding.shared import full_length, targets
from havir_lib.pipeline.run import Run
from havir_lib.provenance import source_digest
from havir_lib.targets import Targets
from havir_lib.training import Predictions, predict_test, train_branch
from havir_lib.training.branches import fit_of

Branch = Literal["structural", "semantic"]
BRANCHES: tuple[Branch, ...] = ("structural", "semantic")
SHARED_SETTINGS = ("mixup_repeats", "precision", "transfer_layers")
OWN_LOSSES = {  # a network is not trained again because the other branch's loss changed
    "structural": {"mse", "sobel"},
    "semantic": {"softclip", "token_mse", "text", "temperature", "softclip_direction"},
}
ARCHITECTURES = {"structural": "structural_generator", "semantic": "semantic_extractor"}


def _unchanged(config: Config) -> Config:
    return config


@dataclass(frozen=True)
class Design:
    """In what a method of two networks differs from HAVIR; the default is HAVIR.

    Attributes
    ----------
    brain : callable
        ``brain(run, name)`` is the subject with the voxels of each branch as this design has them.
        Here, unlike in the data set, both branches may see the same voxels.
    settings : callable
        ``settings(config)`` is the configuration its networks are built and trained with.
    latent, text : bool
        Whether it predicts a latent at all, and text tokens.
    """

    brain: Callable[[Run, str], Subject] = brains.subject
    settings: Callable[[Config], Config] = _unchanged
    latent: bool = True
    text: bool = True

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The networks it consists of."""
        return BRANCHES if self.latent else ("semantic",)


HAVIR = Design()


@lru_cache(maxsize=256)  # every table asks again, and finding them hashes all betas
def trained(run: Run, name: str, branch: Branch, design: Design = HAVIR) -> Path:
    """Folder of a trained branch: from scratch for the base subject, by transfer for the others."""
    base = None if run.is_base(name) else trained(run, run.base_subject, branch, design)
    config = design.settings(run.config)
    return fitted(run, design.brain(run, name), targets(run, name), branch, config, base)


def fitted(
    run: Run,
    brain: Subject,
    target: Targets,
    branch: Branch,
    config: Config,
    base: Path | None = None,
) -> Path:
    """Folder of one branch trained on `brain` as it is, from `base` or from scratch."""
    recipe = {
        "branch": branch,
        "betas": brain.train_betas[:, getattr(brain, branch)],
        "images": brain.train_images,
        "targets": target.key,
        "architecture": getattr(config, ARCHITECTURES[branch]),
        "fit": fit_of(config, branch, transfer=base is not None),
        "training": _settings_of(config, branch),
        "base": base and base.name,
        "seed": config.seed,
        "source": source_digest("models", "training"),
    }

    def build(folder: Path) -> None:
        train_branch(folder, branch, config, brain, target, base, run.device)

    return run.cached(f"trained_{branch}", recipe, build)


def _settings_of(config: Config, branch: Branch) -> dict:
    """What of ``training``, besides the schedule, this branch depends on."""
    wanted = dict.fromkeys(SHARED_SETTINGS, True) | {"losses": OWN_LOSSES[branch]}
    if branch == "semantic":
        wanted["captions"] = True
    return config.training.model_dump(mode="json", include=wanted)


def history(run: Run, name: str, branch: Branch, design: Design = HAVIR) -> pd.DataFrame:
    """Losses per epoch of a trained branch, with columns branch and subject."""
    frame = pd.read_csv(trained(run, name, branch, design) / "history.csv")
    return frame.assign(branch=branch, subject=name)


def design_predictions(
    run: Run, name: str, design: Design = HAVIR, betas: np.ndarray | None = None
) -> Predictions:
    """What the networks of a design predict for the test images (or for other `betas`)."""
    folders = {branch: trained(run, name, branch, design) for branch in design.branches}
    brain, target = design.brain(run, name), targets(run, name)
    return network_predictions(run, brain, target, folders, betas, design.text)


def network_predictions(
    run: Run,
    brain: Subject,
    target: Targets,
    folders: dict[str, Path],
    betas: np.ndarray | None = None,
    text: bool = True,
) -> Predictions:
    """Predictions of trained branches in `folders`, tokens brought to full length.

    Without `text` they hold no text tokens, because the networks were not trained on any.
    """
    betas = brain.test_betas if betas is None else betas
    recipe = {
        "betas": betas,
        "voxels": [getattr(brain, branch) for branch in folders],
        "networks": {branch: folder.name for branch, folder in folders.items()},
        "text": text,
        "source": source_digest("models", "training"),
    }

    def build(folder: Path) -> None:
        made = predict_test(folders, brain, betas, run.device)
        made = full_length(brain, target, made)
        kept = made if text else Predictions(made.latents, made.image_tokens, None, made.image_ids)
        kept.save(folder / "predictions.npz")

    return Predictions.load(run.cached("predictions", recipe, build) / "predictions.npz")


def shuffled_predictions(run: Run, name: str) -> Predictions:
    """Predictions of HAVIR's networks when each branch gets its voxels in a wrong order."""
    brain = brains.subject(run, name)
    rng = np.random.default_rng([run.config.seed, 982])
    betas = brain.test_betas.copy()
    for branch in BRANCHES:  # shuffle within a branch: same values, other voxels
        voxels = np.flatnonzero(getattr(brain, branch))
        betas[:, voxels] = betas[:, rng.permutation(voxels)]
    return design_predictions(run, name, betas=betas)
