"""Products of matrices, in tiles that stay in the processor's registers.

A tile is a few rows by LANES columns of out = x W + b.  LLVM is told of the vectors themselves:
it does not see through loops over rows and columns at once, and made a third of the speed of them.
Where a processor's registers are shorter, it cuts the vectors.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from rtsep.dsp.kernel import kernel

LANES = 16
FLOAT = ir.FloatType()
VECTOR = ir.VectorType(FLOAT, LANES)


def tile(rows: int) -> Any:
    """A kernel for `rows` rows: (numbers, out, x, w, bias, n, inner), all but the last two places.

    out (rows, n), x (rows, inner), w (inner, n), bias (n): the first LANES columns from each place.
    """

    @intrinsic
    def made(
        context: Any, numbers: Any, out: Any, x: Any, w: Any, bias: Any, n: Any, inner: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array, out, x, w, bias, n, inner = arguments
            data = context.make_array(signature.args[0])(context, builder, array).data

            def vector_at(place: Any) -> Any:
                return builder.bitcast(builder.gep(data, [place]), VECTOR.as_pointer())

            def among(place: Any, row: int, step: Any) -> Any:
                return builder.add(place, builder.mul(ir.Constant(place.type, row), step))

            begin = builder.load(vector_at(bias), align=4)
            sums = [cgutils.alloca_once_value(builder, begin) for _ in range(rows)]
            kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
            fused = cgutils.get_or_insert_function(
                builder.module, kind, f"llvm.fmuladd.v{LANES}f32"
            )
            with cgutils.for_range(builder, inner) as loop:
                row = builder.add(w, builder.mul(loop.index, n))
                weights = builder.load(vector_at(row), align=4)
                for p, total in enumerate(sums):
                    at = builder.add(among(x, p, inner), loop.index)
                    spread = spread_out(builder, builder.load(builder.gep(data, [at])))
                    more = builder.call(fused, [spread, weights, builder.load(total)])
                    builder.store(more, total)
            for p, total in enumerate(sums):
                builder.store(builder.load(total), vector_at(among(out, p, n)), align=4)
            return context.get_dummy_value()

        return types.void(numbers, *[types.intp] * 6), generate

    return made


def spread_out(builder: Any, number: Any) -> Any:
    """A vector of one number."""
    first = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), number, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
    return builder.shuffle_vector(first, first, zeros)


four_rows, one_row = tile(4), tile(1)


@kernel
def product(numbers, out, n, x, bias, w, rows, inner):
    """Out (rows, n) <- x (rows, inner) W (inner, n) + bias, all by their places in numbers."""
    tiled, four = n - n % LANES, rows - rows % 4
    for i in range(0, tiled, LANES):
        for p in range(0, four, 4):
            four_rows(numbers, out + p * n + i, x + p * inner, w + i, bias + i, n, inner)
        for p in range(four, rows):
            one_row(numbers, out + p * n + i, x + p * inner, w + i, bias + i, n, inner)
    for i in range(tiled, n):
        for p in range(rows):
            total = np.float32(0)
            for j in range(inner):
                total += numbers[x + p * inner + j] * numbers[w + j * n + i]
            numbers[out + p * n + i] = numbers[bias + i] + total
