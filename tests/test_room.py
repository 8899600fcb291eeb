"""How much disk a run announces; that it is enough is shown by the smoke run."""

from types import SimpleNamespace

import pytest

from havir_lib import room
from havir_lib.config import load_config
from havir_lib.errors import RunError
from havir_lib.paths import workspace_of


@pytest.fixture
def paper(tmp_path):
    return load_config("paper", {"data.root": str(tmp_path), "weights.hub_cache": str(tmp_path)})


def test_sizes_are_those_of_versatile_diffusion(paper):
    shapes = room.Shapes.of(paper.weights)
    assert (shapes.latent, shapes.image_tokens) == (4 * 64 * 64, 257 * 768)
    assert (shapes.text_tokens, shapes.picture) == (77 * 768, 512 * 512 * 3)


def test_sizes_of_the_small_models_are_read_from_their_files():
    shapes = room.Shapes.of(load_config("smoke").weights)
    assert (shapes.latent, shapes.image_tokens) == (12 * 16 * 16, 65 * 128)
    assert (shapes.text_tokens, shapes.picture) == (32 * 128, 128 * 128 * 3)


def test_the_paper_takes_some_hundred_gigabytes_and_more_in_full(paper):
    core = room.needed(paper)
    assert 60e9 < sum(core.values()) < 150e9
    full = room.needed(load_config("paper", {"data.root": "x", "comparison.full": True}))
    assert sum(full.values()) > 1.5 * sum(core.values())


def test_own_data_are_counted_alike_whether_or_not_their_profile_can_simulate():
    given = {"data.root": "x", "data.n_sessions": None, "comparison.full": True}
    able = room.needed(load_config("smoke", given))
    assert "simulated brains" not in able
    assert able == room.needed(load_config("smoke", {**given, "simulation": None}))


def test_one_line_says_how_much_goes_where(tmp_path):
    text = room.check_room(load_config("smoke"), workspace_of("smoke", str(tmp_path / "new")))
    assert str(tmp_path / "new") in text
    assert "free" in text


@pytest.mark.fault("full disks")
def test_a_run_without_room_is_refused_before_it_starts(paper, tmp_path, monkeypatch):
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: SimpleNamespace(free=20e9))
    with pytest.raises(RunError, match=r"no room.*20\.0 GB free.*reconstructions.*workspace"):
        room.check_room(paper, workspace_of("paper", str(tmp_path)))
