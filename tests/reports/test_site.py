"""Pages of a run's site: complete, of this run only, and without anything from a network."""

import html
import re
from html.parser import HTMLParser

import nbformat
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from havir_lib.errors import DataError
from havir_lib.plots import plot_image_grid, save_figure
from havir_lib.reports import save_table
from havir_lib.reports.site import Front, Question, build_site, formulas_as_mathml

PROVENANCE = {"data": "SIMULATED"}
RESULTS = [("figure", "fig2_reconstructions"), ("table", "table2_voxel_counts"),
           ("figure", "not_made")]  # fmt: skip
EXPLORER = {
    "metrics": [{"name": "PixCorr", "label": "PixCorr ↑", "higher": True}],
    "methods": ["HAVIR"], "images": [{"id": 3, "caption": "</script><b>", "complexity": 0.1,
                                      "group": "park"}],
    "seen": {"subj01": [3]}, "sampled": 0, "scores": {"subj01": {"HAVIR": {3: [0.5]}}}, "maps": {},
}  # fmt: skip


def front(simulated=True):
    return Front(
        "demo: 1 subject", {"subjects": "subj01 & <b>"},
        [{"claim": "It works", "verdict": "holds", "kind": "holds", "detail": "2 of 3"}],
        [{"metric": "SSIM ↑", "floor": "0.1", "value": "0.5", "bound": "0.9", "percent": "50"}],
        "10 of 10 numbers agree.", ["We did <this>."], simulated,
    )  # fmt: skip


@pytest.fixture
def made(tmp_path):
    """Folders of figures, tables and executed notebooks; one figure is of another run."""
    picture = np.full((8, 9, 3), 99, np.uint8)
    figures, tables = tmp_path / "figures", tmp_path / "tables"
    for name in ("fig2_reconstructions", "of_another_run"):
        save_figure(
            plot_image_grid([[picture]], ["Stimulus"]), figures, name, PROVENANCE, True,
            caption="Five <stimuli> & more",
        )  # fmt: skip
    frame = pd.DataFrame({"roi": ["V1v"], "n_voxels": [1348], "share": [0.123456]})
    save_table(frame, tables, "table2_voxel_counts", PROVENANCE, True, note="Counts.")
    cells = [nbformat.v4.new_markdown_cell("# 06 · A question\n\nWhat $a^2$ is."),
             nbformat.v4.new_markdown_cell("Further $b_1$.")]  # fmt: skip
    book = tmp_path / "notebooks" / "06_reconstruction.ipynb"
    book.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), book)
    return figures, tables, [Question("06_reconstruction", RESULTS, [book])]


class Page(HTMLParser):
    """Ids, links, text and what is loaded."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found[x] for x in ("href", "src") if found.get(x)]

    def handle_data(self, data):
        self.text += data


def pages_of(folder):
    return {path.name: Page(path.read_text()) for path in folder.glob("*.html")}


def test_every_page_and_file_that_is_linked_exists(made, tmp_path):
    first = build_site(tmp_path / "site", *made, front(), EXPLORER)
    assert first == tmp_path / "site" / "index.html"
    pages = pages_of(first.parent)
    assert set(pages) == {"index.html", "06_reconstruction.html", "explorer.html", "methods.html"}
    for page in pages.values():
        assert len(set(page.ids)) == len(page.ids)
        for link in page.links:
            assert "://" not in link  # nothing is fetched
            file, _, anchor = link.partition("#")
            if not link.startswith("data:"):
                assert not file or (first.parent / file).is_file(), link
                assert not anchor or anchor in (pages[file] if file else page).ids


def test_the_first_screen_says_what_was_run_and_what_came_out(made, tmp_path):
    text = pages_of(build_site(tmp_path / "s", *made, front()).parent)["index.html"].text
    for said in ("demo: 1 subject", "subj01 & <b>", "holds", "It works", "2 of 3", "SSIM ↑",
                 "10 of 10 numbers agree.", "A question", "SIMULATED DATA"):  # fmt: skip
        assert said in text
    assert "Explorer" not in text  # there is none


def test_a_question_has_its_figures_and_whole_tables(made, tmp_path):
    folder = build_site(tmp_path / "s", *made, front()).parent
    page = (folder / "06_reconstruction.html").read_text()
    assert "<h1>A question</h1>" in page
    assert "<msup><mi>a</mi><mn>2</mn></msup>" in page
    assert "Figure 2: reconstructions" in page
    assert "Five &lt;stimuli&gt; &amp; more" in page
    assert ">V1v</td>" in page
    assert ">0.123</td>" in page
    assert 'href="notebooks/06_reconstruction.html"' in page
    for name in ("fig2_reconstructions.pdf", "table2_voxel_counts.csv", "table2_voxel_counts.tex"):
        assert f'href="files/{name}"' in page
        assert (folder / "files" / name).is_file()
    with Image.open(folder / "files" / "fig2_reconstructions.webp") as image:
        assert f'width="{image.width}" height="{image.height}"' in page
    assert "math" in (folder / "notebooks" / "06_reconstruction.html").read_text()


def test_nothing_of_another_run_is_shown(made, tmp_path):
    folder = build_site(tmp_path / "s", *made, front()).parent
    (folder / "files" / "stale.webp").write_bytes(b"x")
    (folder / "old.html").write_text("x")
    (folder / "explorer" / "stimuli").mkdir(parents=True)
    build_site(folder, *made, front())
    assert not (folder / "files" / "stale.webp").exists()
    assert not (folder / "old.html").exists()
    assert (folder / "explorer" / "stimuli").is_dir()
    assert not [x for x in folder.rglob("*") if "of_another_run" in x.name]


def test_measured_results_carry_no_stamp(made, tmp_path):
    figures, tables, questions = made
    for path in (*figures.glob("*.json"), *tables.glob("*.*")):
        path.write_text(path.read_text().replace("SIMULATED", "measured"))
    folder = build_site(tmp_path / "s", figures, tables, questions, front(simulated=False)).parent
    for page in pages_of(folder).values():
        assert "SIMULATED" not in page.text
        assert "neither publish nor host this page" in page.text


def test_a_result_without_provenance_is_refused(made, tmp_path):
    (made[0] / "fig2_reconstructions.json").unlink()
    with pytest.raises(DataError, match="fig2_reconstructions.webp: expected its provenance"):
        build_site(tmp_path / "s", *made, front())


def test_nothing_to_show_is_an_error(tmp_path):
    with pytest.raises(DataError, match="nothing to show"):
        build_site(tmp_path, tmp_path, tmp_path, [Question("06_x", RESULTS, [])], front())


def test_data_of_the_explorer_cannot_end_its_script(made, tmp_path):
    folder = build_site(tmp_path / "s", *made, front(), EXPLORER).parent
    text = (folder / "explorer-data.js").read_text()
    assert "</script" not in text
    assert re.search(r"<\\/script><b>", text)
    assert html.escape("<this>") in (folder / "methods.html").read_text()


def test_formulas_need_no_script():
    shown = formulas_as_mathml("ceiling $a^2$ and\n$$\nb_1\n$$\nfor 5 \\$")
    assert "<msup><mi>a</mi><mn>2</mn></msup>" in shown
    assert 'display="block"' in shown
    assert "$$" not in shown
    assert shown.startswith("ceiling <math")
    assert shown.endswith("for 5 \\$")
    numbered = formulas_as_mathml(r"$$a \tag{8}$$")
    assert '<mspace width="2em" /><mo stretchy="false">&#x00028;</mo><mn>8</mn>' in numbered
