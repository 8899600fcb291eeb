import nbformat
import numpy as np
import pandas as pd
import pytest

from havir_lib.errors import DataError
from havir_lib.plots import plot_image_grid, save_figure
from havir_lib.reports import save_table
from havir_lib.reports.html import build_html_report, formulas_as_mathml

PROVENANCE = {"data": "SIMULATED"}


@pytest.fixture
def run(tmp_path):
    picture = np.full((8, 9, 3), 99, np.uint8)
    figures, tables, notebooks = (tmp_path / n for n in ("figures", "tables", "notebooks"))
    save_figure(
        plot_image_grid([[picture]], ["Stimulus"]), figures, "fig2_reconstructions", PROVENANCE,
        True, caption="Five <stimuli> & more",
    )  # fmt: skip
    frame = pd.DataFrame({"roi": ["V1v"], "n_voxels": [1348], "share": [0.123456]})
    save_table(frame, tables, "table2_voxel_counts", PROVENANCE, True, note="Counts.")
    notebooks.mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A question")])
    nbformat.write(notebook, notebooks / "06_reconstruction.ipynb")
    return notebooks, figures, tables


def test_one_page_holds_figures_tables_and_links(run, tmp_path):
    out = build_html_report(*run, tmp_path / "report" / "index.html")
    page = out.read_text()
    assert "Figure 2: reconstructions" in page
    assert "data:image/webp;base64,UklGR" in page
    assert "Five &lt;stimuli&gt; &amp; more" in page
    assert "<td>V1v</td>" in page
    assert "<td>0.123</td>" in page
    assert 'href="notebooks/06_reconstruction.html"' in page
    assert "A question" in (out.parent / "notebooks" / "06_reconstruction.html").read_text()
    assert "http" not in page.replace('charset="utf-8"', "")  # nothing is fetched
    assert "SIMULATED DATA" in page
    assert "nor host" not in page


def test_measured_results_carry_no_banner(run, tmp_path):
    notebooks, figures, tables = run
    for sidecar in (*figures.glob("*.json"), *tables.glob("*.json")):
        sidecar.write_text(sidecar.read_text().replace("SIMULATED", "measured"))
    for table in tables.glob("*.csv"):
        table.write_text(table.read_text().replace("SIMULATED", "measured"))
    page = build_html_report(notebooks, figures, tables, tmp_path / "index.html").read_text()
    assert "SIMULATED" not in page
    assert "neither publish nor host this page" in page


def test_a_result_without_provenance_is_refused(run, tmp_path):
    notebooks, figures, tables = run
    (figures / "fig2_reconstructions.json").unlink()
    with pytest.raises(DataError, match="fig2_reconstructions.webp: expected its provenance"):
        build_html_report(notebooks, figures, tables, tmp_path / "index.html")


def test_nothing_to_report_is_an_error(tmp_path):
    with pytest.raises(DataError, match="nothing to report"):
        build_html_report(tmp_path, tmp_path, tmp_path, tmp_path / "index.html")


def test_formulas_need_no_script():
    shown = formulas_as_mathml("ceiling $a^2$ and\n$$\nb_1\n$$\nfor 5 \\$")
    assert "<msup><mi>a</mi><mn>2</mn></msup>" in shown
    assert 'display="block"' in shown
    assert "$$" not in shown
    assert shown.startswith("ceiling <math")
    assert shown.endswith("for 5 \\$")
