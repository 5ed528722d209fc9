"""C4 as it is published: gzip files of JSON lines."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

from corpus.demo.prose import Module

_FILES = 2


def write(folder: Path, modules: Sequence[Module]) -> None:
    """One document a module, its sentences alone, as C4's rules leave them. A line that is no JSON, one without text,
    one with bytes that are not UTF-8, and a last file that is cut short."""
    lines = [line for module in modules if (line := _line(module))]
    folder.mkdir(parents=True)
    for number in range(_FILES):
        some = lines[number::_FILES]
        if number == 0:
            some += [b'{"text": "Half a', b'{"text": "", "url": "https://empty.example/"}', _broken()]
        packed = gzip.compress(b"".join(line + b"\n" for line in some), mtime=0)
        if number == _FILES - 1:
            packed = packed[:-200]
        (folder / f"c4-train.0000{number}-of-0000{_FILES}.json.gz").write_bytes(packed)


def _line(module: Module) -> bytes | None:
    prose = [
        block.text
        for entry in module.entries
        for block in entry.blocks()
        if block.is_prose and block.text.endswith((".", "?", "!"))
    ]
    if not prose:
        return None
    body = {
        "text": "\n".join(prose),
        "timestamp": "2019-04-25T12:57:54Z",
        "url": f"https://pages.example/{module.name.replace('.', '/')}",
    }
    return json.dumps(body, ensure_ascii=False).encode()


def _broken() -> bytes:
    return b'{"text": "The caf\xe9 on the corner opens at nine.", "url": "https://latin.example/"}'
