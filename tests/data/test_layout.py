"""Paths, subject names and session discovery."""

from pathlib import Path

import pytest

from havir_lib.data.layout import NsdLayout, layout_of, subject_number, used_sessions
from havir_lib.errors import DataError


@pytest.fixture
def layout(tree):
    return NsdLayout(tree.root)


def test_hdf5_is_preferred_to_nifti_and_either_is_found(tree, layout):
    tree.write_betas("subj01", 1, tree.session("subj01", 1), ".nii.gz")
    assert layout.betas("subj01", 1).name == "betas_session01.hdf5"
    layout.betas("subj01", 1).unlink()
    assert layout.betas("subj01", 1).name == "betas_session01.nii.gz"
    assert layout.sessions("subj01") == [1, 2, 3]


def test_sessions_default_to_all_and_can_be_limited(layout):
    assert used_sessions(layout, "subj01", None) == [1, 2, 3]
    assert used_sessions(layout, "subj01", 2) == [1, 2]


def test_session_missing_in_the_middle_names_the_file(layout):
    layout.betas("subj01", 2).unlink()
    with pytest.raises(DataError, match=r"betas_session02\.hdf5.*havir simulate.*havir download"):
        used_sessions(layout, "subj01", None)


def test_fewer_sessions_than_asked_for(layout):
    with pytest.raises(DataError, match=r"session 4 of 5 \(found sessions \[1, 2, 3\]\)"):
        used_sessions(layout, "subj01", 5)


def test_unknown_subject_lists_those_found(layout):
    with pytest.raises(DataError, match="subj07.*Subjects found: subj01, subj02"):
        used_sessions(layout, "subj07", None)


def test_subject_number():
    assert subject_number("subj05") == 5
    for wrong in ("sub-05", "subj", "subj00", "5"):
        with pytest.raises(DataError, match="subj01"):
            subject_number(wrong)


def test_root_argument_wins_over_configuration(make_config, tmp_path):
    assert layout_of(make_config(), tmp_path).root == tmp_path
    assert layout_of(make_config()).root == tmp_path / "nsd"
    with pytest.raises(DataError, match=r"no data\.root.*havir simulate"):
        layout_of(make_config(**{"data.root": None}))


@pytest.mark.parametrize(("space", "name"), [("func1pt8mm", "func1pt8"), ("func1mm", "func1pt0")])
def test_transforms_are_named_as_nsd_names_them(space, name):
    layout = NsdLayout(Path("data"), space)
    folder = Path("data/nsddata/ppdata/subj07/transforms")
    assert layout.to_mni("subj07") == folder / f"{name}-to-MNI.nii.gz"
    assert layout.to_surface("subj07", "rh", "layerB2") == folder / f"rh.{name}-to-layerB2.mgz"
    assert layout.to_fsaverage("subj07", "lh") == folder / "lh.white-to-fsaverage.mgz"
