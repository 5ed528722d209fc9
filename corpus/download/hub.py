"""Files of a data set of the Hugging Face hub."""

import json
import re
import urllib.parse
from fnmatch import fnmatchcase
from functools import partial

from corpus.download.fetch import RemoteFile, read_pages
from corpus.download.listing import Listing
from corpus.errors import UserError


def listing(dataset: str, pattern: str, mirror: str) -> Listing:
    """The listing of some files of a data set; arguments as for `files`."""
    return Listing(
        f"{dataset}-{pattern}", f"{pattern} of {dataset}, from {mirror}", partial(files, dataset, pattern, mirror)
    )


def files(dataset: str, pattern: str, mirror: str) -> list[RemoteFile]:
    """The files of a data set whose path matches a shell pattern (`*` is also for `/`), with the SHA-256 of those that
    the hub keeps outside of git, by its tree API (huggingface.co/docs/hub/api).

    Args:
        dataset: OWNER/NAME.

    Raises:
        UserError: there is no such data set, or it has no such file.
    """
    folder = re.split(r"[*?\[]", pattern)[0].rpartition("/")[0]
    place = urllib.parse.quote(f"/{folder}".rstrip("/"))
    found = []
    for page in read_pages(
        f"{mirror}/api/datasets/{dataset}/tree/main{place}?recursive=true", "check --dataset and --files"
    ):
        for entry in json.loads(page):
            if entry["type"] == "file" and fnmatchcase(entry["path"], pattern):
                url = f"{mirror}/datasets/{dataset}/resolve/main/{urllib.parse.quote(entry['path'])}"
                checksum = (entry.get("lfs") or {}).get("oid", "")
                found.append(RemoteFile(url, checksum, entry["size"], entry["path"]))
    if not found:
        raise UserError(f"{dataset} has no file that matches {pattern}: check --files")
    return found
