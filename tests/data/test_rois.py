"""ROIs by name, and roles that never overlap."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from havir_lib.config import Roles
from havir_lib.data.layout import NsdLayout
from havir_lib.data.nifti import Grid
from havir_lib.data.rois import RoiAtlas, read_label_table
from havir_lib.data.roles import count_rois, resolve_roles
from havir_lib.errors import DataError, ShapeError
from tests.data.conftest import AFFINE, GRID


@pytest.fixture
def atlas(tree):
    return RoiAtlas(NsdLayout(tree.root), "subj01", Grid(GRID))


def count_of(counts: pd.DataFrame, role: str, roi: str) -> int:
    return counts.set_index(["role", "roi"]).loc[(role, roi), "n_voxels"]


def test_labels_and_sets(tree, atlas):
    prf, faces = tree.labels["prf-visualrois"], tree.labels["floc-faces"]
    np.testing.assert_array_equal(atlas.mask("V1d"), prf == 2)
    np.testing.assert_array_equal(atlas.mask("FFA-1"), faces == 2)
    np.testing.assert_array_equal(atlas.mask("floc-faces"), faces > 0)  # neither 0 nor -1


def test_label_in_two_sets(tree, atlas):
    assert atlas.resolve("V1v") == ("prf-visualrois", "V1v")
    assert atlas.resolve("Kastner2015/V1v") == ("Kastner2015", "V1v")
    assert atlas.resolve("IPS1") == ("Kastner2015", "IPS1")
    assert atlas.mask("Kastner2015/V1v").sum() == 9


def test_table_of_the_subject_wins_over_fsaverage(tree):
    layout = NsdLayout(tree.root)
    own = layout.label_directories("subj02")[0] / "floc-faces.mgz.ctab"
    own.parent.mkdir(parents=True)
    own.write_text("1 FFA-1\n2 OFA\n")
    faces = tree.labels["floc-faces"]
    for subject, value in (("subj01", 2), ("subj02", 1)):
        mask = RoiAtlas(layout, subject, Grid(GRID)).mask("FFA-1")
        np.testing.assert_array_equal(mask, faces == value)


def test_file_without_table_is_one_mask(tree):
    tree.write_roi("subj01", "nsdgeneral", np.arange(7 * 8 * 9).reshape(GRID) % 2)
    tree.write_roi("subj01", "lh.nsdgeneral", np.zeros(GRID))
    atlas = RoiAtlas(NsdLayout(tree.root), "subj01", Grid(GRID))
    assert atlas.mask("nsdgeneral").sum() == 252
    assert "lh.nsdgeneral" not in atlas.tables
    assert atlas.listed_names() == [
        *("prf-visualrois", "V1v", "V1d", "V2v"),
        *("floc-faces", "OFA", "FFA-1"),
        "nsdgeneral",
    ]


def test_other_folder_of_masks(tree):
    template = tree.root / "nsddata/ppdata/subj01/func1pt8mm/roi_template"
    tree.write_roi("subj01", "prf-visualrois", np.ones(GRID)).rename(
        (template.mkdir() or template) / "prf-visualrois.nii.gz"
    )
    atlas = RoiAtlas(NsdLayout(tree.root, roi_folder="roi_template"), "subj01", Grid(GRID))
    assert atlas.mask("V1v").all()


def test_unknown_label_lists_known_ones_and_a_suggestion(atlas):
    with pytest.raises(DataError, match=r"(?s)Did you mean 'FFA-1'.*floc-faces: OFA, FFA-1"):
        atlas.mask("FFA1")


def test_missing_mask_file_is_named(tree, atlas):
    path = atlas.layout.roi("subj01", "floc-faces")
    path.unlink()
    for name in ("floc-faces", "OFA"):
        with pytest.raises(DataError, match=r"floc-faces\.nii\.gz.*havir download"):
            RoiAtlas(atlas.layout, "subj01", Grid(GRID)).mask(name)


def test_wrong_grid_gives_both_shapes(tree):
    tree.write_roi("subj01", "floc-faces", np.ones((9, 8, 7)))
    atlas = RoiAtlas(NsdLayout(tree.root), "subj01", Grid(GRID))
    with pytest.raises(ShapeError, match=r"floc-faces.*expected \(7, 8, 9\).*found \(9, 8, 7\)"):
        atlas.mask("OFA")


def test_damaged_mask_file(atlas):
    path = atlas.layout.roi("subj01", "floc-faces")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"floc-faces\.nii\.gz"):
        atlas.mask("OFA")


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9+\-]{0,8}", fullmatch=True)


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.integers(1, 999), max_size=8), st.sampled_from([" ", "\t", "  "]))
def test_label_tables_are_read_back(tmp_path_factory, table, separator):
    path = tmp_path_factory.mktemp("tables") / "any.mgz.ctab"
    lines = ["# comment", "", f"0{separator}Unknown{separator}0 0 0 0"]
    lines += [f"{value}{separator}{name}{separator}25 5 25 0" for name, value in table.items()]
    path.write_text("\n".join(lines))
    assert read_label_table(path) == {name: v for name, v in table.items() if name != "Unknown"}


@pytest.mark.parametrize("text", ["V1v 1\n", "1\n"])
def test_broken_label_tables(tmp_path, text):
    path = tmp_path / "prf-visualrois.mgz.ctab"
    path.write_text(text)
    with pytest.raises(DataError, match=r"prf-visualrois\.mgz\.ctab"):
        read_label_table(path)


def test_label_that_occurs_twice_is_ignored_with_a_warning(tmp_path, caplog):
    path = tmp_path / "corticalsulc.mgz.ctab"
    path.write_text("1 calcarine\n2 IPS\n3 calcarine\n")
    assert read_label_table(path) == {"IPS": 2}
    assert "calcarine" in caplog.text


@pytest.mark.parametrize(
    ("rule", "n_structural", "n_semantic"),
    [("structural", 40, 14), ("semantic", 38, 16), ("drop", 38, 14)],
)
def test_overlap_rule(atlas, rule, n_structural, n_semantic):
    roles = Roles(structural=["V1v", "V1d"], semantic=["floc-faces"], overlap=rule)
    structural, semantic, counts = resolve_roles(atlas, roles)
    assert (structural.sum(), semantic.sum()) == (n_structural, n_semantic)
    assert not (structural & semantic).any()
    kept_by = "dropped" if rule == "drop" else f"kept as {rule}"
    assert count_of(counts, "overlap", kept_by) == 2
    assert count_of(counts, "structural", "V1d") == 16
    assert count_of(counts, "semantic", "all ROIs") == 16


def test_roi_named_twice_counts_once(atlas):
    roles = Roles(structural=["V1v", "prf-visualrois"], semantic=["floc-faces"])
    structural, _, counts = resolve_roles(atlas, roles)
    assert structural.sum() == count_of(counts, "structural", "all ROIs") == 46


@pytest.mark.parametrize(
    "roles",
    [
        Roles(structural=["V1v"], semantic=[]),
        Roles(structural=["OFA"], semantic=["floc-faces"], overlap="semantic"),
    ],
)
def test_empty_role_is_an_error_with_counts(atlas, roles):
    with pytest.raises(DataError, match="(?s)the role '(semantic|structural)' has no voxels.*roi"):
        resolve_roles(atlas, roles)


def test_roi_counts(atlas):
    used = np.zeros(GRID, bool)
    used[1] = True
    table = count_rois(atlas, {name: atlas.mask(name) for name in ("OFA", "floc-faces")}, used)
    assert table.values.tolist() == [
        ["floc-faces", "OFA", 6, 6],
        ["floc-faces", "floc-faces", 16, 6],
    ]


ODD_TABLES = {
    "blank lines and comments": "\n# made by hand\n\n1 OFA\n   # more\n2 FFA-1\n\n",
    "tabs": "1\tOFA\n2\tFFA-1\n",
    "colours and more columns": "1 OFA 255 0 0 0 extra\n2 FFA-1 0 0 9 0\n",
    "Windows line ends": "1 OFA\r\n2 FFA-1\r\n",
    "byte order mark": "\ufeff1 OFA\n2 FFA-1\n",
    "unsorted": "2 FFA-1\n0 Unknown\n1 OFA\n",
}


@pytest.mark.parametrize("kind", ODD_TABLES)
def test_odd_label_tables_are_read(tmp_path, kind):
    path = tmp_path / "floc-faces.mgz.ctab"
    path.write_bytes(ODD_TABLES[kind].encode())
    assert read_label_table(path) == {"OFA": 1, "FFA-1": 2}


def test_a_broken_table_stops_only_who_needs_it(tree):
    folder = tree.root / "nsddata/freesurfer/subj01/label"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "floc-faces.mgz.ctab").write_text("a table in a format of its own\n")
    (folder / "floc-words.mgz.ctab").write_bytes(b"1 \xff\xfe\n")  # not UTF-8, but a table
    atlas = RoiAtlas(NsdLayout(tree.root), "subj01", Grid(GRID))
    assert atlas.mask("V1v").any()
    assert atlas.mask("floc-faces").any()  # the whole set needs no names
    with pytest.raises(DataError, match=r"floc-faces\.mgz\.ctab: expected 'number name'"):
        atlas.mask("floc-faces/OFA")
    with pytest.raises(DataError, match=r"no ROI 'OFA'.*Not read: .*floc-faces\.mgz\.ctab"):
        atlas.mask("OFA")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_labels_stored_as_floats_are_whole(tree, dtype):
    labels = tree.labels["prf-visualrois"]
    path = tree.write_roi("subj01", "prf-visualrois", labels)
    values = labels.astype(dtype)
    values[0, 0, 0] = np.nan
    nib.save(nib.Nifti1Image(values, AFFINE), path)
    atlas = RoiAtlas(NsdLayout(tree.root), "subj01", Grid(GRID, AFFINE))
    np.testing.assert_array_equal(atlas.mask("V1d"), labels == 2)


def test_labels_with_fractions_are_refused(tree):
    values = tree.labels["prf-visualrois"].astype(np.float32)
    values[2, 2, 2] = 1.37
    path = tree.write_roi("subj01", "prf-visualrois", values)
    nib.save(nib.Nifti1Image(values, AFFINE), path)
    with pytest.raises(DataError, match=r"1 voxels with fractions, e.g. 1.370.*nearest"):
        RoiAtlas(NsdLayout(tree.root), "subj01", Grid(GRID)).mask("V1d")


def test_minus_one_that_became_255_is_refused(tree):
    values = tree.labels["prf-visualrois"].astype(np.int16).astype(np.uint8)
    path = tree.write_roi("subj01", "prf-visualrois", values)
    nib.save(nib.Nifti1Image(values, AFFINE), path)
    with pytest.raises(DataError, match="found 255 in .* stored in 8 bits without a sign"):
        RoiAtlas(NsdLayout(tree.root), "subj01", Grid(GRID)).mask("prf-visualrois")


def test_a_mask_of_0_and_255_is_a_mask(tree):
    values = np.where(tree.labels["floc-faces"] > 0, 255, 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(values, AFFINE), tree.write_roi("subj01", "own", values))
    found = RoiAtlas(NsdLayout(tree.root), "subj01", Grid(GRID)).mask("own")
    np.testing.assert_array_equal(found, tree.labels["floc-faces"] > 0)
