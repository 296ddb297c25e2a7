"""Small vector programs: a network's graph, a frame at a time, without allocation.

A program is lines of int64 (operation, out, n, a, b, c, step_a, step_b) over one array of float32
numbers: constants, inputs, what is made on the way, outputs.  a, b, c, out are places in it; a step
of 0 reads one number for all.  A matrix is its rows' spans (first column, count, place), so that
zeros at either end of a row cost nothing.
    MATRIX   out_i = sum_j W_ij a_j + b_i                    spans from line c on
    GATES    z = s(a_z + b_z), r = s(a_r + b_r), out = (1 - z) tanh(a_n + r b_n) + z h,  h at c
    PRODUCT  out_pi = sum_j a_pj W_ji + b_i, p up to step_a, j up to step_b       W at c, by columns
    TAKE     out_i = a at the first of span c + i; 0 where that is -1
    NORM     out_i = b_i (a_i - m) / sqrt(v + e) + c_i, m and v the mean and variance of a
GATES is the gated recurrent unit of Cho et al. (2014) with the reset after the product, gates in
ONNX's order z, r, n.
"""

from typing import Any

import numpy as np
from numba import carray, types

from rtsep.dsp.kernel import kernel, native
from rtsep.dsp.tiles import product

LONGS = types.CPointer(types.int64)
LARGEST = np.float32(9.5)  # beyond it, tanh is 1 in float32
EPSILON = np.float32(1e-5)  # e, of a norm that names none

OPERATIONS = (
    "Identity", "Add", "Sub", "Mul", "Div", "Min", "Max", "Tanh", "Sigmoid", "Log", "Exp", "Sqrt",
    "Relu", "ReduceMean", "ReduceSum", "ReduceMax", "MATRIX", "GATES", "PRODUCT", "TAKE",
    "NORM",
)  # fmt: skip
IDENTITY, ADD, SUB, MUL, DIV, MIN, MAX, TANH, SIGMOID, LOG, EXP, SQRT, RELU = range(13)
MEAN, SUM, MOST, MATRIX, GATES, PRODUCT, TAKE, NORM = range(13, 21)


@kernel
def tanh(x):
    """By Lambert's continued fraction (1761) of a quarter of x, doubled twice; error < 1e-6.

    Nothing but products and quotients, so that loops of it become vectors.
    """
    q = min(max(x, -LARGEST), LARGEST) * np.float32(0.25)
    s = q * q
    over = q * (np.float32(135135) + s * (np.float32(17325) + s * (np.float32(378) + s)))
    under = np.float32(135135) + s * (
        np.float32(62370) + s * (np.float32(3150) + s * np.float32(28))
    )
    half = np.float32(2) * over * under / (under * under + over * over)
    return np.float32(2) * half / (np.float32(1) + half * half)


@kernel
def sigmoid(x):
    return np.float32(0.5) + np.float32(0.5) * tanh(np.float32(0.5) * x)


@kernel
def dot(one, other, n):
    total = np.float32(0)
    for j in range(n):
        total += one[j] * other[j]
    return total


@kernel
def matrix(numbers, spans, out, n, a, b, row):
    """Slices, for an index that could be negative is checked and keeps loops from vectors."""
    for i in range(n):
        first, count, place = spans[row + i, 0], spans[row + i, 1], spans[row + i, 2]
        total = dot(numbers[place : place + count], numbers[a + first :], count)
        numbers[out + i] = total + numbers[b + i]


@kernel
def take(spans, row, x, out, n):
    for i in range(n):
        at = spans[row + i, 0]
        out[i] = x[at] if at >= 0 else np.float32(0)


@kernel
def reduced(operation, x, n):
    if operation == MOST:
        most = x[0]
        for i in range(1, n):
            most = max(most, x[i])
        return most
    total = np.float32(0)
    for i in range(n):
        total += x[i]
    return total / n if operation == MEAN else total


@kernel
def norm(x, scale, shift, out, n):
    mean = reduced(MEAN, x, n)
    power = np.float32(0)
    for i in range(n):
        a = x[i] - mean
        power += a * a
    level = np.float32(1) / np.sqrt(power / np.float32(n) + EPSILON)
    for i in range(n):
        out[i] = (x[i] - mean) * (level * scale[i]) + shift[i]


@kernel
def gates(given, kept, h, out, n):
    for i in range(n):
        z = sigmoid(given[i] + kept[i])
        r = sigmoid(given[n + i] + kept[n + i])
        new = tanh(given[2 * n + i] + r * kept[2 * n + i])
        out[i] = (1 - z) * new + z * h[i]


@kernel
def combined(operation, a, b):
    if operation == ADD:
        return a + b
    if operation == SUB:
        return a - b
    if operation == MUL:
        return a * b
    if operation == DIV:
        return a / b
    return min(a, b) if operation == MIN else max(a, b)


@kernel
def pairwise(operation, x, y, out, n, step_x, step_y):
    """Steps of one and of none have loops of their own, which become vectors."""
    if step_x == 1 and step_y == 1:
        for i in range(n):
            out[i] = combined(operation, x[i], y[i])
    elif step_x == 1:
        b = y[0]
        for i in range(n):
            out[i] = combined(operation, x[i], b)
    else:
        a = x[0]
        for i in range(n):
            out[i] = combined(operation, a, y[i * step_y])


@kernel
def each(operation, x, out, n):
    for i in range(n):
        a = x[i]
        if operation == TANH:
            a = tanh(a)
        elif operation == SIGMOID:
            a = sigmoid(a)
        elif operation == LOG:
            a = np.log(a)
        elif operation == EXP:
            a = np.exp(a)
        elif operation == SQRT:
            a = np.sqrt(a)
        elif operation == RELU:
            a = max(a, np.float32(0))
        out[i] = a


@kernel
def interpret(lines, count, spans, numbers):
    """Run a program once.  lines : int64 (>= count, 8).  spans : int64 (S, 3).  Audio thread."""
    for at in range(count):
        line = lines[at]
        operation, n, a, b, c = line[0], line[2], line[3], line[4], line[5]
        out = numbers[line[1] :]
        if operation == MATRIX:
            matrix(numbers, spans, line[1], n, a, b, c)
        elif operation == GATES:
            gates(numbers[a:], numbers[b:], numbers[c:], out, n)
        elif operation == PRODUCT:
            product(numbers, line[1], n, a, b, c, line[6], line[7])
        elif operation == TAKE:
            take(spans, c, numbers[a:], out, n)
        elif operation == NORM:
            norm(numbers[a:], numbers[b:], numbers[c:], out, n)
        elif operation >= MEAN:
            out[0] = reduced(operation, numbers[a:], n)
        elif ADD <= operation <= MAX:
            pairwise(operation, numbers[a:], numbers[b:], out, n, line[6], line[7])
        else:
            each(operation, numbers[a:], out, n)


@native(LONGS, types.int64, LONGS, types.int64, types.CPointer(types.float32), types.int64)
def run(lines: Any, count: int, spans: Any, rows: int, numbers: Any, size: int) -> None:
    """A program, by the addresses of its arrays."""
    interpret(carray(lines, (count, 8)), count, carray(spans, (rows, 3)), carray(numbers, size))
