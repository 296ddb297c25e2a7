"""What compiled code asks of the machine: addresses, denormals off, a clock.

All are numba intrinsics: callable in kernels only, from any thread, without the GIL.
"""

import os
import platform
import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

X86 = platform.machine().lower() in ("x86_64", "amd64")
ARM = platform.machine().lower() in ("aarch64", "arm64")
FLUSH = 0x8040 if X86 else 1 << 24  # FTZ and DAZ of MXCSR; FZ of FPCR
MONOTONIC = 6 if sys.platform == "darwin" else 1
WORD, LONG, POINTER = ir.IntType(32), ir.IntType(64), ir.IntType(8).as_pointer()


@intrinsic
def address_of(typing: Any, record: Any) -> Any:
    """Address of a record, to hand it to another compiled function."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ptrtoint(arguments[0], LONG)

    return types.int64(record), emit


@intrinsic
def call(typing: Any, function: Any, *arguments: Any) -> Any:
    """Call `void function(...)` at an address, so that one compiled copy serves every caller."""
    packed = types.BaseTuple.from_types(arguments)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        passed = cgutils.unpack_tuple(builder, values[1])
        shape = ir.FunctionType(ir.VoidType(), [value.type for value in passed])
        builder.call(builder.inttoptr(values[0], shape.as_pointer()), passed)
        return context.get_dummy_value()

    return types.void(types.int64, packed), emit


def _declared(builder: Any, name: str, returns: Any, arguments: list[Any]) -> Any:
    shape = ir.FunctionType(returns, arguments)
    return builder.module.globals.get(name) or ir.Function(builder.module, shape, name)


@intrinsic
def float_mode(typing: Any) -> Any:
    """The floating-point control word of this thread, 0 on processors not known here."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if X86:
            word = builder.alloca(WORD)
            read = _declared(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), [POINTER])
            builder.call(read, [builder.bitcast(word, POINTER)])
            return builder.zext(builder.load(word), LONG)
        if ARM:
            return builder.call(_declared(builder, "llvm.aarch64.get.fpcr", LONG, []), [])
        return LONG(0)

    return types.int64(), emit


@intrinsic
def set_float_mode(typing: Any, mode: Any) -> Any:
    """Set the control word of this thread: what `float_mode` returned, perhaps with FLUSH."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if X86:
            word = builder.alloca(WORD)
            builder.store(builder.trunc(arguments[0], WORD), word)
            write = _declared(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [POINTER])
            builder.call(write, [builder.bitcast(word, POINTER)])
        elif ARM:
            write = _declared(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), [LONG])
            builder.call(write, [arguments[0]])
        return context.get_dummy_value()

    return types.void(types.int64), emit


@intrinsic
def nanoseconds(typing: Any) -> Any:
    """A monotonic clock in ns.  Windows: the performance counter, taken to run at 10 MHz."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        moment = builder.alloca(LONG, size=2)
        if os.name == "nt":
            read = _declared(builder, "QueryPerformanceCounter", WORD, [LONG.as_pointer()])
            builder.call(read, [moment])
            return builder.mul(builder.load(moment), LONG(100))
        read = _declared(builder, "clock_gettime", WORD, [WORD, LONG.as_pointer()])
        builder.call(read, [WORD(MONOTONIC), moment])
        seconds = builder.load(moment)
        rest = builder.load(builder.gep(moment, [LONG(1)]))
        return builder.add(builder.mul(seconds, LONG(1_000_000_000)), rest)

    return types.int64(), emit


@intrinsic
def call_for(typing: Any, function: Any, *arguments: Any) -> Any:
    """Call `int64 function(...)` at an address."""
    packed = types.BaseTuple.from_types(arguments)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        passed = cgutils.unpack_tuple(builder, values[1])
        shape = ir.FunctionType(LONG, [value.type for value in passed])
        return builder.call(builder.inttoptr(values[0], shape.as_pointer()), passed)

    return types.int64(types.int64, packed), emit


def pointer_to(kind: Any) -> Any:
    """An intrinsic that takes an address for a pointer to such a thing."""

    @intrinsic
    def pointer(typing: Any, address: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return types.CPointer(kind)(types.int64), emit

    return pointer


def _word(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    words = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.gep(words.data, [arguments[1]])


@intrinsic
def acquire(typing: Any, words: Any, i: Any) -> Any:
    """words[i] as another thread released it, and all that thread wrote before.  int64 arrays."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_word(context, builder, signature, arguments), "acquire", 8)

    return types.int64(words, types.int64), emit


@intrinsic
def give(typing: Any, words: Any, i: Any, value: Any) -> Any:
    """Release words[i] = value to another thread, after all that was written before."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _word(context, builder, signature, arguments)
        builder.store_atomic(arguments[2], place, "release", 8)
        return context.get_dummy_value()

    return types.void(words, types.int64, types.int64), emit
