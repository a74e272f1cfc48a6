"""Instructions of the processor that compiled loops do not find by themselves."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WIDTH = 64
"""Numbers compared at once; the answer has a bit for each."""


def _comparing(relation: str) -> Any:
    """Bits that say which of WIDTH numbers from ``row[begin]`` on are equal to or less than ``number``; int16 in one piece, read without a check."""

    def compare(typing: Any, row: Any, begin: Any, number: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            row, begin, number = arguments
            lanes, index = ir.VectorType(ir.IntType(16), WIDTH), ir.IntType(32)
            first = builder.gep(context.make_array(signature.args[0])(context, builder, row).data, [begin])
            here = builder.load(builder.bitcast(first, lanes.as_pointer()), align=2)
            one = builder.insert_element(ir.Constant(lanes, ir.Undefined), number, ir.Constant(index, 0))
            everywhere = builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(index, WIDTH), [0] * WIDTH))
            return builder.bitcast(builder.icmp_signed(relation, here, everywhere), ir.IntType(WIDTH))

        return types.uint64(row, types.int64, types.int16), build

    return compare


def _lowest(typing: Any, bits: Any) -> Any:
    """Place of the lowest bit that is set; ``WIDTH`` if none is."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), build


def _many(typing: Any, bits: Any) -> Any:
    """How many bits are set."""
    return types.int64(types.uint64), lambda context, builder, signature, arguments: builder.ctpop(arguments[0])


def _fetch(typing: Any, array: Any, index: Any) -> Any:
    """Ask memory for ``array.flat[index]``, in one piece, without waiting for it: what is read soon is in the cache by then."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index = arguments
        at = builder.gep(context.make_array(signature.args[0])(context, builder, array).data, [index])
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch.p0", fnty=kind)
        builder.call(fetch, [builder.bitcast(at, byte), number(0), number(3), number(1)])  # to read, to keep, data
        return context.get_dummy_value()

    return types.void(array, types.int64), build


equal: Any = intrinsic(_comparing("=="))
less: Any = intrinsic(_comparing("<"))
fetch: Any = intrinsic(_fetch)
lowest: Any = intrinsic(_lowest)
many: Any = intrinsic(_many)
