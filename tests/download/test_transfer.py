"""One file through every fault: an error that says what to do, nothing half-written, then whole."""

import os
import resource
import signal
import subprocess
import threading
import time
from dataclasses import replace
from email.utils import formatdate

import pytest

from havir_lib.config import Download
from havir_lib.download.checksum import Checksum
from havir_lib.download.ledger import Ledger
from havir_lib.download.s3_source import S3Source
from havir_lib.download.sources import Changed, Interrupted, Remote, WebSource, seconds_of
from havir_lib.download.transfer import Stopped, fetch, part_of, partial_size, pause_after
from havir_lib.errors import DataError

SWAV = "/deepcluster/swav_800ep_pretrain.pth.tar"

pytestmark = pytest.mark.fault("downloads")


@pytest.fixture
def source(config):
    return S3Source(config.download.nsd_bucket, config.download)


@pytest.fixture
def key(objects):
    return next(key for key in objects if key.endswith("subj05/func1pt8mm/roi/streams.nii.gz"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data/streams.nii.gz"


@pytest.fixture
def get(source, key, path, config):
    """Fetches the file; returns what was checked."""

    def fetch_it(remote=None, **options):
        remote = remote or source.describe(key)
        return fetch(source, key, path, remote, config.download, **options)

    return fetch_it


def wait_until(true):
    deadline = time.monotonic() + 60
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)


def in_child(work):
    """Do some work in another process; returns its number. It leaves with 0 if that is right."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if work() == "size and MD5" else 1
        finally:
            os._exit(code)
    return child


def _nothing_under_its_name(path):
    return not path.exists() and {p.name for p in path.parent.iterdir()} <= {
        f"{path.name}.part",
        f"{path.name}.part.json",
        f"{path.name}.part.lock",
    }


def test_a_file_arrives_whole_and_alone(get, path, objects, key):
    came = []
    assert get(advance=came.append) == "size and MD5"
    assert path.read_bytes() == objects[key]
    assert sum(came) == len(objects[key])
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_file_uploaded_in_parts_is_checked_by_its_parts(source, config, large, tmp_path, bucket):
    key, data = large
    remote = source.describe(key, source.survey([key])[key])
    assert remote.checksum.kind == "MD5 of parts"
    path = tmp_path / "betas.hdf5"
    assert fetch(source, key, path, remote, config.download) == "size and MD5 of parts"
    assert path.read_bytes() == data
    path.unlink()
    bucket.faults.clear()
    bucket.spoil(key, flip=6 << 20)
    with pytest.raises(DataError, match="expected MD5 of parts"):
        fetch(source, key, path, remote, config.download)


def test_listing_gives_sizes_of_just_the_files_asked_for(source, objects):
    keys = [key for key in objects if "/roi/" in key]
    found = source.survey([*keys, "nsddata/no/such/file"])
    assert {key: remote.size for key, remote in found.items()} == {
        key: len(objects[key]) for key in keys
    }


def test_cut_connections_are_resumed_where_they_broke(get, path, objects, key, bucket):
    bucket.spoil(cut=200, times=3)
    get()
    assert path.read_bytes() == objects[key]
    asked = [header for place, header in bucket.asked if "streams" in place]
    assert asked == ["bytes=0-", "bytes=200-", "bytes=400-", "bytes=600-"]


def test_a_connection_that_stays_broken_is_an_error_and_a_later_run_continues(
    get, path, objects, key, bucket
):
    bucket.spoil(cut=100, times=1)
    bucket.spoil(cut=0)
    with pytest.raises(DataError) as error:
        get()
    size = len(objects[key])
    assert f"expected {size} bytes, found 100" in str(error.value)
    assert "last 3 tries" in str(error.value)
    assert "continues from there" in str(error.value)
    assert path.name in str(error.value)
    assert _nothing_under_its_name(path)
    bucket.faults.clear()
    bucket.asked.clear()
    get()
    assert path.read_bytes() == objects[key]
    assert [header for _, header in bucket.asked] == ["bytes=100-"]


def test_a_busy_server_is_asked_again(get, path, objects, key, bucket):
    bucket.spoil(status=503, times=2)
    get()
    assert path.read_bytes() == objects[key]


def test_refused(get, path, bucket):
    bucket.spoil(status=403)
    with pytest.raises(DataError, match=r"streams.nii.gz: expected a public .*403.*access form"):
        get()
    assert _nothing_under_its_name(path)


def test_not_there(source, path, config):
    with pytest.raises(DataError, match="no/such: expected the file, found 404"):
        fetch(source, "no/such", path, Remote(5), config.download)
    assert _nothing_under_its_name(path)


def test_wrong_checksum_leaves_nothing_and_a_later_run_succeeds(get, path, objects, key, bucket):
    bucket.spoil(flip=5, times=1)
    with pytest.raises(DataError, match=r"expected MD5 [0-9a-f]{32}, found [0-9a-f]{32}.*again"):
        get()
    assert not path.exists()
    assert partial_size(path) == 0
    get()
    assert path.read_bytes() == objects[key]


def test_shorter_than_its_listing(get, path, objects, key, bucket):
    bucket.spoil(ends=300)
    size = len(objects[key])
    with pytest.raises(DataError, match=rf"expected {size} bytes.*no more than 300"):
        get()
    assert not path.exists()
    assert partial_size(path) == 0
    bucket.faults.clear()
    get()
    assert path.read_bytes() == objects[key]


def test_longer_than_its_listing(get, path, objects, key, bucket):
    bucket.spoil(more=50)
    with pytest.raises(DataError, match=rf"expected {len(objects[key])} bytes, found more"):
        get()
    assert not path.exists()
    assert partial_size(path) == 0


def test_a_file_replaced_on_the_server_is_begun_anew_not_mixed(get, path, source, key, bucket):
    bucket.spoil(cut=100, times=1)
    bucket.spoil(cut=0)
    with pytest.raises(DataError):
        get()
    bucket.faults.clear()
    bucket.asked.clear()
    now = source.describe(key)
    older = replace(now, etag='"00000000000000000000000000000000"')
    with pytest.raises(DataError, match="listing"):  # the server never has that version
        get(older)
    assert bucket.asked[0][1] == "bytes=0-"  # what was there belonged to another version
    get(now)
    assert path.is_file()


@pytest.mark.fault("full disks")
def test_full_disk(get, path, objects, key):
    """A limit of the kernel's on the size of files stands for a disk without room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    path.parent.mkdir(parents=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256, hard))
    try:
        with pytest.raises(DataError) as error:
            get()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert f"{path}: no room for it" in str(error.value)
    assert f"expected {len(objects[key])} bytes" in str(error.value)
    assert "Make room" in str(error.value)
    assert _nothing_under_its_name(path)
    get()
    assert path.read_bytes() == objects[key]


@pytest.mark.fault("full disks")
def test_full_disk_on_a_small_file_system(source, config, large, tmp_path):
    key, data = large
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    path = disk / "betas.hdf5"
    try:
        with pytest.raises(DataError, match=r"betas.hdf5: no room for it \(No space left"):
            fetch(source, key, path, source.describe(key), config.download)
        assert _nothing_under_its_name(path)
        assert 0 < partial_size(path) < len(data)
        began = partial_size(path)
        subprocess.run(["mount", "-o", "remount,size=32m", str(disk)], check=True)
        came = []
        fetch(source, key, path, source.describe(key), config.download, advance=came.append)
        assert path.read_bytes() == data
        assert came[0] == began
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.fault("kills and signals")
def test_killed_in_the_middle(get, path, objects, key, bucket):
    """kill -9 while bytes are coming: the next run continues."""
    going_on = threading.Event()
    bucket.spoil(slow=going_on, times=1)
    child = in_child(get)
    wait_until(lambda: bucket.asked)
    os.kill(child, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    going_on.set()
    assert _nothing_under_its_name(path)
    get()
    assert path.read_bytes() == objects[key]


def test_asked_to_stop_it_keeps_what_came(source, config, large, tmp_path):
    key, data = large
    stop, path = threading.Event(), tmp_path / "betas.hdf5"
    with pytest.raises(Stopped):
        fetch(source, key, path, source.describe(key), config.download, lambda n: stop.set(), stop)
    assert 0 <= partial_size(path) < len(data)
    assert part_of(path).is_file()
    assert not path.exists()


def test_web_resumes_and_says_that_only_the_size_was_compared(config, web, tmp_path):
    source, path = WebSource(config.download), tmp_path / "swav.pth"
    url = web.url + SWAV
    remote = source.describe(url)
    assert (remote.size, remote.checksum) == (900, None)  # this server's ETag promises nothing
    web.spoil("swav", cut=350, times=1)
    assert fetch(source, url, path, remote, config.download) == "size only"
    assert path.read_bytes() == web.files[SWAV]
    assert [header for _, header in web.asked] == ["bytes=0-", "bytes=350-"]


def test_web_checks_a_checksum_known_in_advance(config, web, tmp_path):
    source, path = WebSource(config.download), tmp_path / "alexnet-owt-7be5be79.pth"
    url = f"{web.url}/models/alexnet-owt-7be5be79.pth"  # the replica's bytes are random
    remote = replace(source.describe(url), checksum=Checksum("first digits of SHA-256", "7be5be79"))
    with pytest.raises(DataError, match="expected first digits of SHA-256 7be5be79, found"):
        fetch(source, url, path, remote, config.download)
    assert list(tmp_path.glob("alexnet*")) == []


NEVER = threading.Event()


def test_web_faults(config, web):
    source = WebSource(config.download)
    with pytest.raises(DataError, match="found 404"):
        source.describe(f"{web.url}/nothing")
    web.spoil("swav", status=403, times=1)
    with pytest.raises(DataError, match="refuses it.*403.*proxy"):
        list(source.read(web.url + SWAV, 0, None, NEVER))
    web.spoil("swav", status=500, times=1)
    with pytest.raises(Interrupted):
        list(source.read(web.url + SWAV, 0, None, NEVER))
    with pytest.raises(Changed):
        list(source.read(web.url + SWAV, 5, '"another version"', NEVER))
    with pytest.raises(Interrupted):
        source.describe("http://127.0.0.1:1/nobody-listens")


def test_a_server_that_drips_is_given_up(source, config, large, tmp_path, bucket):
    """Bytes that come one by one are no progress, even though each try brings some."""
    key, _ = large
    bucket.spoil(key, drip=0.01)
    impatient = config.download.model_copy(update={"timeout_seconds": 0.5, "attempts": 2})
    source = S3Source(config.download.nsd_bucket, impatient)
    began = time.monotonic()
    with pytest.raises(DataError, match=r"brought too little .*less than 65536 bytes in 0.5 s"):
        fetch(source, key, tmp_path / "betas.hdf5", source.describe(key), impatient)
    assert time.monotonic() - began < 20
    assert partial_size(tmp_path / "betas.hdf5") > 0


def test_asked_to_stop_it_does_not_wait_for_bytes(source, config, large, tmp_path, bucket):
    key, _ = large
    bucket.spoil(key, slow=threading.Event())
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        fetch(source, key, tmp_path / "x", source.describe(key), config.download, stop=stop)
    assert time.monotonic() - began < 10


RANGES = ["bytes 0-899/900", "bytes 351-899/900", "", "bytes */900", "items 350-899/900", "350"]


@pytest.mark.parametrize("given", RANGES)
def test_a_rest_that_is_another_part_of_the_file_is_not_appended(config, web, tmp_path, given):
    source, path, url = WebSource(config.download), tmp_path / "swav.pth", web.url + SWAV
    remote = source.describe(url)
    web.spoil("swav", cut=350, times=1)
    web.spoil("swav", headers={"Content-Range": given}, times=1)
    fetch(source, url, path, remote, config.download)
    assert path.read_bytes() == web.files[SWAV]
    assert [header for _, header in web.asked] == ["bytes=0-", "bytes=350-", "bytes=0-"]


@pytest.mark.parametrize("given", ["", "-5", "9e2", "900, 900", "0x384", "many", "9.5", "\u0663"])
def test_odd_sizes_are_an_error(config, web, given):
    web.spoil("swav", headers={"Content-Length": given.encode().decode("latin-1")}, method="HEAD")
    with pytest.raises(DataError, match="expected the server to state the file's size"):
        WebSource(config.download).describe(web.url + SWAV)


def test_compressed_on_the_way_is_an_error(config, web, tmp_path):
    source, url = WebSource(config.download), web.url + SWAV
    web.spoil("swav", headers={"Content-Encoding": "gzip"})
    with pytest.raises(DataError, match="found it sent as gzip"):
        fetch(source, url, tmp_path / "x", source.describe(url), config.download)


def test_a_busy_server_says_when_to_come_again(get, bucket):
    bucket.spoil(status=429, times=1, headers={"Retry-After": "1"})
    began = time.monotonic()
    get()
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 7), (" 0 ", 0, 0), (None, 0, 0), ("", 0, 0), ("soon", 0, 0), ("-3", 0, 0),
        ("1.5", 0, 0), ("\u00b2", 0, 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Wed, 99 Oct 9999", 0, 0),
    ],
)  # fmt: skip
def test_when_to_come_again(header, least, most):
    assert least <= seconds_of(header) <= most


def test_when_to_come_again_as_a_date():
    assert 60 < seconds_of(formatdate(time.time() + 100, usegmt=True)) < 101


def test_the_longest_pause():
    settings = Download(retry_seconds=1)
    assert pause_after(Interrupted(""), 0, settings) == 1
    assert pause_after(Interrupted(""), 9, settings) == 60
    assert pause_after(Interrupted("", 100), 0, settings) == 100
    assert pause_after(Interrupted("", 1e9), 0, settings) == 600


SIDECARS = [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"etag": 3}', b'{"size": "many"}']


@pytest.mark.parametrize("content", SIDECARS)
def test_a_damaged_note_of_an_unfinished_file(get, path, objects, key, bucket, content):
    bucket.spoil(cut=300, times=1)
    bucket.spoil(cut=0)
    with pytest.raises(DataError):
        get()
    path.with_name(f"{path.name}.part.json").write_bytes(content)
    bucket.faults.clear()
    get()
    assert path.read_bytes() == objects[key]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": {}}', b"\xff"])
def test_a_damaged_ledger_is_begun_anew(tmp_path, content, caplog):
    (tmp_path / ".havir_checked.json").write_bytes(content)
    (tmp_path / "a").write_bytes(b"12")
    ledger = Ledger(tmp_path)
    assert ledger.checked(tmp_path / "a") is None
    assert "is damaged" in caplog.text
    ledger.record(tmp_path / "a", Remote(2), "size")
    assert Ledger(tmp_path).checked(tmp_path / "a") == "size"


@pytest.mark.fault("two at once")
def test_two_ledgers_of_one_folder_lose_nothing(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(b"12")
    first, second = Ledger(tmp_path), Ledger(tmp_path)
    first.record(tmp_path / "a", Remote(2), "size")
    second.record(tmp_path / "b", Remote(2), "MD5")
    known = Ledger(tmp_path)
    assert (known.checked(tmp_path / "a"), known.checked(tmp_path / "b")) == ("size", "MD5")


@pytest.mark.fault("two at once")
def test_two_that_fetch_the_same_file_fetch_it_once(get, path, objects, key, bucket, caplog):
    caplog.set_level("INFO")
    going_on = threading.Event()
    bucket.spoil(slow=going_on, times=1)
    child = in_child(get)
    wait_until(lambda: bucket.asked)
    threading.Timer(0.5, going_on.set).start()
    assert get() == "size and MD5"
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert path.read_bytes() == objects[key]
    assert len(bucket.asked) == 1
    assert f"waiting for process {child} of" in caplog.text
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.fault("kills and signals")
def test_whoever_waits_goes_on_where_a_killed_one_was(get, path, objects, key, bucket):
    bucket.spoil(slow=threading.Event(), times=1)
    child = in_child(get)
    wait_until(lambda: bucket.asked)
    threading.Timer(0.5, os.kill, (child, signal.SIGKILL)).start()
    assert get() == "size and MD5"
    os.waitpid(child, 0)
    assert path.read_bytes() == objects[key]
