"""EPUB files for tests."""

import io
import zipfile
from collections.abc import Mapping

CONTAINER = (
    '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
PAGE = (
    '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head>'
    "<body>{}</body></html>"
)


def package(pages: Mapping[str, str], spine: list[str] | None = None, **fields: str) -> str:
    """Pages by their path, as a package file names them; `spine` is the order of reading."""
    metadata = "".join(f"<dc:{name}>{value}</dc:{name}>" for name, value in fields.items())
    ids = {path: f"page-{number}" for number, path in enumerate(pages)}
    items = "".join(f'<item id="{ids[path]}" href="{path}" media-type="application/xhtml+xml"/>' for path in pages)
    order = "".join(f'<itemref idref="{ids.get(path, path)}"/>' for path in (pages if spine is None else spine))
    return (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/">{metadata}</metadata><manifest>{items}</manifest>'
        f"<spine>{order}</spine></package>"
    )


def epub(
    pages: Mapping[str, str], spine: list[str] | None = None, others: Mapping[str, str] | None = None, **fields: str
) -> bytes:
    """The bytes of an EPUB; `others` are more files, or files instead, by their path in the archive."""
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OEBPS/content.opf": package(pages, spine, **fields),
        **{f"OEBPS/{path}": PAGE.format(body) for path, body in pages.items()},
        **(others or {}),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()
