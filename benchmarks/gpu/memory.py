"""What a run says when the card is full: another process holds all but a little of it."""

from __future__ import annotations

import torch

from benchmarks.gpu.kit import Kit
from benchmarks.gpu.notebooks import THREADS, execute, paper_plan
from havir_lib.runner.environment import for_step
from havir_lib.workflow import Plan, Step

PART = "memory"
LEFT = (2 * 2**30, 64 * 2**20)
"""Bytes left free: enough to begin, and not even enough for that."""
BRANCH = "05_semantic_extractor"


def run(kit: Kit) -> None:
    """Train on a card that others fill, and keep the last line of what is said."""
    if kit.device.type != "cuda":
        kit.table.add(PART, "a full card", "not tried", "", "there is no card")
        return
    for seed, left in enumerate(LEFT, start=1):
        step = _step(kit, seed)
        free, _ = torch.cuda.mem_get_info(kit.device)
        held = torch.empty(max(free - left, 0), dtype=torch.uint8, device=kit.device)
        plan = paper_plan(kit)
        job = execute(kit, "paper", step, for_step(plan.folder, THREADS, kit.replica.environment))
        del held
        kit.forget_peak()
        what = f"{BRANCH} with {left / 2**20:.0f} MiB free says"
        kit.table.add(PART, what, job.last_words, "", f"exit code {job.code}")


def _step(kit: Kit, seed: int) -> Step:
    """Trains anew: with another seed nothing of it is in the cache."""
    plan = paper_plan(kit)
    plan = Plan.of("paper", plan.overrides | {"seed": seed})
    return next(x for x in plan.steps if x.name == f"{BRANCH}_{plan.config.data.base_subject}")
