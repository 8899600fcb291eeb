"""Getting real data and published weights: exactly the files a profile needs, complete and checked.

::

    configuration ── manifest ──► items ── survey ──► tasks ── transfer ──► files
    (what, where)                 (file by file)      (size, checksum)      (renamed last)

NSD comes from its public bucket, captions and metric networks from plain addresses, models from the
Hugging Face hub. NSD's terms are the user's to accept; see :mod:`havir_lib.download.terms`.
"""

from havir_lib.download.command import fetch_all
from havir_lib.download.look import preview_download, verify_download
from havir_lib.download.manifest import manifest
from havir_lib.download.missing import missing_items, missing_report, open_profile

__all__ = [
    "fetch_all",
    "manifest",
    "missing_items",
    "missing_report",
    "open_profile",
    "preview_download",
    "verify_download",
]
