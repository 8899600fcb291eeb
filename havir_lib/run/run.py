"""One run: a checked configuration, its workspace and device, and everything it makes."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from havir_lib.cache.remember import Folder, remember, remember_folder
from havir_lib.config import PLANNED, Config, load_config, profile_digest, wanted_device
from havir_lib.data import Stimuli, Subject
from havir_lib.data.readers import Reader, open_reader
from havir_lib.devices import describe_device, gpu_problem, pick_device, precision_on
from havir_lib.errors import ConfigError, RunError
from havir_lib.models.build import Model
from havir_lib.paths import Workspace, workspace_of
from havir_lib.run import data, exported, images, methods, networks, targets, templates
from havir_lib.run.extensions import added_methods, load_extensions
from havir_lib.run.images import Reconstructions
from havir_lib.run.networks import HAVIR, Design
from havir_lib.run.once import once
from havir_lib.targets import Targets
from havir_lib.targets.vae import full_size
from havir_lib.training import Predictions, load_model
from havir_lib.training.branches import Branch
from havir_lib.training.state import BEST

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from havir_lib.diffusion import DualGuidedDiffusion

log = logging.getLogger("havir_lib")

NO_GPU = """There is no GPU here, and {weights} is full-size: a run would take weeks. torch says:
    {problem}
If this is a login node, let the run send its steps to the GPUs (-- --profile configs/slurm).
`havir doctor` says which NVIDIA driver is needed. To use the CPU all the same, set device: cpu."""
SMALL = """The small models know nothing but rendered scenes: of photographs they would keep some
layout, and draw objects that nobody saw. These data are measured ones. Name the published weights
(extends: paper, or weights: {diffusion: shi-labs/versatile-diffusion, clip: ViT-L-14, ...}), or, to
try the way through all the same, set weights: {small_for_photographs: true}."""


def check_weights(config: Config, simulated: bool) -> None:
    """Whether the weights know such pictures as are to be reconstructed.

    Raises
    ------
    ConfigError
        If small models meet photographs and nobody asked for that.
    """
    weights = config.weights
    small = "mini" in (weights.diffusion, weights.clip)
    if small and not simulated and not weights.small_for_photographs:
        raise ConfigError(SMALL)


@dataclass(frozen=True)
class Run:
    """A profile, and the arrays and models that follow from it.

    Every result is computed once and kept in the cache by the content of what it depends on.
    Arrays are read-only; change a copy.

    Attributes
    ----------
    config : Config
        The profile, checked.
    workspace : Workspace
        Where results, figures and tables go.
    chosen_device : torch.device
        What the configuration and this machine make of ``device``.
    added : tuple of str
        Methods of the user's own that it compares.
    """

    config: Config
    workspace: Workspace
    chosen_device: torch.device
    added: tuple[str, ...] = ()
    _made: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def device(self) -> torch.device:
        """Where networks run.

        Raises
        ------
        ConfigError
            If that is a CPU, the networks are full-size, and nobody asked for it; or if they are
            small and the pictures photographs.
        """
        check_weights(self.config, self.simulated)
        weights, wanted = self.config.weights, wanted_device(self.config.device)
        if self.chosen_device.type == "cpu" and wanted is None and full_size(weights):
            raise ConfigError(NO_GPU.format(weights=weights.diffusion, problem=gpu_problem()))
        return self.chosen_device

    @property
    def simulated(self) -> bool:
        """Whether every number of this run comes from simulated subjects.

        Also if their files were written before, and are read like measured ones: a folder that
        simulated subjects were written into says so.
        """
        return self.config.simulated or self.reader.simulated

    @property
    def of_nsd(self) -> bool:
        """Whether the data are NSD's own, which published numbers are about."""
        return not self.simulated and self.config.data.reader == "nsd"

    def stamp(self, figure: Figure | None = None) -> None:
        """Mark a figure of one's own (default: pyplot's current one) if the data are simulated."""
        if self.simulated:
            from matplotlib import pyplot

            from havir_lib.plots.saving import stamp_figure

            stamp_figure(figure or pyplot.gcf())

    @property
    def subjects(self) -> list[str]:
        """Names of the subjects, base subject included."""
        return self.config.data.subjects

    @property
    def base_subject(self) -> str:
        """The subject trained from scratch on all sessions."""
        return self.config.data.base_subject

    def is_base(self, name: str) -> bool:
        """Whether `name` is the base subject, and no other model is the base of all."""
        return name == self.base_subject and self.config.training.base_model is None

    @property
    def others(self) -> list[str]:
        """Subjects that start from the networks of another, by transfer."""
        return [name for name in self.subjects if not self.is_base(name)]

    # --- data

    @cached_property
    def data_root(self) -> Path:
        """Folder of the data in NSD's layout; simulated first if the profile says so."""
        return data.data_root(self)

    @once(keep=2)
    def full_subject(self, name: str) -> Subject:
        """One subject with all its sessions."""
        return data.full_subject(self, name)

    @once(keep=8)
    def subject(self, name: str) -> Subject:
        """One subject as the rest of the analysis sees it.

        The base subject brings all sessions; every other one only its first hours
        (``training.transfer_sessions``) for training, and all its test images.
        """
        return data.hours_of(self, name, self.full_subject(name))

    @cached_property
    def reader(self) -> Reader:
        """What reads the files of this run's subjects."""
        return open_reader(self.config, self.data_root)

    def test_images(self, name: str) -> np.ndarray:
        """Ids of a subject's test images, sorted; its voxels are not read."""
        return data.test_images_of(self, name)

    @cached_property
    def stimuli(self) -> Stimuli:
        """Images and captions by NSD id."""
        return data.stimuli_of(self)

    @once(keep=4)
    def test_stimuli(self, name: str) -> np.ndarray:
        """Stimuli of a subject's test betas, in their order, uint8 (n, H, W, 3)."""
        return self.stimuli.images(self.subject(name).test_images)

    # --- targets and decoders

    @once(keep=8)
    def targets(self, name: str) -> Targets:
        """Latents and tokens of a subject's training images."""
        return targets.targets_of(self, self.subject(name).train_images)

    @once(keep=8)
    def test_targets(self, name: str) -> Targets:
        """Latents and tokens of a subject's test images, in their order."""
        return targets.targets_of(self, self.subject(name).test_images)

    @once(keep=256)
    def trained(self, name: str, branch: Branch, design: Design = HAVIR) -> Folder:
        """Folder of a trained branch: weights, and losses per epoch in ``history.csv``."""
        return networks.trained(self, name, branch, design)

    @once(keep=4)
    def model(self, name: str, branch: Branch, design: Design = HAVIR) -> Model:
        """A trained branch as a torch module."""
        return load_model(self.trained(name, branch, design).path / BEST).eval()

    def export(self, name: str, folder: Path) -> Path:
        """Write a subject's trained branches to a folder, to share and to reconstruct with."""
        return exported.export(self, name, Path(folder))

    def history(self, name: str, branch: Branch, design: Design = HAVIR) -> pd.DataFrame:
        """Losses per epoch of a trained branch, with columns branch and subject."""
        frame = pd.read_csv(self.trained(name, branch, design).path / "history.csv")
        return frame.assign(branch=branch, subject=name)

    @once(keep=4)  # about 1 GB each with NSD's 982 images and full-size tokens
    def predictions(self, name: str, method: str = "HAVIR") -> Predictions:
        """What a method (see ``METHODS``) predicts for a subject's test images.

        Raises
        ------
        ConfigError
            If there is no such method, or only its pictures are known.
        """
        predict = methods.method_of(method).predict
        if predict is None:
            raise ConfigError(f"Only pictures of {method!r} are known; it predicts no tokens.")
        return predict(self, name)

    @once(keep=2)
    def true_predictions(self, name: str) -> Predictions:
        """The true targets of a subject's test images, as a perfect method would predict them."""
        target = self.test_targets(name)
        return targets.as_predictions(target, target.image_ids, self.config.has_text)

    def method_names(self, bounds: bool = True, predicting: bool = False) -> tuple[str, ...]:
        """The methods that this run compares; without `bounds`, only those that compete.

        If `predicting`, only those whose predictions are known, and not just their pictures.
        """
        return methods.method_names(self, bounds, predicting)

    @property
    def why_no_templates(self) -> str:
        """Why there are no template masks in this run, as a sentence; empty if there are."""
        return templates.why_not(self)

    # --- images and scores

    @cached_property
    def diffusion(self) -> DualGuidedDiffusion:
        """The dual-guided diffusion model of this run, on its device."""
        return images.load(self)

    @cached_property
    def weights_content(self) -> str:
        """Hash of the diffusion model's and CLIP's weight files."""
        return targets.weights_content(self)

    @once(keep=4)  # nearly 1 GB each with NSD's 982 images at 512 px
    def images(
        self, name: str, method: str = "HAVIR", configuration: str = "HAVIR"
    ) -> Reconstructions:
        """Reconstructions of every test image of a subject.

        Parameters
        ----------
        name : str
            Subject.
        method : str
            Whose predictions, see :data:`havir_lib.run.methods.METHODS`. What a method does not
            predict is switched off; a method that shows training images is not run through
            diffusion.
        configuration : str
            What is switched off, see :data:`havir_lib.run.images.CONFIGURATIONS`.
        """
        return images.reconstructions(self, name, method, configuration)

    @once(keep=256)  # every table asks again, and finding them hashes all pictures
    def scores(
        self, name: str, method: str = "HAVIR", configuration: str = "HAVIR"
    ) -> pd.DataFrame:
        """Scores of a subject's reconstructions, image by image.

        Returns
        -------
        DataFrame
            Columns image, metric, value, subject, method, configuration.
        """
        made = images.score_images(self, self.images(name, method, configuration))
        return made.assign(subject=name, method=method, configuration=configuration)

    def all_scores(
        self,
        methods: Sequence[str] = ("HAVIR",),
        configurations: Sequence[str] = ("HAVIR",),
        subjects: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Scores of subjects (default: every one of the run), methods and configurations."""
        return pd.concat(
            [
                self.scores(name, method, configuration)
                for name in subjects or self.subjects
                for method in methods
                for configuration in configurations
            ],
            ignore_index=True,
        )

    # --- the cache

    def remember(self, kind: str, function: Callable, *arguments: Any, **options: Any) -> Any:
        """:func:`havir_lib.cache.remember.remember` in this run's workspace."""
        return remember(self.workspace.cache, kind, function, *arguments, **options)

    def remember_folder(
        self, kind: str, function: Callable, *arguments: Any, **options: Any
    ) -> Folder:
        """:func:`havir_lib.cache.remember.remember_folder` in this run's workspace."""
        return remember_folder(self.workspace.cache, kind, function, *arguments, **options)


def open_run(profile: str | Path = "demo", overrides: dict[str, Any] | None = None) -> Run:
    """Load a profile, choose the device, and set up logging for notebooks and scripts.

    Parameters
    ----------
    profile : str or Path
        Name of a profile in ``configs/`` or path of a YAML file.
    overrides : dict, optional
        Dotted keys to change, e.g. ``{"diffusion.steps": 50}``.

    Raises
    ------
    RunError
        If the run that this step belongs to was planned with a profile that is edited by now: its
        figures and tables would be of two configurations.
    """
    digest, _, planned = os.environ.get(PLANNED, "").partition(" ")
    if planned == str(profile) and digest != profile_digest(profile):
        raise RunError(
            f"The profile {profile} was edited after this run had begun. Start the run again: it "
            "goes on with the new settings and keeps what does not depend on them."
        )
    config = load_config(profile, overrides)
    load_extensions(config.extensions)
    added = added_methods(config.extensions)
    if in_notebook := [name for name, file in added.items() if not file]:
        config = config.changed("methods", in_notebook)
    place = workspace_of(config.profile, config.workspace, config.variant)
    elsewhere = config.comparison.pictures
    methods.add_pictures(elsewhere)
    device = pick_device(config.device)
    run = Run(_at_precision(config, device), place, device, (*added, *elsewhere))
    _log_to_console()
    pd.set_option("display.html.use_mathjax", False)  # a caption with $ is no formula
    pd.set_option("display.max_colwidth", 120)  # whole names of methods and regions
    log.info(
        "profile %s (%s) on %s; results in %s",
        config.profile,
        "SIMULATED data" if run.simulated else "measured data",
        describe_device(run.chosen_device),
        run.workspace.root.name,
    )
    return run


def _at_precision(config: Config, device: torch.device) -> Config:
    """The same configuration with the precision that ``auto`` means here."""
    precision = precision_on(device, config.diffusion.precision)
    sampling = config.diffusion.model_copy(update={"precision": precision})
    return config.model_copy(update={"diffusion": sampling})


def _log_to_console() -> None:
    if not log.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
