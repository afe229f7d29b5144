// The live view: a line for each trace as it comes, the newest on top.

class Live {
  constructor(place) {
    this.rows = new Map();
    this.seen = 0;
    this.waiting = [];
    this.body = el("tbody", {});
    this.status = el("p", { class: "note", role: "status" }, "connecting …");
    this.pause = el("button", { type: "button", "aria-pressed": "false", onclick: () => this.setPaused(!this.isPaused) }, "Pause");
    const heads = ["Time", "Service", "Operation", "Duration", "Spans", "Errors"];
    place.append(
      el("p", { class: "links" }, this.pause, this.status),
      el("div", { class: "wide-table", tabindex: "0", role: "group", "aria-label": "Traces" }, el("table", { class: "live" },
        el("caption", { class: "hidden" }, "Traces as they come"),
        el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col", class: NUMBERS.has(head) ? "number" : null }, head)))), this.body)));
    this.source = new EventSource("/api/live?" + place.dataset.query);
    this.source.onopen = () => this.say();
    this.source.onerror = () => {
      this.status.textContent = "the server does not answer, trying again …";
    };
    this.source.onmessage = (event) => {
      this.waiting.push(...JSON.parse(event.data).reverse());
      this.waiting.splice(0, this.waiting.length - MOST_LINES);
      if (!this.isPaused) this.show();
      this.say();
    };
  }

  setPaused(isPaused) {
    this.isPaused = isPaused;
    this.pause.setAttribute("aria-pressed", String(isPaused));
    if (!isPaused) this.show();
    this.say();
  }

  say() {
    const more = this.isPaused ? `, ${this.waiting.length} waiting` : "";
    this.status.textContent = `${countText(this.rows.size, "trace")}${more}`;
  }

  show() {
    for (const trace of this.waiting.splice(0)) {
      this.rows.get(trace.traceID)?.remove();
      this.rows.delete(trace.traceID);
      const row = this.line(trace);
      this.rows.set(trace.traceID, row);
      this.body.prepend(row);
    }
    for (const [id, row] of this.rows) {
      if (this.rows.size <= MOST_LINES) break;
      row.remove();
      this.rows.delete(id);
    }
  }

  line(trace) {
    const time = new Date(trace.start / 1000);
    const text = Number.isNaN(time.getTime()) ? "" : time.toLocaleTimeString();
    return el("tr", {},
      el("td", { class: "number" }, text),
      el("td", {}, el("bdi", {}, trace.service)),
      el("td", {}, el("a", { href: "/trace/" + trace.traceID }, el("bdi", {}, trace.operation))),
      el("td", { class: "number" }, trace.isOpen ? "open" : durationText(trace.duration)),
      el("td", { class: "number" }, String(trace.spans)),
      el("td", { class: trace.errors > 0 ? "number error" : "number" }, String(trace.errors)));
  }
}

const NUMBERS = new Set(["Time", "Duration", "Spans", "Errors"]);
const MOST_LINES = 200;
