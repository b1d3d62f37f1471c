"""OpenBLAS as a peer of the benchmarks: its sgemm, called by ctypes. peer.ts has the protocol.

    /usr/bin/python3 openblas_peer.py THREADS
"""
import ctypes
import json
import random
import sys
import time

try:
    library = ctypes.CDLL("libopenblas.so.0")
except OSError as error:
    print(json.dumps({"missing": str(error)}), flush=True)
    sys.exit(0)

ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112
current = None


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
    global current
    if request["task"] != "kernel" or request["kind"] != "matmul" or len(request["inputs"][0]) != 2:
        return {"unsupported": "it multiplies two matrices, nothing else"}
    current = matmul(request["inputs"], request["options"])
    return {}


def answer(request):
    if request["call"] == "about":
        return about()
    if request["call"] == "open":
        return open_task(request)
    if request["call"] == "time":
        if request["count"] > 1:
            current()
        start = time.perf_counter()
        for _ in range(request["count"]):
            current()
        return {"seconds": (time.perf_counter() - start) / request["count"]}
    raise ValueError(f"unknown call {request['call']}")


library.openblas_set_num_threads(int(sys.argv[1]))
for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except Exception as error:  # Whatever it is, the harness decides.
        reply = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(reply), flush=True)
