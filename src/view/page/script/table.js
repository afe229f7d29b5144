// The table: for each service and operation how many spans there are, and how long they took.

function statistics(trace) {
  const own = selfTimes(trace);
  const groups = new Map();
  for (const span of trace.spans) {
    const key = span.service + " " + span.name;
    let group = groups.get(key);
    if (!group) {
      group = { service: trace.serviceName(span), name: span.name, color: span.service, spans: [],
        count: 0, errors: 0, total: 0, self: 0, least: Infinity, most: 0, hits: 0 };
      groups.set(key, group);
    }
    group.spans.push(span.index);
    group.count += 1;
    group.errors += span.isError ? 1 : 0;
    group.total += span.duration;
    group.self += own[span.index];
    group.least = Math.min(group.least, span.duration);
    group.most = Math.max(group.most, span.duration);
  }
  return [...groups.values()].map((group) => ({ ...group, mean: group.total / group.count }));
}

const COLUMNS = [
  ["service", "Service"], ["name", "Operation"], ["count", "Spans"], ["errors", "Errors"], ["total", "Total"],
  ["mean", "Mean"], ["least", "Shortest"], ["most", "Longest"], ["self", "Self"],
];
const TIMES = new Set(["total", "mean", "least", "most", "self"]);

class SpanTable {
  constructor(trace, find, sorted) {
    this.find = find;
    this.sorted = sorted;
    this.noun = "operation";
    this.groups = statistics(trace);
    this.by = "self";
    this.isDescending = true;
    const isText = (key) => key === "service" || key === "name";
    this.heads = COLUMNS.map(([key, title]) => el("th", { scope: "col", class: isText(key) ? null : "number" },
      el("button", { type: "button", onclick: () => this.sort(key) }, title)));
    this.body = el("tbody", {});
    this.note = el("p", { class: "note" });
    this.node = el("div", { class: "wide-table" },
      el("table", { class: "statistics" },
        el("caption", {}, "Spans of one service and operation. Self: the time in which no child ran."),
        el("thead", {}, el("tr", {}, this.heads)), this.body), this.note);
    this.draw();
  }

  // Marks the operations of spans.
  mark(hits) {
    for (const group of this.groups) group.hits = group.spans.filter((index) => hits.has(index)).length;
    this.match = undefined;
    this.draw();
    return this.shown.filter((group) => group.hits > 0);
  }

  goTo(group) {
    this.match?.node.parentElement.classList.remove("current");
    this.match = group;
    const row = group.node.parentElement;
    row.classList.add("current");
    row.scrollIntoView({ block: "center" });
  }

  classOf(group) {
    return [group.hits > 0 && "match", group === this.match && "current"].filter(Boolean).join(" ") || null;
  }

  sort(key) {
    this.isDescending = this.by === key ? !this.isDescending : typeof this.groups[0]?.[key] !== "string";
    this.by = key;
    this.draw();
    this.sorted();
  }

  draw() {
    const order = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
    const direction = this.isDescending ? -1 : 1;
    this.groups.sort((a, b) => direction * order(a[this.by], b[this.by]));
    COLUMNS.forEach(([key], at) => {
      const sort = this.isDescending ? "descending" : "ascending";
      this.heads[at].setAttribute("aria-sort", key === this.by ? sort : "none");
    });
    // A match is shown, whatever its weight.
    const rows = this.groups.filter(({ hits }, place) => place < MOST_GROUPS || hits > 0).slice(0, 2 * MOST_GROUPS);
    this.body.replaceChildren(...rows.map((group) => el("tr", { class: this.classOf(group) }, COLUMNS.map(([key]) => {
      const value = group[key];
      if (key === "service") {
        return el("td", {}, el("i", { class: "service-color", style: { background: serviceColor(group.color) } }),
          el("bdi", {}, value));
      }
      if (key === "name") {
        group.node = el("td", {}, el("button", { type: "button", class: "link", onclick: () => this.find(value) },
          el("bdi", {}, value)), group.hits > 0 ? el("span", { class: "note" }, " " + countText(group.hits, "match", "matches")) : null);
        return group.node;
      }
      const text = TIMES.has(key) ? durationText(value) : String(value);
      return el("td", { class: key === "errors" && value > 0 ? "number error" : "number" }, text);
    }))));
    this.shown = rows;
    const more = this.groups.length - rows.length;
    this.note.textContent = more > 0 ? `${countText(more, "more operation")} of less weight` : "";
  }
}

const MOST_GROUPS = 500;
