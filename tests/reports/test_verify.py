"""Numbers of a run against the committed ones: what counts as equal, and what is named."""

import pandas as pd
import pytest

from havir_lib.config import load_config
from havir_lib.errors import DataError
from havir_lib.io import write_json
from havir_lib.reports.verify import agrees, numbers_of, verify, write_reference


@pytest.fixture
def tables(tmp_path):
    folder = tmp_path / "tables"
    folder.mkdir()
    pd.DataFrame(
        {
            "method": ["HAVIR", "HAVIR", "ridge"],
            "source": ["rerun", "published", "rerun"],
            "metric": ["PixCorr"] * 3,
            "value": [0.5, 0.9, 0.25],
            "p": [0.001, None, 0.4],
            "n": [40, 982, 40],
            "best": [True, False, False],
            "data": ["SIMULATED", "measured", "SIMULATED"],
        }
    ).to_csv(folder / "scores.csv", index=False)
    curve = {"method": ["a", "a"], "hours": [1, 2], "value": [0.1, 0.2]}
    pd.DataFrame(curve).to_csv(folder / "curve.csv", index=False)
    sampled_in(folder, "float32")
    return folder


def csv_of(tables):
    return sorted(tables.glob("*.csv"))


def sampled_in(folder, precision):
    write_json(folder / "scores.json", {"settings": {"diffusion": {"precision": precision}}})


@pytest.fixture
def reference(tables, tmp_path):
    return write_reference(csv_of(tables), tmp_path / "reference", "demo").parent


def change(path, row, column, value):
    frame = pd.read_csv(path)
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    frame.to_csv(path, index=False)


def test_every_number_of_this_run_counts_and_no_published_one(tables):
    found = numbers_of(tables.glob("*.csv"))
    assert len(found) == 2 * 4 + 2 * 2
    assert "982" not in set(found["value"])
    rows = found[found["table"] == "curve"]["row"].unique()
    assert list(rows) == ["a", "a #2"]


def test_the_same_tables_agree(tables, reference):
    found = verify(tables, reference, "demo")
    assert found.off.empty
    assert "12 of 12 numbers agree" in found.text


@pytest.mark.parametrize(
    ("row", "column", "value", "ok"),
    [
        (0, "value", 0.519, True),
        (0, "value", 0.55, False),
        (0, "n", 39, False),
        (0, "p", 0.05, True),
        (0, "p", 0.2, False),
        (0, "best", False, False),
        (0, "value", None, False),
    ],
)
def test_what_is_off_is_named(tables, reference, row, column, value, ok):
    change(tables / "scores.csv", row, column, value)
    found = verify(tables, reference, "demo")
    assert found.off.empty == ok
    if not ok:
        assert found.off.loc[0, ["table", "column"]].tolist() == ["scores", column]
        assert "scores: HAVIR | rerun | PixCorr" in found.text


def test_rows_and_tables_that_were_not_made_are_named(tables, reference):
    (tables / "curve.csv").unlink()
    found = verify(tables, reference, "demo")
    assert len(found.off) == 4
    assert set(found.off["found"]) == {"not made"}


def test_without_a_reference_the_error_says_so(tables, tmp_path):
    with pytest.raises(DataError, match=r"no reference smoke-"):
        verify(tables, tmp_path, "smoke")


def test_numbers_of_another_precision_have_their_own_reference(tables, reference):
    sampled_in(tables, "bfloat16")
    change(tables / "scores.csv", 0, "value", 0.9)
    found = verify(tables, reference, "demo")
    assert "sampled in float32, these in bfloat16" in found.text
    assert len(found.off) == 1
    write_reference(csv_of(tables), reference, "demo")
    again = verify(tables, reference, "demo")
    assert again.off.empty
    assert "float32" not in again.text


def test_a_precision_that_is_asked_for_has_the_references_of_its_profile():
    asked = {"diffusion.precision": "bfloat16"}
    assert load_config("demo", asked).variant != "demo"
    assert load_config("demo", asked).reference == "demo"
    assert load_config("demo", {**asked, "comparison.full": True}).reference == "demo-full"
    assert load_config("demo", {**asked, "seed": 3}).reference != "demo"


def test_large_numbers_may_differ_by_a_share():
    assert agrees("value", "28.09", "28.9")
    assert not agrees("value", "28.09", "31.5")
    assert agrees("n_voxels", "176.0", "176")
    assert not agrees("n_voxels", "176.0", "177")
