// One row of the timeline: the name in its place in the tree, and the bar in its place in time.

function spanRow(timeline, span) {
  const { trace } = timeline;
  const hasChildren = span.next > span.index + 1;
  const isCollapsed = timeline.collapsed.has(span.index);
  const service = trace.serviceName(span);
  const mark = { [LINK.followsFrom]: "→", [LINK.orphan]: "?" }[span.link];
  const markLabel = { "→": "follows from its parent", "?": "its parent is missing" }[mark];
  const toggle = hasChildren
    ? el("span", { class: "toggle parent", "aria-hidden": "true" }, isCollapsed ? "▸" : "▾")
    : el("span", { class: "toggle", "aria-hidden": "true" });
  const name = el("div", {
    class: "name", role: "gridcell",
    // Beyond 30 levels a row would have no room for its name.
    style: { paddingLeft: `calc(${Math.min(span.depth, 30)} * var(--indent))` },
  },
    toggle,
    el("i", { class: "service-color", style: { background: serviceColor(span.service) } }),
    mark ? el("span", { class: "mark", role: "img", "aria-label": markLabel, title: markLabel }, mark) : null,
    el("bdi", { class: "service" }, service), " ",
    peerOf(timeline, span, isCollapsed),
    el("bdi", { class: "operation" }, span.name),
    isCollapsed ? el("span", { class: "more" }, ` +${span.next - span.index - 1}`) : null);
  return el("div", {
    class: "row" + (timeline.matches.has(span.index) ? " match" : "") + (timeline.match === span.index ? " current" : ""),
    role: "row",
    tabindex: span.index === timeline.cursor ? "0" : "-1",
    "data-index": span.index,
    "aria-level": span.depth + 1,
    "aria-rowindex": timeline.placeOf.get(span.index) + 1,
    "aria-expanded": hasChildren ? String(!isCollapsed) : null,
  }, name, lane(timeline, span));
}

// The alert of an error, hollow if only a span below has failed; and the service that a client has called.
function peerOf(timeline, span, isCollapsed) {
  const nodes = [];
  if (span.isError) nodes.push(el("span", { class: "alert", role: "img", "aria-label": "error", title: "error" }, "!"));
  else if (isCollapsed && span.isChildError) {
    const label = "error in a span below";
    nodes.push(el("span", { class: "alert hollow", role: "img", "aria-label": label, title: label }, "!"));
  }
  const child = timeline.trace.spans[span.index + 1];
  const isOnly = child && child.parent === span.index && child.next === span.next;
  if (isCollapsed && isOnly && child.service !== span.service) {
    nodes.push(el("span", { class: "peer" }, "→ ", el("i", {
      class: "service-color", style: { background: serviceColor(child.service) },
    }), el("bdi", {}, timeline.trace.serviceName(child)), " "));
  }
  return nodes;
}

function lane(timeline, span) {
  const [from, to] = [timeline.from, timeline.to];
  const percent = (time) => ((time - from) / (to - from)) * 100;
  const start = percent(span.start);
  const end = percent(span.end);
  const left = clamp(start, 0, 100);
  const right = clamp(end, 0, 100);
  const label = (span.isOpen ? "open, " : "") + durationText(span.duration);
  const cell = el("div", { class: "lane", role: "gridcell" });
  if (end >= 0 && start <= 100) {
    const width = Math.max(right - left, 0.001);
    const within = (time) => clamp(((percent(time) - left) / width) * 100, 0, 100) + "%";
    const length = (a, b) => ((clamp(percent(b), 0, 100) - clamp(percent(a), 0, 100)) / width) * 100;
    const bar = el("div", {
      class: span.isOpen ? "bar open" : "bar",
      style: { left: left + "%", width: width + "%", background: serviceColor(span.service) },
    });
    for (let at = 0; at < span.critical.length; at += 2) {
      const [a, b] = [span.critical[at], span.critical[at + 1]];
      const part = length(a, b);
      if (part > 0) bar.append(el("i", { class: "critical", style: { left: within(a), width: part + "%" } }));
    }
    ticks(span, percent).forEach((at) => {
      if (at >= left && at <= right) {
        bar.append(el("i", { class: "log", style: { left: ((at - left) / width) * 100 + "%" } }));
      }
    });
    cell.append(bar);
  }
  // The label stands where there is more room: after the bar, before it, or on a whole lane at its end.
  const place = right < 85 ? { left: `calc(${right}% + .4em)` }
    : left > 15 ? { right: `calc(${100 - left}% + .4em)` } : { right: ".4em" };
  const isOnBar = right >= 85 && left <= 15;
  const whole = `${durationText(span.duration)} | ${timeline.trace.serviceName(span)}::${span.name}`;
  cell.append(el("span", { class: isOnBar ? "label on" : "label", style: place, title: whole }, label));
  return cell;
}

// Where logs are, in percent of the lane, grouped to a fifth of a percent: a span may have very many.
function ticks(span, percent) {
  return new Set(span.logs.map(([time]) => Math.round(percent(time) * 5) / 5));
}
