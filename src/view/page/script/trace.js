// A trace as the page holds it. `src/view/page/data.rs` writes the other end of this.

const LINK = { root: 0, childOf: 1, followsFrom: 2, orphan: 3 };
const TYPES = ["string", "bool", "int64", "float64", "binary"];

// Returns a trace whose spans are in the order of the rows: parents before children.
function decodeTrace(raw) {
  const text = (index) => raw.strings[index];
  const services = raw.services.map(text);
  const processes = raw.processes.map(([service, tags]) => ({ service, tags }));
  const spans = raw.spans.map((row, index) => {
    const [id, parent, link, name, process, start, duration, flags, isError, tags, logs, references, critical] = row;
    return {
      index, id, parent, link, flags, tags, start,
      name: text(name),
      process,
      service: processes[process].service,
      duration: Math.max(duration, 0),
      isOpen: duration < 0,
      isError: isError === 1,
      logs: logs || [],
      references: (references || []).map((reference) => decodeReference(raw, reference)),
      critical: critical || [],
      depth: 0,
      // The index after the last descendant.
      next: index + 1,
      isChildError: false,
    };
  });
  const end = raw.duration;
  for (const span of spans) {
    if (span.isOpen) span.duration = Math.max(end - span.start, 0);
    span.end = span.start + span.duration;
    if (span.parent >= 0) span.depth = spans[span.parent].depth + 1;
  }
  for (const span of spans.slice().reverse()) {
    const parent = spans[span.parent];
    if (!parent) continue;
    parent.next = Math.max(parent.next, span.next);
    parent.isChildError ||= span.isError || span.isChildError;
  }
  return {
    id: raw.id, start: raw.start, duration: Math.max(end, 1), services, processes, spans,
    // Decodes tags, which are pairs of a key with a type, and a value.
    tags(flat) {
      const tags = [];
      for (let at = 0; flat && at < flat.length; at += 2) {
        const type = TYPES[flat[at] % 8];
        const value = flat[at + 1];
        const isText = type === "string" || type === "binary";
        tags.push({
          key: text(Math.floor(flat[at] / 8)),
          type,
          value: isText ? text(value) : type === "bool" ? value === 1 : value,
        });
      }
      return tags;
    },
    serviceName: (span) => services[span.service],
    root: spans.find((span) => span.link === LINK.root) || spans[0],
  };
}

// A reference has the kind, and the index of a span here, or a span id with the trace id of another trace.
function decodeReference(raw, [kind, target, traceId]) {
  const isHere = typeof target === "number";
  return {
    isChildOf: kind === 1,
    index: isHere ? target : -1,
    spanId: isHere ? raw.spans[target][0] : target,
    traceId: traceId || raw.id,
  };
}

// Returns what should make a reader doubt a span.
function warningsOf(trace, span) {
  const warnings = [];
  if (span.link === LINK.orphan) {
    const parent = span.references.find(({ traceId }) => traceId === trace.id);
    const which = parent ? " " + parent.spanId : "";
    warnings.push(`The parent${which} has not been received, or is below this span.`);
  }
  const parent = trace.spans[span.parent];
  if (parent && span.start < parent.start && span.link === LINK.childOf) {
    const by = durationText(parent.start - span.start);
    warnings.push(`It starts ${by} before its parent: the clocks of the two processes may differ.`);
  }
  if (span.isOpen) warnings.push("It has not finished yet.");
  return warnings;
}

// Returns the trace in the JSON of Jaeger's query API, which Jaeger's user interface can open.
function jaegerJson(trace) {
  const process = (at) => "p" + (at + 1);
  const isReceived = (span) => !span.isOpen;
  const spans = trace.spans.filter(isReceived).map((span) => ({
    traceID: trace.id,
    spanID: span.id,
    flags: span.flags || undefined,
    operationName: span.name,
    references: span.references.map(({ isChildOf, traceId, spanId }) => ({
      refType: isChildOf ? "CHILD_OF" : "FOLLOWS_FROM", traceID: traceId, spanID: spanId,
    })),
    startTime: trace.start + span.start,
    duration: span.duration,
    tags: trace.tags(span.tags),
    logs: span.logs.map(([at, fields]) => ({ timestamp: trace.start + at, fields: trace.tags(fields) })),
    processID: process(span.process),
    warnings: null,
  }));
  const processes = Object.fromEntries(trace.processes.map(({ service, tags }, at) => [
    process(at), { serviceName: trace.services[service], tags: trace.tags(tags) },
  ]));
  const data = [{ traceID: trace.id, spans, processes, warnings: null }];
  return JSON.stringify({ data, total: 0, limit: 0, offset: 0, errors: null });
}
