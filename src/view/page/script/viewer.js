// A trace with its head, its views, the search in it, and the keys, which are those of Jaeger's user interface.

const KEYS = [
  ["f", "next span"], ["b", "previous span"], ["s", "scroll down"], ["w", "scroll up"],
  ["← →", "pan; with Shift faster (a and d, too)"], ["↑ ↓", "zoom in and out; with Shift faster"],
  ["[", "expand all"], ["]", "collapse all"], ["o", "expand one level"], ["p", "collapse one level"],
  ["Ctrl+B", "find in the trace"], ["Enter", "next match, in the search; with Shift the previous one"],
  ["Escape", "clear the search"], ["?", "these keys"],
  ["Enter", "details of the row with the focus, in which ↑ ↓ ← → move and fold"],
];

class Viewer {
  constructor(trace, links) {
    this.trace = trace;
    this.timeline = new Timeline(trace);
    this.help = keyHelp();
    this.search = new Search(trace);
    this.panels = {};
    this.tabs = el("div", { class: "tabs", role: "tablist", "aria-label": "Views of the trace" },
      this.tab("timeline", "Timeline", () => this.timeline),
      this.tab("flame", "Flame graph", () => new Flame(trace)),
      this.tab("table", "Table", () => new SpanTable(trace, (name) => this.findInTimeline(name), () => this.search.mark())));
    arrowKeys(this.tabs, "[role=tab]", (tab) => tab.click());
    this.node = el("article", { class: "trace" },
      traceHead(trace, links, this),
      el("div", { class: "bar-of-views" }, this.tabs, this.search.node),
      Object.values(this.panels).map(({ node }) => node), this.help);
    this.keys = (event) => this.key(event);
    this.hash = () => this.goToHash();
    addEventListener("keydown", this.keys);
    addEventListener("hashchange", this.hash);
    this.choose("timeline");
  }

  close() {
    removeEventListener("keydown", this.keys);
    removeEventListener("hashchange", this.hash);
    for (const { view } of Object.values(this.panels)) view?.close?.();
    this.node.remove();
  }

  tab(name, title, make) {
    const node = el("section", {
      id: "panel-" + name, role: "tabpanel", "aria-labelledby": "tab-" + name, hidden: true,
    });
    const tab = el("button", {
      type: "button", role: "tab", id: "tab-" + name, "aria-controls": "panel-" + name,
      onclick: () => this.choose(name),
    }, title);
    this.panels[name] = { node, tab, make };
    return tab;
  }

  choose(name) {
    this.chosen = name;
    for (const [other, { node, tab }] of Object.entries(this.panels)) {
      const isChosen = other === name;
      node.hidden = !isChosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.setAttribute("tabindex", isChosen ? "0" : "-1");
    }
    const panel = this.panels[name];
    if (!panel.view) {
      panel.view = panel.make();
      panel.node.append(panel.view.node);
    }
    if (name === "timeline") this.timeline.layOut();
    this.search.show(panel.view);
  }

  findInTimeline(text) {
    this.choose("timeline");
    this.search.find(text);
    this.search.step(1);
  }

  // The part of the address behind `#` tells the text of the search, and a span. What it does not tell stays as it is.
  goToHash() {
    const told = new URLSearchParams(location.hash.slice(1));
    const text = told.get("find");
    if (text !== null && text !== this.search.field.value) this.search.find(text);
    const id = told.get("span");
    const span = id && this.trace.spans.find((span) => span.id === id);
    if (!span) return;
    this.choose("timeline");
    this.timeline.opened.add(span.index);
    this.timeline.layOut();
    this.timeline.goTo(span.index);
  }

  key(event) {
    const isTyping = event.target.matches?.("input, select, textarea");
    if ((event.ctrlKey || event.metaKey) && event.key === "b") {
      event.preventDefault();
      this.search.field.focus();
      this.search.field.select();
      return;
    }
    if (event.key === "Escape" && !this.help.open) {
      this.search.find("");
      if (isTyping) event.target.blur();
      return;
    }
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || this.help.open) return;
    if (event.key === "?") return this.help.showModal();
    if (this.chosen !== "timeline") return;
    const { timeline } = this;
    const fast = event.shiftKey ? 4 : 1;
    const call = {
      f: () => timeline.step(1), b: () => timeline.step(-1),
      s: () => scrollBy(0, innerHeight * 0.9), w: () => scrollBy(0, innerHeight * -0.9),
      ArrowLeft: () => timeline.pan(-0.1 * fast), a: () => timeline.pan(-0.1 * fast),
      ArrowRight: () => timeline.pan(0.1 * fast), d: () => timeline.pan(0.1 * fast),
      ArrowUp: () => timeline.zoom(fast === 1 ? 0.8 : 0.4), ArrowDown: () => timeline.zoom(fast === 1 ? 1.25 : 2.5),
      "[": () => timeline.collapseAll(false), "]": () => timeline.collapseAll(true),
      o: () => timeline.collapseOne(false), p: () => timeline.collapseOne(true),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!call) return;
    call();
    event.preventDefault();
  }
}

function traceHead(trace, links, viewer) {
  const errors = trace.spans.filter((span) => span.isError).length;
  const open = trace.spans.filter((span) => span.isOpen).length;
  const isIncomplete = trace.spans.some((span) => span.link === LINK.orphan);
  const depth = trace.spans.reduce((most, span) => Math.max(most, span.depth + 1), 0);
  const item = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
  const services = trace.services.slice(0, 40).map((name, at) => el("li", {},
    el("i", { class: "service-color", style: { background: serviceColor(at) } }), el("bdi", {}, name)));
  return el("header", { class: "trace-head" },
    el("h1", {},
      el("bdi", {}, trace.serviceName(trace.root)), ": ", el("bdi", {}, trace.root.name), " ",
      el("small", { class: "mono", title: trace.id }, trace.id.slice(0, 7)),
      isIncomplete ? el("span", { class: "badge" }, "Incomplete") : null,
      open ? el("span", { class: "badge" }, countText(open, "open span")) : null,
      errors ? el("span", { class: "badge error" }, countText(errors, "error")) : null),
    el("dl", {},
      item("Trace Start", dateText(trace.start)), item("Duration", durationText(trace.duration)),
      item("Services", trace.services.length), item("Depth", depth), item("Total Spans", trace.spans.length)),
    el("ul", { class: "services", "aria-label": "Services" }, services),
    el("p", { class: "links" },
      links.map(([href, text]) => el("a", { href }, text)),
      el("button", { type: "button", onclick: () => saveJson(trace) }, "Save JSON"),
      el("button", { type: "button", onclick: () => viewer.help.showModal() }, "Keys")));
}

// Saves the JSON that Jaeger's user interface opens. Works without a server.
function saveJson(trace) {
  const url = URL.createObjectURL(new Blob([jaegerJson(trace)], { type: "application/json" }));
  el("a", { href: url, download: trace.id + ".json" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

function keyHelp() {
  const rows = KEYS.map(([key, what]) => el("tr", {}, el("th", { scope: "row" }, el("kbd", {}, key)), el("td", {}, what)));
  const dialog = el("dialog", { "aria-label": "Keys" },
    el("h2", {}, "Keys"), el("table", {}, el("tbody", {}, rows)),
    el("button", { type: "button", onclick: () => dialog.close() }, "Close"));
  return dialog;
}
