"""One run: a checked configuration, its workspace and its device."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from havir_lib.cache import cached
from havir_lib.config import PLANNED, Config, load_config, profile_digest, wanted_device
from havir_lib.devices import describe_device, gpu_problem, pick_device
from havir_lib.errors import ConfigError, RunError
from havir_lib.paths import Workspace, workspace_of
from havir_lib.targets.vae import full_size

log = logging.getLogger("havir_lib")

NO_GPU = """There is no GPU here, and {weights} is full-size: a run would take weeks. torch says:
    {problem}
If this is a login node, let the run send its steps to the GPUs (-- --profile configs/slurm).
`havir doctor` says which NVIDIA driver is needed. To use the CPU all the same, set device: cpu."""


@dataclass(frozen=True)
class Run:
    """What every step needs to know.

    Attributes
    ----------
    config : Config
        The profile, checked.
    workspace : Workspace
        Where results, figures and tables go.
    chosen_device : torch.device
        What the configuration and this machine make of ``device``.
    """

    config: Config
    workspace: Workspace
    chosen_device: torch.device

    @cached_property
    def device(self) -> torch.device:
        """Where networks run.

        Raises
        ------
        ConfigError
            If that is a CPU, the networks are full-size, and nobody asked for it.
        """
        weights, wanted = self.config.weights, wanted_device(self.config.device)
        if self.chosen_device.type == "cpu" and wanted is None and full_size(weights):
            raise ConfigError(NO_GPU.format(weights=weights.diffusion, problem=gpu_problem()))
        return self.chosen_device

    @property
    def simulated(self) -> bool:
        """Whether every number of this run comes from simulated subjects."""
        return self.config.simulated

    @property
    def subjects(self) -> list[str]:
        """Names of the subjects, base subject included."""
        return self.config.data.subjects

    @property
    def base_subject(self) -> str:
        """The subject trained from scratch on all sessions."""
        return self.config.data.base_subject

    def is_base(self, name: str) -> bool:
        """Whether `name` is the base subject."""
        return name == self.base_subject

    def cached(self, kind: str, recipe: dict[str, Any], build) -> Path:
        """:func:`havir_lib.cache.cached` in this run's workspace."""
        return cached(self.workspace.cache, kind, recipe, build)

    def __hash__(
        self,
    ) -> int:  # a configuration holds lists, so hash by place; equality stays by value
        return hash((self.config.profile, self.workspace.root))


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
    if os.environ.get(PLANNED, found := profile_digest(profile)) != found:
        raise RunError(
            f"The profile {profile} was edited after this run had begun. Start the run again: it "
            "goes on with the new settings and keeps what does not depend on them."
        )
    config = load_config(profile, overrides)
    run = Run(config, workspace_of(config.profile, config.workspace), pick_device(config.device))
    _log_to_console()
    log.info(
        "profile %s (%s) on %s; results in %s",
        config.profile,
        "SIMULATED data" if run.simulated else "measured data",
        describe_device(run.chosen_device),
        run.workspace.root.name,
    )
    return run


def _log_to_console() -> None:
    if not log.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
