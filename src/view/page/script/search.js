// The search in a trace: one field for all views. A view has `mark(hits)`, which marks the spans in its own way and
// returns what the reader steps through, `goTo(target)`, and `noun`, the word for a target.

class Search {
  constructor(trace) {
    this.trace = trace;
    this.hits = new Set();
    this.targets = [];
    this.at = -1;
    this.field = el("input", {
      type: "search", placeholder: "Find…", "aria-label": "Find in the trace",
      oninput: () => this.find(this.field.value),
      onkeydown: (event) => {
        if (event.key === "Enter") this.step(event.shiftKey ? -1 : 1);
      },
    });
    const button = (text, label, by) => el("button", {
      type: "button", "aria-label": label, title: label, disabled: true, onclick: () => this.step(by),
    }, text);
    this.buttons = [button("↑", "Previous match", -1), button("↓", "Next match", 1)];
    this.status = el("span", { role: "status" });
    this.node = el("div", { class: "find", role: "search" }, this.field, this.buttons, this.status);
  }

  // Finds the spans that have the text in their names, tags or logs.
  find(text) {
    const { trace } = this;
    if (this.field.value !== text) this.field.value = text;
    this.wanted = text.trim().toLowerCase();
    const has = (text) => String(text).toLowerCase().includes(this.wanted);
    const inTags = (flat) => trace.tags(flat).some(({ key, value }) => has(`${key}=${value}`));
    const isMatch = (span) => has(span.name) || has(trace.serviceName(span)) || span.id === this.wanted
      || inTags(span.tags) || span.logs.some(([, fields]) => inTags(fields));
    this.hits = new Set(this.wanted ? trace.spans.filter(isMatch).map(({ index }) => index) : []);
    this.mark();
    keepInHash("find", text.trim());
  }

  // Shows the matches in a view from now on.
  show(view) {
    this.view = view;
    this.mark();
  }

  mark() {
    this.targets = this.view.mark(this.hits);
    this.at = -1;
    for (const button of this.buttons) button.disabled = this.targets.length === 0;
    this.say();
  }

  step(by) {
    const count = this.targets.length;
    if (count === 0) return;
    this.at = this.at < 0 && by < 0 ? count - 1 : (this.at + by + count) % count;
    this.view.goTo(this.targets[this.at], false);
    this.say();
  }

  say() {
    const count = this.targets.length;
    const { noun } = this.view;
    const spans = countText(this.hits.size, "span");
    const all = noun === "span" ? spans : `${spans} in ${countText(count, noun)}`;
    const at = this.at < 0 ? "" : `${this.at + 1} of ${noun === "span" ? "" : count + ": "}`;
    this.status.textContent = this.wanted ? at + all : "";
  }
}

// Keeps a value in the part of the address behind `#`, so that a link or a reload leads back to it.
function keepInHash(name, value) {
  const told = new URLSearchParams(location.hash.slice(1));
  if ((told.get(name) ?? "") === value) return;
  if (value) told.set(name, value);
  else told.delete(name);
  const hash = told.toString();
  try {
    history.replaceState(history.state, "", hash ? "#" + hash : location.pathname + location.search);
  } catch {
    // A page within another one may have no address of its own.
  }
}
