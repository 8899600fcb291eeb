"""Run ``configs/paper.yaml`` at full size on simulated subjects and random weights.

Everything that decides memory and time per unit is as it will be on NSD: whole-brain grids and
numbers of voxels, 750 trials per session, stimuli of 425 px, Versatile Diffusion at 512 px, tokens
of ViT-L/14, the full Structural Generator and Semantic Extractor, the paper's metric networks. Only
counts are cut: subjects, sessions, images, epochs and sampler steps. The notebooks run through
papermill, one after the other, while time and memory are watched; ``full_size.csv`` gives seconds
per unit, as on a machine that nobody else uses, and extrapolates them to the full counts.

    python -m benchmarks.bench_full_size --folder results/full_size          40 GB of disk
    python -m benchmarks.bench_full_size --folder /tmp/toy --toy             minutes, small widths
    python -m benchmarks.bench_full_size --folder results/full_size --table  only the table

Killed, it continues with the step it was in. The folder may be deleted afterwards.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from benchmarks.measure import watch
from benchmarks.operations import (
    TRAINED,
    FullCounts,
    Operation,
    Watcher,
    from_json,
    notebook_table,
    operation_table,
)
from benchmarks.replica import FULL, TOY, Replica, write_replica
from havir_lib.config import load_config
from havir_lib.devices import pick_device
from havir_lib.download import missing_items
from havir_lib.io import atomic_write, read_json, write_json
from havir_lib.runner.environment import for_step
from havir_lib.workflow import REPORT, Plan, Step

PROFILE = "paper"
TABLE = Path(__file__).with_name("full_size.csv")
GRIDS = {
    "subj01": (81, 104, 83),
    "subj02": (82, 106, 84),
    "subj05": (79, 97, 78),
    "subj07": (78, 95, 81),
}
"""NSD's func1pt8mm grids."""
VOXEL_MM = 2.1
"""Not 1.8: the atlas' areas are thicker than NSD's masks, and this gives NSD's ~15,000 voxels."""
TOY_GRIDS = {"subj01": (20, 14, 12), "subj02": (19, 13, 12)}
TOY_OVERRIDES = {
    "structural_generator.hidden": 32,
    "structural_generator.map_size": 2,
    "structural_generator.map_channels": 8,
    "structural_generator.decoder_channels": [8, 8, 8, 8],
    "semantic_extractor.hidden": 32,
    "comparison.pooled_voxels": 16,
}
FITS = ("structural", "semantic", "transfer_structural", "transfer_semantic")
UNDIVIDED = "with its targets, start and saving; training_steps.csv has the steps alone"
PARTIAL = "was under way before: its seconds are those of the rest"


def simulation(given: argparse.Namespace) -> dict:
    """The ``simulation`` section that stands in for NSD."""
    grids, mm = (TOY_GRIDS, 7.5) if given.toy else (GRIDS, VOXEL_MM)
    return {
        "n_sessions": given.sessions,
        "trials_per_session": 60 if given.toy else 750,
        "repeats": given.repeats,
        "n_shared": given.shared,
        "image_size": 100 if given.toy else 425,
        "crosstalk": 0.1,
        "noise_ceiling": {"early": 37, "intermediate": 28, "higher": 20},
        "subjects": {
            name: {"shape": list(shape), "voxel_mm": mm, "seed": int(name[-2:])}
            for name, shape in list(grids.items())[: given.subjects]
        },
    }


def overrides(given: argparse.Namespace, replica: Replica) -> dict:
    """Settings beside the profile: where things are, and what is cut."""
    simulated = simulation(given)
    return {
        "workspace": str(given.folder / "run"),
        "device": pick_device().type,  # full-size networks on a CPU: meant, for few images
        "simulation": simulated,
        "data.subjects": list(simulated["subjects"]),
        "data.n_sessions": given.sessions,
        **{f"training.{name}.epochs": given.epochs for name in FITS},
        "diffusion.steps": given.steps,
        **(TOY_OVERRIDES if given.toy else {}),
        **replica.overrides,
    }


def check_same(folder: Path, settings: dict) -> None:
    """Refuse to mix results of different settings in one folder."""
    path = folder / "settings.json"
    if path.is_file() and read_json(path) != settings:
        sys.exit(f"{folder} holds a run with other settings ({path}). Choose another folder.")
    write_json(path, settings)


def run_step(step: Step, plan: Plan, given: argparse.Namespace, replica: Replica) -> None:
    """One notebook, watched; its measurement is written when it has ended well."""
    done = given.folder / "measured" / f"{step.name}.json"
    if done.is_file():
        print(f"{step.name}: measured before", flush=True)
        return
    cache = plan.workspace.cache
    remains = sorted(path.parent.name for path in cache.glob("*/*.partial"))
    variables = for_step(plan.folder, given.threads, replica.environment)
    watcher = Watcher(cache, step.name)
    took = watch(
        step.command,
        environment=variables,
        cwd=step.cwd,
        every=0.5,
        on_sample=watcher.look,
    )
    if took.returncode:
        sys.exit(
            f"{step.name} failed after {took.seconds:.0f} s. The notebook as far as it ran: "
            f"{step.log}. Run the same command again to continue with this step."
        )
    result = {"step": step.name, "seconds": took.seconds, "cpu": took.cpu, "peak": took.peak}
    result["remains"] = remains
    result["operations"] = [asdict(item) for item in watcher.operations]
    write_json(done, result)
    print(f"{step.name}: {took.seconds:.0f} s, peak {took.peak / 1e9:.1f} GB", flush=True)


def notebooks(plan: Plan) -> list[Step]:
    """Every step but the report."""
    return [step for step in plan.steps if step.name != REPORT]


def write_table(plan: Plan, given: argparse.Namespace) -> pd.DataFrame:
    """Gather what was measured into the table; see :mod:`benchmarks.operations`."""
    files = [given.folder / "measured" / f"{step.name}.json" for step in notebooks(plan)]
    steps = [read_json(file) for file in files if file.is_file()]
    if not steps:
        sys.exit(f"Nothing was measured in {given.folder / 'measured'} yet.")
    operations: list[Operation] = [x for step in steps for x in from_json(step["operations"])]
    full = FullCounts().of(load_config(PROFILE, {"data.root": "."}))
    full = {what: count for what, count in full.items() if what not in TRAINED}
    work = operation_table(operations, plan.workspace.cache, full, given.threads)
    whole = notebook_table(steps, operations, given.threads)
    resumed = {step["step"] for step in steps if step["remains"]}
    table = pd.concat([work, whole], ignore_index=True)
    concerned = table["step"].map(lambda names: bool(resumed & set(names.split(", "))))
    notes = {PARTIAL: concerned, UNDIVIDED: table["what"].isin(TRAINED)}
    table["note"] = ["; ".join(n for n in notes if notes[n][row]) for row in table.index]
    path = given.folder / TABLE.name if given.toy else TABLE
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4g", lineterminator="\n")
    print(table.to_string(float_format="%.4g"))
    print(f"wrote {path}")
    return table


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="for weights, data and results")
    parser.add_argument("--toy", action="store_true", help="small widths, to try the script itself")
    parser.add_argument("--table", action="store_true", help="only write the table")
    parser.add_argument("--subjects", type=int, default=2, choices=(2, 3, 4))
    parser.add_argument("--sessions", type=int, default=1, help="of each subject")
    parser.add_argument("--repeats", type=int, help="of each image; default 15: 750 / 15 = 50")
    parser.add_argument("--shared", type=int, default=3, help="test images")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2, help="of the sampler")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--through", help="last step to run, e.g. 03_targets")
    given = parser.parse_args()
    given.folder = given.folder.resolve()
    given.repeats = given.repeats or (3 if given.toy else 15)
    return given


def main() -> int:
    """Write what is missing, run what was not measured, write the table."""
    given = arguments()
    replica = write_replica(given.folder / "weights", TOY if given.toy else FULL)
    settings = overrides(given, replica)
    check_same(given.folder, settings)
    os.environ.update(replica.environment)
    plan = Plan.of(PROFILE, settings)
    cached = {"weights.hub_cache": str(replica.hub_cache)}
    lost = missing_items(load_config(PROFILE, settings | cached), what=("weights",))
    if lost:
        sys.exit(f"The replica lacks weights that the profile needs: {lost[0].path}")
    if not given.table:
        for step in notebooks(plan):
            run_step(step, plan, given, replica)
            if step.name == given.through:
                break
    write_table(plan, given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
