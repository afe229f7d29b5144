"""gRPC for the crossdock service: the messages are the JSON of the HTTP transport."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from jaeger_client.codecs import SpanContextCorruptedException
from opentracing import Format

SERVICE = "crossdock.Crossdock"
METHOD = "JoinTrace"
# Bytes that every caller puts into the metadata. The second key looks like baggage and is none.
RAW_KEYS = ("crossdock-bin", "uberctx-crossdock-bin")
RAW_VALUE = bytes([0, 1, 0xFE, 0xFF])


def serve(service, address):
    def join_trace(request, context):
        received = context.invocation_metadata()
        for key in RAW_KEYS:
            values = [value for name, value in received if name == key]
            if values != [RAW_VALUE]:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{key}: found {values!r}")
        # Bytes are no text, and this client would try to decode them as baggage.
        headers = {name: value for name, value in received if not name.endswith("-bin")}
        try:
            caller = service.tracer.extract(Format.HTTP_HEADERS, headers)
        except SpanContextCorruptedException as error:
            print("a new root, because of the metadata:", error, file=sys.stderr)
            caller = None
        with service.tracer.start_span("post", child_of=caller, tags={"span.kind": "server"}) as span:
            return json.dumps(service.join_trace(span, json.loads(request))).encode()

    server = grpc.server(ThreadPoolExecutor(max_workers=8))
    handler = grpc.unary_unary_rpc_method_handler(join_trace)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))
    if server.add_insecure_port(address) == 0:
        sys.exit(f"{address} is taken")
    server.start()
    # A server that is collected stops.
    service.grpc_server = server


def call(tracer, parent, downstream, timeout):
    body = {"serverRole": downstream["serverRole"], "downstream": downstream.get("downstream")}
    with tracer.start_span("post", child_of=parent, tags={"span.kind": "client"}) as span:
        headers = {}
        tracer.inject(span, Format.HTTP_HEADERS, headers)
        metadata = [(name.lower(), value) for name, value in headers.items()]
        metadata += [(key, RAW_VALUE) for key in RAW_KEYS]
        address = f"{downstream['host']}:{downstream['port']}"
        with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            join_trace = channel.unary_unary(f"/{SERVICE}/{METHOD}")
            reply = join_trace(json.dumps(body).encode(), metadata=metadata, timeout=timeout)
    return json.loads(reply)
