"""Eight numbers reckoned with at once: vectors of the processor, with operators, for compiled loops.

A compiler makes vectors of long loops. Where there are only a few numbers, such as one for each chemistry, it does not see
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
NUMBERS, BITS = ir.VectorType(F32, LANES), ir.VectorType(ir.IntType(1), LANES)


class Lanes(types.Type):
    """``LANES`` numbers (float32) side by side: ``+``, ``-``, ``*`` and comparisons go lane by lane, a single number meets all."""


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


def _heap(typing: Any, array: Any, index: Any, lanes: Any) -> Any:
    """Add lanes to ``array.flat[index]`` and on, float64 in one piece, without a check."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index, lanes = arguments
        wide = ir.VectorType(ir.DoubleType(), LANES)
        there = _lanes_at(context, builder, signature.args[0], array, index, wide)
        builder.store(builder.fadd(builder.load(there, align=8), builder.fpext(lanes, wide)), there, align=8)
        return context.get_dummy_value()

    return types.void(array, types.int64, lanes), build


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


def _count_of(typing: Any, answers: Any) -> Any:
    """How many answers are yes."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.bitcast(arguments[0], ir.IntType(LANES))
        return builder.zext(builder.ctpop(bits), ir.IntType(64))

    return types.int64(answers), build


def _larger(typing: Any, left: Any, right: Any) -> Any:
    """The larger of two lanes."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left, right = (_in_all(builder, side) for side in arguments)
        return builder.select(builder.fcmp_ordered(">", left, right), left, right)

    return EIGHT(left, right), build


def _largest(typing: Any, lanes: Any) -> Any:
    """The largest number in any lane."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (lanes,) = arguments
        for step in (4, 2, 1):
            order = ir.Constant(ir.VectorType(I32, LANES), [lane ^ step for lane in range(LANES)])
            turned = builder.shuffle_vector(lanes, lanes, order)
            lanes = builder.select(builder.fcmp_ordered(">", lanes, turned), lanes, turned)
        return builder.extract_element(lanes, I32(0))

    return types.float32(lanes), build


def _whole(typing: Any, lanes: Any) -> Any:
    """Lanes rounded down to whole numbers."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        floor = builder.module.declare_intrinsic(f"llvm.floor.v{LANES}f32", fnty=ir.FunctionType(NUMBERS, [NUMBERS]))
        return builder.call(floor, arguments)

    return EIGHT(lanes), build


def _power(typing: Any, lanes: Any) -> Any:
    """Two to the power of lanes that are whole numbers above -127."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        integers = ir.VectorType(I32, LANES)
        above = builder.add(builder.fptosi(arguments[0], integers), ir.Constant(integers, [127] * LANES))
        return builder.bitcast(builder.shl(above, ir.Constant(integers, [23] * LANES)), NUMBERS)

    return EIGHT(lanes), build


number: Any = intrinsic(_number)
note: Any = intrinsic(_note)
ranks: Any = intrinsic(_ranks)
lanes: Any = intrinsic(_lanes)
spread: Any = intrinsic(_spread)
put: Any = intrinsic(_put)
count_of: Any = intrinsic(_count_of)
heap: Any = intrinsic(_heap)
either: Any = intrinsic(_either)
both: Any = intrinsic(_both)
larger: Any = intrinsic(_larger)
largest: Any = intrinsic(_largest)
whole: Any = intrinsic(_whole)
power: Any = intrinsic(_power)
