"""A crossdock service over the OpenTelemetry SDK for Python."""

import json
import signal
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.b3 import B3MultiFormat
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.jaeger import JaegerPropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

BAGGAGE_KEY = "crossdock-baggage-key"
PRIORITY = "sampling.priority"
# Baggage is a format of its own here, and goes along with each.
FORMATS = {"w3c": TraceContextTextMapPropagator, "jaeger": JaegerPropagator, "b3": B3MultiFormat}
# Straight to the address: the machine may have a proxy.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
TIMEOUT = 30


class PrioritySampler(Sampler):
    """Samples the roots that have a priority, and no others."""

    def should_sample(self, parent_context, trace_id, name, kind=None, attributes=None, links=None, **_):
        is_sampled = (attributes or {}).get(PRIORITY) == 1
        decision = Decision.RECORD_AND_SAMPLE if is_sampled else Decision.DROP
        return SamplingResult(decision, attributes)

    def get_description(self):
        return "PrioritySampler"


class Service:
    """The requests of the crossdock. A context stands for its span and its baggage."""

    def __init__(self, tracer, propagator):
        self.tracer = tracer
        self.propagator = propagator

    def start_trace(self, _received, request):
        attributes = {PRIORITY: 1} if request["sampled"] else {}
        # The empty context has no parent.
        root = self.start(request["serverRole"], SpanKind.INTERNAL, None, attributes)
        root = baggage.set_baggage(BAGGAGE_KEY, request["baggage"], root)
        for key, value in (request.get("items") or {}).items():
            root = baggage.set_baggage(key, value, root)
        try:
            return self.follow(root, request.get("downstream"))
        finally:
            trace.get_current_span(root).end()

    def join_trace(self, received, request):
        return self.follow(received, request.get("downstream"))

    def handle(self, serve, headers, body):
        caller = self.propagator.extract(headers, context={})
        received = self.start("post", SpanKind.SERVER, caller)
        try:
            return serve(self, received, json.loads(body))
        finally:
            trace.get_current_span(received).end()

    def start(self, name, kind, parent, attributes=None):
        parent = parent if parent is not None else {}
        span = self.tracer.start_span(name, context=parent, kind=kind, attributes=attributes)
        return trace.set_span_in_context(span, parent)

    def follow(self, context, downstream):
        """Returns what the span of `context` and everything below it observes."""
        span = trace.get_current_span(context).get_span_context()
        answer = {
            "span": {
                "traceId": trace.format_trace_id(span.trace_id),
                "sampled": span.trace_flags.sampled,
                "baggage": baggage.get_baggage(BAGGAGE_KEY, context) or "",
                "items": dict(baggage.get_all(context)),
            },
            "notImplementedError": "",
        }
        if downstream:
            if downstream["transport"] == "HTTP":
                answer["downstream"] = self.call(context, downstream)
            else:
                lacks = f"no transport {downstream['transport']}"
                answer["downstream"] = {"notImplementedError": lacks}
        return answer

    def call(self, context, downstream):
        call = self.start("post", SpanKind.CLIENT, context)
        try:
            headers = {"content-type": "application/json"}
            self.propagator.inject(headers, context=call)
            body = {"serverRole": downstream["serverRole"], "downstream": downstream.get("downstream")}
            url = f"http://{downstream['host']}:{downstream['port']}/join_trace"
            request = urllib.request.Request(url, json.dumps(body).encode(), headers)
            with OPENER.open(request, timeout=TIMEOUT) as response:
                return json.load(response)
        finally:
            trace.get_current_span(call).end()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service = None

    def do_GET(self):
        self.answer(200 if self.path == "/" else 404, b"")

    do_HEAD = do_GET

    def do_POST(self):
        paths = {"/start_trace": Service.start_trace, "/join_trace": Service.join_trace}
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path not in paths:
            self.answer(404, b"")
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            seen = self.service.handle(paths[self.path], headers, body)
        except Exception as error:  # The caller is told, whatever it is.
            self.log_error("%r", error)
            self.answer(500, repr(error).encode())
        else:
            self.answer(200, json.dumps(seen).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128

    def server_bind(self):
        # Without the look-up of the address's name that HTTPServer adds.
        TCPServer.server_bind(self)


def main():
    given = sys.argv[1:]
    # Every service gets the same flags, and uses those that it needs.
    flags = {name.removeprefix("--"): value for name, value in zip(given[::2], given[1::2])}
    if flags["format"] not in FORMATS:
        sys.stderr.write(f"OpenTelemetry for Python has no format {flags['format']}\n")
        sys.exit(3)
    # Before any thread starts, so that none of them takes the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    resource = Resource.create({"service.name": flags["service"]})
    provider = TracerProvider(sampler=ParentBased(PrioritySampler()), resource=resource)
    exporter = OTLPSpanExporter(endpoint=f"{flags['otlp']}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=100))
    propagator = CompositePropagator([FORMATS[flags["format"]](), W3CBaggagePropagator()])

    Handler.service = Service(provider.get_tracer("crossdock"), propagator)
    server = Server((flags["host"], int(flags["port"])), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.sigwait([signal.SIGTERM])
    server.shutdown()
    provider.shutdown()


main()
