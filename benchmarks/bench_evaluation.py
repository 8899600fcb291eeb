"""Time the metrics against the way the field's notebook computes them.

The baseline restates MindEye's ``Reconstruction_Metrics.py`` on the same networks: one pass over
images and reconstructions per metric, all images in one batch (so --n is bounded by memory),
``np.corrcoef`` of everything at once, pixel scores one image after the other. The largest
difference between the two results is printed.

    python benchmarks/bench_evaluation.py --n 100
"""

import argparse
import time

import numpy as np
import torch
from PIL import Image
from scipy.spatial.distance import correlation
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity

from havir_lib.config import load_config
from havir_lib.evaluation import TruthFeatures, get_metrics, networks, score
from havir_lib.evaluation.preparation import prepare


def pictures(n: int, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Coloured blobs and noisy copies, (n, size, size, 3)."""
    blobs = rng.integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)
    truth = np.stack([np.asarray(Image.fromarray(b).resize((size, size))) for b in blobs])
    noisy = truth + rng.normal(0, 60, truth.shape)
    return truth, np.clip(noisy, 0, 255).astype(np.uint8)


def field_features(metric, images: np.ndarray) -> np.ndarray:
    """All features of one metric, as the notebook's ``get_feature_maps`` makes them."""
    network = networks.NETWORKS[metric.network]().eval()
    with torch.inference_mode(), networks._recorded(network, [metric.node]) as outputs:
        network(prepare(images, metric.preparation))
    return outputs[metric.node].flatten(1).numpy()


def field_score(metric, truth: np.ndarray, made: np.ndarray) -> np.ndarray:
    """One metric per image, in the notebook's way."""
    n = len(truth)
    if metric.network is None:
        prepared = [
            prepare(x, metric.preparation).permute(0, 2, 3, 1).numpy() for x in (truth, made)
        ]
        if metric.name == "PixCorr":
            flat = [x.reshape(n, -1) for x in prepared]
            return np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(*flat, strict=True)])
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        greys = [rgb2gray(x) for x in prepared]
        return np.array(
            [
                structural_similarity(b, a, data_range=1.0, **options)
                for a, b in zip(*greys, strict=True)
            ]
        )
    reals, preds = (field_features(metric, x) for x in (truth, made))
    if not metric.higher_is_better:
        return np.array([correlation(a, b) for a, b in zip(reals, preds, strict=True)])
    r = np.corrcoef(reals, preds)[:n, n:]
    return (r < np.diag(r)).sum(axis=0) / (n - 1)


def main() -> None:
    """Compare and time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="demo", help="whose metrics to compute")
    parser.add_argument("--n", type=int, default=100, help="images")
    parser.add_argument("--size", type=int, default=128, help="pixels per side")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--skip", nargs="*", default=[], help="metrics whose weights are missing")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    names = [m for m in load_config(options.profile).evaluation.metrics if m not in options.skip]
    truth, made = pictures(options.n, options.size, np.random.default_rng(0))

    started = time.perf_counter()
    baseline = {m.name: field_score(m, truth, made) for m in get_metrics(names)}
    field_seconds = time.perf_counter() - started

    features = TruthFeatures(truth, batch_size=options.batch_size)
    started = time.perf_counter()
    table = score(made, features, names)
    first_seconds = time.perf_counter() - started
    started = time.perf_counter()
    score(made, features, names)
    next_seconds = time.perf_counter() - started

    for name, group in table.groupby("metric", sort=False):
        error = np.abs(group["value"].to_numpy() - baseline[name]).max()
        print(f"{name:18s} mean {group['value'].mean():.4f}  largest difference {error:.1e}")
    print(f"field's way          {field_seconds:7.2f} s")
    print(f"ours, first method   {first_seconds:7.2f} s  ({field_seconds / first_seconds:.1f}x)")
    print(f"ours, next methods   {next_seconds:7.2f} s  ({field_seconds / next_seconds:.1f}x)")


if __name__ == "__main__":
    main()
