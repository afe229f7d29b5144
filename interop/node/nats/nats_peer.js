'use strict';

// A peer on a NATS server over the published Node clients of Jaeger and NATS: it passes messages on, with spans.
//
// Arguments: the address of the server, the agent, the name of the service, the subject that it listens to, and the
// subject that it sends to. It prints a line when it listens, and ends when its standard input does.

const { initTracer } = require('jaeger-client');
const { connect, headers } = require('nats');
const { FORMAT_TEXT_MAP, Tags, followsFrom } = require('opentracing');

const [server, agent, serviceName, source, target] = process.argv.slice(2);
const [agentHost, agentPort] = agent.split(':');
const tracer = initTracer(
  {
    serviceName,
    sampler: { type: 'const', param: 0 },
    reporter: { agentHost, agentPort: Number(agentPort), flushIntervalMs: 100 },
  },
  // The standard output is for the line.
  { logger: { info: console.error, error: console.error } }
);

function tags(kind, subject) {
  return {
    [Tags.SPAN_KIND]: kind,
    [Tags.MESSAGE_BUS_DESTINATION]: subject,
    [Tags.PEER_SERVICE]: 'nats',
  };
}

function handle(client, message) {
  const received = {};
  for (const key of message.headers ? message.headers.keys() : []) {
    received[key] = message.headers.last(key);
  }
  const sender = tracer.extract(FORMAT_TEXT_MAP, received);
  const handling = tracer.startSpan(`From_${source}`, {
    references: sender ? [followsFrom(sender)] : [],
    tags: tags('consumer', message.subject),
  });
  const sending = tracer.startSpan(`To_${target}`, { childOf: handling, tags: tags('producer', target) });
  const carrier = {};
  tracer.inject(sending, FORMAT_TEXT_MAP, carrier);
  const sent = headers();
  for (const [key, value] of Object.entries(carrier)) {
    sent.set(key, value);
  }
  client.publish(target, message.data, { headers: sent });
  sending.finish();
  handling.finish();
}

async function main() {
  const client = await connect({ servers: server });
  client.subscribe(source, { callback: (_, message) => handle(client, message) });
  await client.flush();
  console.log('listens');
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.on('end', resolve));
  await client.close();
  await new Promise((resolve) => tracer.close(resolve));
}

main();
