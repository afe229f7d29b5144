"""A service of the crossdock over the published Python client. CROSSDOCK.md describes the protocol and the flags."""

import http.client
import json
import signal
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler

from jaeger_client import Config
from jaeger_client.codecs import SpanContextCorruptedException
from opentracing import Format

BAGGAGE_KEY = "crossdock-baggage-key"
LACKS_FORMAT = 3
DOWNSTREAM_WITHIN = 8
CLOSE_WITHIN = 5


def new_tracer(flags):
    propagation = flags.get("format", "jaeger")
    if propagation not in ("jaeger", "b3"):
        print(f"jaeger-client has no format {propagation!r}", file=sys.stderr)
        sys.exit(LACKS_FORMAT)
    host, port = flags["agent-compact"].rsplit(":", 1)
    settings = {
        "sampler": {"type": "const", "param": 0},
        "local_agent": {"reporting_host": host, "reporting_port": int(port)},
        "generate_128bit_trace_id": flags.get("trace-id-bits") == "128",
    }
    if propagation == "b3":
        settings["propagation"] = "b3"
    return Config(config=settings, service_name=flags["service"], validate=True).new_tracer()


class Service:
    def __init__(self, tracer):
        self.tracer = tracer
        # The module crossdock_grpc, if the service has gRPC.
        self.grpc = None

    def handle(self, path, headers, body):
        """Returns the answer to a request, made inside of a server span; None if there is no such path."""
        work = {"/start_trace": self.start_trace, "/join_trace": self.join_trace}.get(path)
        if work is None:
            return None
        try:
            caller = self.tracer.extract(Format.HTTP_HEADERS, headers)
        except SpanContextCorruptedException as error:
            print("a new root, because of the headers:", error, file=sys.stderr)
            caller = None
        with self.tracer.start_span("post", child_of=caller, tags={"span.kind": "server"}) as span:
            return work(span, json.loads(body))

    def start_trace(self, _, request):
        with self.tracer.start_span(request["serverRole"]) as root:
            if request["sampled"]:
                root.set_tag("sampling.priority", 1)
            root.set_baggage_item(BAGGAGE_KEY, request["baggage"])
            for key, value in (request.get("items") or {}).items():
                root.set_baggage_item(key, value)
            return self.answer(root, request.get("downstream"))

    def join_trace(self, span, request):
        return self.answer(span, request.get("downstream"))

    def answer(self, span, downstream):
        """Returns what the span shows, and what the downstream answers."""
        answer = {
            "span": {
                "traceId": f"{span.trace_id:x}",
                "sampled": bool(span.is_sampled()),
                "baggage": span.get_baggage_item(BAGGAGE_KEY) or "",
                "items": dict(span.context.baggage),
            },
            "notImplementedError": "",
        }
        if downstream is not None:
            answer["downstream"] = self.call(span, downstream)
        return answer

    def call(self, parent, downstream):
        if downstream["transport"] == "GRPC" and self.grpc:
            return self.grpc.call(self.tracer, parent, downstream, DOWNSTREAM_WITHIN)
        if downstream["transport"] != "HTTP":
            return {"notImplementedError": f"the transport {downstream['transport']} is not implemented"}
        body = json.dumps({"serverRole": downstream["serverRole"], "downstream": downstream.get("downstream")})
        headers = {"Content-Type": "application/json"}
        with self.tracer.start_span("post", child_of=parent, tags={"span.kind": "client"}) as span:
            self.tracer.inject(span, Format.HTTP_HEADERS, headers)
            host, port = downstream["host"], int(downstream["port"])
            connection = http.client.HTTPConnection(host, port, timeout=DOWNSTREAM_WITHIN)
            try:
                connection.request("POST", "/join_trace", body, headers)
                reply = connection.getresponse()
                text = reply.read()
            finally:
                connection.close()
        if reply.status != 200:
            raise RuntimeError(f"{host}:{port} answers {reply.status}: {text!r}")
        return json.loads(text)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The head and the body of an answer go out together.
    wbufsize = -1

    def do_GET(self):
        self.reply(200 if self.path == "/" else 404, b"")

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            answer = self.server.service.handle(self.path, dict(self.headers), body)
        except Exception as error:
            print(repr(error), file=sys.stderr)
            self.reply(500, repr(error).encode())
            return
        self.reply(404 if answer is None else 200, json.dumps(answer).encode())

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


def main():
    arguments = [argument.lstrip("-") if n % 2 == 0 else argument for n, argument in enumerate(sys.argv[1:])]
    flags = dict(zip(arguments[::2], arguments[1::2]))
    # Threads that start from here on leave these signals to the main thread.
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    tracer = new_tracer(flags)
    server = Server((flags["host"], int(flags["port"])), Handler)
    server.service = Service(tracer)
    if "grpc-port" in flags:
        # Only the environment of the gRPC tests has grpcio.
        import crossdock_grpc

        server.service.grpc = crossdock_grpc
        crossdock_grpc.serve(server.service, f"{flags['host']}:{flags['grpc-port']}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.sigwait(signals)
    server.shutdown()
    # The future belongs to the loop of another thread, so it cannot be awaited here.
    closed = tracer.close()
    deadline = time.monotonic() + CLOSE_WITHIN
    while not closed.done() and time.monotonic() < deadline:
        time.sleep(0.01)
    sys.exit(0 if closed.done() else "the spans are not sent in time")


main()
