"""One protobuf message, field by field.

SentencePiece's model files are such messages. Reading them here needs no protobuf package, whose major versions refuse
each other's generated code.
"""

from collections.abc import Iterator


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) in the order of the bytes: an integer, or the raw bytes of any other wire type.

    Raises:
        ValueError: the message is cut short inside a field, or is none.
    """
    i = 0
    while i < len(data):
        key, i = _varint(data, i)
        match key & 7:
            case 0:
                value, i = _varint(data, i)
                yield key >> 3, value
                continue
            case 1:
                length = 8
            case 2:
                length, i = _varint(data, i)
            case 5:
                length = 4
            case wire:
                raise ValueError(f"wire type {wire} at byte {i}")
        if i + length > len(data):
            raise ValueError(f"cut short at byte {len(data)}")
        yield key >> 3, data[i : i + length]
        i += length


def _varint(data: bytes, i: int) -> tuple[int, int]:
    value = shift = 0
    while i < len(data):
        byte = data[i]
        i += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, i
        shift += 7
    raise ValueError(f"cut short at byte {len(data)}")
