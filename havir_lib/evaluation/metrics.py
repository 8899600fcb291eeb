"""The table of metrics: what each column of Table III is, exactly.

The paper names its eight metrics without their settings; the rows follow the code that the field
shares (``Reconstruction_Metrics.py`` of MindEye, also used by MindEye2 and NeuroPictor). That code
first resizes both images to 256 px, and ran with torchvision 0.15.2, whose ``Resize`` of tensors
does *not* antialias; both choices move the scores, so both are written down here.

The demo's rows stand for the paper's at the same levels (early and late convolutional features,
pooled features, an image embedding) on networks that Python packages ship.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from havir_lib.errors import ConfigError, did_you_mean
from havir_lib.evaluation.distance import correlation_distance
from havir_lib.evaluation.identification import two_way_identification
from havir_lib.evaluation.objects import READER, SameObject
from havir_lib.evaluation.pixels import pixel_correlation, ssim
from havir_lib.paths import MINI_WEIGHTS

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
# EfficientNet-Lite was trained on (x - 127) / 128 with x in 0..255.
LITE = ((127 / 255,) * 3, (128 / 255,) * 3)
UNCHANGED = ((0.0,) * 3, (1.0,) * 3)


@dataclass(frozen=True)
class Preparation:
    """How images (n, H, W, 3) in 0..255 become a network's input (n, 3, size, size).

    Attributes
    ----------
    size : int
        Side of the square input in pixels.
    first_size : int or None
        Side of a resize before that one; 256 in MindEye's code, whatever the images' size.
    interpolation : {"bilinear", "bicubic"}
    antialias : bool
        Low-pass filter before shrinking. Has no effect on enlarging.
    mean, std : tuple of float
        Per channel, of pixels in 0..1.
    """

    size: int
    first_size: int | None = 256
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    antialias: bool = False
    mean: tuple[float, ...] = UNCHANGED[0]
    std: tuple[float, ...] = UNCHANGED[1]


@dataclass(frozen=True)
class Metric:
    """One column of a comparison table: everything that any table or figure asks of it.

    Attributes
    ----------
    name : str
        Column name, with the network's real name.
    compare : callable
        ``compare(reals, preds, device=...)`` gives one value per image, (n,): of pixels (n, H, W,
        3) in 0..1 as tensors, or of features (n, F) as arrays.
    preparation : Preparation
    network, node : str or None
        Name in :data:`havir_lib.evaluation.networks.NETWORKS` and the module inside it whose
        output is compared; an empty node is the network's own output. None: pixels are compared.
    higher_is_better : bool
    chance : float or None
        The score of a guess, where there is one: 0.5 for two-way identification.
    description, source : str
        For readers of tables: what it measures, and where its settings come from.
    """

    name: str
    compare: Callable[..., np.ndarray]
    preparation: Preparation
    network: str | None = None
    node: str | None = None
    higher_is_better: bool = True
    chance: float | None = None
    description: str = ""
    source: str = ""

    @property
    def content(self) -> list:
        """What its values depend on; not what it is called by readers."""
        return [self.name, self.compare, self.preparation, self.network, self.node]

    @property
    def of_pixels(self) -> bool:
        """Whether pixels are compared (layout), not a network's features (meaning)."""
        return self.network is None

    @property
    def label(self) -> str:
        """The name with an arrow toward better scores."""
        return f"{self.name} {'↑' if self.higher_is_better else '↓'}"


_FIELD = "MindEye, Reconstruction_Metrics.py (torchvision 0.15.2)"
_DEMO = "this companion; stands for {}"


def _field_input(size: int, normalisation: tuple) -> Preparation:
    return Preparation(size, mean=normalisation[0], std=normalisation[1])


def _demo_input(size: int, normalisation: tuple) -> Preparation:
    mean, std = normalisation
    return Preparation(size, first_size=None, antialias=True, mean=mean, std=std)


_PIXELS = _field_input(425, UNCHANGED)

_SSIM_COLUMNWISE = partial(ssim, columnwise=True)
# 1 - r of the features of an image and its reconstruction: the smaller, the better.
_distance = partial(Metric, compare=correlation_distance, higher_is_better=False)
_two_way = partial(Metric, compare=two_way_identification, chance=0.5)

_ROWS = [
    # Pixels: both profiles.
    Metric(
        "PixCorr",
        pixel_correlation,
        _PIXELS,
        source=_FIELD,
        description="Pearson correlation of all RGB values at 425 px",
    ),
    Metric(
        "SSIM",
        ssim,
        _PIXELS,
        source=f"{_FIELD}, scikit-image 0.20 and later",
        description="structural similarity of grey images at 425 px, Gaussian window, sigma 1.5",
    ),
    Metric(
        "SSIM-columnwise",
        _SSIM_COLUMNWISE,
        _PIXELS,
        source="the same call under scikit-image 0.19 and earlier, e.g. Brain-Diffuser",
        description="mean over image columns of one-dimensional structural similarity",
    ),
    # Networks of the paper.
    _two_way(
        "AlexNet(2)",
        preparation=_field_input(256, IMAGENET),
        network="alexnet",
        node="features.4",
        source=_FIELD,
        description="identification by AlexNet features after the 2nd convolution",
    ),
    _two_way(
        "AlexNet(5)",
        preparation=_field_input(256, IMAGENET),
        network="alexnet",
        node="features.11",
        source=_FIELD,
        description="identification by AlexNet features after the 5th convolution",
    ),
    _two_way(
        "Inception",
        preparation=_field_input(342, IMAGENET),
        network="inception_v3",
        node="avgpool",
        source=_FIELD,
        description="identification by pooled Inception v3 features",
    ),
    _two_way(
        "CLIP",
        preparation=_field_input(224, CLIP),
        network="clip_vit_l14",
        node="",
        source=_FIELD,
        description="identification by CLIP ViT-L/14 image embeddings",
    ),
    _distance(
        "EffNet-B",
        preparation=_field_input(255, IMAGENET),
        network="efficientnet_b1",
        node="avgpool",
        source=_FIELD,
        description="correlation distance of pooled EfficientNet-B1 features",
    ),
    _distance(
        "SwAV",
        preparation=_field_input(224, IMAGENET),
        network="swav_resnet50",
        node="avgpool",
        source=_FIELD,
        description="correlation distance of pooled SwAV ResNet-50 features",
    ),
    # Networks that packages ship.
    _two_way(
        "EffNetLite0(2)",
        preparation=_demo_input(224, LITE),
        network="efficientnet_lite0",
        node="_blocks.2",
        source=_DEMO.format("AlexNet(2)"),
        description="identification by EfficientNet-Lite0 features after the 2nd stage",
    ),
    _two_way(
        "EffNetLite0(5)",
        preparation=_demo_input(224, LITE),
        network="efficientnet_lite0",
        node="_blocks.10",
        source=_DEMO.format("AlexNet(5)"),
        description="identification by EfficientNet-Lite0 features after the 5th stage",
    ),
    _two_way(
        "EffNetLite2",
        preparation=_demo_input(260, LITE),
        network="efficientnet_lite2",
        node="_avg_pooling",
        source=_DEMO.format("Inception"),
        description="identification by pooled EfficientNet-Lite2 features",
    ),
    _two_way(
        "MiniCLIP",
        preparation=_demo_input(128, CLIP),
        network="mini_clip",
        node="",
        source=_DEMO.format("CLIP"),
        description="identification by image embeddings of the companion's small CLIP; like the "
        "paper's CLIP it is also a decoding target, which favours it",
    ),
    _distance(
        "EffNetLite0-dist",
        preparation=_demo_input(224, LITE),
        network="efficientnet_lite0",
        node="_avg_pooling",
        source=_DEMO.format("EffNet-B"),
        description="correlation distance of pooled EfficientNet-Lite0 features",
    ),
    _distance(
        "EffNetLite2-dist",
        preparation=_demo_input(260, LITE),
        network="efficientnet_lite2",
        node="_avg_pooling",
        source=_DEMO.format("SwAV"),
        description="correlation distance of pooled EfficientNet-Lite2 features",
    ),
    _distance(
        "MiniCLIP-dist",
        preparation=_demo_input(128, CLIP),
        network="mini_clip",
        node="",
        source=_DEMO.format("SwAV"),
        description="correlation distance of small-CLIP image embeddings; also a decoding target",
    ),
]

_ROWS.append(
    Metric(
        "Object",
        SameObject(MINI_WEIGHTS / READER),
        _demo_input(260, LITE),
        network="efficientnet_lite2",
        node="_swish",
        chance=1 / 41,
        source="this companion; simulated scenes only",
        description="share of pictures in which an independent reader names the same main object "
        "as in the stimulus: a linear layer on EfficientNet-Lite2, learned on other scenes",
    )
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ROWS}
BUILT_IN = frozenset(METRICS)


def add_metric(metric: Metric) -> Metric:
    """Make a metric known by its name, to tables, figures and ``evaluation.metrics``.

    Raises
    ------
    ConfigError
        If it has the name of one of the companion's own.
    """
    if metric.name in BUILT_IN:
        raise ConfigError(f"{metric.name!r} is one of the companion's metrics; use another name.")
    METRICS[metric.name] = metric
    return metric


EMBEDDING_SCORES: dict[str, str] = {
    "latent correlation": "Pearson's r of predicted and true latent of an image",
    "image token correlation": "Pearson's r of predicted and true image tokens of an image",
    "text token correlation": "Pearson's r of predicted and true text tokens of an image",
}
"""Scores of predictions without images, by name; more is better in all of them. Retrieval scores,
which are named ``image retrieval top-1`` and so on, belong here too."""
RETRIEVAL = ("image retrieval top-", "brain retrieval top-")


def higher_is_better(name: str) -> bool:
    """Whether more is better, of any metric or embedding score.

    Raises
    ------
    ConfigError
        If the name is unknown.
    """
    if name in EMBEDDING_SCORES or name.startswith(RETRIEVAL):
        return True
    return get_metrics([name])[0].higher_is_better


def get_metrics(names: Sequence[str]) -> list[Metric]:
    """The rows of :data:`METRICS` with these names, in this order.

    Raises
    ------
    ConfigError
        If a name is unknown or given twice.
    """
    for name in names:
        if name not in METRICS:
            hint = did_you_mean(name, METRICS)
            raise ConfigError(f"Unknown metric {name!r}.{hint} Known: {', '.join(METRICS)}.")
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise ConfigError(f"Metrics given more than once: {', '.join(twice)}.")
    return [METRICS[name] for name in names]
