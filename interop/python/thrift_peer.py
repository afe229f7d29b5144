"""A Thrift server over Apache's Python library, which calls back by its client.

No tracing library for Thrift is published for Python that uses the field of Java's opentracing-thrift, so this shows
the few lines that it takes: `Traced` reads and writes the field. The tracer is the published jaeger-client 4.8.0. The
service is `SamplingManager` of Jaeger. The name that it is asked for says what it should do, and the answer says whether
the trace is sampled.
"""

import functools
import sys

from jaeger_client import ConstSampler, Tracer
from jaeger_client.local_agent_net import LocalAgentSender
from jaeger_client.reporter import Reporter
from opentracing import Format, child_of
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.Thrift import TApplicationException, TMessageType, TType
from thrift.transport import TSocket, TTransport

METHOD = "getSamplingStrategy"
FIELD = 3333


def traced(protocol):
    """Returns a class of protocols that read a context from each call, and write `context` into each."""

    class Traced(protocol):
        context = None
        caller = None

        def writeMessageBegin(self, name, kind, number):
            self.depth = 0
            super().writeMessageBegin(name, kind, number)

        def writeStructBegin(self, name):
            self.depth += 1
            super().writeStructBegin(name)

        def writeStructEnd(self):
            self.depth -= 1
            super().writeStructEnd()

        def writeFieldStop(self):
            if self.depth == 1 and self.context:
                self.writeFieldBegin("span", TType.MAP, FIELD)
                self.writeMapBegin(TType.STRING, TType.STRING, len(self.context))
                for text in (text for entry in self.context.items() for text in entry):
                    self.writeString(text)
                self.writeMapEnd()
                self.writeFieldEnd()
            super().writeFieldStop()

        def readMessageBegin(self):
            self.caller = None
            return super().readMessageBegin()

        def readFieldBegin(self):
            name, kind, id = super().readFieldBegin()
            if id == FIELD and kind == TType.MAP:
                _, _, size = self.readMapBegin()
                self.caller = {self.readString(): self.readString() for _ in range(size)}
                self.readMapEnd()
                self.readFieldEnd()
                return self.readFieldBegin()
            return name, kind, id

    return Traced


def write_struct(protocol, fields):
    """Writes a struct of fields: id, type and the function that writes the value."""
    protocol.writeStructBegin("")
    for id, kind, write in fields:
        protocol.writeFieldBegin("", kind, id)
        write()
        protocol.writeFieldEnd()
    protocol.writeFieldStop()
    protocol.writeStructEnd()


def read_text(protocol):
    """Reads a struct, and returns its text with the id 1."""
    text = ""
    protocol.readStructBegin()
    while True:
        _, kind, id = protocol.readFieldBegin()
        if kind == TType.STOP:
            break
        if (id, kind) == (1, TType.STRING):
            text = protocol.readString()
        else:
            protocol.skip(kind)
        protocol.readFieldEnd()
    protocol.readStructEnd()
    return text


def write_message(protocol, name, kind, number, write):
    protocol.writeMessageBegin(name, kind, number)
    write()
    protocol.writeMessageEnd()
    protocol.trans.flush()


class Server:
    def __init__(self, tracer, protocol, back):
        self.tracer = tracer
        self.protocol = protocol
        self.back = back

    def process(self, protocol):
        """Answers one call."""
        method, _, number = protocol.readMessageBegin()
        name = read_text(protocol)
        protocol.readMessageEnd()
        caller = self.tracer.extract(Format.TEXT_MAP, protocol.caller or {})
        tags = {"span.kind": "server"}
        with self.tracer.start_span(method, references=child_of(caller), tags=tags) as span:
            try:
                if name == "fail":
                    raise TApplicationException(TApplicationException.INTERNAL_ERROR, "no strategy")
                self.call_back(name, span)
            except TApplicationException as error:
                write = functools.partial(error.write, protocol)
                write_message(protocol, method, TMessageType.EXCEPTION, number, write)
            else:
                write = functools.partial(self.write_strategy, protocol, span)
                write_message(protocol, method, TMessageType.REPLY, number, write)

    def write_strategy(self, protocol, span):
        rate = 1.0 if span.is_sampled() else 0.0
        rates = [(1, TType.DOUBLE, lambda: protocol.writeDouble(rate))]
        strategy = [
            (1, TType.I32, lambda: protocol.writeI32(0)),
            (2, TType.STRUCT, lambda: write_struct(protocol, rates)),
        ]
        write_struct(protocol, [(0, TType.STRUCT, lambda: write_struct(protocol, strategy))])

    def call_back(self, name, parent):
        method = "emitBatch" if name == "nested" else METHOD
        tags = {"span.kind": "client"}
        with self.tracer.start_span(method, child_of=parent, tags=tags) as span:
            transport = TTransport.TBufferedTransport(TSocket.TSocket(*self.back))
            transport.open()
            protocol = self.protocol(transport)
            protocol.context = {}
            self.tracer.inject(span, Format.TEXT_MAP, protocol.context)
            try:
                self.call(protocol, method, name.removeprefix("back-"))
            finally:
                transport.close()

    def call(self, protocol, method, name):
        if method != METHOD:
            process = [(1, TType.STRING, lambda: protocol.writeString("x"))]
            batch = [(1, TType.STRUCT, lambda: write_struct(protocol, process))]
            args = [(1, TType.STRUCT, lambda: write_struct(protocol, batch))]
            write = lambda: write_struct(protocol, args)
            return write_message(protocol, method, TMessageType.ONEWAY, 1, write)
        args = [(1, TType.STRING, lambda: protocol.writeString(name))]
        write = lambda: write_struct(protocol, args)
        write_message(protocol, method, TMessageType.CALL, 1, write)
        _, kind, _ = protocol.readMessageBegin()
        if kind == TMessageType.EXCEPTION:
            error = TApplicationException()
            error.read(protocol)
            protocol.readMessageEnd()
            raise error
        protocol.skip(TType.STRUCT)
        protocol.readMessageEnd()


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def main():
    flags = dict(zip((flag.removeprefix("--") for flag in sys.argv[1::2]), sys.argv[2::2]))
    host, port = address(flags["agent-compact"])
    sender = LocalAgentSender(
        host=host, sampling_port=0, reporting_port=port, throttling_port=None
    )
    reporter = Reporter(channel=sender, flush_interval=0.1)
    tracer = Tracer("thrift-python", reporter=reporter, sampler=ConstSampler(False))
    protocol = traced(TCompactProtocol if flags["protocol"] == "compact" else TBinaryProtocol)
    server = Server(tracer, protocol, address(flags["back"]))
    socket = TSocket.TServerSocket(*address(flags["listen"]))
    socket.listen()
    while True:
        transport = TTransport.TBufferedTransport(socket.accept())
        connection = protocol(transport)
        try:
            while True:
                server.process(connection)
        except (TTransport.TTransportException, EOFError):
            transport.close()


main()
