"""XXH64 of the rows of a text column, equal to the `xxhash` library bit for bit.

The algorithm and its five primes are those of the xxHash specification (github.com/Cyan4973/xxHash,
doc/xxhash_spec.md, "XXH64 algorithm description").
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from corpus.kernel import kernel
from corpus.text.buffers import Bytes, Offsets

Hashes = npt.NDArray[np.uint64]

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)

FNV_BASIS, FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
"""Of 64-bit FNV-1a, `h = (h ^ x) * FNV_PRIME`: for what is read a character at a time."""


def _unaligned_load(kind: Any, result: Any) -> Any:
    """A function for kernels, (uint8 array, i) -> the number whose lowest byte is byte i.

    Neither alignment nor bounds are checked. For little-endian processors, which are all that numba supports.
    """

    @intrinsic
    def load(typing_context: Any, data: Any, i: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            start = builder.gep(array.data, [arguments[1]])
            return builder.load(builder.bitcast(start, kind.as_pointer()), align=1)

        return result(data, types.intp), codegen

    return load


load64 = _unaligned_load(ir.IntType(64), types.uint64)
load32 = _unaligned_load(ir.IntType(32), types.uint32)
load_float = _unaligned_load(ir.FloatType(), types.float32)


@intrinsic
def _trailing_zeros(typing_context: Any, x: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), codegen


trailing_zeros: Any = _trailing_zeros
"""For kernels: how many low bits of a uint64 other than 0 are 0."""


@intrinsic
def _bit_count(typing_context: Any, x: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), codegen


bit_count: Any = _bit_count
"""For kernels: how many bits of a uint64 are 1."""


@intrinsic
def _prefetch(typing_context: Any, data: Any, i: Any) -> Any:
    insert: Any = cgutils.get_or_insert_function

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        number = ir.IntType(32)
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
        function = insert(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [place, number(0), number(3), number(1)])  # to read, to be kept, data
        return context.get_dummy_value()

    return types.void(data, types.intp), codegen


prefetch: Any = _prefetch
"""For kernels: entry i of a contiguous array will soon be read."""


@kernel
def _rotate(x: Any, bits: Any) -> Any:
    return (x << np.uint64(bits)) | (x >> np.uint64(64 - bits))


@kernel
def _round(accumulator: Any, word: Any) -> Any:
    return _rotate(accumulator + word * _P2, 31) * _P1


@kernel
def hash_bytes(data: Any, start: Any, end: Any, seed: Any) -> Any:
    """XXH64 of data[start:end] with a uint64 seed; for use in other kernels."""
    seed = np.uint64(seed)
    i = np.int64(start)
    length = np.int64(end) - i
    if length >= 32:
        a, b, c, d = seed + _P1 + _P2, seed + _P2, seed, seed - _P1
        stop = np.int64(end) - 32
        while i <= stop:
            a = _round(a, load64(data, i))
            b = _round(b, load64(data, i + 8))
            c = _round(c, load64(data, i + 16))
            d = _round(d, load64(data, i + 24))
            i += 32
        h = _rotate(a, 1) + _rotate(b, 7) + _rotate(c, 12) + _rotate(d, 18)
        for lane in (a, b, c, d):
            h = (h ^ _round(np.uint64(0), lane)) * _P1 + _P4
    else:
        h = seed + _P5
    h += np.uint64(length)
    while i + 8 <= end:
        h = _rotate(h ^ _round(np.uint64(0), load64(data, i)), 27) * _P1 + _P4
        i += 8
    if i + 4 <= end:
        h = _rotate(h ^ (np.uint64(load32(data, i)) * _P1), 23) * _P2 + _P3
        i += 4
    while i < end:
        h = _rotate(h ^ (np.uint64(data[i]) * _P5), 11) * _P1
        i += 1
    h = (h ^ (h >> np.uint64(33))) * _P2
    h = (h ^ (h >> np.uint64(29))) * _P3
    return h ^ (h >> np.uint64(32))


@kernel
def _hash_spans(data: Any, starts: Any, stops: Any, seed: Any, out: Any) -> None:
    for i in range(len(out)):
        out[i] = hash_bytes(data, starts[i], stops[i], seed)


def hash_spans(data: Bytes, starts: Offsets, stops: Offsets, seed: int = 0) -> Hashes:
    """XXH64 of each data[starts[i]:stops[i]], shape (spans,); equal to `xxhash.xxh64_intdigest`."""
    out = np.empty(len(starts), np.uint64)
    given = data.view(), starts.view(), stops.view()
    for array in given:
        array.flags.writeable = False  # as some columns are: the kernel is compiled for one kind of array
    _hash_spans(*given, np.uint64(seed), out)
    return out


def hash_rows(data: Bytes, offsets: Offsets, seed: int = 0) -> Hashes:
    """XXH64 of each row data[offsets[i]:offsets[i + 1]], shape (rows,)."""
    return hash_spans(data, offsets[:-1], offsets[1:], seed)
