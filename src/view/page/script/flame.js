// The flame graph: spans of one name and one parent's name are one box, as wide as the time spent in and below them.

// The tree of the boxes, and the box of each span. Children that ran side by side add up, so a box may stand for more time than has passed.
function flameTree(trace) {
  const whole = { name: "all spans", service: -1, value: 0, self: 0, count: 0, errors: 0, children: new Map(), depth: -1 };
  const boxes = [];
  const own = selfTimes(trace);
  for (const span of trace.spans) {
    const parent = span.parent >= 0 ? boxes[span.parent] : whole;
    const key = span.service + " " + span.name;
    let box = parent.children.get(key);
    if (!box) {
      box = { name: span.name, service: span.service, value: 0, self: 0, count: 0, errors: 0, children: new Map(),
        parent, depth: parent.depth + 1, hits: 0 };
      parent.children.set(key, box);
    }
    box.self += own[span.index];
    box.count += 1;
    box.errors += span.isError ? 1 : 0;
    boxes[span.index] = box;
  }
  // Every box is after its parent in the order of first spans, so from the end all children come first.
  for (const box of [...new Set(boxes)].reverse()) {
    box.value += box.self;
    box.parent.value += box.value;
  }
  return [whole, boxes];
}

// The time of each span in which no child of it ran.
function selfTimes(trace) {
  const times = trace.spans.map((span) => span.duration);
  // How far the children of a span have covered it. Siblings come in the order of their starts.
  const covered = trace.spans.map((span) => span.start);
  for (const span of trace.spans) {
    const parent = trace.spans[span.parent];
    if (!parent) continue;
    const from = Math.max(span.start, covered[parent.index]);
    const to = Math.min(span.end, parent.end);
    if (to <= from) continue;
    times[parent.index] -= to - from;
    covered[parent.index] = to;
  }
  return times;
}

class Flame {
  constructor(trace) {
    this.trace = trace;
    [this.whole, this.boxOf] = flameTree(trace);
    this.noun = "place";
    this.marked = new Set();
    this.root = this.whole;
    this.boxes = el("div", { class: "boxes", role: "group", "aria-label": "Flame graph" });
    this.info = el("p", { class: "facts", role: "status" });
    this.node = el("div", { class: "flame" },
      el("p", { class: "note" }, "A box is as wide as the time in it and below it, all calls together. "
        + "Press a box to zoom in, and the top one to zoom out."),
      this.info, this.boxes);
    this.boxes.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(onceAFrame(() => this.draw())).observe(this.boxes);
  }

  draw() {
    const width = this.boxes.clientWidth;
    if (width === 0) return;
    this.drawn = [];
    const ancestors = [];
    for (let up = this.root.parent; up; up = up.parent) ancestors.unshift(up);
    ancestors.forEach((box, level) => this.drawn.push({ box, level, left: 0, width }));
    const waiting = [{ box: this.root, level: ancestors.length, left: 0, width }];
    while (waiting.length > 0 && this.drawn.length < MOST_BOXES) {
      const item = waiting.shift();
      this.drawn.push(item);
      let left = item.left;
      const widest = [...item.box.children.values()].sort((a, b) => b.value - a.value);
      for (const child of widest) {
        const wide = (child.value / Math.max(item.box.value, 1)) * item.width;
        if (wide >= 1) waiting.push({ box: child, level: item.level + 1, left, width: wide });
        left += wide;
      }
    }
    const height = 22;
    this.boxes.style.height = (1 + this.drawn.reduce((most, { level }) => Math.max(most, level), 0)) * height + "px";
    const focused = [...this.boxes.children].indexOf(document.activeElement) >= 0;
    this.boxes.replaceChildren(...this.drawn.map((item, at) => {
      const { box, level, left, width: wide } = item;
      item.node = el("button", {
        type: "button", tabindex: box === this.root ? "0" : "-1",
        title: this.text(box), "aria-label": this.text(box),
        class: this.classOf(box),
        style: { left: left + "px", width: Math.max(wide - 1, 1) + "px", top: level * height + "px" },
        onclick: () => this.zoom(at),
        onfocus: () => { this.info.textContent = this.text(box); },
        onpointerenter: () => { this.info.textContent = this.text(box); },
      }, wide > 30 ? el("bdi", {}, (box.errors > 0 ? "! " : "") + box.name) : "");
      item.node.style.setProperty("--color", box.service < 0 ? "var(--soft)" : serviceColor(box.service));
      return item.node;
    }));
    if (!this.info.textContent) this.info.textContent = this.text(this.root);
    if (focused) this.drawn.find(({ box }) => box === this.root).node.focus();
  }

  text(box) {
    const service = box.service < 0 ? "" : this.trace.services[box.service] + ": ";
    const part = ((box.value / Math.max(this.whole.value, 1)) * 100).toFixed(1);
    const calls = box.count ? ", " + countText(box.count, "span") : "";
    const errors = (box.errors ? ", " + countText(box.errors, "error") : "")
      + (box.hits ? ", " + countText(box.hits, "match", "matches") : "");
    return `${service}${box.name}: ${durationText(box.value)} (${part} %), ${durationText(box.self)} of its own${calls}${errors}`;
  }

  // Marks the boxes of spans, and lets the others fade.
  mark(hits) {
    for (const box of this.marked) box.hits = 0;
    this.marked = new Set([...hits].map((index) => this.boxOf[index]));
    for (const index of hits) this.boxOf[index].hits += 1;
    this.match = undefined;
    this.boxes.classList.toggle("searched", hits.size > 0);
    this.draw();
    return [...this.marked];
  }

  // Shows a box. It zooms only if the box has no room otherwise.
  goTo(box) {
    this.match = box;
    const isWide = (item) => item.box === box && item.width > 30;
    if (!this.drawn?.some(isWide)) this.root = box.parent;
    this.draw();
    if (!this.drawn?.some(isWide)) {
      this.root = box;
      this.draw();
    }
    this.info.textContent = this.text(box);
    this.drawn?.find((item) => item.box === box)?.node.scrollIntoView({ block: "nearest" });
  }

  classOf(box) {
    const classes = [box.errors > 0 && "failed", box.hits > 0 && "match", box === this.match && "current"];
    return classes.filter(Boolean).join(" ") || null;
  }

  zoom(at) {
    const { box } = this.drawn[at];
    this.root = box === this.root && box.parent ? box.parent : box;
    this.draw();
  }

  // The arrow keys move to the parent, the widest child, and the siblings.
  key(event) {
    const at = this.drawn.findIndex(({ node }) => node === document.activeElement);
    if (at < 0) return;
    const { box, level } = this.drawn[at];
    const onLevel = this.drawn.filter((item) => item.level === level);
    const place = onLevel.indexOf(this.drawn[at]);
    const next = {
      ArrowUp: () => this.drawn.find((item) => item.box === box.parent),
      ArrowDown: () => this.drawn.find((item) => item.box.parent === box),
      ArrowRight: () => onLevel[place + 1],
      ArrowLeft: () => onLevel[place - 1],
    }[event.key];
    if (!next) return;
    next()?.node.focus();
    event.preventDefault();
    event.stopPropagation();
  }
}

const MOST_BOXES = 3000;
