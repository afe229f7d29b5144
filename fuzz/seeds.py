"""Makes seeds for fuzz targets of what other clients wrote: `tests/vectors/` into `fuzz/seeds/{target}/`."""

import gzip
import hashlib
import json
import pathlib
import sys

FUZZ = pathlib.Path(__file__).resolve().parent
VECTORS = FUZZ.parent / "tests" / "vectors"
# The first byte of an input of `thrift_decode`.
COMPACT, BINARY, BODY = b"\x00", b"\x01", b"\x02"
# The first two bytes of an input of `terminal`: a datagram in the compact protocol, and how many columns are there.
DATAGRAM = b"\x01\x64"

# The files of headers, and which lists of formats in `header_extract` speak what is in them.
FORMATS = {
    "jaeger_extract.json": [0, 1, 3, 7],
    "jaeger_inject.json": [0, 2],
    "b3_extract.json": [1, 2, 4, 5, 6],
    "b3_inject.json": [4, 5],
    "w3c_extract.json": [0, 1, 3, 5],
    "w3c_inject.json": [0, 4],
    "w3c_baggage_extract.json": [0, 1, 5, 6],
    "baggage_via_span.json": [0, 7],
}
# Replies in `sampling_reply` are apart by this.
SEPARATOR = b"\x1e"
# How servers write a strategy: Jaeger 1 and 2, its agent's old path, very old agents, OpenTelemetry's extension.
DIALECTS = [
    b'{"strategyType":"PROBABILISTIC","operationSampling":{"defaultSamplingProbability":0.001,'
    b'"defaultLowerBoundTracesPerSecond":0.0166,"perOperationStrategies":[{"operation":"GET /a",'
    b'"probabilisticSampling":{"samplingRate":0.25}},{"operation":"b","probabilisticSampling":null}],'
    b'"defaultUpperBoundTracesPerSecond":0}}',
    b'{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.5}}',
    b'{"strategyType":"RATE_LIMITING","rateLimitingSampling":{"maxTracesPerSecond":5}}',
    b'{"strategyType":0,"probabilisticSampling":{"samplingRate":1e-05}}',
    b'{"strategyType":1,"rateLimitingSampling":{"maxTracesPerSecond":32767}}',
    b'{"strategyType":0,"probabilisticSampling":{"samplingRate":0.5},"rateLimitingSampling":null,'
    b'"operationSampling":null}',
    b'{"probabilisticSampling":{}}',
    b'{"strategyType":1,"rateLimitingSampling":{}}',
    b'{"operationSampling":{"perOperationStrategies":[{"operation":"x","probabilisticSampling":{}}]}}',
    b'{"strategyType":"RATE_LIMITING","rateLimitingSampling":{"maxTracesPerSecond":2},"operationSampling":'
    b'{"defaultSamplingProbability":1,"defaultLowerBoundTracesPerSecond":0,"perOperationStrategies":[]}}',
]
# A status, the headers `Retry-After` and `Date`, and a body, apart by line breaks.
REPLIES = [
    b"200\n\n\n",
    b"200\n\n\n\x0a\x0c\x08\x03\x12\x08too late",
    b"400\n\n\n\x08\x03\x12\x08no spans",
    b"503\n30\n\n",
    b"429\nFri, 14 Jul 2017 02:40:30 GMT\nFri, 14 Jul 2017 02:40:00 GMT\n",
    b"503\nFriday, 14-Jul-17 02:41:00 GMT\n\n",
    b"503\nFri Jul 14 02:42:00 2017\n\n",
    b"404\n\n\n<html>404 page not found</html>",
]
# Messages with a span, which the embedded agent takes in each format.
OTLP_JSON = (
    b'{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},'
    b'"scopeSpans":[{"scope":{"name":"n","version":"1"},"spans":[{"traceId":"0000000000000000000000000000000a",'
    b'"spanId":"000000000000000b","parentSpanId":"000000000000000c","name":"get","kind":2,"traceState":"a=b",'
    b'"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000000001000","flags":1,'
    b'"attributes":[{"key":"n","value":{"intValue":"1"}},{"key":"b","value":{"bytesValue":"AA=="}},'
    b'{"key":"l","value":{"arrayValue":{"values":[{"doubleValue":0.5},{"boolValue":true}]}}}],'
    b'"events":[{"timeUnixNano":"1","name":"e"}],"status":{"code":2,"message":"no"},'
    b'"links":[{"traceId":"0000000000000000000000000000000a","spanId":"000000000000000c"}]}]}]}]}'
)
ZIPKIN_JSON = (
    b'[{"traceId":"a","id":"b","parentId":"c","name":"get","kind":"CLIENT","timestamp":1700000000000000,'
    b'"duration":5,"localEndpoint":{"serviceName":"shop","ipv4":"10.0.0.1","port":80},"debug":true,'
    b'"remoteEndpoint":{"serviceName":"bank","ipv6":"::1"},"annotations":[{"timestamp":1,"value":"{\\"a\\":1}"}],'
    b'"tags":{"error":"true","host.name":"h","otel.status_code":"Ok"}}]'
)


def field(number, value):
    """A field of protobuf with bytes."""
    return bytes([number << 3 | 2, len(value)]) + value


TRACE_ID, SPAN_ID, PARENT_ID = bytes(15) + b"\x0a", bytes(7) + b"\x0b", bytes(7) + b"\x0c"
NAME = field(1, field(1, b"service.name") + field(2, field(1, b"shop")))
SPAN = b"".join([field(1, TRACE_ID), field(2, SPAN_ID), field(4, PARENT_ID), field(5, b"get"), b"\x30\x02"])
SPAN += field(11, field(2, b"e")) + field(15, b"\x18\x02") + field(13, field(1, TRACE_ID) + field(2, PARENT_ID))
OTLP = field(1, field(1, NAME) + field(2, field(1, field(1, b"n")) + field(2, SPAN)))
TAG = field(1, b"n") + b"\x10\x02\x28\x01"
PARENT = field(4, field(1, TRACE_ID) + field(2, PARENT_ID))
JAEGER_SPAN = field(1, TRACE_ID) + field(2, SPAN_ID) + field(3, b"get") + PARENT + b"\x28\x01" + field(6, b"\x08\x05")
JAEGER_SPAN += field(8, TAG) + field(9, field(1, b"\x08\x05") + field(2, TAG))
JAEGER = field(1, field(1, JAEGER_SPAN) + field(2, field(1, b"shop") + field(2, TAG)))
# The headers of `b3_multiple`, by the first byte of a line.
B3_HEADERS = ["x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags", "b3"]


# Requests to the embedded agent, by the letters of its ports.
PAGES = ["/", "/?service=shop&tags=a%3Db&minDuration=1ms&order=longest", "/live?errors=on", "/graph", "/open-spans"]
PAGES += ["/compare?a=a&b=a", "/trace/a?format=text&details=on", "/trace/a?format=jaeger", "/trace/a", "/api/live"]
QUERIES = ["services", "services/shop/operations", "operations?service=shop&spanKind=server", "traces/a?raw=true"]
QUERIES += ["traces?service=shop&limit=5&tags=%7B%22a%22%3A%22b%22%7D&start=1&end=9999999999999999&maxDuration=1h"]
QUERIES += ["traces?traceID=a&traceID=0&prettyPrint=true", "dependencies?endTs=1700000000000&lookback=9000000"]
QUERIES += ["metrics/latencies?service=shop&quantile=0.5&step=1&spanKind=server", "open-spans", "identity"]
QUERIES += ["v3/services", "v3/operations?service=shop", "v3/traces/a", "v3/traces?query.serviceName=shop&"]
QUERIES[-1] += "query.startTimeMin=2023-01-01T00%3A00%3A00Z&query.startTimeMax=2033-01-01T00%3A00%3A00%2B01%3A00"
TOOLS = {
    "get_services": {"pattern": "(?i)^s.{1,3}p$", "limit": 5},
    "get_span_names": {"service_name": "shop", "span_kind": "server"},
    "search_traces": {"service_name": "shop", "start_time_min": "-9h", "attributes": {"a": "b"}, "duration_min": "1ms"},
    "get_trace_topology": {"trace_id": "a", "depth": 2},
    "get_critical_path": {"trace_id": "a"},
    "get_span_details": {"trace_id": "a", "span_ids": ["b", "c"]},
    "get_trace_errors": {"trace_id": "a"},
    "get_service_dependencies": {"start_time": "2023-01-01T00:00:00.5+01:00", "end_time": "now"},
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def tool_messages():
    """Messages of the Model Context Protocol, in both of its eras."""
    calls = [("tools/call", {"name": name, "arguments": arguments}) for name, arguments in TOOLS.items()]
    calls += [("initialize", {"protocolVersion": "2025-06-18"}), ("ping", {}), ("tools/list", {}), ("server/discover", {})]
    for number, (method, params) in enumerate(calls):
        for id, meta in [(number, {}), (str(number), {"_meta": META})]:
            message = {"jsonrpc": "2.0", "id": id, "method": method, "params": {**params, **meta}}
            yield json.dumps(message, separators=(",", ":")).encode()
    yield b'{"jsonrpc":"2.0","method":"notifications/initialized"}'


def agent_requests():
    post = "cPOST /{}\ncontent-type: {}\n{}\n"
    json_type, protobuf = "application/json", "application/x-protobuf"
    yield post.format("v1/traces", json_type, "").encode() + OTLP_JSON
    yield post.format("v1/traces", protobuf, "").encode() + OTLP
    packed = post.format("v1/traces", protobuf, "content-encoding: gzip\n").encode() + gzip.compress(OTLP, mtime=0)
    yield packed + b"\x1evGET /\naccept: text/html\n\n"
    yield post.format("api/v2/spans", json_type, "").encode() + ZIPKIN_JSON
    for _, path, media_type, body in zipkin_bodies():
        yield post.format(path, media_type, "").encode() + body
    for body in ZSTD:
        yield post.format("v1/traces", json_type, "Content-Encoding: zstd\r\n").encode() + body
    for packet in packets(entries("spans_http.json")):
        yield post.format("api/traces", "application/x-thrift", "").encode() + packet
    for path, message in [
        ("opentelemetry.proto.collector.trace.v1.TraceService/Export", OTLP),
        ("jaeger.api_v2.CollectorService/PostSpans", JAEGER),
    ]:
        yield f"gPOST /{path}\n\n".encode() + b"\0" + len(message).to_bytes(4, "big") + message
    for page in PAGES:
        yield f"vGET {page}\naccept: text/html\nhost: localhost:16699\n\n".encode()
    for query in QUERIES:
        yield f"vGET /api/{query}\norigin: http://[::1]:3000\n\n".encode()
    yield b"vPOST /api/transform\n\n" + OTLP_JSON + b"\x1evPOST /api/archive/a\n\n"
    for path in ["sampling", "", "api/sampling"]:
        yield f"sGET /{path}?service=shop\n\n".encode()
    for message in tool_messages():
        yield b"vPOST /api/ai/mcp\ncontent-type: application/json\n\n" + message


def raw_requests():
    """Requests as they stand on a connection: alone, behind one another, and a few bytes at a time."""
    head = "HTTP/1.1\r\nHost: localhost\r\n"
    for number, path in enumerate(PAGES + ["/api/" + query for query in QUERIES]):
        request = f"GET {path} {head}Accept: text/html\r\n\r\n".encode()
        yield b"v" + bytes([number % 3 * 40]) + request
    for path, content_type, body in [
        ("v1/traces", "application/json", OTLP_JSON),
        ("v1/traces", "application/x-protobuf", OTLP),
        ("api/v2/spans", "application/json", ZIPKIN_JSON),
    ]:
        start = f"POST /{path} {head}Content-Type: {content_type}\r\n"
        sized = f"{start}Content-Length: {len(body)}\r\n\r\n".encode() + body
        length = f"{len(body):x}\r\n".encode()
        chunk = f"{start}Transfer-Encoding: chunked\r\n\r\n".encode() + length + body + b"\r\n0\r\n\r\n"
        packed = gzip.compress(body, mtime=0)
        gzipped = f"{start}Content-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode() + packed
        yield from (b"c\0" + request for request in [sized, chunk, gzipped, sized + chunk])
        yield b"c\x07" + f"{start}Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    yield b"s\0" + f"GET /sampling?service=shop {head}Connection: close\r\n\r\n".encode()
    yield b"s\1" + b"GET / HTTP/1.0\r\nHost: 127.0.0.1:5778\r\n\r\n"
    yield b"v\0" + b"HEAD http://localhost/ HTTP/1.1\r\nHost: example.org\r\nOrigin: null\r\n\r\n"
    yield b"v\0PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


STRATEGY_FILES = [
    b'{"default_strategy":{"type":"probabilistic","param":0.5}}',
    b'{"service_strategies":[{"service":"shop","type":"ratelimiting","param":5,"operation_strategies":[]},'
    b'{"service":"pay","type":"probabilistic","param":1,"operation_strategies":[{"operation":"a","type":'
    b'"probabilistic","param":0.25},{"operation":"b","type":"ratelimiting","param":2}]}],"default_strategy":'
    b'{"type":"probabilistic","param":0.1,"operation_strategies":[{"operation":"/health","type":"probabilistic",'
    b'"param":0.0}]}}',
    b'{"default_strategy":null,"service_strategies":null}',
    b"null",
]
CREDITS = [
    b'{"balances":[{"operation":"a","balance":1.5},{"operation":"b","balance":99}]}',
    b'{"balances":[{"operation":"a","balance":1e3}]}',
    b'{"balances":null}',
    b'{"balances":[{"operation":"a","balance":-1}]}',
    DIALECTS[1],
]
RESTRICTIONS = [
    b'[{"baggageKey":"user-id","maxValueLength":36},{"baggageKey":"a","maxValueLength":64}]',
    b'[{"baggageKey":"a","maxValueLength":-1},{"baggageKey":"a","maxValueLength":9223372036854775807}]',
    b"[]",
    DIALECTS[1],
]
IDENTITIES = [
    b'{"name":"tracehound","version":"0.1.0","agent":"127.0.0.1:6831"}',
    b'{"name":"tracehound","version":"2.0.0-rc.1+x","agent":"[::1]:7000","sampling":"127.0.0.1:5778","more":[]}',
    b'{"name":"jaeger","version":"2.0.0","agent":"203.0.113.9:6831"}',
]


# Bodies as the programs zstd 1.5.4, klauspost/compress 1.20.4 and python-zstandard 0.25.0 pack them.
ZSTD = [
    bytes.fromhex("28b52ffd04582900007370616e739e927ffd"),
    bytes.fromhex("28b52ffd64e02d7d0000307370616e73200154060331d72e019fa86765"),
    bytes.fromhex("28b52ffd0068750000307370616e73200100d72e7c2902"),
    bytes.fromhex("5f2a4d1803000000aabbcc28b52ffd00582900007370616e73"),
]
TRACE_FILE = (
    b'{"data":[{"traceID":"a","processes":{"p1":{"serviceName":"shop","tags":[{"key":"k","value":"v"}]}},"spans":['
    b'{"traceID":"a","spanID":"b","flags":1,"operationName":"get","startTime":1700000000000000,"duration":5,'
    b'"processID":"p1","references":[{"refType":"CHILD_OF","traceID":"a","spanID":"c"}],"tags":['
    b'{"key":"n","type":"int64","value":1},{"key":"d","type":"float64","value":0.5},{"key":"b","type":"bool",'
    b'"value":true},{"key":"x","type":"binary","value":"AA=="},{"key":"error","type":"string","value":"x"}],'
    b'"logs":[{"timestamp":1700000000000001,"fields":[{"key":"event","type":"string","value":"e"}]}],'
    b'"process":{"serviceName":"pay"},"warnings":["w"]}]}]}'
)


def entries(file):
    return json.loads((VECTORS / file).read_text(encoding="utf-8"))["entries"]


def packets(value):
    """Everything under a key `hex` or `body_hex`, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("hex", "body_hex") and isinstance(inner, str):
                yield bytes.fromhex(inner)
            else:
                yield from packets(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from packets(inner)


def zipkin_bodies():
    """The form that the first byte of an input of `zipkin_decode` tells, path, media type and body."""
    forms = {
        ("/api/v2/spans", "application/json"): b"\x00",
        ("/api/v2/spans", "application/x-protobuf"): b"\x01",
        ("/api/v1/spans", "application/json"): b"\x02",
        ("/api/v1/spans", "application/x-thrift"): b"\x03",
    }
    for entry in entries("spans_zipkin.json"):
        for result in entry["results"].values():
            for request in result["requests"]:
                path, media_type = request["path"], request["content_type"]
                yield forms[path, media_type], path[1:], media_type, bytes.fromhex(request["body_hex"])


def lines(headers):
    return "\n".join(f"{name}:{value}" for name, value in headers).encode("utf-8", "surrogateescape")


def header_seeds():
    """Of each file, the headers of its inputs and those that other clients wrote."""
    for file in FORMATS:
        for entry in entries(file):
            if "headers" in entry["input"]:
                yield file, entry["input"]["headers"]
            for written in entry["results"].values():
                if isinstance(written, dict):
                    for headers in written.values():
                        if isinstance(headers, list) and all(is_header(header) for header in headers):
                            yield file, headers


def is_header(header):
    return isinstance(header, list) and len(header) == 2 and all(isinstance(part, str) for part in header)


def of_name(headers, *names):
    return [value.encode("utf-8", "surrogateescape") for name, value in headers if name.lower() in names]


def seeds():
    for n, (file, headers) in enumerate(header_seeds()):
        # Full trust, or trust in the ids alone.
        trust = 0xF0 if n % 2 == 0 else 0x10
        order = FORMATS[file][n % len(FORMATS[file])]
        yield "header_extract", bytes([trust | order]) + lines(headers)
        for value in of_name(headers, "uber-trace-id"):
            yield "uber_trace_id", value
        if parent := of_name(headers, "traceparent"):
            yield "trace_context", b"\n".join(parent[:1] + of_name(headers, "tracestate"))
        for target, name in [("b3_single", "b3"), ("w3c_baggage", "baggage")]:
            if values := of_name(headers, name):
                yield target, b"\n".join(values)
        several = [
            b"%d" % B3_HEADERS.index(name.lower()) + value.encode("utf-8", "surrogateescape")
            for name, value in headers
            if name.lower() in B3_HEADERS
        ]
        if several:
            yield "b3_multiple", b"\n".join(several)
        baggage = [b"=" + value for value in of_name(headers, "jaeger-baggage")]
        prefix = "uberctx-"
        baggage += [lines([(name[len(prefix) :], value)]) for name, value in headers if name.startswith(prefix)]
        if baggage:
            yield "jaeger_baggage", b"\n".join(baggage)
    for ot in [b"th:8;rv:6e6d1a75832a2f;x:y", b"rv:e6d1a75832a2f0", b"x:y;th:c"]:
        parent = b"00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-03"
        yield "trace_context", parent + b"\ncongo=t61rcWkgMzE,ot=" + ot
    for entry in entries("custom_headers.json"):
        options = entry["input"]["options"]
        keys = ["trace_id_header", "baggage_prefix", "debug_id_header", "baggage_header"]
        names = ["uber-trace-id", "uberctx-", "jaeger-debug-id", "jaeger-baggage"]
        names = [(options.get(key, name), "") for key, name in zip(keys, names)]
        for headers in entry["input"]["extract"]:
            yield "header_names", lines(names + headers)
    for packet in packets(entries("binary_extract.json") + entries("binary_inject.json")):
        yield "binary", packet
    for file in ["spans_compact.json", "spans_split.json", "spans_behaviour.json"]:
        for packet in packets(entries(file)):
            if packet.startswith(b"\x82"):
                yield "thrift_decode", COMPACT + packet
                yield "terminal", DATAGRAM + packet
    for entry in entries("sampler_remote.json"):
        yield "sampling_reply", SEPARATOR.join(body.encode() for body in entry["input"]["bodies"])
    for dialect in DIALECTS:
        yield "sampling_reply", dialect
        yield "sampling_reply", DIALECTS[0] + SEPARATOR + dialect
    for reply in REPLIES:
        yield "http_reply", reply
    yield "otlp_decode", OTLP_JSON
    yield "otlp_decode", OTLP
    yield "zipkin_decode", b"\x00" + ZIPKIN_JSON
    for form, path, media_type, body in zipkin_bodies():
        yield "zipkin_decode", form + body
    for encoding, body in [(b"\x00", body) for body in ZSTD] + [(b"\x01", gzip.compress(OTLP_JSON))]:
        yield "body_unpack", encoding + body
    yield "jaeger_proto_decode", JAEGER
    for request in agent_requests():
        yield "agent_requests", request
    for message in tool_messages():
        yield "agent_tools", message
    for request in raw_requests():
        yield "http_bytes", request
    for file in STRATEGY_FILES:
        for service in [b"shop", b"pay", b""]:
            yield "strategy_file", service + b"\n" + file
    for target, answers in [("credits_reply", CREDITS), ("restrictions_reply", RESTRICTIONS)]:
        for answer in answers:
            yield target, answer
        yield target, SEPARATOR.join(answers)
    for identity in IDENTITIES:
        yield "identity_answer", b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + identity
    yield "trace_file", TRACE_FILE
    for packet in packets(entries("spans_binary.json")):
        yield "thrift_decode", BINARY + packet
    for packet in packets(entries("spans_http.json")):
        yield "thrift_decode", BODY + packet


def main():
    count = 0
    for target, seed in seeds():
        if len(seed) > 4096:
            continue
        folder = FUZZ / "seeds" / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
        count += 1
    if count < 500:
        sys.exit(f"only {count} seeds: the vectors have another form")


main()
