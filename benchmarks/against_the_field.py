"""Each step of a run beside the field's way of doing it, and beside what the machine can do.

    python -m benchmarks.against_the_field              writes benchmarks/results.csv and results.md
    python -m benchmarks.against_the_field --only PixCorr        measures one line of them anew

CPU seconds on one thread, the least of three. Baselines restate the peers' way without steps that
only make it look slow, and the largest difference between both results stands beside the times.
Floors are what a step cannot do without, by the fastest means at hand: reading the bytes, inflating
them, the matrix product. Each side of each step runs in a process of its own, whose memory is that
of the side (Linux only); what it reads is written once.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import bench_parts
from havir_lib.io import atomic_write, write_text

HERE = Path(__file__).parent
TABLE = HERE / "results.csv"
SIDES = ("baseline", "ours", "floor")
TIMES = 3
GRID, TRIALS, VOXELS = (81, 104, 83), 60, 15_000
"""NSD's grid at 1.8 mm; a session has 750 trials, of which so many are written here."""
OUTSIDE = 20  # slices of X outside of the brain
Sides = dict[str, Callable[[], np.ndarray | None]]


def _session() -> np.ndarray:
    """Betas (X, Y, Z, trials) int16."""
    rng = np.random.default_rng(0)
    volume = rng.normal(0, 300, (*GRID, TRIALS)).astype(np.int16)
    volume[:OUTSIDE] = 0
    return volume


def _wanted() -> np.ndarray:
    """Voxels (V, 3) inside: a connected part, as a mask has it."""
    inside = np.argwhere(np.ones(GRID, bool))
    inside = inside[inside[:, 0] >= OUTSIDE]
    return inside[100_000 : 100_000 + VOXELS]


def betas_hdf5(folder: Path) -> Sides:
    """Voxels of a session, HDF5"""
    import h5py

    from havir_lib.data.betas import read_betas

    path = folder / "betas_session01.hdf5"
    ijk = _wanted()
    if not path.is_file():
        columns = np.ascontiguousarray(_session().reshape(-1, TRIALS))
        with h5py.File(path, "w") as file:
            shape = (TRIALS, *GRID[::-1])
            brick = file.create_dataset("betas", shape, "i2", chunks=(TRIALS, 1, 1, 1))
            for k, (x, y, z) in enumerate(np.ndindex(GRID)):
                brick.id.write_direct_chunk((0, z, y, x), columns[k].tobytes())

    def baseline() -> np.ndarray:
        with h5py.File(path) as file:
            whole = file["betas"][:]  # (trials, Z, Y, X)
        return whole[:, ijk[:, 2], ijk[:, 1], ijk[:, 0]]

    with h5py.File(path) as file:
        brick = file["betas"].id
        places = [brick.get_chunk_info_by_coord((0, z, y, x)).byte_offset for x, y, z in ijk]

    def floor() -> None:
        """The bytes of each voxel from where they lie."""
        with path.open("rb") as file:
            for place in places:
                os.pread(file.fileno(), 2 * TRIALS, place)

    return {"baseline": baseline, "ours": lambda: read_betas(path, ijk), "floor": floor}


def betas_nifti(folder: Path) -> Sides:
    """Voxels of a session, .nii.gz"""
    import nibabel as nib
    from isal import igzip

    from havir_lib.data.betas import read_betas

    path = folder / "betas_session01.nii.gz"
    ijk = _wanted()
    if not path.is_file():
        nib.save(nib.Nifti1Image(_session(), np.eye(4)), path)

    def baseline() -> np.ndarray:
        whole = np.asanyarray(nib.load(path).dataobj)  # the peers' get_fdata makes doubles of it
        return whole[tuple(ijk.T)].T

    def floor() -> None:
        with igzip.open(path) as stream:
            while stream.read(1 << 22):
                pass

    return {"baseline": baseline, "ours": lambda: read_betas(path, ijk), "floor": floor}


def _pictures(n: int) -> tuple[np.ndarray, np.ndarray]:
    from PIL import Image

    rng = np.random.default_rng(0)
    blobs = rng.integers(0, 256, (n, 16, 16, 3), dtype=np.uint8)
    truth = np.stack([np.asarray(Image.fromarray(x).resize((425, 425))) for x in blobs])
    made = np.clip(truth + rng.normal(0, 60, truth.shape), 0, 255).astype(np.uint8)
    return (truth / 255).astype(np.float32), (made / 255).astype(np.float32)


def pixcorr(folder: Path) -> Sides:
    """PixCorr, 24 images of 425 px"""
    from havir_lib.evaluation.pixels import pixel_correlation

    a, b = _pictures(24)
    x, y = (images.reshape(len(images), -1) for images in (a, b))
    return {
        "baseline": lambda: np.array([np.corrcoef(p, q)[0, 1] for p, q in zip(x, y, strict=True)]),
        "ours": lambda: pixel_correlation(a, b),
        "floor": lambda: np.einsum("ij,ij->i", x, y),
    }


def structural(folder: Path) -> Sides:
    """SSIM, 24 images of 425 px"""
    return _of_part(bench_parts.similarity)


def _of_part(make: Callable[[np.random.Generator], bench_parts.Part]) -> Sides:
    before, after, _ = make(np.random.default_rng(0))
    return {"baseline": before, "ours": after}


def identification(folder: Path) -> Sides:
    """Two-way identification, 200 images of 57,600 features"""
    from havir_lib.evaluation.identification import two_way_identification

    rng = np.random.default_rng(0)
    a = rng.standard_normal((200, 57_600), dtype=np.float32)
    b = 0.05 * a + rng.standard_normal(a.shape, dtype=np.float32)

    def baseline() -> np.ndarray:
        r = np.corrcoef(a, b)[: len(a), len(a) :]
        return (r < np.diag(r)).sum(axis=0) / (len(a) - 1)

    return {
        "baseline": baseline,
        "ours": lambda: two_way_identification(a, b),
        "floor": lambda: a @ b.T,
    }


def nearest_images(folder: Path) -> Sides:
    """Nearest of 3,000 images, 40 queries of 65 x 128 tokens"""
    from havir_lib.evaluation.nearest import nearest

    rng = np.random.default_rng(0)
    pool = rng.standard_normal((3000, 65, 128), dtype=np.float32)
    queries = pool[:40] + rng.standard_normal((40, 65, 128), dtype=np.float32)
    x, y = queries.reshape(40, -1), pool.reshape(3000, -1)
    return {
        "baseline": lambda: np.corrcoef(x, y)[:40, 40:].argmax(1),
        "ours": lambda: nearest(queries, pool, np.arange(3000)),
        "floor": lambda: (x @ y.T).argmax(1),
    }


def eight_metrics(folder: Path) -> Sides:
    """Eight metrics of the demo, first method, 40 images of 128 px"""
    return _metrics(fresh=True)


def further_metrics(folder: Path) -> Sides:
    """Eight metrics of the demo, further methods, 40 images of 128 px"""
    return _metrics(fresh=False)


def _metrics(fresh: bool) -> Sides:
    from benchmarks.bench_evaluation import field_score, pictures
    from havir_lib.config import load_config
    from havir_lib.evaluation import TruthFeatures, get_metrics, score

    names = [name for name in load_config("demo").evaluation.metrics if name != "Object"]
    truth, made = pictures(40, 128, np.random.default_rng(0))
    known = TruthFeatures(truth, batch_size=8)
    if not fresh:
        score(made, known, names)

    def ours() -> np.ndarray:
        table = score(made, TruthFeatures(truth, batch_size=8) if fresh else known, names)
        return np.concatenate([rows["value"] for _, rows in table.groupby("metric", sort=False)])

    return {
        "baseline": lambda: np.concatenate(
            [field_score(m, truth, made) for m in get_metrics(names)]
        ),
        "ours": ours,
    }


def sampler(folder: Path) -> Sides:
    """Sampler, float32, 8 images, Versatile Diffusion at a quarter of its widths"""
    import torch

    from benchmarks.replica import TOY, Sizes, write_replica
    from benchmarks.stock import Comparison, own_latents, repaired, stock_latents, stock_pipeline
    from havir_lib.diffusion import load_diffusion
    from havir_lib.diffusion.weights import read_config

    sizes = Sizes(
        widths=(80, 160, 320, 320), side=32, vae_widths=(8, 8, 16, 16), vae_depth=1,
        token_width=192, groups=16, clip=TOY.clip, metrics=(),
    )  # fmt: skip
    place = write_replica(folder / "replica", sizes).diffusion
    schedule = read_config(place / "scheduler", "scheduler_config.json")
    generator = torch.Generator().manual_seed(1)
    tokens = [torch.randn(8, n, 192, generator=generator) for n in (257, 77)]
    given = Comparison(*tokens, list(range(8)), (4, 32, 32), steps=4)
    with repaired():
        pipeline = stock_pipeline(place, 77, schedule)
        pipeline.remove_unused_weights()
    model = load_diffusion(place, "cpu")

    def baseline() -> np.ndarray:
        made = []
        with repaired():
            for k in range(8):  # the peers draw one image after the other
                one = Comparison(tokens[0][[k]], tokens[1][[k]], [k], (4, 32, 32), steps=4)
                made.append(stock_latents(pipeline, schedule, one))
        return torch.cat(made).numpy()

    return {"baseline": baseline, "ours": lambda: own_latents(model, given).numpy()}


def ridge(folder: Path) -> Sides:
    """Ridge regression, 1,500 images, 1,400 voxels, 16,384 targets in 4 blocks"""
    return _of_part(bench_parts.ridge)


STEPS: dict[str, Callable[[Path], Sides]] = {
    "betas, HDF5": betas_hdf5,
    "betas, .nii.gz": betas_nifti,
    "PixCorr": pixcorr,
    "SSIM": structural,
    "identification": identification,
    "nearest image": nearest_images,
    "metrics, first": eight_metrics,
    "metrics, further": further_metrics,
    "sampler": sampler,
    "ridge": ridge,
}


@dataclass(frozen=True)
class Side:
    """What one side of a step took: CPU seconds, bytes beyond what it was given, its result."""

    seconds: float
    peak: int
    result: np.ndarray


def measure(act: Callable[[], np.ndarray | None]) -> tuple[list[float], int, np.ndarray]:
    """CPU seconds of each time, most memory beyond that before, and the result."""
    forget_peak()
    before, seconds = peak_memory(), []
    for _ in range(TIMES):
        start = time.process_time()
        result = act()
        seconds.append(time.process_time() - start)
    return seconds, peak_memory() - before, np.asarray(0.0 if result is None else result)


def forget_peak() -> None:
    """From now on the peak is that of what comes; see clear_refs in proc(5)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Most bytes that this process has held since the peak was forgotten (Linux)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


def one_side(step: str, side: str, folder: Path) -> None:
    """In a process of its own: measure one side of a step, and leave what was found."""
    import torch

    torch.set_num_threads(1)
    sides = STEPS[step](folder)
    if side not in sides:
        return
    seconds, peak, result = measure(sides[side])
    np.save(folder / f"{side}.npy", result)
    write_text(folder / f"{side}.json", json.dumps({"seconds": min(seconds), "peak": peak}))


def run_side(step: str, side: str, folder: Path) -> Side | None:
    """Measure one side of a step in a process of its own; None if there is none."""
    command = [sys.executable, "-m", "benchmarks.against_the_field", "--side", side]
    command += ["--only", step, "--folder", str(folder)]
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    subprocess.run(command, check=True, cwd=HERE.parent, env=os.environ | threads)
    file = folder / f"{side}.json"
    if not file.is_file():
        return None
    found = json.loads(file.read_text())
    return Side(found["seconds"], found["peak"], np.load(folder / f"{side}.npy"))


def row_of(step: str, sides: dict[str, Side | None]) -> dict:
    """A line of the table."""
    slow, fast, floor = (sides[name] for name in SIDES)
    spread = max(float(np.std(slow.result)), 1e-12)
    error = float(np.abs(fast.result.astype(float) - slow.result).max()) / spread
    return {
        "step": STEPS[step].__doc__,
        "baseline_seconds": slow.seconds,
        "our_seconds": fast.seconds,
        "ratio": slow.seconds / fast.seconds,
        "floor_seconds": np.nan if floor is None else floor.seconds,
        "share_of_floor": np.nan if floor is None else floor.seconds / fast.seconds,
        "baseline_peak_mb": slow.peak / 1e6,
        "our_peak_mb": fast.peak / 1e6,
        "largest_difference": error,
    }


def with_rows(table: pd.DataFrame, rows: list[dict]) -> pd.DataFrame:
    """A table with the lines of some steps measured anew."""
    kept = table.set_index("step")
    for row in rows:
        kept.loc[row["step"]] = pd.Series(row).drop("step")
    return kept.reset_index()


def as_markdown(table: pd.DataFrame, hardware: str) -> str:
    """The table for people."""
    lines = [
        "# Beside the field's way",
        "",
        f"{hardware}; CPU seconds on one thread, the least of {TIMES}. Made by `python -m "
        "benchmarks.against_the_field`, whose text says what baselines and floors are. Differences "
        "are the largest between both results, in standard deviations of them.",
        "",
        "| step | field, s | here, s | ratio | floor, s | share of floor | field, MB | here, MB "
        "| largest difference |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in table.itertuples():
        cells = [row.step, f"{row.baseline_seconds:.3g}", f"{row.our_seconds:.3g}"]
        cells += [f"**{row.ratio:.1f}x**", f"{row.floor_seconds:.3g}", f"{row.share_of_floor:.2f}"]
        cells += [f"{row.baseline_peak_mb:.0f}", f"{row.our_peak_mb:.0f}"]
        cells += [f"{row.largest_difference:.1g}"]
        lines.append(f"| {' | '.join('–' if cell == 'nan' else cell for cell in cells)} |")
    return "\n".join(lines) + "\n"


def processor() -> str:
    """Its name, where the system tells."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    """Measure every step, or one, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=STEPS)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        one_side(given.only, given.side, given.folder)
        return
    rows = []
    for step in [given.only] if given.only else STEPS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row_of(step, {x: run_side(step, x, Path(folder)) for x in SIDES}))
        print(rows[-1], flush=True)
    table = with_rows(pd.read_csv(TABLE), rows) if given.only else pd.DataFrame(rows)
    with atomic_write(TABLE) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4g", lineterminator="\n")
    write_text(TABLE.with_suffix(".md"), as_markdown(table, processor()))


if __name__ == "__main__":
    main()
