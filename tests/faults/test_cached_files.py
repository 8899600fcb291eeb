"""Every kind of cached file, cut, emptied and with a flipped byte: made again, with a sentence."""

import shutil
import zlib

import pytest

from havir_lib.cache import store
from havir_lib.cache.store import RECIPE, cached, content_of, damage
from havir_lib.pages import ablations, comparison

pytestmark = pytest.mark.fault("cached files")


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    content = bytearray(path.read_bytes())
    content[zlib.crc32(path.name.encode()) % len(content)] ^= 1
    path.write_bytes(bytes(content))


@pytest.fixture(scope="module")
def kinds(run):
    """One finished result of every kind that a run leaves in its cache."""
    comparison.table3(run)
    ablations.table4(run)
    recipes = sorted(run.workspace.cache.glob(f"*/*/{RECIPE}"))
    return {path.parent.parent.name: path.parent for path in recipes}


@pytest.mark.parametrize("harm", [cut, empty, flip])
def test_damage_is_noticed_and_made_good(kinds, tmp_path, tried, harm, caplog):
    assert {"subjects", "latents", "tokens", "trained_semantic", "scores", "nsd"} <= set(kinds)
    n = 0
    for kind, whole in kinds.items():

        def build(folder, whole=whole):
            ours = shutil.ignore_patterns(RECIPE)
            shutil.copytree(whole, folder, dirs_exist_ok=True, ignore=ours)

        made = cached(tmp_path, kind, {"of": kind}, build)
        expected = content_of(made)
        for name in [*expected][:3] + [RECIPE]:
            if (made / name).stat().st_size == 0:
                continue
            caplog.clear()
            harm(made / name)
            store._file_content.cache_clear()  # as in a new process
            noticed = damage(made)
            assert noticed or (name, harm) == (RECIPE, flip), (kind, name)
            assert cached(tmp_path, kind, {"of": kind}, build) == made
            assert content_of(made) == expected, (kind, name)
            assert not damage(made)
            assert not noticed or noticed in caplog.text
            n += 1
        shutil.rmtree(made)
    assert n >= 30
    tried(n)
