"""What all parts of the kit share: where results go, the clock, the card."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pandas as pd
import torch

from benchmarks.replica import FULL, TOY, Replica, Sizes
from havir_lib.config import Config, load_config
from havir_lib.devices import describe_device
from havir_lib.io import atomic_write

MATRIX = {"cuda": 8192, "cpu": 1024}
"""Side of the matrices whose product says how fast a device multiplies."""
Result = TypeVar("Result")


@dataclass
class Table:
    """Results in the order they come, each written at once.

    Attributes
    ----------
    path : Path
        ``.csv`` with columns part, what, value, unit, note, device.
    device : str
        In words; of every row.
    """

    path: Path
    device: str
    rows: list[dict] = field(default_factory=list)

    def add(self, part: str, what: str, value: float | str, unit: str = "", note: str = "") -> None:
        """Add a row, write the file, print the row."""
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        row = {"part": part, "what": what, "value": shown, "unit": unit, "note": note}
        self.rows.append({**row, "device": self.device})
        with atomic_write(self.path) as temporary:
            pd.DataFrame(self.rows).to_csv(temporary, index=False, lineterminator="\n")
        print(f"{part:10s} {what}: {shown} {unit} {f'({note})' if note else ''}", flush=True)


@dataclass
class Kit:
    """One run of the kit.

    Attributes
    ----------
    folder : Path
        For weights and workspaces; 40 GB of disk or memory at full size.
    toy : bool
        Small widths.
    device : torch.device
    deadline : float
        By ``time.monotonic()``; what has not begun by then is left out.
    """

    folder: Path
    toy: bool
    device: torch.device
    deadline: float
    table: Table

    @classmethod
    def of(cls, folder: Path, toy: bool, device: torch.device, minutes: float, table: Path) -> Kit:
        """A kit whose clock starts now."""
        words = f"{describe_device(device)}, torch {torch.__version__}"
        words += ", TOY SIZES" if toy else ""
        return cls(folder, toy, device, time.monotonic() + 60 * minutes, Table(table, words))

    @property
    def sizes(self) -> Sizes:
        """Of the networks."""
        return TOY if self.toy else FULL

    @property
    def replica(self) -> Replica:
        """Where the random weights are."""
        return Replica(self.folder.resolve() / "weights")

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    @property
    def precisions(self) -> tuple[torch.dtype, torch.dtype]:
        """The peers' and ours; a CPU has only one that is fast."""
        on_card = self.device.type == "cuda"
        return (torch.float16, torch.bfloat16) if on_card else (torch.float32, torch.float32)

    def config(self, **overrides: object) -> Config:
        """The ``paper`` profile on the replica's weights."""
        from benchmarks.bench_full_size import TOY_OVERRIDES
        from benchmarks.replica import overrides_of

        own = {"data.root": ".", "weights.hub_cache": str(self.replica.hub_cache)}
        small = TOY_OVERRIDES if self.toy else {}
        replica = overrides_of(self.replica.root, self.sizes)
        return load_config("paper", {**own, **small, **replica, **overrides})

    def seconds(self, act: Callable[[], Result]) -> tuple[float, Result]:
        """Wall-clock time of an act and of all that it left to the card."""
        self.synchronize()
        start = time.perf_counter()
        result = act()
        self.synchronize()
        return time.perf_counter() - start, result

    def synchronize(self) -> None:
        """Wait for the card."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def forget_peak(self) -> None:
        """Give back unused memory and measure the peak from here on."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def add_peak(self, part: str, what: str) -> None:
        """Most memory that tensors took on the card since :meth:`forget_peak`; nothing on a CPU."""
        if self.device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(self.device) / 2**30
            self.table.add(part, f"{what}, peak memory", peak, "GiB")

    def matrix_rate(self) -> float:
        """Floating-point operations per second of a large matrix product, in our precision."""
        n = MATRIX[self.device.type]
        a, b = (torch.randn(n, n, device=self.device).to(self.precisions[1]) for _ in range(2))
        for _ in range(3):
            a @ b
        seconds, _ = self.seconds(lambda: [a @ b for _ in range(10)])
        return 10 * 2 * n**3 / seconds
