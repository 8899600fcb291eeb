"""Fit the reader of objects (:mod:`havir_lib.evaluation.objects`) on training scenes.

Shape words: n scenes, F pooled features, K categories.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from havir_lib.evaluation.metrics import METRICS
from havir_lib.evaluation.networks import features, load_network
from havir_lib.evaluation.objects import ObjectReader, pooled
from havir_lib.evaluation.preparation import prepare
from havir_lib.io import atomic_write
from havir_lib.mini.data import SceneSet

N_LEARNING = 6000
BATCH_SIZE = 32
INVERSE_PENALTY = 0.01
METRIC = "Object"
"""The metric that a reader serves; it says which network sees the pictures, and how."""


def fit_reader(scenes: SceneSet, device: torch.device | str = "cpu") -> ObjectReader:
    """Logistic regression of the main object on standardised features of `scenes`."""
    x = features_of(scenes.images, device)
    scaler = StandardScaler().fit(x)
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=400).fit(
        scaler.transform(x), scenes.main
    )
    weights = np.zeros((x.shape[1], scenes.patches.shape[-1]), dtype=np.float32)
    bias = np.full(weights.shape[1], -np.inf, dtype=np.float32)  # never names what it never saw
    weights[:, model.classes_] = model.coef_.T / scaler.scale_[:, None]
    bias[model.classes_] = model.intercept_ - scaler.mean_ @ weights[:, model.classes_]
    return ObjectReader(weights, bias)


def features_of(images: np.ndarray, device: torch.device | str = "cpu") -> np.ndarray:
    """Pooled features (n, F) of pictures, uint8 (n, H, W, 3)."""
    metric = METRICS[METRIC]
    network = load_network(metric.network, str(device))
    parts = []
    for start in tqdm(range(0, len(images), BATCH_SIZE), desc="reader", unit=f"x{BATCH_SIZE}"):
        inputs = prepare(np.array(images[start : start + BATCH_SIZE]), metric.preparation, device)
        (found,) = features(network, [metric.node], inputs)
        parts.append(pooled(found.cpu().numpy(), network._conv_head.out_channels))
    return np.concatenate(parts)


def read_objects(
    reader: ObjectReader, images: np.ndarray, device: torch.device | str = "cpu"
) -> np.ndarray:
    """Category of the main object of each picture, int (n,)."""
    return reader.named_by(features_of(images, device))


def save_reader(reader: ObjectReader, file: Path) -> None:
    """Write a reader as float16."""
    arrays = {"weights": reader.weights.astype("f2"), "bias": reader.bias.astype("f4")}
    with atomic_write(file) as temporary:
        save_file(arrays, temporary)
