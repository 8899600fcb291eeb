"""The whole command on replicas of the bucket, the web and the hub."""

import logging
import os
import resource
import signal
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from havir_lib.download import (
    fetch_all,
    missing_items,
    missing_report,
    preview_download,
    verify_download,
)
from havir_lib.download.items import Item
from havir_lib.download.plan import Task, check_disk, human
from havir_lib.download.sources import Remote
from havir_lib.download.terms import FORM, TERMS
from havir_lib.errors import ConfigError, DataError


@pytest.fixture
def root(config):
    return Path(config.data.root)


@pytest.fixture
def get(config, root):
    """Runs the command with the terms accepted; what it said is in `said`."""

    def run(**options):
        get_it.said.clear()
        options = {"accept_terms": True, "say": get_it.said.append} | options
        return fetch_all(config, root, **options)

    get_it = run
    get_it.said = []
    return run


def _keys_here(root):
    return {
        path.relative_to(root).as_posix()
        for folder in ("nsddata", "nsddata_betas", "nsddata_stimuli")
        for path in (root / folder).rglob("*")
        if path.is_file() and "annotations" not in path.parts
    }


def test_everything_a_profile_needs_and_nothing_else(get, config, root, objects, web, bucket):
    fetched = get()
    needed = {key for key in objects if not key.endswith("R2.nii.gz")}
    assert _keys_here(root) == needed
    assert all((root / key).read_bytes() == objects[key] for key in needed)
    annotations = root / "nsddata_stimuli/stimuli/nsd/annotations"
    assert sorted(p.name for p in annotations.iterdir()) == [
        "captions_train2017.json",
        "captions_val2017.json",
    ]
    assert len(fetched) == len(needed) + 2 + 9
    assert missing_items(config) == []
    assert missing_report(config) is None
    assert not list(root.parent.rglob("*.part*"))
    assert f"{len(fetched)} files are here" in get.said[-1]
    assert any("CC BY-NC 4.0" in line for line in get.said)  # before anything is fetched
    assert "1 size only" in get.said[-1]  # SwAV's server gives no checksum


def test_a_second_run_asks_for_no_bytes_and_reads_no_file_again(
    get, root, bucket, web, monkeypatch
):
    get()
    bucket.asked.clear()
    web.asked.clear()
    monkeypatch.setattr("havir_lib.download.checksum._blocks", _never)
    assert get(accept_terms=False) == []  # nothing to fetch: nothing to accept
    assert bucket.asked == web.asked == []
    assert get.said[0] == "Everything is here."


def _never(*args):
    raise AssertionError("a file that was checked and has not changed was read again")


@pytest.mark.parametrize("answer", [None, "", "no", "yes"])
def test_without_acceptance_nothing_is_fetched(get, root, bucket, answer):
    ask = None if answer is None else lambda question: answer
    with pytest.raises(DataError, match="expected the answer 'I accept'.*Nothing was downloaded"):
        get(accept_terms=False, ask=ask)
    shown = "\n".join(get.said)
    assert TERMS in shown
    assert FORM in shown
    assert bucket.asked == []
    assert not root.exists()


def test_a_typed_acceptance_goes_on(get, root, objects):
    get(accept_terms=False, ask=lambda question: " i ACCEPT", what=["nsd"], subjects=["subj05"])
    assert _keys_here(root)
    assert not [key for key in _keys_here(root) if "subj01" in key]


def test_captions_and_weights_need_no_acceptance(get, root):
    get(accept_terms=False, what=["coco", "weights"])
    assert TERMS not in "\n".join(get.said)


def test_a_fault_stops_the_run_and_a_later_run_continues(get, root, bucket, objects):
    bucket.spoil("betas_session02", status=403)
    with pytest.raises(DataError, match=r"betas_session02.hdf5.*403"):
        get(what=["nsd"])
    assert not list(root.rglob("betas_session02.hdf5"))
    whole = _keys_here(root)
    assert all(objects[key] == (root / key).read_bytes() for key in whole if ".part" not in key)
    bucket.faults.clear()
    bucket.asked.clear()
    get(what=["nsd"])
    asked = [place for place, header in bucket.asked if header == "bytes=0-"]
    assert not [place for place in asked if any(place.endswith(key) for key in whole)]
    assert _keys_here(root) == {key for key in objects if not key.endswith("R2.nii.gz")}


def test_local_copies_are_checked_damaged_ones_fetched_anew(get, root, objects, bucket, caplog):
    keys = [key for key in objects if "/roi/" in key and "subj05" in key]
    for key in keys:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(objects[key])
    damaged, short = keys[0], keys[1]
    (root / damaged).write_bytes(bytes(len(objects[damaged])))
    (root / short).write_bytes(objects[short][:-1])
    with caplog.at_level(logging.WARNING):
        get(what=["nsd"])
    assert "expected MD5" in caplog.text
    assert f"expected {len(objects[short])} bytes" in caplog.text
    assert all((root / key).read_bytes() == objects[key] for key in keys)
    asked = {place for place, _ in bucket.asked}
    for key in keys:
        assert any(place.endswith(key) for place in asked) == (key in (damaged, short))


def test_a_damaged_copy_is_not_replaced_without_acceptance(get, root, objects, bucket):
    get(what=["nsd"])
    key = next(key for key in objects if "/roi/" in key)
    (root / key).write_bytes(bytes(len(objects[key])))
    bucket.asked.clear()
    with pytest.raises(DataError, match="NSD's terms"):
        get(what=["nsd"], accept_terms=False)
    assert bucket.asked == []
    assert [item.name for item in get(what=["nsd"], accept_terms=False, ask=lambda q: "I accept")]
    assert (root / key).read_bytes() == objects[key]


def test_damaged_captions_are_fetched_anew(get, root):
    get(what=["coco"])
    captions = root / "nsddata_stimuli/stimuli/nsd/annotations/captions_val2017.json"
    whole = captions.read_bytes()
    captions.write_bytes(whole[:-20])
    get(what=["coco"])
    assert captions.read_bytes() == whole


def test_captions_archive_of_another_md5(config, root, web):
    settings = config.download.model_copy(update={"coco_md5": "0" * 32})
    config = config.model_copy(update={"download": settings})
    with pytest.raises(DataError, match="annotations_trainval2017.zip .* expected MD5 0{32}"):
        fetch_all(config, root, what=["coco"])
    assert not list(root.rglob("captions*"))


def test_dry_run_shows_sizes_and_writes_nothing(config, root, objects, bucket, web, tmp_path):
    said = []
    new = preview_download(config, root, say=said.append, list_files=True)
    text = "\n".join(said)
    betas = [len(data) for key, data in objects.items() if "betas_session" in key]
    row = next(line for line in text.splitlines() if "nsd: betas" in line)
    assert row.split()[2:5] == [str(len(betas)), *human(sum(betas)).split()]
    assert "betas_session02.hdf5" in text
    assert "To fetch: " in text
    assert TERMS in text
    assert bucket.asked == web.asked == []
    assert not root.exists()
    assert not (tmp_path / "hub").exists()
    assert {item.group for item in new} == {"nsd", "coco", "weights"}


def test_dry_run_without_servers_still_lists(settings, small_paper, root):
    silent = "http://127.0.0.1:1"
    off = {f"download.{name}": silent for name in ("endpoint_url", "mirror", "hub_endpoint")}
    said = []
    new = preview_download(small_paper(**settings | off), root, say=said.append)
    text = "\n".join(said)
    assert len(new) == len(missing_items(small_paper(**settings)))
    assert text.count("No sizes from") == 4  # bucket, web, two repositories
    assert len(text.splitlines()) <= 40


def test_an_unreachable_server_is_an_error_for_a_real_run(settings, small_paper, root):
    config = small_paper(**settings | {"download.endpoint_url": "http://127.0.0.1:1"})
    with pytest.raises(DataError, match="No answer after 3 tries.*--offline"):
        fetch_all(config, root, what=["nsd"], accept_terms=True)


def test_a_required_file_that_the_server_lacks_is_said_before_anything_is_fetched(
    settings, small_paper, root, bucket
):
    config = small_paper(**settings | {"data.n_sessions": 3})
    with pytest.raises(DataError, match=r"2 required file.*betas_session03.hdf5 \(betas of subj01"):
        fetch_all(config, root, what=["nsd"], accept_terms=True)
    assert bucket.asked == []


def test_an_optional_file_that_the_server_lacks_is_left_out(
    settings, small_paper, root, client, objects, caplog
):
    key = "nsddata/ppdata/subj01/transforms/func1pt8-to-MNI.nii.gz"
    client.delete_object(Bucket="natural-scenes-dataset", Key=key)
    try:
        with caplog.at_level(logging.WARNING):
            config = small_paper(**settings)
            fetch_all(config, root, what=["nsd"], subjects=["subj01"], accept_terms=True)
    finally:
        client.put_object(
            Bucket="natural-scenes-dataset", Key=key, Body=objects[key], ACL="public-read"
        )
    assert f"left out: {key}" in caplog.text
    assert missing_report(config.model_copy(update={"weights": config.weights})) is not None


@pytest.mark.fault("full disks")
def test_no_room_is_said_before_anything_is_fetched(tmp_path):
    item = Item("nsd", "betas", tmp_path / "new/betas.hdf5", "nsd", "betas.hdf5")
    with pytest.raises(DataError, match=r"expected room for 1,000.0 TB, found .* free"):
        check_disk([Task((item,), Remote(10**15))])
    check_disk([Task((item,), Remote(1000))])
    assert not (tmp_path / "new").exists()


@pytest.mark.fault("users, folders and file systems")
def test_a_folder_that_cannot_be_written(config, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file/nsd: expected to be able to write there"):
        fetch_all(config, tmp_path / "file/nsd", what=["coco"])


@pytest.mark.fault("full disks")
def test_no_room_to_unpack(get, root, web):
    archive = len(web.files["/annotations/annotations_trainval2017.zip"])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (archive + 100, hard))
    try:
        with pytest.raises(DataError, match=r"captions_train2017.json: expected room for \d+"):
            get(what=["coco"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(root.rglob("*captions*"))
    web.asked.clear()
    get(what=["coco"])
    assert web.asked == []  # the archive was whole
    assert len(list(root.rglob("captions_*.json"))) == 2
    assert not list(root.rglob("*.zip"))


@pytest.mark.fault("two at once")
def test_only_one_download_at_a_time(get, root):
    root.mkdir()
    with (
        FileLock(root / ".havir_download.lock"),
        pytest.raises(DataError, match="found another one running"),
    ):
        get(what=["coco"])


def test_data_need_a_folder(small_paper, settings):
    config = small_paper(**settings | {"data.root": "DIR"})
    with pytest.raises(ConfigError, match="--data DIR"):
        fetch_all(config, Path("DIR"), accept_terms=True)
    assert len(fetch_all(config, Path("DIR"), what=["weights"])) == 9
    assert not Path("DIR").exists()


def test_offline_check(get, config, root, settings, small_paper):
    off = {"download.endpoint_url": "http://127.0.0.1:1", "download.hub_endpoint": "http://[::1]:1"}
    offline = small_paper(**settings | off)
    assert len(verify_download(offline, root)) == len(
        [i for i in missing_items(config) if i.required]
    )
    get()
    said = []
    assert verify_download(offline, root, say=said.append) == []
    (hub_file,) = (root.parent / "hub").rglob("open_clip_model.safetensors")
    hub_file.write_bytes(bytes(hub_file.stat().st_size))
    (root / "nsddata/experiments/nsd/nsd_expdesign.mat").unlink()
    lost = verify_download(offline, root, say=said.append)
    assert {item.path.name for item in lost} == {"nsd_expdesign.mat", hub_file.name}


@pytest.mark.fault("kills and signals")
def test_interrupted_by_the_user(config, root, bucket, objects):
    """Ctrl-C while bytes are coming: it ends soon, keeps what came, and a later run continues."""
    going_on = threading.Event()
    bucket.spoil("betas_session01", slow=going_on)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # workers of xdist ignore it
        try:
            fetch_all(config, root, what=["nsd"], accept_terms=True)
        except KeyboardInterrupt:
            os._exit(130)
        finally:
            os._exit(0)
    deadline = time.monotonic() + 60
    while not any("betas_session01" in path for path, _ in bucket.asked):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(child, signal.SIGINT)
    began = time.monotonic()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    assert time.monotonic() - began < 10  # while the server still holds its bytes back
    going_on.set()
    assert not list(root.rglob("betas_session01.hdf5"))
    assert not (root / "nsddata/ppdata/subj05/transforms").exists()  # later files were not begun
    bucket.faults.clear()
    fetch_all(config, root, what=["nsd"], accept_terms=True)
    assert _keys_here(root) == {key for key in objects if not key.endswith("R2.nii.gz")}


def test_sizes_for_people():
    assert [human(n) for n in (0, 999, 1000, 1_049_000_000, 39_400_000_000, 2e12)] == [
        "0 B", "999 B", "1.0 kB", "1.0 GB", "39.4 GB", "2.0 TB",
    ]  # fmt: skip
