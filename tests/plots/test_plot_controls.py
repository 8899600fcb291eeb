"""Intervals and curves of the controls: every value at its place, labels once, no lost rows."""

import numpy as np
import pandas as pd
import pytest

from havir_lib.plots.controls import figure_curves, figure_intervals


def _table(rng, **columns):
    index = pd.MultiIndex.from_product(columns.values(), names=list(columns))
    frame = index.to_frame(index=False)
    frame["value"] = rng.normal(size=len(frame))
    return frame.assign(low=frame["value"] - 0.1, high=frame["value"] + 0.2)


@pytest.fixture
def intervals(rng):
    return _table(rng, claim=["A", "B"], metric=["x", "y", "z"], level=["one", "two"])


def _points(ax):
    return [line for line in ax.lines if line.get_linestyle() == "None"]


def test_every_interval_stands_in_its_panel_and_row(intervals):
    figure = figure_intervals(intervals, panel="claim", row="metric", colour="level")
    for name, ax in zip("AB", figure.axes, strict=True):
        assert ax.get_title(loc="left") == name or ax.get_title() == name
        labels = dict(zip(ax.get_yticks(), "xyz", strict=True))
        for level, points in zip(("one", "two"), _points(ax), strict=True):
            for x, y in zip(*points.get_data(), strict=True):
                own = intervals.set_index(["claim", "metric", "level"])["value"]
                assert own[name, labels[round(y)], level] == x


def test_rows_of_all_panels_alike_are_named_once(intervals):
    first, second = figure_intervals(intervals, panel="claim", row="metric", colour="level").axes
    assert [label.get_text() for label in first.get_yticklabels()] == ["x", "y", "z"]
    assert not any(label.get_text() for label in second.get_yticklabels())


def test_rows_that_differ_are_named_in_each_panel(intervals):
    part = intervals[(intervals["claim"] == "A") | (intervals["metric"] == "z")]
    first, second = figure_intervals(part, panel="claim", row="metric", colour="level").axes
    assert [label.get_text() for label in first.get_yticklabels()] == ["x", "y", "z"]
    assert [label.get_text() for label in second.get_yticklabels()] == ["z"]


def test_curves_are_drawn_in_order_of_x_whatever_the_order_of_rows(rng):
    table = _table(rng, metric=["m"], hours=[8, 1, 4], method=["ridge", "HAVIR"])
    (ax,) = figure_curves(table, panel="metric", x="hours", colour="method").axes
    for method, line in zip(("ridge", "HAVIR"), ax.lines, strict=True):
        own = table[table["method"] == method].set_index("hours")["value"]
        np.testing.assert_allclose(line.get_xdata(), [1, 4, 8], atol=0.2)  # moved aside a little
        np.testing.assert_array_equal(line.get_ydata(), own.loc[[1, 4, 8]])
    first, second = (line.get_xdata() for line in ax.lines)
    assert (second > first).all()  # no interval hides another
    assert len(ax.collections) == 2


def test_rows_of_panels_hold_their_own_curves(rng):
    table = _table(rng, parameter=["p", "q"], at=[0.0, 1.0], metric=["m", "d"])
    table["kind"] = table["metric"].map({"m": "scores", "d": "distances"})
    figure = figure_curves(
        table, panel="parameter", x="at", colour="metric", row="kind", marks={"p": 0.5}
    )
    drawn = [[line for line in ax.lines if len(line.get_ydata()) == 2 and line.get_marker() == "o"]
             for ax in figure.axes]  # fmt: skip
    values = [np.concatenate([line.get_ydata() for line in lines if len(line.get_xdata())])
              for lines in drawn]  # fmt: skip
    own = [table.query("kind == @kind and parameter == @parameter")["value"].to_numpy()
           for kind in ("scores", "distances") for parameter in ("p", "q")]  # fmt: skip
    for found, expected in zip(values, own, strict=True):
        np.testing.assert_allclose(found, expected)
