import json

import numpy as np
import pytest
from PIL import Image

from havir_lib.errors import HavirError
from havir_lib.plots import save_figure
from havir_lib.plots.saving import STAMP_TEXT
from havir_lib.plots.style import figure_style, new_figure
from havir_lib.provenance import file_digest

PROVENANCE = {"data": "SIMULATED", "seed": 3}


def line_figure():
    with figure_style():
        fig = new_figure(50, 30)
        fig.subplots().plot([0, 1], [1, 0])
    return fig


def noise_figure(rng):
    fig = new_figure(60, 60, layout=None)
    fig.add_axes((0, 0, 1, 1)).imshow(rng.integers(0, 256, (200, 200, 3), dtype=np.uint8))
    return fig


def test_all_files_are_written_and_the_sidecar_names_the_png(tmp_path):
    path = save_figure(line_figure(), tmp_path, "fig9_x", PROVENANCE, True, caption="A line.")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "fig9_x.json",
        "fig9_x.pdf",
        "fig9_x.png",
    ]
    record = json.loads((tmp_path / "fig9_x.json").read_text())
    assert record["data"] == "SIMULATED"
    assert record["seed"] == 3
    assert record["caption"] == "A line."
    assert record["file"] == {"fig9_x.png": file_digest(path)}


def test_saving_twice_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_figure(line_figure(), tmp_path / name, "fig", PROVENANCE, True)
    for suffix in ("png", "pdf", "json"):
        first, second = ((tmp_path / n / f"fig.{suffix}").read_bytes() for n in "ab")
        assert first == second
    assert b"CreationDate" not in (tmp_path / "a" / "fig.pdf").read_bytes()


def test_the_stamp_is_outside_the_drawing_and_only_on_simulated_figures(tmp_path):
    fig = line_figure()
    stamped = Image.open(save_figure(fig, tmp_path, "simulated", PROVENANCE, True))
    plain = Image.open(save_figure(fig, tmp_path, "measured", {"data": "measured"}, False))
    extra = stamped.height - plain.height
    assert stamped.width == plain.width
    assert extra > 10
    drawing = np.asarray(stamped)[extra + 3 :]  # the stamp's frame may reach over by a pixel
    np.testing.assert_allclose(drawing.astype(int), np.asarray(plain)[3:], atol=16)  # anti-aliasing
    strip = np.asarray(stamped.convert("RGB"))[:extra].astype(int)
    assert ((strip[..., 0] - strip[..., 1]) > 80).any()  # red ink
    assert STAMP_TEXT not in [text.get_text() for text in fig.texts]  # the figure is left as it was


def test_provenance_that_contradicts_the_caller_is_refused(tmp_path):
    with pytest.raises(HavirError, match="'measured'.*simulated=True"):
        save_figure(line_figure(), tmp_path, "fig", {"data": "measured"}, True)
    assert not list(tmp_path.iterdir())


def test_large_pictures_become_palette_images_below_the_limit(tmp_path, rng):
    fig = noise_figure(rng)
    full = save_figure(fig, tmp_path, "full", PROVENANCE, True, largest_png=10**8)
    assert Image.open(full).mode == "RGB"
    small = save_figure(fig, tmp_path, "small", PROVENANCE, True, largest_png=120_000)
    assert small.stat().st_size <= 120_000 < full.stat().st_size
    assert Image.open(small).mode == "P"
