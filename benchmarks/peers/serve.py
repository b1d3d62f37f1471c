"""What the peers in Python share: each line of stdin, a JSON object, is answered by one on stdout. peer.ts has the protocol."""
import json
import sys
import time


def missing(reason):
    """Not on this machine: says so and ends."""
    print(json.dumps({"missing": str(reason)}), flush=True)
    sys.exit(0)


class Unsupported(Exception):
    """It is here, and cannot do this."""


def serve(about, open_task, others={}):
    """open_task(request) gives (call, result) or raises Unsupported; `others` are further calls, by their names."""
    # Exporters and warnings may print: only answers go to the harness.
    output, sys.stdout = sys.stdout, sys.stderr
    current = None

    def answer(request):
        nonlocal current
        kind = request["call"]
        if kind == "about":
            return about()
        if kind == "open":
            current = None
            current, result = open_task(request)
            return result
        if kind == "time":
            return {"seconds": seconds(current, request["count"])}
        if kind in others:
            return others[kind](request)
        raise ValueError(f"unknown call {kind}")

    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except Unsupported as reason:
            reply = {"unsupported": str(reason)}
        except Exception as error:  # Whatever it is, the harness decides.
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=output, flush=True)


def seconds(call, count):
    """As measure.ts does it: more than one are preceded by one that does not count."""
    if count > 1:
        call()
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count
