"""The committed table of published results keeps its rules, and the reader enforces them."""

import pytest

from havir_lib.errors import DataError
from havir_lib.evaluation.metrics import METRICS
from havir_lib.evaluation.published import COLUMNS, load_published

HEADER = ",".join(COLUMNS)
ROW = "MindEye2,40h,SSIM,0.431,Table 1,no (secondary source),"


@pytest.fixture
def write(tmp_path):
    def _write(*rows, header=HEADER):
        path = tmp_path / "published.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return path

    return _write


def test_havir_is_as_far_as_the_papers_text_gives_it():
    table = load_published()
    havir = table[table["method"] == "HAVIR"].set_index("metric")["value"].to_dict()
    assert havir == {"PixCorr": 0.327, "SSIM": 0.332, "AlexNet(5)": 0.981, "Inception": 0.964}
    assert set(table.loc[table["checked"] == "yes", "method"].str.split(" ").str[0]) == {"HAVIR"}


def test_better_methods_that_the_paper_omits_are_listed():
    ssim = load_published().query("metric == 'SSIM' and setting == '40h'").set_index("method")
    assert {"MindEye2", "MindTuner", "Brain-IT"} <= set(ssim.index)
    assert ssim.loc["Brain-IT", "value"] > 0.332


def test_one_hour_rows_are_kept_apart():
    settings = load_published().groupby("method")["setting"].unique()
    assert set(settings["MindEye2"]) == {"40h", "1h"}


def test_a_valid_row_is_read(write):
    table = load_published(write(ROW))
    assert table.loc[0, "value"] == 0.431
    assert table.loc[0, "note"] == ""
    assert table.loc[0, "metric"] in METRICS


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.431", "43.1", "percentages"),
        ("SSIM", "ssim", "metric must be one of"),
        ("40h", "20h", "setting must be one of"),
        ("no (secondary source)", "maybe", "checked must be one of"),
        ("Table 1", "", "no source for 'MindEye2'"),
    ],
)
def test_doubtful_rows_are_refused(write, old, new, message):
    with pytest.raises(DataError, match=message):
        load_published(write(ROW.replace(old, new)))


def test_repeated_and_missing_columns_are_refused(write, tmp_path):
    with pytest.raises(DataError, match="is twice"):
        load_published(write(ROW, ROW.replace("0.431", "0.5")))
    with pytest.raises(DataError, match="expected columns"):
        load_published(write(ROW, header=",".join(COLUMNS[::-1])))
    with pytest.raises(DataError, match="does not exist"):
        load_published(tmp_path / "none.csv")
