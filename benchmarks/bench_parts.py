"""Time the parts of a full-size run that are arithmetic alone, beside the straightforward way.

    python -m benchmarks.bench_parts            writes benchmarks/parts.csv

Widths are those of the `paper` profile (425 px, AlexNet's second layer, all tokens of ViT-L/14 in
blocks), counts what a CPU can hold. "before" is the plain form: scikit-image image by image, NumPy
in double precision, himalaya on as many targets as weights fit into memory, a copy that is hashed.
Wall-clock seconds, the least of three (ridge: of one); `difference` is the largest between the two
results, relative to their spread.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity

from havir_lib.evaluation.correlation import all_correlations
from havir_lib.evaluation.pixels import ssim
from havir_lib.interpretation.patterns import activation_pattern, activation_pattern_norm
from havir_lib.io import atomic_write
from havir_lib.models import predict_ridge
from havir_lib.provenance import digest

TABLE = Path(__file__).with_name("parts.csv")
N_IMAGES, N_ROWS, VOXELS, OUTPUTS = 24, 1500, 1400, 16384
FEATURES = 192 * 31 * 31
BLOCKS = 4
"""Parts whose weights are in memory at once; all tokens of an image and a caption at full size."""
OPTIONS = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
Part = tuple[Callable[[], np.ndarray], Callable[[], np.ndarray], str]


def similarity(rng: np.random.Generator) -> Part:
    """SSIM at 425 px."""
    a, b = rng.random((2, N_IMAGES, 425, 425, 3), dtype=np.float32)

    def before() -> np.ndarray:
        pairs = zip(rgb2gray(b), rgb2gray(a), strict=True)
        return np.array([structural_similarity(x, y, data_range=1, **OPTIONS) for x, y in pairs])

    return before, lambda: ssim(a, b), f"{N_IMAGES} images of 425 px"


def identification(rng: np.random.Generator) -> Part:
    """Correlations of all images with all reconstructions, on AlexNet(2)'s features."""
    a, b = rng.standard_normal((2, 100, FEATURES), dtype=np.float32)
    return (
        lambda: np.corrcoef(a, b)[: len(a), len(a) :],
        lambda: all_correlations(a, b),
        f"100 images of {FEATURES:,} features",
    )


def pattern(rng: np.random.Generator) -> Part:
    """Norms of the activation pattern of the semantic branch."""
    x = rng.standard_normal((1000, 8384), dtype=np.float32)
    y = rng.standard_normal((1000, OUTPUTS // 2), dtype=np.float32)
    return (
        lambda: np.linalg.norm(activation_pattern(x, y), axis=1),
        lambda: activation_pattern_norm(x, [y]),
        f"1,000 images, 8,384 voxels, {OUTPUTS // 2:,} outputs",
    )


def ridge(rng: np.random.Generator) -> Part:
    """Cross-validated ridge regression of many targets, predicted for other betas."""
    from himalaya.ridge import solve_ridge_cv_svd
    from sklearn.model_selection import KFold

    x, new = (rng.standard_normal((n, VOXELS), dtype=np.float32) for n in (N_ROWS, 200))
    y = x @ rng.standard_normal((VOXELS, OUTPUTS), dtype=np.float32) * 0.02
    y += rng.standard_normal(y.shape, dtype=np.float32)
    options = {"alphas": np.logspace(0, 7, 15).astype("f4"), "fit_intercept": True}
    options["cv"] = KFold(5, shuffle=True, random_state=0)

    def before() -> np.ndarray:
        made = []
        for part in np.split(y, BLOCKS, axis=1):
            _, coef, _, intercept = solve_ridge_cv_svd(x, part, n_targets_batch=4096, **options)
            made.append(new @ coef + intercept)
        return np.concatenate(made, axis=1)

    what = f"{N_ROWS:,} images, {VOXELS:,} voxels, {OUTPUTS:,} targets in {BLOCKS} blocks"
    return before, lambda: predict_ridge(x, y, new), what


def hashing(rng: np.random.Generator) -> Part:
    """SHA-256 of an array, by what is also used for the names of cached results."""
    x = rng.integers(0, 255, 10**9, dtype=np.uint8)

    def before() -> np.ndarray:
        return np.frombuffer(hashlib.sha256(x.tobytes()).digest(), np.uint8)

    same = before()
    return before, lambda: same if digest(x) else same, "1 GB"


PARTS = {
    "structural similarity": similarity,
    "two-way identification": identification,
    "activation pattern": pattern,
    "ridge regression": ridge,
    "hash of an array": hashing,
}


def least(act: Callable[[], np.ndarray], times: int) -> tuple[float, np.ndarray]:
    """The least of some wall-clock times, and the result."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        result = act()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def main() -> None:
    """Time every part and write the table."""
    rows = []
    for name, make in PARTS.items():
        before, after, what = make(np.random.default_rng(0))
        times = 1 if make is ridge else 3
        (slow, expected), (fast, found) = least(before, times), least(after, times)
        spread = max(float(np.std(expected)), 1e-12)
        difference = float(np.abs(np.asarray(found, float) - expected).max()) / spread
        row = {"part": name, "what": what, "before_seconds": slow, "after_seconds": fast}
        rows.append({**row, "difference": difference, "threads": torch.get_num_threads()})
        print(rows[-1], flush=True)
    with atomic_write(TABLE) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.3g", lineterminator="\n")


if __name__ == "__main__":
    main()
