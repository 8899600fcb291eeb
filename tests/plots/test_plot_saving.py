import io
import json

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from havir_lib.errors import HavirError
from havir_lib.plots import save_figure, saving
from havir_lib.plots.saving import STAMP_TEXT, encoded, is_drawing, page_copy, stamp_figure
from havir_lib.plots.style import figure_style, new_figure
from havir_lib.provenance import file_digest

PROVENANCE = {"data": "SIMULATED", "seed": 3}


def line_figure():
    with figure_style():
        fig = new_figure(50, 30)
        fig.subplots().plot([0, 1], [1, 0])
    return fig


def photograph(rng):
    fig = new_figure(60, 60, layout=None)
    colours = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    fig.add_axes((0, 0, 1, 1)).imshow(colours, interpolation="bicubic")
    return fig


def test_all_files_are_written_and_the_sidecar_names_the_png(tmp_path):
    path = save_figure(line_figure(), tmp_path, "fig9_x", PROVENANCE, True, caption="A line.")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "fig9_x.json",
        "fig9_x.pdf",
        "fig9_x.webp",
    ]
    record = json.loads((tmp_path / "fig9_x.json").read_text())
    assert record["data"] == "SIMULATED"
    assert record["seed"] == 3
    assert record["caption"] == "A line."
    assert record["file"] == {"fig9_x.webp": file_digest(path)}


def test_saving_twice_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_figure(line_figure(), tmp_path / name, "fig", PROVENANCE, True)
    for suffix in ("webp", "pdf", "json"):
        first, second = ((tmp_path / n / f"fig.{suffix}").read_bytes() for n in "ab")
        assert first == second
    assert b"CreationDate" not in (tmp_path / "a" / "fig.pdf").read_bytes()


@pytest.mark.parametrize("shape", [(10, 60), (60, 10)])
def test_the_stamp_of_a_figure_that_is_only_shown_is_just_above_what_is_drawn(shape):
    fig, ax = plt.subplots()
    ax.imshow(np.zeros(shape))  # flat or narrow, so most of the figure stays empty
    ax.set_title("a title")
    top = fig.get_tightbbox().y1
    stamp_figure(fig)
    (text,) = fig.texts
    assert text.get_text() == STAMP_TEXT
    lowest = text.get_window_extent().y0 / fig.dpi
    assert top < lowest < top + 0.1  # inches
    plt.close(fig)


def test_the_stamp_is_outside_the_drawing_and_only_on_simulated_figures(tmp_path):
    fig = line_figure()
    stamped = Image.open(save_figure(fig, tmp_path, "simulated", PROVENANCE, True))
    plain = Image.open(save_figure(fig, tmp_path, "measured", {"data": "measured"}, False))
    extra = stamped.height - plain.height
    assert stamped.width == plain.width
    assert extra > 10
    drawing = np.asarray(stamped)[extra + 3 :]  # the stamp's frame may reach over by a pixel
    off = np.abs(drawing.astype(int) - np.asarray(plain)[3:]).max(axis=-1)
    assert (off > 16).mean() < 1e-3  # a label may be drawn a fraction of a pixel away
    strip = np.asarray(stamped.convert("RGB"))[:extra].astype(int)
    assert ((strip[..., 0] - strip[..., 1]) > 80).any()  # red ink
    assert STAMP_TEXT not in [text.get_text() for text in fig.texts]  # the figure is left as it was


def test_provenance_that_contradicts_the_caller_is_refused(tmp_path):
    with pytest.raises(HavirError, match="'measured'.*simulated=True"):
        save_figure(line_figure(), tmp_path, "fig", {"data": "measured"}, True)
    assert not list(tmp_path.iterdir())


def test_drawings_are_kept_bit_by_bit_and_photographs_in_full_colour(rng):
    for fig, exact in ((line_figure(), True), (photograph(rng), False)):
        with figure_style():
            raster = saving._raster(fig, saving._frame(fig, simulated=False))
        assert is_drawing(raster) is exact
        image = Image.open(io.BytesIO(encoded(raster)))
        assert image.mode == "RGB"
        off = np.abs(np.asarray(image).astype(int) - np.asarray(raster)).mean()
        assert off == 0 if exact else 0 < off < 8


def test_copies_for_pages_are_half_as_sharp(tmp_path, rng):
    for fig, kind in ((line_figure(), "png"), (photograph(rng), "jpeg")):
        path = save_figure(fig, tmp_path, kind, PROVENANCE, True)
        content, found = page_copy(path)
        assert found == kind
        whole, copy, small = (
            Image.open(x) for x in (path, io.BytesIO(content), io.BytesIO(page_copy(path, 64)[0]))
        )
        assert copy.format.lower() == kind
        assert copy.width == whole.width // 2
        assert small.width == 64
