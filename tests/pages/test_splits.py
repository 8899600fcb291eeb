"""Decoding under several divisions into training and test."""

import json

import pytest
from IPython.display import Markdown

from havir_lib import open_run
from havir_lib.errors import DataError
from havir_lib.pages import splits
from tests.conftest import SMALL
from tests.layouts import as_laion


@pytest.fixture(scope="module")
def divided(run, tmp_path_factory):
    """A replica of LAION-fMRI with a second split, whose training and test images swap."""
    root = tmp_path_factory.mktemp("laion") / "data"
    settings = as_laion(run.reader, "subj01", root)
    content = json.loads((root / "split.json").read_text())
    first = content["variants"][0]
    swapped = {"train_ids": first["test_ids"], "test_ids": first["train_ids"]}
    (root / "far.json").write_text(json.dumps({**content, "variants": [swapped]}))
    return open_run("smoke", {
        **SMALL, **settings, "data.root": str(root), "data.base_subject": "sub-01",
        "weights.small_for_photographs": True, "comparison": {"splits": ["far.json"]},
        "workspace": str(root.parent / "w"),
    })  # fmt: skip


def test_every_division_has_its_own_training_images(divided):
    frame = splits.generalisation(divided)
    assert frame["split"].unique().tolist() == ["split", "far"]
    assert set(frame["method"]) == {"HAVIR", "ridge"}
    own, far = (divided, splits.with_split(divided, "far.json"))
    for sibling, name in ((own, "split"), (far, "far")):
        subject = sibling.subject("sub-01")
        part = frame[frame["split"] == name]
        assert set(part["n"]) == {len(subject.test_images)}
        assert set(part["n_train"]) == {len(set(subject.train_images))}
    assert set(own.subject("sub-01").test_images) == set(far.subject("sub-01").train_images)
    assert splits.splits_table(divided) is not None


def test_without_other_divisions_a_sentence_says_so(run):
    for make in (splits.splits_figure, splits.splits_table):
        made = make(run)
        assert isinstance(made, Markdown)
        assert "comparison.splits" in made.data


def test_a_split_that_is_not_there_is_named(divided):
    with pytest.raises(DataError, match=r"nosuch.json"):
        splits.with_split(divided, "nosuch.json").subject("sub-01")
