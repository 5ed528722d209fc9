"""Sources of papers, from arXiv's bucket (info.arxiv.org/help/bulk_data_s3.html)."""

from collections.abc import Sequence
from functools import partial

from corpus.download.fetch import RemoteFile, read
from corpus.download.listing import Listing
from corpus.errors import UserError

DOLLARS_PER_GB = 0.09
"""What Amazon takes for a GB out of us-east-1 to the internet, the first 10 TB of a month
(aws.amazon.com/s3/pricing). Within the region it takes nothing for the transfer."""


def listing(mirror: str) -> Listing:
    """The listing of all months, from which `of_months` takes; the argument as for `files`."""
    return Listing("arxiv", f"sources from {mirror}", partial(files, mirror))


def files(mirror: str) -> list[RemoteFile]:
    """Every tar of sources, with its MD5, of arXiv's manifest.

    Args:
        mirror: the bucket: s3://arxiv.

    Raises:
        UserError: there is no manifest, no `s3fs`, or nobody who pays.
    """
    from lxml import etree

    manifest = read(f"{mirror}/src/arXiv_src_manifest.xml", "check the address")
    return [
        RemoteFile(
            f"{mirror}/{file.findtext('filename')}",
            file.findtext("md5sum", "").lower(),
            int(file.findtext("size")),
            file.findtext("filename"),
        )
        for file in etree.fromstring(manifest, etree.XMLParser(resolve_entities=False)).findall("file")
    ]


def of_months(listed: Sequence[RemoteFile], months: Sequence[str]) -> list[RemoteFile]:
    """The tars of these months, each YYMM as in the numbers of papers.

    Raises:
        UserError: the manifest has no such month.
    """
    found = []
    for month in dict.fromkeys(months):
        tars = [file for file in listed if f"/arXiv_src_{month}_" in file.name]
        if not tars:
            raise UserError(
                f"--month {month} is not in the manifest: write YYMM, as in 2207; for a month after the listing, "
                "remove the listing and run again"
            )
        found += tars
    return found


def price(files: Sequence[RemoteFile]) -> str:
    """What fetching these may cost, in words."""
    dollars = sum(file.size or 0 for file in files) / 1e9 * DOLLARS_PER_GB
    return (
        f"you pay Amazon for the transfer: about ${dollars:,.2f} at ${DOLLARS_PER_GB:.2f} a GB, or next to nothing on "
        "a machine in us-east-1"
    )
