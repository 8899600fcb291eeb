"""The edits that notebooks suggest: each changes what it should, and nothing else."""

import nbformat
import numpy as np
import pytest

from havir_lib.paths import PROJECT_ROOT
from tests.conftest import SMALL

EDITS = {
    "Sobel to L1": (
        "04_structural_generator",
        "sobel = F.mse_loss(sobel_magnitude(z_hat), sobel_magnitude(Z))",
        "sobel = F.l1_loss(z_hat, Z)",
        "curve",
        {"curve"},
        ["X", "Z", "mse", "terms"],
    ),
    "a region dropped": (
        "01_roi_definition",
        "structural = list(run.config.data.roles.structural)",
        "structural = list(run.config.data.roles.structural)[1:]",
        "lost",
        {"structural"},
        ["semantic", "labels", "inside"],
    ),
    "another s": (
        "06_reconstruction", "s = d.strength", "s = 1.0", "pictures", {"start", "pictures"},
        ["z", "epsilon", "predicted"],
    ),
    "text switched on": (
        "08_ablations",
        '"use_text": False',
        '"use_text": True',
        "without",
        {"without"},
        ["whole", "predicted", "seeds"],
    ),
    "another metric": (
        "07_sota_comparison",
        'metric = METRICS["PixCorr"]\n',
        'metric = METRICS["SSIM"]\n',
        "value",
        {"value"},
        ["a", "b", "by_hand"],
    ),
}  # fmt: skip


def cells_until(stem, name):
    """Code cells up to the one that first binds a name."""
    cells = nbformat.read(PROJECT_ROOT / "notebooks" / f"{stem}.ipynb", as_version=4).cells
    for cell in (x for x in cells if x.cell_type == "code"):
        yield cell
        if (
            f"{name} = " in cell.source
            or f"{name} = [" in cell.source
            or f", {name} = " in (cell.source)
        ):
            last = cell
            break
    rest = cells[cells.index(last) + 1 :]
    yield from (x for x in rest if x.cell_type == "code" and f"{name}.append(" in x.source)


def execute(stem, name, workspace, old=None, new=None):
    """Run cells, one of them edited; returns what they bind."""
    scope: dict = {"display": lambda *_: None}
    edited = 0
    for cell in cells_until(stem, name):
        if "parameters" in cell.metadata.get("tags", []):
            scope |= {"profile": "smoke", "subject": "subj01"}
            scope |= {"overrides": {**SMALL, "workspace": str(workspace)}}
            continue
        source = cell.source
        if old and old in source:
            source, edited = source.replace(old, new), edited + 1
        exec(compile(source, cell.get("id", stem), "exec"), scope)
    assert edited == (old is not None)
    return scope


def content(value):
    if hasattr(value, "latents"):
        return value.latents
    if isinstance(value, dict):
        return np.concatenate([np.ravel(content(x)) for x in value.values()])
    if hasattr(value, "detach"):
        return value.detach().cpu().numpy()
    return np.asarray(value)


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_changes_what_it_should_and_nothing_else(run, edit, monkeypatch):
    import matplotlib.pyplot as plt

    monkeypatch.setattr(plt, "show", lambda *_: None)
    stem, old, new, last, changed, same = EDITS[edit]
    before = execute(stem, last, run.workspace.root)
    after = execute(stem, last, run.workspace.root, old, new)
    plt.close("all")
    for name in changed:
        a, b = content(before[name]), content(after[name])
        assert a.shape != b.shape or not np.array_equal(a, b), f"{name} did not change"
    for name in same:
        np.testing.assert_array_equal(content(before[name]), content(after[name]), err_msg=name)
