"""What the notebooks promise a reader, counted."""

import pytest

from tests.notebooks import census


def test_few_cells_are_a_single_call():
    assert census.share() <= 0.25


def test_every_equation_stands_in_one_notebook():
    found = census.equations()
    assert sorted(found) == list(range(1, 11))
    assert all(len(notebooks) == 1 for notebooks in found.values())


@pytest.mark.parametrize("name", census.TARGETS)
def test_the_maths_is_near(name):
    assert census.calls_to(*census.TARGETS[name]) <= 5


def test_shapes_are_shown():
    rows = census.table()
    assert rows["shapes"].sum() >= 30
    assert (rows["shapes"] > 0).mean() > 0.8
