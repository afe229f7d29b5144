// The table: for each service and operation how many spans there are, and how long they took.

function statistics(trace) {
  const own = selfTimes(trace);
  const groups = new Map();
  for (const span of trace.spans) {
    const key = span.service + " " + span.name;
    let group = groups.get(key);
    if (!group) {
      group = { service: trace.serviceName(span), name: span.name, color: span.service,
        count: 0, errors: 0, total: 0, self: 0, least: Infinity, most: 0 };
      groups.set(key, group);
    }
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
  constructor(trace, find) {
    this.find = find;
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

  sort(key) {
    this.isDescending = this.by === key ? !this.isDescending : typeof this.groups[0]?.[key] !== "string";
    this.by = key;
    this.draw();
  }

  draw() {
    const order = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
    const direction = this.isDescending ? -1 : 1;
    this.groups.sort((a, b) => direction * order(a[this.by], b[this.by]));
    COLUMNS.forEach(([key], at) => {
      const sort = this.isDescending ? "descending" : "ascending";
      this.heads[at].setAttribute("aria-sort", key === this.by ? sort : "none");
    });
    const rows = this.groups.slice(0, MOST_GROUPS);
    this.body.replaceChildren(...rows.map((group) => el("tr", {}, COLUMNS.map(([key]) => {
      const value = group[key];
      if (key === "service") {
        return el("td", {}, el("i", { class: "service-color", style: { background: serviceColor(group.color) } }),
          el("bdi", {}, value));
      }
      if (key === "name") {
        return el("td", {}, el("button", { type: "button", class: "link", onclick: () => this.find(value) },
          el("bdi", {}, value)));
      }
      const text = TIMES.has(key) ? durationText(value) : String(value);
      return el("td", { class: key === "errors" && value > 0 ? "number error" : "number" }, text);
    }))));
    const more = this.groups.length - rows.length;
    this.note.textContent = more > 0 ? `${countText(more, "more operation")} of less weight` : "";
  }
}

const MOST_GROUPS = 500;
