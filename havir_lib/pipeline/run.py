"""One run: a checked configuration, its workspace and its device."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from havir_lib.cache import cached
from havir_lib.config import Config, load_config
from havir_lib.devices import describe_device, pick_device
from havir_lib.paths import Workspace, workspace_of

log = logging.getLogger("havir_lib")


@dataclass(frozen=True)
class Run:
    """What every step needs to know.

    Attributes
    ----------
    config : Config
        The profile, checked.
    workspace : Workspace
        Where results, figures and tables go.
    device : torch.device
        Where networks run.
    """

    config: Config
    workspace: Workspace
    device: torch.device

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
    """
    config = load_config(profile, overrides)
    run = Run(config, workspace_of(config.profile, config.workspace), pick_device(config.device))
    _log_to_console()
    log.info(
        "profile %s (%s) on %s; results in %s",
        config.profile,
        "SIMULATED data" if run.simulated else "measured data",
        describe_device(run.device),
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
