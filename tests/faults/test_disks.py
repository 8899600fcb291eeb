"""A full disk: a sentence, nothing half-written, and the same bytes once there is room."""

import resource
from contextlib import contextmanager

import numpy as np
import pytest

from havir_lib.cache.store import cached, content_of
from havir_lib.io import save_arrays, write_json, write_text

pytestmark = pytest.mark.fault("full disks")


@contextmanager
def little_room(n_bytes):
    """No file may grow beyond this, as on a full disk."""
    import signal

    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def text(path):
    write_text(path, "x" * 10_000)


def arrays(path):
    save_arrays(path, a=np.ones(10_000))


def figure(path):
    from matplotlib.figure import Figure

    from havir_lib.plots.saving import save_figure

    drawn = Figure()
    drawn.subplots().plot([3, 1, 2])
    save_figure(drawn, path.parent, path.stem, {"data": "measured"}, simulated=False)


@pytest.mark.parametrize(
    ("name", "write"), [("a.txt", text), ("a.npz", arrays), ("a.webp", figure)]
)
def test_a_file_stays_as_it_was(tmp_path, name, write):
    path = tmp_path / name
    path.write_bytes(b"before")
    with little_room(200), pytest.raises(OSError, match="File too large"):
        write(path)
    assert path.read_bytes() == b"before"
    assert [x.name for x in tmp_path.iterdir()] == [path.name]
    write(path)
    assert path.stat().st_size > 200


def test_a_result_goes_on_when_there_is_room(tmp_path):
    calls = []

    def build(folder):
        calls.append(1)
        for n in range(3):
            write_json(folder / f"{n}.json", "x" * 1000 * n)

    expected = content_of(cached(tmp_path / "expected", "k", {}, build))
    with little_room(1500), pytest.raises(OSError, match="File too large"):
        cached(tmp_path / "full", "k", {}, build)
    (folder,) = (x for x in (tmp_path / "full/k").iterdir() if x.is_dir())
    assert folder.suffix == ".partial"
    assert content_of(cached(tmp_path / "full", "k", {}, build)) == expected
    assert len(calls) == 3


def test_targets_go_on_when_there_is_room(tmp_path):
    from havir_lib.targets.compute import _write
    from tests.faults.test_partial_files import IDS, encode

    with little_room(40), pytest.raises(OSError, match="File too large"):
        _write(tmp_path, ("a", "b"), IDS, encode([]))
    _write(tmp_path, ("a", "b"), IDS, encode([]))
    assert np.array_equal(np.load(tmp_path / "a.npy"), np.outer(IDS + 1, [1, 2, 3]))
