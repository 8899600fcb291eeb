import numpy as np
import pytest
from matplotlib.colors import to_hex

from havir_lib.errors import ShapeError
from havir_lib.plots import (
    figure_ablations,
    figure_contact_sheet,
    figure_gallery,
    figure_methods,
    figure_reconstructions,
    plot_image_grid,
)
from havir_lib.plots.grids import GridLayout, text_width, wrap_to_width
from havir_lib.plots.style import SUBJECTS


@pytest.fixture
def pictures(rng):
    return rng.integers(0, 256, (3, 7, 9, 3), dtype=np.uint8)


def shown(fig, label):
    (ax,) = [ax for ax in fig.axes if ax.get_label() == label]
    return ax.get_images()[0].get_array()


def words(fig):
    return [text.get_text() for text in fig.texts]


def test_each_picture_stands_in_its_row_and_column(pictures):
    subjects = {"subj01": pictures[::-1], "subj07": pictures // 2}
    fig = figure_reconstructions(["a cat", "a dog", "a cow"], pictures, subjects)
    np.testing.assert_array_equal(shown(fig, "1/Stimulus"), pictures[1])
    np.testing.assert_array_equal(shown(fig, "0/subj01"), pictures[2])
    np.testing.assert_array_equal(shown(fig, "2/subj07"), pictures[2] // 2)
    assert {"a cat", "a dog", "a cow", "Stimulus", "subj01", "subj07"} <= set(words(fig))
    above = [ax for ax in fig.axes if ax.get_label() == "0/subj01"][0].get_position()
    below = [ax for ax in fig.axes if ax.get_label() == "1/subj01"][0].get_position()
    assert above.x0 == pytest.approx(below.x0)
    assert above.y0 > below.y1


def test_subjects_are_underlined_in_their_colour(pictures):
    fig = figure_reconstructions(["a"] * 3, pictures, {"subj05": pictures})
    colours = {to_hex(patch.get_facecolor()) for ax in fig.axes for patch in ax.patches}
    assert colours == {SUBJECTS["subj05"].lower()}


def test_configurations_are_written_as_in_the_paper(pictures):
    fig = figure_ablations(pictures, {"HAVIR": pictures, "w/o e_cap": pictures})
    assert "HAVIR" in words(fig)
    assert any("e'_{" in text and "cap" in text for text in words(fig))


def test_notes_stand_below_their_picture(pictures):
    fig = figure_methods(pictures, {"ridge": pictures}, notes={"ridge": ["0.1", "0.2", "0.3"]})
    (ax,) = [ax for ax in fig.axes if ax.get_label() == "1/ridge"]
    assert [text.get_text() for text in ax.texts] == ["0.2"]


def test_wrong_numbers_of_pictures_are_refused(pictures):
    with pytest.raises(ShapeError, match="'subj02' has 2 pictures, but there are 3 stimuli"):
        figure_reconstructions(["a"] * 3, pictures, {"subj02": pictures[:2]})
    with pytest.raises(ShapeError, match="row 1 holds 1 pictures, expected 2"):
        plot_image_grid([[None, None], [None]], ["a", "b"])
    with pytest.raises(ShapeError, match="row_labels has 1 entries, expected 2"):
        plot_image_grid([[None], [None]], ["a"], row_labels=["x"])


def test_cells_are_square_and_fill_the_width():
    layout = GridLayout(n_rows=2, n_columns=4, width=120, left=20)
    x, y, w, h = layout.bounds(1, 3)
    assert w * layout.width == pytest.approx(h * layout.height)
    assert (x + w) * layout.width == pytest.approx(120 - layout.margin)
    assert y * layout.height == pytest.approx(layout.margin)


def test_wrapping_measures_width():
    text = "A man with an umbrella walks a dog on a wet pavement"
    wrapped = wrap_to_width(text, 25)
    assert wrapped.replace("\n", " ") == text
    assert all(text_width(line) <= 25 for line in wrapped.split("\n"))
    assert wrapped.count("\n") >= 2
    short = wrap_to_width(text, 25, max_lines=2)
    assert short.count("\n") == 1
    assert short.endswith("…")
    assert all(text_width(line) <= 25 for line in short.split("\n"))


def test_gallery_shows_every_pair(pictures):
    sections = {"Chosen": (pictures, pictures[::-1]), "Random (seed 0)": (pictures[:2],) * 2}
    fig = figure_gallery(sections, per_row=2)
    np.testing.assert_array_equal(shown(fig, "Chosen/2/0"), pictures[2])
    np.testing.assert_array_equal(shown(fig, "Chosen/2/1"), pictures[0])
    assert len(fig.axes) == 2 * (3 + 2)
    assert {"Chosen", "Random (seed 0)"} <= set(words(fig))
    boxes = [ax.get_position() for ax in fig.axes]
    assert all(0 <= b.x0 < b.x1 <= 1 and 0 <= b.y0 < b.y1 <= 1 for b in boxes)


def test_contact_sheet_keeps_reading_order(pictures):
    fig = figure_contact_sheet(np.concatenate([pictures, pictures]), per_row=4)
    filled = [ax.get_images()[0].get_array() for ax in fig.axes if ax.get_images()]
    assert len(filled) == 6
    np.testing.assert_array_equal(filled[4], pictures[1])


def test_a_stimulus_that_a_subject_did_not_see_says_so(pictures):
    seen = {"subj01": pictures, "subj07": [pictures[0], None, pictures[2]]}
    fig = figure_reconstructions(["a cat", "a dog", "a cow"], pictures, seen)
    (ax,) = [ax for ax in fig.axes if ax.get_label() == "1/subj07"]
    assert not ax.get_images()
    said = " ".join(text.get_text() for text in ax.texts).replace("\n", " ")
    assert said == "not shown to this subject"
