"""Checksums against those that other programs give the same bytes."""

import hashlib
import subprocess

import pytest

from havir_lib.download.checksum import Checksum, from_etag


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(bytes(range(256)) * 9000 + b"end")  # not a multiple of a block
    return path


def test_md5_and_sha256(file):
    data = file.read_bytes()
    assert Checksum("MD5", "").of(file) == hashlib.md5(data).hexdigest()
    assert Checksum("SHA-256", "").of(file) == hashlib.sha256(data).hexdigest()
    first = Checksum("first digits of SHA-256", "12345678").of(file)
    assert first == hashlib.sha256(data).hexdigest()[:8]


def test_gits_sha1_is_gits(file):
    answer = subprocess.run(["git", "hash-object", file], capture_output=True, text=True)
    assert Checksum("Git's SHA-1", "").of(file) == answer.stdout.strip()


def test_md5_of_parts_is_the_etag_of_a_server(tmp_path, client, large):
    key, data = large
    path = tmp_path / "large"
    path.write_bytes(data)
    etag = client.head_object(Bucket="natural-scenes-dataset", Key=key)["ETag"]
    assert etag.endswith('-3"')
    checksum = from_etag(etag, 5 << 20)
    assert checksum.of(path) == checksum.value
    assert from_etag(etag, 6 << 20).of(path) != checksum.value


@pytest.mark.parametrize("part_size", [7, 1 << 20, (1 << 20) + 7, 9 << 20])
def test_parts_of_any_size(file, part_size):
    data = file.read_bytes()
    parts = [data[i : i + part_size] for i in range(0, len(data), part_size)]
    if len(parts) > 1000:
        file.write_bytes(data := data[: 7 * 9 + 3])
        parts = [data[i : i + part_size] for i in range(0, len(data), part_size)]
    whole = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    assert Checksum("MD5 of parts", "", part_size).of(file) == f"{whole}-{len(parts)}"


def test_progress_counts_every_byte(file):
    for checksum in (Checksum("MD5", ""), Checksum("MD5 of parts", "", 1000003)):
        seen = []
        checksum.of(file, seen.append)
        assert sum(seen) == file.stat().st_size


def test_an_etag_that_is_no_checksum_is_not_taken_for_one():
    assert from_etag('"0123456789abcdef0123456789abcdef"').kind == "MD5"
    assert from_etag('"0123456789abcdef0123456789abcdef-4"') is None  # part size unknown
    assert from_etag('W/"5f3a"') is None
