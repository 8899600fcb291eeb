"""HAVIR companion: from fMRI betas to reconstructed images, one folder per step.

Read the packages in this order to follow one image through the method:
``simulation`` (or real NSD) → ``data`` → ``targets`` → ``models`` → ``training`` → ``diffusion``
→ ``evaluation`` → ``interpretation`` → ``plots`` / ``reports``.
"""

__version__ = "0.1.0"

from typing import Any

_PUBLIC = {
    "Run": "run",
    "open_run": "run",
    "METHODS": "run.methods",
    "Method": "run.methods",
    "add_method": "run.methods",
    "of_decoder": "run.methods",
    "METRICS": "evaluation.metrics",
    "Metric": "evaluation.metrics",
    "Preparation": "evaluation.metrics",
    "add_metric": "evaluation.metrics",
    "evaluate_folder": "evaluation",
}
"""Name → the module that defines it; imported when first used, since some take seconds."""

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
