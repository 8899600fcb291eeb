"""What each layout loses of one simulated subject, measured, is what docs/data.md says."""

import numpy as np
import pandas as pd
import pytest

from havir_lib import open_run
from havir_lib.config import load_config
from havir_lib.data import load_subject
from havir_lib.data.export import export_own
from havir_lib.paths import PROJECT_ROOT
from tests.layouts import EARLY, HIGHER, LAYOUTS

pytestmark = pytest.mark.slow
HEADING = (
    "| layout | training trials | r of single betas | r of mean betas | noise ceiling | what else |"
)


def as_bids_whole(reader, subject, root):
    """A folder of one's own that holds everything."""
    export_own(reader, root, [subject])
    return {"data.reader": "bids", "data.subjects": [f"sub-{subject}"], "data.bad_voxels": "drop"}


WRITERS = LAYOUTS | {"bids": as_bids_whole}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    place = tmp_path_factory.mktemp("simulated")
    changes = {"simulation.trials_per_session": 75, "data.subjects": ["subj01"]}
    return open_run("smoke", changes | {"workspace": str(place)})


@pytest.mark.parametrize("layout", list(WRITERS))
def test_losses_are_those_of_the_docs(simulated, layout, tmp_path):
    found = measure(simulated, layout, tmp_path)

    text = (PROJECT_ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    rows = text.split(HEADING)[1].splitlines()[2:]
    row = next(row for row in rows if row.startswith(f"| `{layout}`"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:5] == found


def measure(simulated, layout, place):
    """Cells of the table: trials, r of single and of mean betas, r of noise ceilings."""
    theirs = simulated.full_subject("subj01")
    settings = WRITERS[layout](simulated.reader, "subj01", place / "data")
    name = settings["data.subjects"][0]
    config = load_config("smoke", settings | {
        "data.root": str(place / "data"), "data.base_subject": name, "workspace": str(place / "w"),
        "weights.small_for_photographs": True,
    })  # fmt: skip
    ours = load_subject(config, name)
    columns = matched(ours, theirs, simulated)
    share = len(ours.train_betas) / len(theirs.train_betas)
    single = correlation(*paired_trials(ours, theirs), *columns)
    mean = correlation(*(by_image(x) for x in (ours, theirs)), *columns)
    ceiling = np.corrcoef(ours.ncsnr[columns[0]], theirs.ncsnr[columns[1]])[0, 1]
    return [f"{100 * share:.0f} %", f"{single:.3f}", f"{mean:.3f}", f"r = {ceiling:.2f}"]


def matched(ours, theirs, simulated):
    """Columns of both that are the same voxel, and have a role."""
    places = ours.ijk
    if not ours.has_places:  # voxels are numbered through, in the order of the masks' union
        regions = simulated.reader.regions("subj01")
        general = np.any([regions.mask(name) for name in (*EARLY, *HIGHER)], axis=0)
        row = ours.ijk[:, 0]
        if ours.anatomy.surface:  # in two halves
            half = -(-general.sum() // 2)
            row = np.where(row < 10_242, row, row - 10_242 + half)
        places = np.argwhere(general)[row]
    known = {tuple(x): k for k, x in enumerate(theirs.ijk.tolist())}
    pairs = [(k, known[tuple(x)]) for k, x in enumerate(places.tolist()) if tuple(x) in known]
    assert len(pairs) > 100
    return tuple(np.array(pairs).T)


def by_image(subject):
    """Mean beta of each training image."""
    return pd.DataFrame(subject.train_betas).groupby(subject.train_images).mean()


def paired_trials(ours, theirs):
    """Single training trials by image and repeat, for the images of both."""
    frames = []
    for subject in (ours, theirs):
        frame = pd.DataFrame(subject.train_betas)
        repeat = pd.Series(subject.train_images).groupby(subject.train_images).cumcount()
        frames.append(frame.set_index([subject.train_images, repeat]))
    return frames


def correlation(ours, theirs, own, other):
    """Mean over voxels, of rows that both have."""
    both = ours.index.intersection(theirs.index)
    a, b = ours.loc[both].to_numpy()[:, own], theirs.loc[both].to_numpy()[:, other]
    a, b = (x - x.mean(0) for x in (a, b))
    return float(((a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0))).mean())
