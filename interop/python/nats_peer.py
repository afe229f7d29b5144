"""A peer on a NATS server over the published Python clients of Jaeger and NATS: it passes messages on, with spans.

Arguments: the address of the server, the agent, the name of the service, the subject that it listens to, and the
subject that it sends to. It prints a line when it listens, and ends when its standard input does.
"""

import asyncio
import sys
import time

import nats
from jaeger_client import Config
from opentracing import Format, follows_from

CLOSE_WITHIN = 5


def new_tracer(agent, service):
    host, port = agent.rsplit(":", 1)
    settings = {
        "sampler": {"type": "const", "param": 0},
        "local_agent": {"reporting_host": host, "reporting_port": int(port)},
    }
    return Config(config=settings, service_name=service, validate=True).new_tracer()


def tags(kind, subject):
    return {"span.kind": kind, "message_bus.destination": subject, "peer.service": "nats"}


async def serve(server, tracer, source, target):
    client = await nats.connect(server)

    async def handle(message):
        sender = tracer.extract(Format.TEXT_MAP, dict(message.headers or {}))
        references = [follows_from(sender)] if sender else []
        with tracer.start_span(
            f"From_{source}", references=references, tags=tags("consumer", message.subject)
        ) as handling:
            with tracer.start_span(f"To_{target}", child_of=handling, tags=tags("producer", target)) as sending:
                headers = {}
                tracer.inject(sending, Format.TEXT_MAP, headers)
                await client.publish(target, message.data, headers=headers)
                await client.flush()

    await client.subscribe(source, cb=handle)
    await client.flush()
    print("listens", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await client.close()


def main():
    server, agent, service, source, target = sys.argv[1:]
    tracer = new_tracer(agent, service)
    asyncio.run(serve(server, tracer, source, target))
    # The client makes a future of its own.
    asyncio.set_event_loop(asyncio.new_event_loop())
    closed = tracer.close()
    deadline = time.monotonic() + CLOSE_WITHIN
    while not closed.done() and time.monotonic() < deadline:
        time.sleep(0.01)


main()
