// The details of a span: tags, process, logs, warnings and references.

function spanDetail(trace, span) {
  const service = trace.serviceName(span);
  const link = el("a", { href: "#span=" + span.id, class: "mono" }, span.id);
  const tags = trace.tags(span.tags);
  const process = trace.tags(trace.processes[span.process].tags);
  const warnings = warningsOf(trace, span);
  return el("article", { "aria-label": "Details of " + span.name, style: { borderColor: serviceColor(span.service) } },
    el("h2", {}, el("bdi", {}, span.name)),
    el("p", { class: "facts" },
      fact("Service", service), fact("Duration", span.isOpen ? "open" : durationText(span.duration)),
      fact("Start Time", durationText(span.start)), el("span", {}, "SpanID: ", link)),
    section("Tags", tags.length, () => tagTable(tags, "Tags"), true),
    section("Process", process.length, () => tagTable(process, "Process")),
    section("Logs", span.logs.length, () => logList(trace, span), true),
    section("Warnings", warnings.length, () => el("ul", {}, warnings.map((text) => el("li", {}, text))), true),
    section("References", span.references.length, () => referenceList(trace, span)));
}

function fact(name, value) {
  return el("span", {}, name + ": ", el("b", {}, el("bdi", {}, value)));
}

// A part that opens and closes. Nothing is shown for an empty one.
function section(name, count, content, isOpen = false) {
  if (count === 0) return null;
  return el("details", { open: isOpen, class: name.toLowerCase() },
    el("summary", {}, `${name} (${count})`), content());
}

function tagTable(tags, caption) {
  const rows = tags.map((tag) => el("tr", {},
    el("th", { scope: "row" }, el("bdi", {}, tag.key)),
    el("td", {}, valueNode(tag))));
  return el("table", { class: "tags", "aria-label": caption }, el("tbody", {}, rows));
}

// A value as text; an address of the web as a link, which tells its target nothing of this page.
function valueNode(tag) {
  const text = String(tag.value);
  if (tag.type === "string" && /^https?:\/\/[^\s]+$/.test(text)) {
    return el("a", { href: text, rel: "noopener noreferrer nofollow", target: "_blank" }, text);
  }
  return el("bdi", { class: "value " + tag.type }, text);
}

function logList(trace, span) {
  const items = span.logs.slice(0, 500).map(([time, flat]) => {
    const fields = trace.tags(flat);
    return el("li", {}, el("span", { class: "mono" }, durationText(time)), tagTable(fields, "Fields"));
  });
  const more = span.logs.length - items.length;
  return el("div", {},
    el("ol", { class: "log-list" }, items),
    more > 0 ? el("p", {}, countText(more, "more log")) : null,
    el("p", { class: "note" }, "Times are relative to the start of the trace."));
}

function referenceList(trace, span) {
  const items = span.references.map(({ isChildOf, traceId, spanId, index }) => {
    const target = trace.spans[index];
    const where = target
      ? el("a", { href: "#span=" + spanId }, el("bdi", {}, `${trace.serviceName(target)}: ${target.name}`))
      : el("span", { class: "mono" }, traceId === trace.id ? spanId : `${spanId} of the trace ${traceId}`);
    return el("li", {}, isChildOf ? "child of " : "follows from ", where);
  });
  return el("ul", {}, items);
}
