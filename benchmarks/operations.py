"""What single cached results of a run cost, watched from outside, and what that means in full.

A result is under way while its ``<cache>/<kind>/<key>.partial`` exists, so looking at the cache
folder from time to time gives its seconds and the memory held meanwhile, without touching the code
that is measured.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from havir_lib.cache.store import is_finished, recipe_of
from havir_lib.config import Config, Fit
from havir_lib.diffusion.schedule import n_steps_run
from havir_lib.targets.compute import ARRAYS
from havir_lib.training.checkpoint import read_description
from havir_lib.training.data import split_images
from havir_lib.training.loop import steps_per_epoch

COLUMNS = ["step", "what", "measured_units", "unit", "seconds", "cpu_seconds", "threads"]
COLUMNS += ["peak_gb", "seconds_per_unit", "full_units", "full_hours"]
TRAINED = ("trained_structural", "trained_semantic")
TARGETS = {kind: f"{names[0]}.npy" for kind, names in ARRAYS.items()}


@dataclass
class Operation:
    """One cached result.

    Attributes
    ----------
    kind, key : str
    step : str
        The notebook that made it.
    seconds, cpu : float
        Passed, and computed by all cores together; to within the interval of looking.
    peak : int
        Most bytes held while it was made, by everything that ran.
    first : bool
        Whether it is the first of its kind in its notebook, and so the one that loads the model.
    """

    kind: str
    key: str
    step: str
    seconds: float = 0.0
    cpu: float = 0.0
    peak: int = 0
    first: bool = False


class Watcher:
    """Sees results come into being.

    Parameters
    ----------
    cache : Path
    step : str
    """

    def __init__(self, cache: Path, step: str) -> None:
        self.cache, self.step = cache, step
        self._begin: dict[tuple[str, str], tuple[float, float]] = {}
        self._end: dict[tuple[str, str], tuple[float, float]] = {}
        self._peak: dict[tuple[str, str], int] = {}

    def look(self, held: int, cpu: float) -> None:
        """Note which results are under way, with `held` bytes in memory."""
        now = (time.monotonic(), cpu)
        for partial in self.cache.glob("*/*.partial"):
            key = (partial.parent.name, partial.stem)
            self._begin.setdefault(key, now)
            self._end[key] = now
            self._peak[key] = max(held, self._peak.get(key, 0))

    @property
    def operations(self) -> list[Operation]:
        """The results that were finished, in the order of their beginning."""
        found, kinds = [], set()
        for place, (begin, used) in sorted(self._begin.items(), key=lambda item: item[1]):
            kind, key = place
            if is_finished(self.cache / kind / key):
                seconds, cpu = self._end[place][0] - begin, self._end[place][1] - used
                first = kind not in kinds
                found.append(
                    Operation(kind, key, self.step, seconds, cpu, self._peak[place], first)
                )
                kinds.add(kind)
        return found


def images_and_evaluations(recipe: dict) -> tuple[int, int]:
    """Images of a set of reconstructions, and UNet evaluations of each (0: only decoded)."""
    given = recipe["arguments"]
    options, n = given["options"], len(given["seeds"])
    if not (options.get("use_image", True) or options.get("use_text", True)):
        return n, 0
    if not options.get("use_latent", True):
        return n, options["steps"]
    strength = float(options["strength"])  # a recipe holds the digits of a float as text
    return n, n_steps_run(options["steps"], strength, options["strength_convention"])


def count(folder: Path, kind: str) -> tuple[int, str]:
    """How much work a finished result was, and in which unit."""
    if kind in TARGETS:
        return len(np.load(folder / TARGETS[kind], mmap_mode="r")), "image"
    if kind == "subjects":
        return pd.read_csv(folder / "trials.csv")["session"].nunique(), "session"
    if kind in TRAINED:
        settings = read_description(folder / "last.safetensors")["settings"]
        return training_steps(Fit(**settings["fit"]), settings["images"]), "step"
    if kind == "scores":
        return pd.read_csv(folder / "result.csv")["image"].nunique(), "image"
    return 1, "result"


def training_steps(fit: Fit, n_images: int) -> int:
    """Optimiser steps of a whole training."""
    fitted, _ = split_images(n_images, fit.validation_fraction, seed=0)
    return fit.epochs * steps_per_epoch(fit, len(fitted))


@dataclass(frozen=True)
class FullCounts:
    """The numbers of NSD that the extrapolation multiplies with.

    Attributes
    ----------
    sessions, test, train : int
        Of a subject with all its data (37 sessions).
    hour : int
        Most training images that one session can show.
    """

    sessions: int = 37
    test: int = 982
    train: int = 8859
    hour: int = 750

    def of(self, config: Config, n_subjects: int = 4) -> dict[str, int]:
        """Units of each kind in a full run of a profile: one base subject, others by transfer."""
        others = n_subjects - 1
        steps = config.diffusion.steps
        run = n_steps_run(steps, config.diffusion.strength, config.diffusion.strength_convention)
        # per subject: HAVIR, shuffled, ridge, w/o e_cap, w/o e_img; w/o z', which runs every step;
        # decoded only: z' of HAVIR and ridge. Once, as the test images are everyone's: true
        # targets, these w/o z', their z' decoded
        evaluations = (5 * run + steps) * n_subjects + run + steps
        images = (6 + 2) * n_subjects + 3
        training = config.training
        return {
            "subjects": self.sessions * n_subjects,
            **dict.fromkeys(TARGETS, self.train + self.test + others * self.hour),
            "trained_structural": training_steps(training.structural, self.train)
            + others * training_steps(training.transfer_structural, self.hour),
            "trained_semantic": training_steps(training.semantic, self.train)
            + others * training_steps(training.transfer_semantic, self.hour),
            "UNet evaluations": evaluations * self.test,
            "decoded images": images * self.test,
            "loads of the diffusion model": 5 + n_subjects,  # notebooks 00, 03, 04, 06 to 08
            "scores": (8 * n_subjects + 1) * self.test,  # 4 methods, 4 ablations; true targets once
        }


def operation_table(
    operations: Iterable[Operation], cache: Path, full: dict[str, int], threads: int
) -> pd.DataFrame:
    """One row per kind of work, with the arithmetic of its extrapolation.

    Parameters
    ----------
    threads : int
        Cores that were used.

    Returns
    -------
    DataFrame
        Columns step, what, measured_units, unit, seconds (passed), cpu_seconds (computed by all
        cores together; where others use the machine, that is far less than seconds * threads),
        threads, peak_gb, seconds_per_unit = cpu_seconds / threads / measured_units, full_units,
        full_hours = seconds_per_unit * full_units / 3600; the last two are empty where a kind does
        not simply grow with a count.
    """
    operations = list(operations)
    mixed = {"reconstructions": _reconstruction_rows, "scores": _score_rows}
    rows = []
    for kind in dict.fromkeys(item.kind for item in operations):
        own = [item for item in operations if item.kind == kind]
        if kind in mixed:
            rows += mixed[kind](own, cache)
            continue
        counts = [count(cache / kind / item.key, kind) for item in own]
        rows.append(_row(kind, own, sum(n for n, _ in counts), counts[0][1]))
    for row in rows:
        row |= {"full_units": full.get(row["what"]), "full_hours": None}
        row["threads"] = threads
        row["seconds_per_unit"] = row["cpu_seconds"] / threads / row["measured_units"]
        if row["full_units"] is not None:
            row["full_hours"] = row["seconds_per_unit"] * row["full_units"] / 3600
    return pd.DataFrame(rows)[COLUMNS]


def _row(what: str, own: list[Operation], units: float, unit: str) -> dict:
    seconds = sum(item.seconds for item in own)
    return {
        "step": ", ".join(dict.fromkeys(item.step for item in own)),
        "what": what,
        "measured_units": units,
        "unit": unit,
        "seconds": seconds,
        "cpu_seconds": sum(item.cpu for item in own),
        "peak_gb": max(item.peak for item in own) / 1e9,
    }


def _reconstruction_rows(made: list[Operation], cache: Path) -> list[dict]:
    """Loading, UNet evaluations and decoding."""
    recipes = [recipe_of(cache / item.kind / item.key) for item in made]
    counts = [images_and_evaluations(recipe) for recipe in recipes]
    amounts = {
        "loads of the diffusion model": ("notebook", [float(item.first) for item in made]),
        "UNet evaluations": ("evaluation", [n * evaluations for n, evaluations in counts]),
        "decoded images": ("image", [n for n, _ in counts]),
    }
    return _told_apart(made, amounts)


def _score_rows(made: list[Operation], cache: Path) -> list[dict]:
    """Loading the networks, and scoring."""
    amounts = {
        "loads of the metric networks": ("notebook", [float(item.first) for item in made]),
        "scores": ("image", [count(cache / item.kind / item.key, item.kind)[0] for item in made]),
    }
    return _told_apart(made, amounts)


def _told_apart(made: list[Operation], amounts: dict[str, tuple[str, list[float]]]) -> list[dict]:
    """Rows of several kinds of work that occur together, by non-negative least squares."""
    design = np.array([values for _, values in amounts.values()], dtype=float).T
    seconds, cpu = (
        nnls(design, np.array([getattr(item, name) for item in made]))[0]
        for name in ("seconds", "cpu")
    )
    rows = []
    for (name, (unit, values)), wall, busy in zip(amounts.items(), seconds, cpu, strict=True):
        concerned = [item for item, value in zip(made, values, strict=True) if value]
        total = sum(values)
        row = _row(name, concerned, total, unit)
        rows.append(row | {"seconds": wall * total, "cpu_seconds": busy * total})
    return rows


def notebook_table(
    steps: Iterable[dict], operations: Iterable[Operation], threads: int
) -> pd.DataFrame:
    """One row per notebook, with what it spent outside cached results."""
    operations = list(operations)
    rows = []
    for step in steps:
        own = sum(item.seconds for item in operations if item.step == step["step"])
        rows.append(
            {
                "step": step["step"],
                "what": "whole notebook",
                "measured_units": 1,
                "unit": "notebook",
                "seconds": step["seconds"],
                "cpu_seconds": step["cpu"],
                "peak_gb": step["peak"] / 1e9,
                "threads": threads,
                "outside_results": max(0.0, step["seconds"] - own),
            }
        )
    return pd.DataFrame(rows)


def from_json(items: Iterable[dict]) -> list[Operation]:
    """Operations as they were written down."""
    return [replace(Operation("", "", ""), **item) for item in items]
