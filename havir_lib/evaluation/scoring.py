"""Score reconstructions: one value per image and metric."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from havir_lib.errors import ShapeError
from havir_lib.evaluation import networks
from havir_lib.evaluation.metrics import Metric, Preparation, get_metrics
from havir_lib.evaluation.preparation import check_images, prepare
from havir_lib.provenance import digest

log = logging.getLogger(__name__)


class TruthFeatures:
    """Ground-truth images whose network features are computed once and shared by all methods.

    Parameters
    ----------
    images : uint8 array (n, H, W, 3)
    device : str
        Where the networks run, e.g. ``"cuda"``.
    batch_size : int
        Images per forward pass.
    """

    def __init__(self, images: np.ndarray, device: str = "cpu", batch_size: int = 32) -> None:
        check_images(images)
        self.images = images
        self.device = device
        self.batch_size = batch_size
        self._known: dict[tuple[str, Preparation, str], np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.images)

    def of(self, group: list[Metric]) -> list[np.ndarray]:
        """Features (n, F) for metrics that share a network and its input."""
        missing = [metric for metric in group if _key(metric) not in self._known]
        if missing:
            found = _features(self.images, missing, self.device, self.batch_size)
            self._known.update(zip(map(_key, missing), found, strict=True))
        return [self._known[_key(metric)] for metric in group]


def score(
    reconstructions: np.ndarray,
    truth: np.ndarray | TruthFeatures,
    metrics: Sequence[str],
    image_ids: Sequence[int] | None = None,
    device: str = "cpu",
    batch_size: int = 32,
) -> pd.DataFrame:
    """Score each reconstruction against its image.

    Parameters
    ----------
    reconstructions : uint8 array (n, H, W, 3)
        One reconstruction per image; height and width may differ from those of `truth`.
    truth : uint8 array (n, H, W, 3) or TruthFeatures
        The images that were seen, in the same order. The features of the latest array are
        remembered, so scoring several methods in turn computes them once. Of
        :class:`TruthFeatures`, its own device and batch size apply.
    metrics : sequence of str
        Names in :data:`havir_lib.evaluation.metrics.METRICS`.
    image_ids : sequence of int, optional
        Names of the images in the result (0-based nsdId); default 0..n-1.

    Returns
    -------
    pandas.DataFrame
        Columns image, metric, value; n rows per metric, in the order of `metrics`.

    Raises
    ------
    ConfigError
        If a metric is unknown.
    ShapeError
        If images are not uint8 (n, H, W, 3) or counts differ.
    WeightsError
        If a network's weights are missing.
    """
    ids = range(len(truth)) if image_ids is None else image_ids
    return score_by(get_metrics(metrics), reconstructions, truth, ids, device, batch_size)


def score_by(
    rows: Sequence[Metric],
    reconstructions: np.ndarray,
    truth: np.ndarray | TruthFeatures,
    image_ids: Sequence[int],
    device: str = "cpu",
    batch_size: int = 32,
) -> pd.DataFrame:
    """:func:`score` by metrics that need not be known by name."""
    if not isinstance(truth, TruthFeatures):
        truth = _remembered(truth, device, batch_size)
    ids = list(image_ids)
    _check(reconstructions, truth, ids)
    values: dict[str, np.ndarray] = {}
    for group in grouped(list(rows)):
        compare = _pixel_scores if group[0].of_pixels else _feature_scores
        values.update(compare(reconstructions, truth, group))
    tables = [pd.DataFrame({"image": ids, "metric": m.name, "value": values[m.name]}) for m in rows]
    return pd.concat(tables, ignore_index=True)


_latest: dict[tuple, TruthFeatures] = {}


def _remembered(truth: np.ndarray, device: str, batch_size: int) -> TruthFeatures:
    """The latest truth's features if it is the same array; one entry, as it may fill gigabytes."""
    key = (digest(truth), str(device), batch_size)
    if key not in _latest:
        _latest.clear()
        _latest[key] = TruthFeatures(truth, device, batch_size)
    return _latest[key]


def grouped(metrics: list[Metric]) -> list[list[Metric]]:
    """Metrics that can share one pass over the images."""
    groups: dict[tuple, list[Metric]] = {}
    for metric in metrics:
        groups.setdefault((metric.network, metric.preparation), []).append(metric)
    return list(groups.values())


def _pixel_scores(
    reconstructions: np.ndarray, truth: TruthFeatures, group: list[Metric]
) -> dict[str, np.ndarray]:
    # Pixels at 425 px are large, and cheap to prepare again: never keep them all.
    parts: dict[str, list[np.ndarray]] = {metric.name: [] for metric in group}
    for batch in _batches(len(truth), truth.batch_size, "pixels"):
        reals, preds = (
            prepare(images[batch], group[0].preparation, truth.device).permute(0, 2, 3, 1)
            for images in (truth.images, reconstructions)
        )
        for metric in group:
            parts[metric.name].append(metric.compare(reals, preds, device=truth.device))
    return {name: np.concatenate(values) for name, values in parts.items()}


def _feature_scores(
    reconstructions: np.ndarray, truth: TruthFeatures, group: list[Metric]
) -> dict[str, np.ndarray]:
    reals = truth.of(group)
    preds = _features(reconstructions, group, truth.device, truth.batch_size)
    return {
        metric.name: metric.compare(real, pred, device=truth.device)
        for metric, real, pred in zip(group, reals, preds, strict=True)
    }


def _features(
    images: np.ndarray, group: list[Metric], device: str, batch_size: int
) -> list[np.ndarray]:
    """Features (n, F), float32, one array per metric of a group."""
    network = networks.load_network(group[0].network, str(device))
    nodes = [metric.node for metric in group]
    parts = []
    for batch in _batches(len(images), batch_size, group[0].network):
        inputs = prepare(images[batch], group[0].preparation, device)
        parts.append([f.cpu().numpy() for f in networks.features(network, nodes, inputs)])
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _batches(n: int, size: int, what: str) -> list[slice]:
    starts = tqdm(range(0, n, size), desc=what, leave=False, disable=n <= size)
    return (slice(start, start + size) for start in starts)


def _key(metric: Metric) -> tuple[str, Preparation, str]:
    return metric.network, metric.preparation, metric.node


def _check(reconstructions: np.ndarray, truth: TruthFeatures, ids: list[int]) -> None:
    check_images(reconstructions)
    if not len(reconstructions) == len(truth) == len(ids):
        raise ShapeError(
            f"Expected one reconstruction and one id per image, found {len(truth)} images, "
            f"{len(reconstructions)} reconstructions and {len(ids)} ids."
        )
