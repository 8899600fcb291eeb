"""Weights from the hub: the commit is locked, checked, and found again without a network."""

import hashlib
import json
import logging

import pytest
from huggingface_hub import snapshot_download, try_to_load_from_cache

from havir_lib import hub
from havir_lib.download import fetch_all, missing_items
from havir_lib.download.weights import diffusion_files
from havir_lib.errors import DataError, WeightsError

VERSATILE, CLIP = "shi-labs/versatile-diffusion", "timm/vit_large_patch14_clip_224.openai"
COMMIT, LATER = "2926f8e11ea526b562cd592b099fcf9c2985d0b7", "b" * 40


@pytest.fixture
def cache(config):
    return config.weights.hub_cache


@pytest.fixture
def get(config, tmp_path):
    return lambda settings=None: fetch_all(settings or config, tmp_path / "no", what=["weights"])


def test_the_files_are_where_the_hubs_own_library_finds_them(get, cache, web):
    get()
    name = "vae/diffusion_pytorch_model.bin"
    found = try_to_load_from_cache(VERSATILE, name, cache_dir=cache, revision=COMMIT)
    with open(found, "rb") as file:
        assert file.read() == web.files[f"/{VERSATILE}/resolve/{COMMIT}/{name}"]
    by_branch = snapshot_download(CLIP, cache_dir=cache, revision="main", local_files_only=True)
    assert by_branch == str(hub.snapshot_folder(CLIP, "main", cache))
    assert by_branch.endswith(COMMIT)


def test_what_is_not_read_is_not_fetched(get, cache, web):
    get()
    assert not [path for path, _ in web.asked if "image_encoder" in path]
    assert not [path for path, _ in web.asked if "open_clip_pytorch_model.bin" in path]


def test_a_branch_means_the_commit_it_meant_first(get, cache, web, caplog, config):
    get()
    locked = hub.locked(CLIP, "main", cache)
    assert locked.commit == COMMIT
    data = web.files[f"/{CLIP}/resolve/{COMMIT}/open_clip_model.safetensors"]
    assert locked.files["open_clip_model.safetensors"].value == hashlib.sha256(data).hexdigest()
    web.meant[CLIP] = LATER
    web.asked.clear()
    with caplog.at_level(logging.WARNING):
        assert get() == []
    assert f"main now means {LATER}; staying at {COMMIT}" in caplog.text
    assert web.asked == []
    (hub.repository_folder(CLIP, cache) / hub.LOCK).unlink()
    get()
    assert hub.commit_of(CLIP, "main", cache) == LATER
    assert hub.clip_file("ViT-L-14-quickgelu", "openai", "main", cache).parent.name == LATER


def test_a_wrong_checksum_is_refused(get, cache, web):
    web.spoil("image_unet/diffusion", flip=3)
    with pytest.raises(DataError, match="diffusion_pytorch_model.bin .*expected SHA-256"):
        get()
    assert not list(hub.snapshot_folder(VERSATILE, COMMIT, cache).glob("image_unet/*.bin*"))


def test_a_wrong_checksum_of_a_small_file_is_refused(get, web):
    web.spoil("image_unet/config", flip=3)
    with pytest.raises(DataError, match="config.json .*expected Git's SHA-1"):
        get()


def test_a_cut_connection_is_resumed(get, web):
    web.spoil("text_unet/diffusion", cut=600, times=1)
    get()
    asked = [header for path, header in web.asked if "text_unet/diffusion" in path]
    assert asked == ["bytes=0-", "bytes=600-"]


def test_unknown_revision(small_paper, settings, tmp_path):
    config = small_paper(**settings | {"weights.clip_revision": "v9"})
    with pytest.raises(WeightsError, match=f"nothing for {CLIP} at v9.*weights.clip"):
        fetch_all(config, tmp_path, what=["weights"])


def test_a_local_copy_is_looked_for_but_never_fetched(small_paper, settings, tmp_path):
    copy = tmp_path / "copy"
    config = small_paper(**settings | {"weights.diffusion": str(copy)})
    with pytest.raises(DataError, match=r"copy/vae/config.json.*only you have it"):
        fetch_all(config, tmp_path, what=["weights"])
    (copy / "vae").mkdir(parents=True)
    (copy / "vae/config.json").write_text("{}")
    fetch_all(config, tmp_path, what=["weights"])
    assert missing_items(config, what=["weights"]) == []


def test_a_cache_that_the_hubs_library_filled_is_used(get, web, cache, config, monkeypatch):
    """Blobs and links, a branch instead of a commit: as another program left it."""
    folder = hub.repository_folder(CLIP, cache)
    data = web.files[f"/{CLIP}/resolve/{COMMIT}/open_clip_model.safetensors"]
    blob = folder / "blobs" / hashlib.sha256(data).hexdigest()
    link = folder / "snapshots" / COMMIT / "open_clip_model.safetensors"
    for path in (blob, link, folder / "refs/main"):
        path.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(data)
    link.symlink_to(blob)
    (folder / "refs/main").write_text(COMMIT)
    assert "CLIP" not in {item.kind for item in missing_items(config, what=["weights"])}
    get()
    assert not [path for path, _ in web.asked if CLIP in path]
    assert link.is_symlink()


def test_of_several_formats_safetensors_are_chosen():
    stem = "image_unet/diffusion_pytorch_model"
    shards = [f"{stem}-0000{n}-of-00002.safetensors" for n in (1, 2)]
    names = [f"{stem}.bin", f"{stem}.fp16.safetensors", *shards, f"{stem}.safetensors.index.json"]
    names += ["image_unet/config.json", "vae/diffusion_pytorch_model.bin", "vae/config.json"]
    names += ["model_index.json", "tokenizer/vocab.json", "tokenizer/added.bin"]
    assert set(diffusion_files(names)) == {
        "image_unet/config.json",
        *shards,
        f"{stem}.safetensors.index.json",
        "vae/diffusion_pytorch_model.bin",
        "vae/config.json",
        "tokenizer/vocab.json",
    }


def test_a_damaged_lock_is_named(cache):
    path = hub.repository_folder(CLIP, cache) / hub.LOCK
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"main": {"commit": COMMIT}}))
    with pytest.raises(WeightsError, match="havir.lock.json is damaged"):
        hub.locked(CLIP, "main", cache)


def test_names_of_repositories(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hub.is_repository(VERSATILE)
    assert not hub.is_repository("mini")
    assert not hub.is_repository("/weights/versatile-diffusion")
    (tmp_path / VERSATILE).mkdir(parents=True)
    assert not hub.is_repository(VERSATILE)  # a folder of that name is meant
