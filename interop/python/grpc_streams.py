"""A client and a server of gRPC streams, for tests that count messages on both ends.

`grpc_streams.py serve` prints its port and serves until its standard input ends. `grpc_streams.py call PORT` calls
each method once and prints, as JSON, how many messages it sent and received. A method gets texts; see METHODS.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc

SERVICE = "streams.Streams"


def unary(request, _):
    return request


def collect(requests, _):
    return str(sum(1 for _ in requests)).encode()


def repeat(request, _):
    for _ in range(int(request)):
        yield b"again"


def chat(requests, _):
    yield from requests


METHODS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Repeat": grpc.unary_stream_rpc_method_handler(repeat),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
}


def serve():
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, METHODS),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(None)


def call(port):
    counts = {}
    options = [("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        texts = [str(n).encode() * (n + 1) for n in range(50)]
        channel.unary_unary(f"/{SERVICE}/Unary")(b"one", timeout=30)
        counts["Unary"] = [1, 1]
        channel.stream_unary(f"/{SERVICE}/Collect")(iter(texts), timeout=30)
        counts["Collect"] = [50, 1]
        answers = list(channel.unary_stream(f"/{SERVICE}/Repeat")(b"70", timeout=30))
        counts["Repeat"] = [1, len(answers)]
        answers = list(channel.stream_stream(f"/{SERVICE}/Chat")(iter(texts), timeout=30))
        counts["Chat"] = [50, len(answers)]
    print(json.dumps(counts))


if sys.argv[1] == "serve":
    serve()
else:
    call(sys.argv[2])
