"""Seconds of one optimiser step of each branch, at the sizes and batches of ``configs/paper.yaml``.

A whole training also starts, validates and saves; over some steps of a small example that hides
what a step costs. Here each branch trains for one epoch of few and one of more steps, on random
betas and targets, by the same loop as a run; the difference belongs to the steps alone.

    python -m benchmarks.bench_training_steps            minutes of two CPU cores, 16 GB of memory
    python -m benchmarks.bench_training_steps --toy      seconds, narrow networks
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.bench_full_size import TOY_OVERRIDES
from benchmarks.operations import FullCounts
from havir_lib.config import Config, load_config
from havir_lib.devices import pick_device
from havir_lib.io import atomic_write
from havir_lib.targets import Targets
from havir_lib.training import branch_settings
from havir_lib.training.branches import Branch, arrays_of, loss_of, new_model, target_arrays
from havir_lib.training.data import TrainingSet, make_training_set
from havir_lib.training.loop import train

VOXELS = {"structural": 6505, "semantic": 8384}
"""Of subj01 in the full-size benchmark."""
SHAPES = {"latents": (4, 64, 64), "image_tokens": (257, 768), "text_tokens": (5, 77, 768)}
TOY_SHAPES = {"latents": (4, 16, 16), "image_tokens": (5, 16), "text_tokens": (5, 7, 16)}
REPEATS = 3
TABLE = Path(__file__).with_name("training_steps.csv")


def random_targets(n_images: int, shapes: dict[str, tuple]) -> Targets:
    """Targets of that many images, of random numbers."""
    rng = np.random.default_rng(0)

    def read(name: str) -> np.ndarray:
        return rng.standard_normal((n_images, *shapes[name]), dtype="f4").astype("f2")

    return Targets(np.arange(n_images), read)


def random_set(config: Config, branch: Branch, targets: Targets) -> TrainingSet:
    """Random betas for these targets, each image shown `REPEATS` times."""
    ids = targets.image_ids
    shape = (REPEATS * len(ids), VOXELS[branch])
    betas = np.random.default_rng(1).standard_normal(shape, dtype="f4")
    arrays = target_arrays(branch_settings(config, branch), arrays_of(branch, targets))
    return make_training_set(betas, np.tile(ids, REPEATS), arrays, ids)


def seconds_of(config: Config, branch: Branch, n_steps: int, toy: bool) -> float:
    """Of a training of one epoch with that many steps."""
    fit = branch_settings(config, branch).fit.model_copy(update={"epochs": 1})
    fitted = n_steps * fit.batch_size
    n_images = math.ceil(fitted / (1 - fit.validation_fraction))
    targets = random_targets(n_images, TOY_SHAPES if toy else SHAPES)
    data = random_set(config, branch, targets)
    model = new_model(
        branch_settings(config, branch), VOXELS[branch], arrays_of(branch, targets), 0
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        train(
            Path(folder),
            model,
            data,
            loss_of(branch_settings(config, branch)),
            fit,
            device=pick_device(config.device),
            precision=config.training.precision,
            checkpoint_seconds=float("inf"),
        )
        return time.monotonic() - start


def main() -> None:
    """Time both branches and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toy", action="store_true", help="narrow networks, writes nothing")
    parser.add_argument("--few", type=int, default=2, help="steps of the short training")
    parser.add_argument("--many", type=int, default=12, help="steps of the long training")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    config = load_config("paper", {"data.root": ".", **(TOY_OVERRIDES if given.toy else {})})
    full = FullCounts().of(load_config("paper", {"data.root": "."}))
    rows = []
    for branch in ("structural", "semantic"):
        took = []
        for n_steps in (given.few, given.many):
            took.append(seconds_of(config, branch, n_steps, given.toy))
            gc.collect()
        each = (took[1] - took[0]) / (given.many - given.few)
        count = full[f"trained_{branch}"]
        rows.append(
            {
                "branch": branch,
                "voxels": VOXELS[branch],
                "batch": branch_settings(config, branch).fit.batch_size,
                "device": str(pick_device(config.device)),
                "threads": given.threads,
                "few_seconds": took[0],
                "many_seconds": took[1],
                "seconds_per_step": each,
                "full_steps": count,
                "full_hours": each * count / 3600,
            }
        )
    table = pd.DataFrame(rows)
    print(table.to_string(float_format="%.3g"))
    if not given.toy:
        with atomic_write(TABLE) as temporary:
            table.to_csv(temporary, index=False, float_format="%.4g", lineterminator="\n")


if __name__ == "__main__":
    main()
