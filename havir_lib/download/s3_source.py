"""Files of a public S3 bucket, read anonymously."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace

import boto3
import urllib3
from botocore import UNSIGNED
from botocore.config import Config as BotoConfig
from botocore.exceptions import BotoCoreError, ClientError

from havir_lib.config import Download
from havir_lib.download.checksum import from_etag
from havir_lib.download.sources import Interrupted, Remote, WebSource, fault

TERMS_HINT = (
    "NSD is read without an account; if its owners now ask for one, the access form says how."
)


class S3Source:
    """A public bucket, read without signing requests."""

    def __init__(self, bucket: str, settings: Download) -> None:
        self.bucket = bucket
        self._web = WebSource(settings)
        self._client = boto3.client(
            "s3",
            endpoint_url=settings.endpoint_url,
            region_name=settings.nsd_region,
            config=BotoConfig(
                signature_version=UNSIGNED,
                connect_timeout=settings.timeout_seconds,
                read_timeout=settings.timeout_seconds,
                max_pool_connections=settings.jobs,
                retries={"mode": "standard", "total_max_attempts": 1},  # the transfer tries again
            ),
        )

    def survey(self, names: Iterable[str]) -> dict[str, Remote]:
        """List the folders of `names`: one request for up to a thousand files."""
        wanted, found = set(names), {}
        pages = self._client.get_paginator("list_objects_v2")
        for folder in sorted({name.rpartition("/")[0] for name in wanted}):
            with self._faults(f"{folder}/"):
                for page in pages.paginate(Bucket=self.bucket, Prefix=f"{folder}/", Delimiter="/"):
                    for entry in page.get("Contents", []):
                        found[entry["Key"]] = Remote(
                            entry["Size"], from_etag(entry["ETag"]), entry["ETag"]
                        )
        return {name: remote for name, remote in found.items() if name in wanted}

    def describe(self, name: str, known: Remote | None = None) -> Remote:
        """Size and ETag; for an object uploaded in parts, also the size of a part."""
        with self._faults(name):
            if known is None:
                head = self._client.head_object(Bucket=self.bucket, Key=name)
                known = Remote(head["ContentLength"], from_etag(head["ETag"]), head["ETag"])
            if known.checksum is not None:
                return known
            # A server may not know about parts; then only the size can be checked.
            with contextlib.suppress(ClientError):
                part = self._client.head_object(Bucket=self.bucket, Key=name, PartNumber=1)
                return replace(known, checksum=from_etag(known.etag, part["ContentLength"]))
            return known

    def read(
        self, name: str, start: int, etag: str | None, stop: threading.Event
    ) -> Iterator[bytes]:
        """Stream an object from byte `start` on, as a page: unsigned, it has a plain address."""
        where = {"Bucket": self.bucket, "Key": name}
        address = self._client.generate_presigned_url("get_object", Params=where)
        yield from self._web.read(address, start, etag, stop, TERMS_HINT)

    @contextlib.contextmanager
    def _faults(self, name: str) -> Iterator[None]:
        place = f"s3://{self.bucket}/{name}"
        try:
            yield
        except ClientError as error:
            about = error.response["ResponseMetadata"]
            reason = error.response.get("Error", {}).get("Message", "")
            asked = about.get("HTTPHeaders", {}).get("retry-after")
            raise fault(place, about["HTTPStatusCode"], reason, TERMS_HINT, asked) from error
        except (BotoCoreError, urllib3.exceptions.HTTPError, ConnectionError) as error:
            raise Interrupted(f"{place}: {error}") from error
