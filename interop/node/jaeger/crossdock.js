'use strict';

// A crossdock service over the published Node client, jaeger-client 3.19.0.

const { initTracer, ZipkinB3TextMapCodec } = require('jaeger-client');
const { FORMAT_HTTP_HEADERS, Tags } = require('opentracing');

const { flags, lacks, serve } = require('./service');

const BAGGAGE_KEY = 'crossdock-baggage-key';

const given = flags();
const [agentHost, agentPort] = given['agent-binary'].split(':');
// A close of the client does not wait for a request that is already on its way, so the close must send it itself.
const to = given.collector
  ? { collectorEndpoint: given.collector, flushIntervalMs: 3_600_000 }
  : { agentHost, agentPort: Number(agentPort), flushIntervalMs: 100 };
const tracer = initTracer(
  {
    serviceName: given.service,
    traceId128bit: given['trace-id-bits'] === '128',
    sampler: { type: 'const', param: 0 },
    reporter: to,
  },
  { logger: console }
);
switch (given.format) {
  case 'jaeger':
    break;
  case 'b3': {
    const codec = new ZipkinB3TextMapCodec({ urlEncoding: true });
    tracer.registerInjector(FORMAT_HTTP_HEADERS, codec);
    tracer.registerExtractor(FORMAT_HTTP_HEADERS, codec);
    break;
  }
  default:
    lacks('jaeger-client', given.format);
}

function start(name, kind, parent) {
  return tracer.startSpan(name, { childOf: parent, tags: { [Tags.SPAN_KIND]: kind } });
}

serve(
  {
    receive: (headers) => start('post', 'server', tracer.extract(FORMAT_HTTP_HEADERS, headers)),
    root(name, sampled, item, items) {
      const span = tracer.startSpan(name);
      if (sampled) {
        span.setTag(Tags.SAMPLING_PRIORITY, 1);
      }
      span.setBaggageItem(BAGGAGE_KEY, item);
      for (const [key, value] of Object.entries(items)) {
        span.setBaggageItem(key, value);
      }
      return span;
    },
    call(parent, headers) {
      const span = start('post', 'client', parent);
      tracer.inject(span, FORMAT_HTTP_HEADERS, headers);
      return span;
    },
    observe: (span) => ({
      traceId: span.context().traceIdStr,
      sampled: span.context().isSampled(),
      baggage: span.getBaggageItem(BAGGAGE_KEY) || '',
      items: span.context().baggage,
    }),
    finish: (span) => span.finish(),
    close: () => new Promise((resolve) => tracer.close(resolve)),
  },
  given
);
