"""Every method that is compared, by name: where its predictions come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from havir_lib.data.subject import Subject
from havir_lib.errors import ConfigError
from havir_lib.evaluation.folder import read_pictures
from havir_lib.evaluation.nearest import nearest
from havir_lib.models import predict_ridge
from havir_lib.run import designs
from havir_lib.run.networks import Design, design_predictions, shuffled_predictions
from havir_lib.run.targets import as_predictions
from havir_lib.targets import Targets
from havir_lib.training import Predictions
from havir_lib.training.linear import Decode, decoded_predictions

if TYPE_CHECKING:
    from havir_lib.run.run import Run


@dataclass(frozen=True)
class Method:
    """One method of the comparison.

    Attributes
    ----------
    label : str
        What it is, for readers.
    predict : callable
        ``predict(run, name)`` gives its predictions for a subject's test images; none for a
        method of which only pictures are known.
    shown : callable, optional
        ``shown(run, name)`` gives ids of stimuli that are its "reconstructions", for a method that
        looks pictures up instead of making them.
    pictures : callable, optional
        ``pictures(run, name, ids)`` gives the pictures themselves, uint8 (n, H, W, 3).
    full : bool
        It trains networks of its own and runs only with ``comparison.full``.
    bound : bool
        An upper or lower bound rather than a competitor: never marked as best.
    added : bool
        It is a user's own, from the file `origin` or from a notebook.
    """

    label: str
    predict: Callable[[Run, str], Predictions] | None
    shown: Callable[[Run, str], np.ndarray] | None = None
    pictures: Callable[[Run, str, np.ndarray], np.ndarray] | None = None
    full: bool = False
    bound: bool = False
    added: bool = False
    origin: str = ""

    def __repr__(self) -> str:
        return f"Method({self.label!r})"


def of_decoder(label: str, decode: Decode) -> Method:
    """A method that decodes each target by itself.

    Parameters
    ----------
    label : str
        What it is, for readers.
    decode : callable
        ``decode(betas (n, V), targets (n, F), new_betas (m, V))`` gives targets (m, F); called
        once for latents, image tokens and text tokens each. Its results are cached by its code.
    """
    return Method(label, partial(_decoded, decode=decode))


def _decoded(run: Run, name: str, decode: Decode) -> Predictions:
    return decoder_predictions(run, run.subject(name), run.targets(name), decode)


def decoder_predictions(run: Run, subject: Subject, target: Targets, decode: Decode) -> Predictions:
    """What a decoder predicts for the test images of a subject as it is; cached."""
    roles = {
        role: (subject.train_betas[:, voxels], subject.test_betas[:, voxels])
        for role, voxels in (("structural", subject.structural), ("semantic", subject.semantic))
    }
    return run.remember(
        "decoded",
        decoded_predictions,
        decode,
        images=subject.train_images,
        targets=(target.latents, target.image_tokens, target.text_tokens),
        target_ids=target.image_ids,
        test_ids=subject.test_images,
        **roles,
    )


def ridge_of(run: Run) -> Decode:
    """Ridge regression with this run's penalties, folds and seed, as a decoder."""
    return partial(predict_ridge, **run.config.ridge.model_dump(), seed=run.config.seed)


def _ridge(run: Run, name: str) -> Predictions:
    return decoder_predictions(run, run.subject(name), run.targets(name), ridge_of(run))


def _of_design(label: str, design: Design) -> Method:
    return Method(label, partial(design_predictions, design=design), full=True)


def _true(run: Run, name: str) -> Predictions:
    return run.true_predictions(name)


def _nearest(run: Run, name: str) -> Predictions:
    found = run.targets(name).select(nearest_training_images(run, name))
    return as_predictions(found, run.subject(name).test_images, run.config.has_text)


def nearest_training_images(run: Run, name: str, method: str = "HAVIR") -> np.ndarray:
    """Ids of the training images whose image tokens correlate most with the predicted ones.

    A method that has merely learnt which training image is most like the stimulus can do no
    better than show it.
    """
    pool = np.unique(run.subject(name).train_images)
    target, predicted = run.targets(name), run.predictions(name, method)
    chosen = run.remember(
        "nearest", nearest, predicted.image_tokens, target.image_tokens, target.rows(pool)
    )
    return pool[chosen]


METHODS: dict[str, Method] = {
    "HAVIR": Method("HAVIR (this companion)", design_predictions),
    "ridge": Method("Ridge regression to the same targets, Brain-Diffuser's way", _ridge),
    "nearest training image": Method(
        "The training image nearest to HAVIR's image tokens, shown as it is",
        _nearest,
        shown=nearest_training_images,
    ),
    "all voxels": _of_design("HAVIR without the split: both branches see all voxels",
                             designs.ALL_VOXELS),
    "swapped roles": _of_design("HAVIR with the regions of the two branches swapped",
                                designs.SWAPPED_ROLES),
    "template masks": _of_design("HAVIR with template masks instead of the individual's",
                                 designs.TEMPLATE_MASKS),
    "in the style of MindBridge": _of_design(
        "All voxels, max-pooled to a common number; image and text tokens, no latent",
        designs.MINDBRIDGE_STYLE,
    ),
    "in the style of MindEye": _of_design(
        "All voxels; latent and image tokens (contrastive and MSE loss), no text, no prior",
        designs.MINDEYE_STYLE,
    ),
    "shuffled voxels": Method(
        "HAVIR with shuffled voxels: the floor", shuffled_predictions, bound=True
    ),
    "true targets": Method("True targets: the upper bound", _true, bound=True),
}  # fmt: skip
"""Name → method, in the order of tables."""
BUILT_IN = frozenset(METHODS)


_origin: ContextVar[str] = ContextVar("_origin", default="")


@contextmanager
def registering(origin: str) -> Iterator[None]:
    """Methods added inside the block come from this file."""
    before = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(before)


def add_method(name: str, method: Method) -> Method:
    """Make a method known by its name: runs that are opened from now on compare it, too.

    It then appears in Table III and Figure 3 of these runs, which have a workspace of their own.

    Raises
    ------
    ConfigError
        If it has the name of one of the companion's own.
    """
    if name in BUILT_IN:
        raise ConfigError(f"{name!r} is one of the companion's methods; use another name.")
    METHODS[name] = replace(method, added=True, origin=_origin.get())
    return METHODS[name]


def add_pictures(names: Iterable[str]) -> None:
    """Make known, as methods, the pictures that ``comparison.pictures`` has of these names.

    Raises
    ------
    ConfigError
        If one has the name of one of the companion's own.
    """
    label = "Pictures that another program made, from a folder"
    with registering("comparison.pictures"):
        for name in names:
            add_method(name, Method(label, None, pictures=partial(_from_folder, method=name)))


def _from_folder(run: Run, name: str, ids: np.ndarray, method: str) -> np.ndarray:
    folder = Path(run.config.comparison.pictures[method].replace("{subject}", name)).expanduser()
    return read_pictures(folder, run.stimuli, ids.tolist())[0]


def method_of(name: str) -> Method:
    """A method by its name.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if name not in METHODS:
        raise ConfigError(f"Unknown method {name!r}. Known: {', '.join(METHODS)}.")
    return METHODS[name]


def method_names(run: Run, bounds: bool = True, predicting: bool = False) -> tuple[str, ...]:
    """The methods that a run compares; without `bounds`, only those that compete.

    If `predicting`, only those whose predictions are known, and not just their pictures.
    """
    return tuple(
        name
        for name, method in METHODS.items()
        if (name in BUILT_IN or name in run.added)
        and (run.config.comparison.full or not method.full)
        and (bounds or not method.bound)
        and (method.predict is not None or not predicting)
        and not (name == "template masks" and run.why_no_templates)
    )


def methods_table(run: Run) -> pd.DataFrame:
    """What each method of a run is, and whether it competes or is a bound."""
    rows = {
        name: {"what it is": METHODS[name].label, "competes": not METHODS[name].bound}
        for name in method_names(run)
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
