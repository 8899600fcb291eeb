"""Where a training run stands, in memory and on disk.

Files of a run: ``resume.safetensors`` (weights, optimiser, position; one file, so it is always of
one moment; gone when the run is finished), ``best.safetensors``, ``last.safetensors``,
``history.csv``.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from havir_lib.errors import DamagedError, HavirError, WeightsError
from havir_lib.io import write_text
from havir_lib.models.build import Model
from havir_lib.training.checkpoint import fill_model, read_checkpoint, save_model, write_tensors

log = logging.getLogger(__name__)

BEST, LAST, RESUME = "best.safetensors", "last.safetensors", "resume.safetensors"


class TrainingState:
    """Weights, optimiser, position and history of one run.

    Parameters
    ----------
    folder : Path
    model, optimizer, schedule
        What is trained; :meth:`restore` changes them in place.
    settings : dict
        What the run depends on besides the architecture; a checkpoint with others is refused.
    """

    def __init__(
        self,
        folder: Path,
        model: Model,
        optimizer: Optimizer,
        schedule: LRScheduler,
        settings: dict[str, Any],
    ) -> None:
        self.folder, self.settings = folder, settings
        self.model, self.optimizer, self.schedule = model, optimizer, schedule
        self.step = 0
        self.best_epoch: int | None = None
        self._rows: list[dict[str, float]] = []
        self._sums: dict[str, Tensor] = {}  # of the loss terms, over the steps of this epoch
        self._steps_in_epoch = 0
        self._unsaved_best: dict[str, Tensor] | None = None

    @property
    def history(self) -> pd.DataFrame:
        """One row per finished epoch."""
        return pd.DataFrame(self._rows)

    def latest(self, name: str) -> dict[str, str]:
        """The latest value of a column of the history, for display."""
        return {name: f"{self._rows[-1][name]:.4g}"}

    def end_step(self, terms: dict[str, Tensor]) -> None:
        """Note the loss terms of one step."""
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0) + value.detach().float()
        self._steps_in_epoch += 1
        self.step += 1

    def end_epoch(self, validation: dict[str, float]) -> None:
        """Add a row to the history and keep the weights if they are the best so far.

        Raises
        ------
        HavirError
            If the training or validation loss is no longer finite.
        """
        training = {name: x.item() / self._steps_in_epoch for name, x in self._sums.items()}
        row = {  # in alphabetical order, which is also the order that a checkpoint gives back
            "epoch": len(self._rows) + 1,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            **{f"train_{name}": training[name] for name in sorted(training)},
            **{f"val_{name}": validation[name] for name in sorted(validation)},
        }
        if not math.isfinite(row["train_loss"] + row["val_loss"]):
            raise HavirError(
                f"Training diverged in epoch {row['epoch']}: training loss {row['train_loss']}, "
                f"validation loss {row['val_loss']}. "
                f"Lower training.{self.model.branch}.learning_rate."
            )
        best = self.best_epoch
        if best is None or row["val_loss"] < self._rows[best - 1]["val_loss"]:
            self.best_epoch = row["epoch"]
            weights = self.model.state_dict().items()
            self._unsaved_best = {name: x.to("cpu", copy=True) for name, x in weights}
        self._rows.append(row)
        self._sums, self._steps_in_epoch = {}, 0

    def save(self) -> None:
        """Write everything needed to continue; the best weights first, since it refers to them."""
        self._save_best()
        tensors = {f"model.{name}": x for name, x in self.model.state_dict().items()}
        optimizer = self.optimizer.state_dict()
        for index, entries in optimizer["state"].items():
            tensors |= {f"optimizer.{index}.{name}": x for name, x in entries.items()}
        description = {
            **self._description(),
            "step": self.step,
            "steps_in_epoch": self._steps_in_epoch,
            "sums": {name: x.item() for name, x in self._sums.items()},
            "groups": optimizer["param_groups"],
            "schedule": self.schedule.state_dict(),
        }
        write_tensors(self.folder / RESUME, tensors, description)
        self._write_history()

    def finish(self) -> None:
        """Write the final weights and remove what was only needed to continue."""
        self._save_best()
        self._write_history()
        save_model(self.folder / LAST, self.model, **self._description())
        (self.folder / RESUME).unlink(missing_ok=True)

    def is_finished(self) -> bool:
        """Whether `folder` holds the finished run; if so, take over its weights and history.

        A damaged one is deleted, and the log says so.
        """
        if (found := self._whole(LAST)) is None:
            return False
        description, tensors = found
        fill_model(self.model, tensors, self.folder / LAST)
        self._rows, self.best_epoch = description["history"], description["best_epoch"]
        return True

    def restore(self) -> None:
        """Continue from ``resume.safetensors`` if it is there.

        If it, or the best weights that belong to it, are damaged, training begins anew, and the log
        says so.

        Raises
        ------
        WeightsError
            If it belongs to another architecture or other settings.
        """
        path = self.folder / RESUME
        if (found := self._whole(RESUME)) is None:
            return
        description, tensors = found
        if description["best_epoch"] is not None and self._whole(BEST) is None:
            log.warning("%s: its best weights are lost; training begins anew", path)
            return
        fill_model(self.model, _below(tensors, "model."), path)
        self.schedule.load_state_dict(description["schedule"])
        self.optimizer.load_state_dict(
            {"state": _optimizer_state(tensors), "param_groups": description["groups"]}
        )
        self._rows, self.best_epoch = description["history"], description["best_epoch"]
        self.step, self._steps_in_epoch = description["step"], description["steps_in_epoch"]
        device = next(self.model.parameters()).device
        sums = description["sums"].items()
        self._sums = {name: torch.tensor(value, device=device) for name, value in sums}

    def _whole(self, name: str) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        """What a file of the folder holds; None if there is none, or a damaged one, which goes."""
        path = self.folder / name
        if not path.is_file():
            return None
        try:
            return self._read(path)
        except DamagedError as error:
            log.warning("%s It is deleted.", error)
            path.unlink()
            return None

    def _read(self, path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
        description, tensors = read_checkpoint(path)
        for key in ("architecture", "settings"):
            found, expected = description.get(key), self._description()[key]
            if found != expected:
                raise WeightsError(
                    f"{path} was made with another {key}: expected {expected}, found {found}. "
                    "Train in another folder, or delete this one."
                )
        return description, tensors

    def _description(self) -> dict[str, Any]:
        return {
            "architecture": self.model.architecture,
            "settings": self.settings,
            "history": self._rows,
            "best_epoch": self.best_epoch,
        }

    def _save_best(self) -> None:
        if self._unsaved_best is None:
            return
        row = self._rows[self.best_epoch - 1]
        description = {
            "architecture": self.model.architecture,
            "settings": self.settings,
            "epoch": self.best_epoch,
            "val_loss": row["val_loss"],
        }
        write_tensors(self.folder / BEST, self._unsaved_best, description)
        self._unsaved_best = None

    def _write_history(self) -> None:
        write_text(self.folder / "history.csv", self.history.to_csv(index=False))


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): x for n, x in tensors.items() if n.startswith(prefix)}


def _optimizer_state(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, x in _below(tensors, "optimizer.").items():
        index, entry = name.split(".")
        state.setdefault(int(index), {})[entry] = x
    return state
