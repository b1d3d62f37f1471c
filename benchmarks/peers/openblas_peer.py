"""OpenBLAS as a peer of the benchmarks: its sgemm, called by ctypes.

    /usr/bin/python3 openblas_peer.py THREADS
"""
import ctypes
import random
import sys

from serve import Unsupported, missing, serve

try:
    library = ctypes.CDLL("libopenblas.so.0")
except OSError as error:
    missing(error)

ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112


def about():
    library.openblas_get_config.restype = ctypes.c_char_p
    return {"version": library.openblas_get_config().decode().split()[1], "with": library_core()}


def library_core():
    library.openblas_get_corename.restype = ctypes.c_char_p
    return f"kernels for {library.openblas_get_corename().decode()}"


def array(size):
    return (ctypes.c_float * size)(*(random.uniform(-1, 1) for _ in range(size)))


def matmul(inputs, options):
    (a_rows, a_columns), (b_rows, b_columns) = inputs
    swap_a, swap_b = options.get("transposeA", False), options.get("transposeB", False)
    m, k = (a_columns, a_rows) if swap_a else (a_rows, a_columns)
    n = b_rows if swap_b else b_columns
    a, b, c = array(a_rows * a_columns), array(b_rows * b_columns), (ctypes.c_float * (m * n))()
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    flags = [TRANSPOSED if swap else PLAIN for swap in (swap_a, swap_b)]
    return lambda: library.cblas_sgemm(ROW_MAJOR, *flags, m, n, k, one, a, a_columns, b, b_columns, zero, c, n)


def open_task(request):
    if request["task"] != "kernel" or request["kind"] != "matmul" or len(request["inputs"][0]) != 2:
        raise Unsupported("it multiplies two matrices, nothing else")
    return matmul(request["inputs"], request["options"]), {}


library.openblas_set_num_threads(int(sys.argv[1]))
serve(about, open_task)
