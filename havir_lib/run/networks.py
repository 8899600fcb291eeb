"""Both branches: trained for HAVIR itself, or for a design that differs from it in one respect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from havir_lib.cache.remember import Folder
from havir_lib.config import Config
from havir_lib.data.subject import Subject
from havir_lib.models.build import Model
from havir_lib.run import exported
from havir_lib.run.targets import lengths_of
from havir_lib.targets import Targets
from havir_lib.training import BRANCHES, Predictions, branch_settings, predict_images, train_branch
from havir_lib.training.branches import Branch, arrays_of

if TYPE_CHECKING:
    from havir_lib.run.run import Run


def _own(run: Run, name: str) -> Subject:
    return run.subject(name)


def _unchanged(config: Config) -> Config:
    return config


@dataclass(frozen=True)
class Design:
    """In what a method of two networks differs from HAVIR; the default is HAVIR.

    Attributes
    ----------
    subject : callable
        ``subject(run, name)`` is the subject with the voxels of each branch as this design has
        them. Here, unlike in the data set, both branches may see the same voxels.
    settings : callable
        ``settings(config)`` is the configuration its networks are built and trained with.
    latent, text : bool
        Whether it predicts a latent at all, and text tokens.
    """

    subject: Callable[[Run, str], Subject] = _own
    settings: Callable[[Config], Config] = _unchanged
    latent: bool = True
    text: bool = True

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The networks it consists of."""
        return BRANCHES if self.latent else ("semantic",)


HAVIR = Design()


def trained(run: Run, name: str, branch: Branch, design: Design) -> Folder:
    """A trained branch: from scratch for the base subject, by transfer for the others.

    Or by transfer for all of them, from the model that ``training.base_model`` names; that is
    HAVIR's own, so that other designs go on to start from the base subject.
    """
    base = exported.base_model(run, branch) if design == HAVIR else None
    if base is None and name != run.base_subject:
        base = run.model(run.base_subject, branch, design)
    config = design.settings(run.config)
    return fitted(run, design.subject(run, name), run.targets(name), branch, config, base)


def fitted(
    run: Run,
    subject: Subject,
    target: Targets,
    branch: Branch,
    config: Config,
    base: Model | None = None,
) -> Folder:
    """One branch trained on `subject` as it is, from `base` or from scratch."""
    return run.remember_folder(
        f"trained_{branch}",
        train_branch,
        subject.train_betas[:, getattr(subject, branch)],  # (n_trials, V)
        subject.train_images,
        arrays_of(branch, target),
        target.image_ids,
        branch_settings(config, branch, transfer=base is not None),
        base,
        config.seed,
        how={"device": run.device, "checkpoint_seconds": config.training.checkpoint_seconds},
    )


def design_predictions(
    run: Run, name: str, design: Design = HAVIR, betas: np.ndarray | None = None
) -> Predictions:
    """What the networks of a design predict for the test images (or for other `betas`)."""
    models = {branch: run.model(name, branch, design) for branch in design.branches}
    subject, target = design.subject(run, name), run.targets(name)
    return network_predictions(run, subject, target, models, betas, design.text)


def network_predictions(
    run: Run,
    subject: Subject,
    target: Targets,
    models: dict[str, Model],
    betas: np.ndarray | None = None,
    text: bool = True,
) -> Predictions:
    """Predictions of trained branches for the test images, tokens brought to full length."""
    betas = subject.test_betas if betas is None else betas
    parts: dict[str, np.ndarray | Model] = {}
    for branch, model in models.items():
        parts |= {branch: model, f"{branch}_betas": betas[:, getattr(subject, branch)]}
    return run.remember(
        "predictions",
        predict_images,
        image_ids=subject.test_images,
        lengths=lengths_of(run, target, subject.train_images),
        text=text,
        how={"device": run.device},
        **parts,
    )


def shuffled_predictions(run: Run, name: str) -> Predictions:
    """Predictions of HAVIR's networks when each branch gets its voxels in a wrong order."""
    subject = run.subject(name)
    rng = np.random.default_rng([run.config.seed, 982])
    betas = subject.test_betas.copy()
    for branch in BRANCHES:  # shuffle within a branch: same values, other voxels
        voxels = np.flatnonzero(getattr(subject, branch))
        betas[:, voxels] = betas[:, rng.permutation(voxels)]
    return design_predictions(run, name, betas=betas)
