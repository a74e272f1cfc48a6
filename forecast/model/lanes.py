"""Eight numbers reckoned with at once: vectors of the processor, with operators, for compiled loops.

A compiler makes vectors of long loops over numbers. Where each of a few buyers goes through many steps, it does not see
them, and takes its time to look.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, ClassVar

from llvmlite import ir
from numba import types
from numba.core import errors
from numba.core.datamodel import models
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_model

LANES = 8
F32, I32 = ir.FloatType(), ir.IntType(32)
TURNS = {
    1: ([0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15]),
    2: ([0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]),
    4: ([0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]),
}
"""How two rows that stand so far apart mix, as processors do it at once."""
NUMBERS, BITS = ir.VectorType(F32, LANES), ir.VectorType(ir.IntType(1), LANES)


class Lanes(types.Type):
    """``LANES`` numbers (float32) side by side: ``+``, ``-``, ``*``, ``/`` and comparisons go lane by lane, a single number meets all."""


class Answers(types.Type):
    """What a comparison of lanes says of each."""


EIGHT, TRUTH = Lanes("lanes"), Answers("answers")


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):
    """Lanes are a vector of the processor."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, NUMBERS)


@register_model(Answers)
class AnswersModel(models.PrimitiveModel):
    """Answers are a vector of bits."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, BITS)


def _in_all(builder: Any, number: Any) -> Any:
    """A single number in all lanes; lanes as they are."""
    if number.type == NUMBERS:
        return number
    one = builder.insert_element(ir.Constant(NUMBERS, ir.Undefined), number, I32(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(I32, LANES), [0] * LANES))


def _teach(symbol: Any, answer: Any, build: Callable[[Any, Any, Any], Any]) -> None:
    """Let an operator of Python work on lanes, and on lanes and a number."""
    kinds = [(EIGHT, EIGHT), (EIGHT, types.float32), (types.float32, EIGHT)]

    class OfLanes(ConcreteTemplate):
        cases: ClassVar[list[Any]] = [signature(answer, *kind) for kind in kinds]

    infer_global(symbol)(OfLanes)
    for kind in kinds:
        lower_builtin(symbol, *kind)(lambda context, builder, signature, sides: build(builder, *(_in_all(builder, side) for side in sides)))


_teach(operator.add, EIGHT, lambda builder, left, right: builder.fadd(left, right))
_teach(operator.sub, EIGHT, lambda builder, left, right: builder.fsub(left, right))
_teach(operator.mul, EIGHT, lambda builder, left, right: builder.fmul(left, right))
_teach(operator.truediv, EIGHT, lambda builder, left, right: builder.fdiv(left, right))
_teach(operator.gt, TRUTH, lambda builder, left, right: builder.fcmp_ordered(">", left, right))
_teach(operator.lt, TRUTH, lambda builder, left, right: builder.fcmp_ordered("<", left, right))
_teach(operator.le, TRUTH, lambda builder, left, right: builder.fcmp_ordered("<=", left, right))
_teach(operator.eq, TRUTH, lambda builder, left, right: builder.fcmp_ordered("==", left, right))


def _at(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Where ``array.flat[index]`` lies; an array that is not in one piece is refused when the loop is compiled."""
    if kind.layout != "C":
        raise errors.TypingError(f"{kind} is not in one piece")
    return builder.gep(context.make_array(kind)(context, builder, array).data, [index])


def _lanes_at(context: Any, builder: Any, kind: Any, array: Any, index: Any, lanes: Any) -> Any:
    """Where the lanes that begin at ``array.flat[index]`` lie."""
    return builder.bitcast(_at(context, builder, kind, array, index), lanes.as_pointer())


def _number(typing: Any, array: Any, index: Any) -> Any:
    """``array.flat[index]``, in one piece, read without a check."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index = arguments
        return builder.load(_at(context, builder, signature.args[0], array, index))

    return array.dtype(array, types.int64), build


def _note(typing: Any, array: Any, index: Any, number: Any) -> Any:
    """Write ``array.flat[index]``, in one piece, without a check."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index, number = arguments
        builder.store(number, _at(context, builder, signature.args[0], array, index))
        return context.get_dummy_value()

    return types.void(array, types.int64, array.dtype), build


def _ranks(typing: Any) -> Any:
    """0, 1, 2 and so on."""
    return EIGHT(), lambda context, builder, signature, arguments: ir.Constant(NUMBERS, [float(lane) for lane in range(LANES)])


def _lanes(typing: Any, array: Any, index: Any) -> Any:
    """Numbers from ``array.flat[index]`` on, float32 in one piece, read without a check."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index = arguments
        return builder.load(_lanes_at(context, builder, signature.args[0], array, index, NUMBERS), align=4)

    return EIGHT(array, types.int64), build


def _put(typing: Any, array: Any, index: Any, lanes: Any) -> Any:
    """Write lanes to ``array.flat[index]`` and on, float32 in one piece, without a check."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index, lanes = arguments
        builder.store(lanes, _lanes_at(context, builder, signature.args[0], array, index, NUMBERS), align=4)
        return context.get_dummy_value()

    return types.void(array, types.int64, lanes), build


def _wholes(typing: Any, array: Any, index: Any) -> Any:
    """Whole numbers from ``array.flat[index]`` on as lanes, integers in one piece, read without a check."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index = arguments
        integers = ir.VectorType(ir.IntType(signature.args[0].dtype.bitwidth), LANES)
        return builder.sitofp(builder.load(_lanes_at(context, builder, signature.args[0], array, index, integers), align=1), NUMBERS)

    return EIGHT(array, types.int64), build


def _put_wholes(typing: Any, array: Any, index: Any, lanes: Any) -> Any:
    """Write lanes without their fractions to ``array.flat[index]`` and on, int8 or int16 in one piece, without a check."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index, lanes = arguments
        integers = ir.VectorType(ir.IntType(signature.args[0].dtype.bitwidth), LANES)
        number = builder.trunc(builder.fptosi(lanes, ir.VectorType(I32, LANES)), integers)
        builder.store(number, _lanes_at(context, builder, signature.args[0], array, index, integers), align=1)
        return context.get_dummy_value()

    return types.void(array, types.int64, lanes), build


def _looked_up(typing: Any, table: Any, places: Any) -> Any:
    """``table.flat[place]`` in each lane, float32 in one piece, read without a check."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table, places = arguments
        places, found = builder.fptosi(places, ir.VectorType(I32, LANES)), ir.Constant(NUMBERS, ir.Undefined)
        for lane in range(LANES):
            place = builder.sext(builder.extract_element(places, I32(lane)), ir.IntType(64))
            found = builder.insert_element(found, builder.load(_at(context, builder, signature.args[0], table, place)), I32(lane))
        return found

    return EIGHT(table, places), build


def columns_of(count: int) -> Any:
    """A function that reads ``LANES`` rows of a table side by side, ``LANES`` to twice as many numbers each: one lanes for each column."""

    def columns(typing: Any, table: Any, rows: Any, begin: Any) -> Any:
        """Columns of ``table[rows.flat[begin : begin + LANES]]``, both in one piece, read without a check."""

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            table, rows, begin = arguments
            starts = []
            for lane in range(LANES):
                row = builder.load(_at(context, builder, signature.args[1], rows, builder.add(begin, begin.type(lane))))
                starts.append(builder.mul(builder.sext(row, begin.type), begin.type(count)))
            found = []
            for first in (0, count - LANES):
                here = [builder.add(start, begin.type(first)) for start in starts]
                ends = [_lanes_at(context, builder, signature.args[0], table, place, NUMBERS) for place in here]
                found.append(_turned(builder, [builder.load(end, align=4) for end in ends]))
            return context.make_tuple(builder, signature.return_type, found[0] + found[1][2 * LANES - count :])

        return types.UniTuple(EIGHT, count)(table, rows, types.int64), build

    return intrinsic(columns)


def _turned(builder: Any, rows: list[Any]) -> list[Any]:
    """Rows of a square turned into columns."""
    for step, orders in TURNS.items():
        pairs = [(rows[row & ~step], rows[row | step], orders[bool(row & step)]) for row in range(LANES)]
        rows = [builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(I32, LANES), order)) for low, high, order in pairs]
    return [rows[row] for row in (0, 2, 1, 3, 4, 6, 5, 7)]


def _spread(typing: Any, number: Any) -> Any:
    """A number (float32) in all lanes."""
    return EIGHT(types.float32), lambda context, builder, signature, arguments: _in_all(builder, *arguments)


def _either(typing: Any, truth: Any, left: Any, right: Any) -> Any:
    """Lanes of ``left`` where the answer is yes, else of ``right``."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        truth, left, right = arguments
        return builder.select(truth, _in_all(builder, left), _in_all(builder, right))

    return EIGHT(truth, left, right), build


def _both(typing: Any, left: Any, right: Any) -> Any:
    """Where both answers are yes."""
    return TRUTH(left, right), lambda context, builder, signature, arguments: builder.and_(*arguments)


def _one_of(typing: Any, left: Any, right: Any) -> Any:
    """Where one of two answers is yes, or both."""
    return TRUTH(left, right), lambda context, builder, signature, arguments: builder.or_(*arguments)


def _any_of(typing: Any, answers: Any) -> Any:
    """Whether any answer is yes."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.bitcast(arguments[0], ir.IntType(LANES))
        return builder.icmp_unsigned("!=", bits, ir.IntType(LANES)(0))

    return types.boolean(answers), build


def _times_plus(typing: Any, left: Any, right: Any, more: Any) -> Any:
    """``left * right + more``, rounded once."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(NUMBERS, [NUMBERS] * 3)
        fused = builder.module.declare_intrinsic(f"llvm.fma.v{LANES}f32", fnty=kind)
        return builder.call(fused, [_in_all(builder, side) for side in arguments])

    return EIGHT(left, right, more), build


def _larger(typing: Any, left: Any, right: Any) -> Any:
    """The larger of two lanes."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left, right = (_in_all(builder, side) for side in arguments)
        return builder.select(builder.fcmp_ordered(">", left, right), left, right)

    return EIGHT(left, right), build


def _smaller(typing: Any, left: Any, right: Any) -> Any:
    """The smaller of two lanes."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left, right = (_in_all(builder, side) for side in arguments)
        return builder.select(builder.fcmp_ordered("<", left, right), left, right)

    return EIGHT(left, right), build


def _together(typing: Any, lanes: Any) -> Any:
    """The sum of all lanes."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (lanes,) = arguments
        for step in (4, 2, 1):
            order = ir.Constant(ir.VectorType(I32, LANES), [lane ^ step for lane in range(LANES)])
            lanes = builder.fadd(lanes, builder.shuffle_vector(lanes, lanes, order))
        return builder.extract_element(lanes, I32(0))

    return types.float32(lanes), build


def _doubled(typing: Any, lanes: Any, times: Any) -> Any:
    """Lanes doubled as often as the lowest bits of ``times`` say, which may be negative."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        integers = ir.VectorType(I32, LANES)
        lanes, times = (builder.bitcast(side, integers) for side in arguments)
        return builder.bitcast(builder.add(lanes, builder.shl(times, ir.Constant(integers, [23] * LANES))), NUMBERS)

    return EIGHT(lanes, times), build


number: Any = intrinsic(_number)
note: Any = intrinsic(_note)
ranks: Any = intrinsic(_ranks)
lanes: Any = intrinsic(_lanes)
put: Any = intrinsic(_put)
wholes: Any = intrinsic(_wholes)
put_wholes: Any = intrinsic(_put_wholes)
looked_up: Any = intrinsic(_looked_up)
spread: Any = intrinsic(_spread)
either: Any = intrinsic(_either)
both: Any = intrinsic(_both)
one_of: Any = intrinsic(_one_of)
any_of: Any = intrinsic(_any_of)
times_plus: Any = intrinsic(_times_plus)
larger: Any = intrinsic(_larger)
smaller: Any = intrinsic(_smaller)
together: Any = intrinsic(_together)
doubled: Any = intrinsic(_doubled)
