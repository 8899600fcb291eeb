import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from havir_lib.plots.grids import text_width
from havir_lib.plots.saving import save_figure
from havir_lib.plots.style import (
    CONFIGURATIONS,
    METHODS,
    ROLES,
    SUBJECTS,
    colour_of,
    contrast,
    distinct,
    figure_style,
    ink_of,
    label_of,
    new_figure,
    role_map,
    shades,
)


def luminance(colour):
    r, g, b = to_rgb(colour)[:3]
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def test_style_is_restored_afterwards():
    before = mpl.rcParams["font.size"]
    with figure_style():
        assert mpl.rcParams["font.size"] == 7
        assert mpl.rcParams["xtick.labelsize"] >= 6.5
    assert mpl.rcParams["font.size"] == before


def test_figures_are_sized_in_millimetres():
    assert new_figure(88, 50.8).get_size_inches() == pytest.approx([88 / 25.4, 2])


@pytest.mark.parametrize("table", [ROLES, SUBJECTS, CONFIGURATIONS, METHODS])
def test_colours_within_a_table_differ(table):
    assert len(set(table.values())) == len(table)


@pytest.mark.parametrize("name", [*ROLES, *SUBJECTS, *CONFIGURATIONS, *METHODS, "a new method"])
def test_names_in_their_colour_can_be_read(name):
    assert contrast(ink_of(name)) >= 4.5
    assert contrast("white") == pytest.approx(1)
    assert contrast("black") == pytest.approx(21)


def test_a_colour_that_can_be_read_stays_as_it_is():
    assert ink_of("subj01") == SUBJECTS["subj01"].lower()


@pytest.mark.parametrize("role", sorted(ROLES))
def test_regions_side_by_side_differ(role):
    colours = [np.array(to_rgb(colour)) for colour in distinct(role, 7)]
    apart = [np.abs(a - b).sum() for i, a in enumerate(colours) for b in colours[:i]]
    assert min(apart) > 0.3
    assert len(set(distinct(role, 14))) == 14


def test_colours_are_fixed_by_name():
    assert colour_of("subj01") == SUBJECTS["subj01"]
    assert colour_of("only z'") == ROLES["structural"]
    assert colour_of("some new method") == colour_of("some new method")
    assert len({colour_of(f"method {i}") for i in range(40)}) > 4


def test_labels_follow_the_paper():
    assert "$z'_{" in label_of("w/o z'")
    assert label_of("ridge") == "ridge"


@pytest.mark.parametrize("role", sorted(ROLES))
def test_role_map_goes_from_pale_to_dark(role):
    cmap = role_map(role)
    steps = [luminance(cmap(x)) for x in (0.0, 0.33, 0.66, 1.0)]
    assert steps == sorted(steps, reverse=True)
    tones = [luminance(c) for c in shades(role, 5)]
    assert tones == sorted(tones)


def test_text_from_data_is_no_markup(tmp_path):
    """A caption with two dollar signs, even a broken formula, is drawn as it is written."""
    said = r"a $5 note $ and \frac{ a $x^2$"
    with figure_style():
        fig = new_figure(60, 40)
        ax = fig.subplots()
        ax.set_yticks([0, 1], [label_of("w/o e_cap"), said])
        ax.set_title(said)
    save_figure(fig, tmp_path, "f", {"data": "measured"}, simulated=False)
    read = {text.get_text(): text.get_parse_math() for text in fig.findobj(Text)}
    assert read[said] is False
    assert read[label_of("w/o e_cap")] is True
    assert text_width(said) > text_width("a 5 note  and frac a x2")


def test_powers_on_a_logarithmic_axis_are_formulas(tmp_path):
    with figure_style():
        fig = new_figure(60, 40)
        ax = fig.subplots()
        ax.set(yscale="log", ylim=(1, 1000))
    save_figure(fig, tmp_path, "f", {"data": "measured"}, simulated=False)
    powers = [text for text in ax.get_yticklabels() if "10^" in text.get_text()]
    assert powers
    assert all(text.get_parse_math() for text in powers)
