"""Makes seeds for fuzz targets of what other clients wrote: `tests/vectors/` into `fuzz/seeds/{target}/`."""

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


def entries(file):
    return json.loads((VECTORS / file).read_text(encoding="utf-8"))["entries"]


def packets(value):
    """Everything under a key `hex`, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "hex" and isinstance(inner, str):
                yield bytes.fromhex(inner)
            else:
                yield from packets(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from packets(inner)


def lines(headers):
    return "\n".join(f"{name}:{value}" for name, value in headers).encode("utf-8", "surrogateescape")


def seeds():
    for entry in entries("jaeger_extract.json"):
        headers = entry["input"]["headers"]
        yield "header_extract", b"\x00" + lines(headers)
        for name, value in headers:
            if name.lower() == "uber-trace-id":
                yield "uber_trace_id", value.encode()
    for entry in entries("custom_headers.json"):
        options = entry["input"]["options"]
        keys = ["trace_id_header", "baggage_prefix", "debug_id_header", "baggage_header"]
        names = [(options[key], "") for key in keys if key in options]
        for headers in entry["input"]["extract"]:
            yield "header_extract", b"\x01" + lines(names + headers)
    for entry in entries("jaeger_inject.json"):
        for written in entry["results"].values():
            for headers in written.values():
                if isinstance(headers, list):
                    yield "header_extract", b"\x00" + lines(headers)
    for file in ["spans_compact.json", "spans_split.json", "spans_behaviour.json"]:
        for packet in packets(entries(file)):
            if packet.startswith(b"\x82"):
                yield "thrift_decode", COMPACT + packet
                yield "terminal", DATAGRAM + packet
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
