"""Replicas on loopback: an S3 bucket in NSD's layout, a web server, a hub; each with faults."""

import hashlib
import io
import json
import re
import threading
import time
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from havir_lib.config import load_config
from havir_lib.download.nsd import nsd_items

BUCKET = "natural-scenes-dataset"
BUILT_FROM = Path("built-from")
VERSATILE, CLIP = "shi-labs/versatile-diffusion", "timm/vit_large_patch14_clip_224.openai"
COMMIT, LATER = "2926f8e11ea526b562cd592b099fcf9c2985d0b7", "b" * 40
CAPTIONS = {
    f"captions_{split}2017.json": json.dumps(
        {"annotations": [{"id": n, "image_id": n, "caption": f"{split} {n}"} for n in range(70)]}
    ).encode()
    for split in ("train", "val")
}


@dataclass
class Fault:
    """What goes wrong with requests whose path contains `path`, the first `times`.

    `cut`: bytes after which the connection breaks; `status`: answered instead; `flip`: position
    of a byte that is changed; `ends`: bytes after which the server believes the file to end;
    `more`: bytes added; `slow`: an event that is waited for before the second half; `drip`: pause
    in seconds after each byte; `headers`: sent in place of the right ones, left out if empty.
    """

    path: str
    times: int = 10**9
    cut: int | None = None
    status: int | None = None
    flip: int | None = None
    ends: int | None = None
    more: int = 0
    slow: threading.Event | None = None
    drip: float | None = None
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"


@dataclass
class Faulty:
    """A server whose answers can be spoilt, and the paths it was asked for bytes of."""

    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def spoil(self, path: str = "streams", **kind) -> None:
        self.faults.append(Fault(path, **kind))

    def fault(self, path: str, method: str) -> Fault | None:
        for fault in self.faults:
            if fault.method == method and fault.path in path and fault.times > 0:
                fault.times -= 1
                return fault
        return None


class Handler(BaseHTTPRequestHandler):
    """Sends `content` (whole file, headers), as asked for by Range and spoilt by faults."""

    state: Faulty

    def log_message(self, *args):
        pass

    def content(self) -> tuple[bytes, dict[str, str]] | int:
        raise NotImplementedError

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        found = self.content()
        if isinstance(found, int):
            return self._status(found)
        data, headers = found
        fault = None
        if body and "list-type" not in self.path and "/api/" not in self.path:
            self.state.asked.append((self.path, self.headers.get("Range", "")))
            fault = self.state.fault(self.path, "GET")
        elif not body:
            fault = self.state.fault(self.path, "HEAD")
        if fault and fault.status:
            return self._status(fault.status, fault.headers)
        if self.headers.get("If-Match", headers.get("ETag")) != headers.get("ETag"):
            return self._status(412)
        if fault and fault.ends is not None:
            data = data[: fault.ends]
        data += bytes(fault.more) if fault else b""
        start = int(re.match(r"bytes=(\d+)-|$", self.headers.get("Range", ""))[1] or 0)
        if start and start >= len(data):
            return self._status(416)
        self._send(data, start, headers, fault, body)

    def _send(self, data, start, headers, fault, body):
        self.send_response(206 if "Range" in self.headers else 200)
        headers = headers | {"Content-Length": str(len(data) - start)}
        if "Range" in self.headers:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        for name, value in (headers | (fault.headers if fault else {})).items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if not body:
            return
        if fault and fault.flip is not None:
            changed = bytearray(data)
            changed[fault.flip] ^= 1
            data = bytes(changed)
        rest = data[start:]
        if fault and fault.cut is not None:
            rest = rest[: fault.cut]
        if fault and fault.drip:
            for position in range(len(rest)):
                self.wfile.write(rest[position : position + 1])
                self.wfile.flush()
                time.sleep(fault.drip)
        half = len(rest) // 2
        self.wfile.write(rest[:half])
        if fault and fault.slow:
            self.wfile.flush()
            fault.slow.wait(60)
        self.wfile.write(rest[half:])
        self.close_connection = True

    def _status(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Server(ThreadingHTTPServer):
    """Does not report clients that are gone: some tests kill them."""

    def handle_error(self, request, client_address):
        pass


def serve(state: Faulty, handler: type[Handler]):
    server = Server(("127.0.0.1", 0), type("Bound", (handler,), {"state": state}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    return server


@pytest.fixture(scope="session")
def moto():
    """Address of an S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def client(moto):
    """For filling the bucket."""
    return boto3.client(
        "s3", endpoint_url=moto, region_name="us-east-2",
        aws_access_key_id="owner", aws_secret_access_key="owner",
    )  # fmt: skip


def make_config(**overrides):
    """The paper profile for two subjects and two sessions."""
    small = {
        "data.root": str(BUILT_FROM),
        "data.subjects": ["subj01", "subj05"],
        "data.n_sessions": 2,
        "evaluation.metrics": ["PixCorr", "SSIM", "CLIP", "SwAV"],
    }
    return load_config("paper", small | overrides)


@pytest.fixture(scope="session")
def small_paper():
    """Makes the paper profile for two subjects and two sessions, with overrides."""
    return make_config


@pytest.fixture(scope="session")
def objects(client):
    """Keys and bytes of NSD's replica: every file of two subjects, and one that is not needed."""
    rng = np.random.default_rng(7)
    config = make_config()
    keys = [item.name for item in nsd_items(config, config.data.subjects, BUILT_FROM)]
    keys.append("nsddata_betas/ppdata/subj01/func1pt8mm/betas_fithrf_GLMdenoise_RR/R2.nii.gz")
    content = {key: rng.bytes(700 + 8 * number) for number, key in enumerate(keys)}
    location = {"LocationConstraint": "us-east-2"}
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location, ACL="public-read")
    for key, data in content.items():
        client.put_object(Bucket=BUCKET, Key=key, Body=data, ACL="public-read")
    return content


@pytest.fixture(scope="session")
def large(client, objects):
    """Key and bytes of an object that was uploaded in three parts."""
    key, part = "large/betas.hdf5", 5 << 20
    data = np.random.default_rng(8).bytes(2 * part + 999)
    upload = client.create_multipart_upload(Bucket=BUCKET, Key=key, ACL="public-read")["UploadId"]
    where = {"Bucket": BUCKET, "Key": key, "UploadId": upload}
    tags = [
        client.upload_part(**where, PartNumber=n + 1, Body=data[n * part : (n + 1) * part])["ETag"]
        for n in range(3)
    ]
    parts = [{"PartNumber": n + 1, "ETag": tag} for n, tag in enumerate(tags)]
    client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    return key, data


@pytest.fixture
def bucket(moto, objects):
    """The bucket behind a server that can be made faulty."""
    state = Faulty()

    class Proxy(Handler):
        def content(self):
            # Signed requests would be a mistake: the real bucket is read without an account.
            assert "Authorization" not in self.headers
            request = urllib.request.Request(moto + self.path, method=self.command)
            if "partNumber" not in self.path:
                request = urllib.request.Request(moto + self.path)  # whole; ranges are ours
            try:
                with urllib.request.urlopen(request) as response:
                    data, headers = response.read(), dict(response.headers)
            except urllib.error.HTTPError as error:
                return error.code
            kept = {k: v for k, v in headers.items() if k.lower() in ("etag", "content-type")}
            if "partNumber" in self.path:
                data = bytes(int({k.lower(): v for k, v in headers.items()}["content-length"]))
            return data, {{"etag": "ETag"}.get(k.lower(), k): v for k, v in kept.items()}

    server = serve(state, Proxy)
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def web():
    """Captions, a metric network and two repositories of a hub."""
    state = Faulty()
    files = web_files()
    meant = {VERSATILE: COMMIT, CLIP: COMMIT}
    state.meant = meant

    class Pages(Handler):
        def content(self):
            path = self.path.partition("?")[0]
            if path.startswith("/api/models/"):
                return self._repository(path)
            if path not in files:
                return 404
            tag = f'"{hashlib.md5(files[path]).hexdigest()}"'
            return files[path], {"ETag": tag, "Server": "loopback"}

        def _repository(self, path):
            match = re.fullmatch(r"/api/models/(.+?)/revision/(.+)", path)
            if match is None or match[1] not in meant or match[2] not in ("main", COMMIT, LATER):
                return 404
            commit = meant[match[1]] if match[2] == "main" else match[2]
            start = f"/{match[1]}/resolve/{commit}/"
            siblings = [
                _sibling(name.removeprefix(start), data)
                for name, data in files.items()
                if name.startswith(start)
            ]
            info = {"id": match[1], "sha": commit, "siblings": siblings}
            return json.dumps(info).encode(), {"Content-Type": "application/json"}

    server = serve(state, Pages)
    state.files = files
    yield state
    server.shutdown()
    server.server_close()


def web_files() -> dict[str, bytes]:
    rng = np.random.default_rng(9)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as content:
        for name, data in CAPTIONS.items():
            content.writestr(f"annotations/{name}", data)
        content.writestr("annotations/instances_val2017.json", "{}")
    files = {
        "/annotations/annotations_trainval2017.zip": archive.getvalue(),
        "/deepcluster/swav_800ep_pretrain.pth.tar": rng.bytes(900),
        "/models/alexnet-owt-7be5be79.pth": rng.bytes(800),
    }
    for commit in (COMMIT, LATER):
        for name in ("image_unet", "text_unet", "vae"):
            files[f"/{VERSATILE}/resolve/{commit}/{name}/config.json"] = b'{"of": "%b"}' % (
                name.encode()
            )
            weights = f"/{VERSATILE}/resolve/{commit}/{name}/diffusion_pytorch_model.bin"
            files[weights] = rng.bytes(1000 + len(name))
        scheduler = f"/{VERSATILE}/resolve/{commit}/scheduler/scheduler_config.json"
        files[scheduler] = b"{}"
        files[f"/{VERSATILE}/resolve/{commit}/image_encoder/pytorch_model.bin"] = rng.bytes(10)
        files[f"/{CLIP}/resolve/{commit}/open_clip_model.safetensors"] = rng.bytes(1100)
        files[f"/{CLIP}/resolve/{commit}/open_clip_pytorch_model.bin"] = rng.bytes(1101)
    return files


def _sibling(name: str, data: bytes) -> dict:
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    facts = {"rfilename": name, "size": len(data), "blobId": blob}
    if name.endswith(".json"):
        return facts
    sha = hashlib.sha256(data).hexdigest()
    return facts | {"lfs": {"sha256": sha, "size": len(data), "pointerSize": 134}}


@pytest.fixture
def settings(bucket, web, tmp_path, monkeypatch):
    """Overrides that point the paper profile at the replicas."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    archive = hashlib.md5(web.files["/annotations/annotations_trainval2017.zip"]).hexdigest()
    return {
        "data.root": str(tmp_path / "nsd"),
        "download.endpoint_url": bucket.url,
        "download.mirror": web.url,
        "download.coco_md5": archive,
        "download.hub_endpoint": web.url,
        "download.attempts": 3,
        "download.retry_seconds": 0.001,
        "download.timeout_seconds": 20,
        "weights.hub_cache": str(tmp_path / "hub"),
    }


@pytest.fixture
def config(settings):
    """A small paper profile on replicas."""
    return make_config(**settings)
