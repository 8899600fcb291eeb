import html
import re

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from havir_lib.errors import DataError, HavirError
from havir_lib.reports import (
    load_table,
    save_table,
    table1_rois,
    table2_voxel_counts,
    table3_comparison,
    table4_ablations,
)
from havir_lib.reports.formats import LATEX_SPECIAL, as_latex, number, readable, widen
from havir_lib.reports.site import Front, Question, build_site

PROVENANCE = {"data": "SIMULATED", "seed": 0}


@pytest.fixture
def scores(rng):
    rows = [
        {"method": method, "subject": subject, "metric": metric, "value": value,
         "low": value - 0.05, "high": value + 0.05, "n": 48, "best": method == "HAVIR"}
        for method in ("ridge", "HAVIR")
        for subject in ("subj01", "mean")
        for metric, value in zip(("SSIM", "PixCorr"), rng.random(2), strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def save(frame, folder, simulated=True, **extra):
    provenance = {"data": "SIMULATED" if simulated else "measured"}
    return save_table(frame, folder, "table3_comparison", provenance, simulated, **extra)


def test_csv_round_trip(tmp_path, scores):
    path = save(scores, tmp_path)
    found = load_table(path)
    assert list(found.columns) == [*scores.columns, "data"]
    pd.testing.assert_frame_equal(
        found.drop(columns="data"), scores, check_dtype=False, check_exact=False, rtol=1e-5
    )


def test_the_same_table_gives_the_same_bytes(tmp_path, scores):
    for name in ("a", "b"):
        save(scores, tmp_path / name, caption="Scores")
    for suffix in ("csv", "md", "tex", "json"):
        first, second = ((tmp_path / n / f"table3_comparison.{suffix}").read_bytes() for n in "ab")
        assert first == second


def test_simulated_tables_say_so_everywhere(tmp_path, scores):
    path = save(scores, tmp_path)
    assert set(load_table(path)["data"]) == {"SIMULATED"}
    assert "SIMULATED" in path.with_suffix(".md").read_text().splitlines()[0]
    assert "SIMULATED" in path.with_suffix(".tex").read_text()
    assert '"data": "SIMULATED"' in path.with_suffix(".json").read_text()
    measured = save(scores, tmp_path / "measured", simulated=False)
    assert set(load_table(measured)["data"]) == {"measured"}
    assert "SIMULATED" not in measured.with_suffix(".md").read_text()


def test_published_numbers_are_not_called_simulated(tmp_path, scores):
    published = pd.DataFrame(
        {"method": ["MindEye2"], "setting": ["40h"], "metric": ["SSIM"], "value": [0.431],
         "source": ["its Table 1"], "checked": ["yes"], "note": [""]}
    )  # fmt: skip
    found = load_table(save(table3_comparison(scores, published), tmp_path))
    assert found.groupby("source")["data"].unique().map(list).to_dict() == {
        "published": ["measured"],
        "rerun": ["SIMULATED"],
    }
    row = found[found["source"] == "published"].iloc[0]
    assert (row["reference"], row["setting"]) == ("its Table 1", "40h")
    text = (tmp_path / "table3_comparison.md").read_text()
    mine, theirs = text.split("*Published for NSD")
    assert "0.431" in theirs
    assert "ridge" in mine
    assert "ridge" not in theirs  # never in one table
    assert "setting" not in mine  # an empty column
    assert "PixCorr" not in theirs  # nothing was published for it
    assert "its Table 1" not in text  # in the CSV only


def test_markdown_is_wide_with_intervals_and_bold_best(tmp_path, scores):
    path = save(scores, tmp_path, caption="Scores.", note="48 images.")
    lines = path.with_suffix(".md").read_text().splitlines()
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in lines if "|" in line]
    assert rows[0] == ["method", "subject", "SSIM", "PixCorr"]  # order of appearance
    body = {(row[0], row[1]): row[2:] for row in rows[2:]}
    assert len(body) == 4
    first = scores.query("method == 'ridge' and subject == 'subj01' and metric == 'SSIM'").iloc[0]
    assert body["ridge", "subj01"][0] == f"{first.value:.3f} [{first.low:.3f}, {first.high:.3f}]"
    assert all(cell.startswith("**") for cell in body["HAVIR", "mean"])
    assert lines[-1] == "48 images."


def test_latex_is_balanced_and_escaped(tmp_path, scores):
    tricky = scores.assign(method=scores["method"].replace("ridge", "ridge_50% {a&b}"))
    text = save(tricky, tmp_path, caption="A & B_1").with_suffix(".tex").read_text()
    assert re.findall(r"\\begin\{(\w+)\}", text) == ["table", "tabular"]
    assert re.findall(r"\\end\{(\w+)\}", text) == ["tabular", "table"]
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert r"ridge\_50\% \{a\&b\}" in text
    assert r"\textbf{" in text
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    columns = len(re.search(r"\\begin\{tabular\}\{(l+)\}", text)[1])
    for line in body:
        assert line.endswith(r"\\")
        assert len(re.findall(r"(?<!\\)&", line)) == columns - 1


def test_latex_of_a_plain_frame_has_every_cell():
    text = as_latex(
        {"": pd.DataFrame({"roi": ["V1v"], "role": ["structural"]})}, "C", "", False, "x"
    )
    assert r"V1v & structural \\" in text
    assert "SIMULATED" not in text


def test_values_that_cannot_be_told_apart_are_refused(tmp_path, scores):
    twice = pd.concat([scores, scores])
    with pytest.raises(DataError, match="more than one value"):
        save(twice, tmp_path)
    assert not list(tmp_path.iterdir())


def test_contradicting_provenance_and_empty_tables_are_refused(tmp_path, scores):
    with pytest.raises(HavirError, match="provenance"):
        save_table(scores, tmp_path, "t", {"data": "measured"}, True)
    with pytest.raises(DataError, match="no rows"):
        save_table(scores.iloc[:0], tmp_path, "t", PROVENANCE, True)


def test_widen_fills_gaps_with_a_dash():
    frame = pd.DataFrame({"m": ["a", "b"], "metric": ["x", "y"], "value": [1.5, 2.25]})
    wide = widen(frame, ["m"], "metric", "value")
    assert wide.to_numpy().tolist() == [["a", "1.500", "–"], ["b", "–", "2.250"]]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.3274, "0.327"), (96.43, "96.4"), (1348, "1348"), (0, "0.000"), (float("nan"), "–")],
)
def test_numbers_are_printed_for_people(value, text):
    assert number(value) == text


def test_readable_keeps_counts_whole_and_does_not_print_a_p_of_zero():
    frame = pd.DataFrame({"n": [0, 40], "p": [0.0002, 0.0123], "gain": [0.0002, float("nan")]})
    shown = readable(frame)
    assert shown["n"].tolist() == ["0", "40"]
    assert shown["p"].tolist() == ["<0.001", "0.012"]
    assert shown["gain"].tolist() == ["0.000", "–"]


def test_table1_describes_each_roi():
    rois = pd.DataFrame(
        {"roi": ["FFA-1", "V1v"], "set": ["floc-faces", "prf-visualrois"], "label": [2, 1],
         "role": ["semantic", "structural"]}
    )  # fmt: skip
    table = table1_rois(rois)
    assert table["roi"].tolist() == ["V1v", "FFA-1"]  # structural first
    assert "Primary visual" in table["description"][0]
    with pytest.raises(DataError, match="role must be one of"):
        table1_rois(rois.assign(role="spatial"))


def test_table2_adds_published_counts():
    counts = pd.DataFrame(
        {"subject": ["subj02", "subj01", "subj01"],
         "role": ["structural", "semantic", "structural"],
         "roi": ["V1", "EBA", "V1"], "n_voxels": [20, 30, 10]}
    )  # fmt: skip
    published = pd.DataFrame({"subject": ["subj01"], "roi": ["V1"], "n_voxels": [1348]})
    table = table2_voxel_counts(counts, published)
    assert table["n_voxels"].tolist() == [10, 30, 20]
    assert table["n_published"].tolist()[0] == 1348
    assert table["n_published"].isna().tolist() == [False, True, True]
    assert "n_published" not in table2_voxel_counts(counts)


def test_table3_and_4_keep_the_documented_columns(scores):
    table = table3_comparison(scores)
    first = ["method", "source", "setting", "subject", "metric", "value", "low", "high", "n"]
    assert list(table.columns)[:9] == first
    ablations = scores.rename(columns={"method": "configuration"})
    assert list(table4_ablations(ablations).columns)[:3] == ["configuration", "subject", "metric"]
    with pytest.raises(DataError, match="low, high missing"):
        table3_comparison(scores.drop(columns=["low", "high"]))


FRONT = Front("a run", {}, [], [], "", [], simulated=True)
MARKUP = [
    "<script>alert(1)</script>", "<b>x</b>", "a & b", "**bold**", "_it_ *it*", "[a](javascript:b)",
    "`code`", "$x^2$", r"\alpha", r"\input{/etc/passwd}", "a|b|c", "# head", "50 % ~ {x} {0} %s",
    "one\ntwo", "a > b < c",
]  # fmt: skip


@pytest.mark.parametrize("text", MARKUP)
def test_text_of_data_is_never_markup(tmp_path, scores, text):
    named = scores.assign(method=scores["method"].replace("ridge", text), best=False)
    path = save(named, tmp_path)
    literal = " ".join(text.splitlines())
    latex = path.with_suffix(".tex").read_text()
    assert _without_latex(latex).count(literal) == 2  # one row per subject and their mean
    shown = MarkdownIt("commonmark").enable("table").render(path.with_suffix(".md").read_text())
    assert shown.count(f">{html.escape(literal)}</td>") == 2
    assert "<strong>" not in shown.partition("</thead>")[2]
    question = Question("07_x", [("table", path.stem)], [])
    build_site(tmp_path / "site", tmp_path, tmp_path, [question], FRONT)
    page = (tmp_path / "site" / "07_x.html").read_text()
    assert page.count(f">{html.escape(literal)}</td>") == 2


def _without_latex(text):
    for character, written in LATEX_SPECIAL.items():
        if character.isascii() and character.isprintable() and character not in "\\ ":
            text = text.replace(written, character)
    return text.replace(r"\textbackslash{}", "\\")
