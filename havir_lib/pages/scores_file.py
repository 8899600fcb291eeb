"""Scores of single images, for whoever wants to compute something else from them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from havir_lib.io import atomic_write, write_json
from havir_lib.pages.publish import provenance
from havir_lib.provenance import origin
from havir_lib.run import Run


def save_per_image(run: Run, scores: pd.DataFrame, name: str) -> Path:
    """Write the scores of single images behind a table to ``<workspace>/scores/<name>.csv``."""
    path = run.workspace.root / "scores" / f"{name}.csv"
    with atomic_write(path) as temporary:
        scores.assign(data=origin(run.simulated)).to_csv(
            temporary, index=False, float_format="%.6g", lineterminator="\n"
        )
    write_json(path.with_suffix(".json"), provenance(run, run.simulated, {"scores": scores}))
    return path
