'use strict';

// A crossdock service over the OpenTelemetry SDK for Node.

const { ROOT_CONTEXT, SpanKind, TraceFlags, defaultTextMapGetter, defaultTextMapSetter, propagation, trace } =
  require('@opentelemetry/api');
const { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } =
  require('@opentelemetry/core');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-proto');
const { B3InjectEncoding, B3Propagator } = require('@opentelemetry/propagator-b3');
const { JaegerPropagator } = require('@opentelemetry/propagator-jaeger');
const { defaultResource, resourceFromAttributes } = require('@opentelemetry/resources');
const { BatchSpanProcessor, NodeTracerProvider, ParentBasedSampler, SamplingDecision } =
  require('@opentelemetry/sdk-trace-node');

const { flags, lacks, serve } = require('./service');

const BAGGAGE_KEY = 'crossdock-baggage-key';
const PRIORITY = 'sampling.priority';
const FORMATS = {
  w3c: () => new W3CTraceContextPropagator(),
  jaeger: () => new JaegerPropagator(),
  b3: () => new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER }),
};

const given = flags();
if (!Object.hasOwn(FORMATS, given.format)) {
  lacks('OpenTelemetry for Node', given.format);
}
// Baggage is a format of its own here, and goes along with each.
const propagator = new CompositePropagator({
  propagators: [FORMATS[given.format](), new W3CBaggagePropagator()],
});

/** Samples the roots that have a priority, and no others. */
const prioritySampler = {
  shouldSample: (_context, _traceId, _name, _kind, attributes) => ({
    decision:
      attributes[PRIORITY] === 1 ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD,
  }),
  toString: () => 'PrioritySampler',
};

const exporter = new OTLPTraceExporter({ url: `${given.otlp}/v1/traces` });
const provider = new NodeTracerProvider({
  resource: defaultResource().merge(resourceFromAttributes({ 'service.name': given.service })),
  sampler: new ParentBasedSampler({ root: prioritySampler }),
  spanProcessors: [new BatchSpanProcessor(exporter, { scheduledDelayMillis: 100 })],
});
const tracer = provider.getTracer('crossdock');

function start(name, options, parent) {
  return trace.setSpan(parent, tracer.startSpan(name, options, parent));
}

// A context stands for its span and its baggage.
serve(
  {
    receive(headers) {
      const caller = propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);
      return start('post', { kind: SpanKind.SERVER }, caller);
    },
    root(name, sampled, item, items) {
      const attributes = sampled ? { [PRIORITY]: 1 } : {};
      const root = start(name, { attributes }, ROOT_CONTEXT);
      const all = Object.entries({ [BAGGAGE_KEY]: item, ...items });
      const entries = Object.fromEntries(all.map(([key, value]) => [key, { value }]));
      return propagation.setBaggage(root, propagation.createBaggage(entries));
    },
    call(parent, headers) {
      const call = start('post', { kind: SpanKind.CLIENT }, parent);
      propagator.inject(call, headers, defaultTextMapSetter);
      return call;
    },
    observe(context) {
      const { traceId, traceFlags } = trace.getSpanContext(context);
      return {
        traceId,
        sampled: (traceFlags & TraceFlags.SAMPLED) !== 0,
        baggage: propagation.getBaggage(context)?.getEntry(BAGGAGE_KEY)?.value || '',
        items: Object.fromEntries(
          (propagation.getBaggage(context)?.getAllEntries() ?? []).map(([key, { value }]) => [key, value])
        ),
      };
    },
    finish: (context) => trace.getSpan(context).end(),
    close: () => provider.shutdown(),
  },
  given
);
