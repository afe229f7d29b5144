"""A program that makes spans on command with the published Jaeger client.

Its argument is a JSON object: the `config` of the client and the name of the `service`. Each line of standard input
is a JSON object that describes a span. The program answers with a line that has the span's ids and the headers it
injects. It ends when standard input does.
"""

import json
import sys

from jaeger_client import Config
from opentracing import Format

FORMATS = {"http": Format.HTTP_HEADERS, "text": Format.TEXT_MAP}


def run(tracer, command):
    carrier_format = FORMATS[command.get("format", "http")]
    parent = None
    if command.get("headers") is not None:
        parent = tracer.extract(carrier_format, command["headers"])
    span = tracer.start_span(command["operation"], child_of=parent)
    for key, value in command.get("tags", {}).items():
        span.set_tag(key, value)
    for key, value in command.get("baggage", {}).items():
        span.set_baggage_item(key, value)
    for fields in command.get("logs", []):
        span.log_kv(fields)
    headers = {}
    tracer.inject(span, carrier_format, headers)
    span.finish()
    return {
        "trace_id": f"{span.trace_id:x}",
        "span_id": f"{span.span_id:x}",
        "parent_id": f"{span.parent_id or 0:x}",
        "flags": span.flags,
        "baggage": dict(span.context.baggage),
        "headers": headers,
    }


def main():
    settings = json.loads(sys.argv[1])
    config = Config(config=settings["config"], service_name=settings["service"], validate=True)
    tracer = config.new_tracer()
    for line in sys.stdin:
        print(json.dumps(run(tracer, json.loads(line))), flush=True)


main()
