"""``python -m benchmarks.gpu``: everything that has to be measured on a card, in five minutes.

Each result is in the table as soon as it is there, so a run that is cut off has measured what came
before. A part that fails is noted, and the next one begins.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from contextlib import nullcontext
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from benchmarks.gpu import memory, notebooks, sampling, training, units
from benchmarks.gpu.kit import Kit
from benchmarks.replica import write_replica
from havir_lib.devices import describe_driver, pick_device

TABLE = Path(__file__).parents[1] / "gpu.csv"
PARTS = {
    "sampler": sampling.run,
    "training": training.run,
    "units": units.run,
    "notebooks": notebooks.run,
    "memory": memory.run,
}


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="weights and runs, 40 GB")
    parser.add_argument("--toy", action="store_true", help="small widths, to try the kit itself")
    parser.add_argument("--device", default="auto", choices=("auto", "cuda", "cpu"))
    parser.add_argument("--minutes", type=float, default=5, help="what has not begun is left out")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--table", type=Path, default=TABLE)
    return parser.parse_args()


def main() -> int:
    """Write the weights, run the parts; 1 if one of them failed or was left out."""
    given = arguments()
    device = pick_device(given.device)
    given.folder.mkdir(parents=True, exist_ok=True)
    kit = Kit.of(given.folder, given.toy, device, given.minutes, given.table)
    kit.table.add("kit", "driver", describe_driver())
    seconds, _ = kit.seconds(lambda: _write_weights(kit))
    kit.table.add("kit", "random weights written", seconds, "s")
    return int(not all([_part(kit, name) for name in given.parts]))


def _write_weights(kit: Kit) -> None:
    with torch.device(kit.device) if kit.device.type == "cuda" else nullcontext():
        replica = write_replica(kit.replica.root, kit.sizes)
    os.environ.update(replica.environment)


def _part(kit: Kit, name: str) -> bool:
    """Run one part; whether it went well."""
    if kit.left <= 0:
        kit.table.add(name, "left out", "", "", "the time was over")
        return False
    try:
        seconds, _ = kit.seconds(lambda: PARTS[name](kit))
    except Exception as error:
        traceback.print_exc()
        kit.table.add(name, "FAILED", f"{type(error).__name__}: {error}"[:300])
        return False
    kit.table.add(name, "whole part", seconds, "s")
    return True


if __name__ == "__main__":
    sys.exit(main())
