"""C4 as it is published, and other corpora of web pages in rows."""

import hashlib
from typing import Any, ClassVar

from corpus.schema import Origin, well_formed
from corpus.sources.documents import Documents
from corpus.sources.rows import Columns, place_id

_PREFIX = "c4:"


class C4(Documents):
    """Web pages in rows: JSON lines as C4, Dolma and RedPajama publish them, Parquet, CSV, or a data set of the hub.

    Reads what `documents` reads but text files, with the same reasons. A row has `text`, and `url`, `timestamp` or
    `created`, and `language` of its own or inside `metadata` (Dolma) or `meta` (RedPajama).

    A row that has an `id` keeps it. Else the id is `c4:` and the SHA-1 of the URL, or of the text of a row without
    one. Where a URL comes again, both rows stay, whatever their texts: the id of each but the first also names its
    place (`c4:86a1fd84#c4-train.00000-of-01024.json.gz#319`), and the step notes how many there are (`second_id`).
    """

    version: ClassVar[int] = 2
    formats: ClassVar[str] = "JSON lines, Parquet or CSV with `text` (.gz, .bz2, .zst), or a data set of `datasets`"
    text_per_raw: ClassVar[float] = 3.0  # .json.gz
    reads_texts: ClassVar[bool] = False
    document_bytes: ClassVar[int] = 2100  # of the order that RedPajama-v1's counts give

    columns: Columns = Columns(
        url=("url", "metadata.url", "meta.url"),
        language=("language", "metadata.language", "meta.language"),
        timestamp=("timestamp", "created", "metadata.timestamp", "metadata.created", "meta.timestamp", "meta.created"),
    )

    def made_id(self, origin: Origin, url: str | None, text: str) -> str:
        key = well_formed(text if url is None else url)
        return _PREFIX + hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()

    def second_id(self, document: dict[str, Any]) -> str | None:
        origin = Origin(**document["origin"])
        made = self.made_id(origin, document["url"], document["text"])
        return f"{made}#{place_id(origin)}" if document["id"] == made else None
