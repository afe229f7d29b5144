// The timeline: a row for each span, of which only those in view are in the page.

class Timeline {
  constructor(trace) {
    this.trace = trace;
    this.from = 0;
    this.to = trace.duration;
    this.collapsed = new Set();
    this.opened = new Set();
    this.heights = new Map();
    this.noun = "span";
    this.matches = new Set();
    this.match = -1;
    this.cursor = 0;
    this.nodes = new Map();
    this.details = new Map();
    this.draw = onceAFrame(() => this.drawNow());
    this.resized = new ResizeObserver((entries) => {
      for (const { target } of entries) this.heights.set(Number(target.dataset.of), target.offsetHeight);
      this.layOut();
    });
    this.minimap = new Minimap(this);
    this.axis = el("div", { class: "ticks", "aria-hidden": "true" });
    this.grid = el("div", {
      class: "rows", role: "treegrid", "aria-label": "Spans of the trace", "aria-readonly": "true",
      onclick: (event) => this.click(event),
      onkeydown: (event) => this.key(event),
      onfocusin: (event) => this.focused(event),
    });
    const button = (text, label, call) =>
      el("button", { type: "button", "aria-label": label, title: label, onclick: call }, text);
    this.node = el("div", { class: "timeline" },
      this.minimap.node,
      el("div", { class: "axis" },
        el("div", { class: "tools" },
          el("span", { class: "wide" }, "Service and operation"),
          button("▾", "Expand all", () => this.collapseAll(false)),
          button("▸", "Collapse all", () => this.collapseAll(true)),
          button("+", "Zoom in", () => this.zoom(0.6)),
          button("−", "Zoom out", () => this.zoom(1 / 0.6)),
          button("⤢", "Show the whole trace", () => this.show(0, trace.duration))),
        splitter(() => this.redraw()),
        this.axis),
      this.grid);
    this.ended = new AbortController();
    const { signal } = this.ended;
    addEventListener("scroll", this.draw, { passive: true, signal });
    addEventListener("resize", () => this.layOut(), { signal });
    this.findRows();
  }

  // Ends what the window would keep this view, and its trace, for.
  close() {
    this.ended.abort();
    this.resized.disconnect();
  }

  // Shows a stretch of time, in microseconds since the start of the trace.
  show(from, to) {
    const least = Math.min(this.trace.duration, 10);
    this.from = clamp(from, 0, this.trace.duration - least);
    this.to = clamp(Math.max(to, this.from + least), least, this.trace.duration);
    this.clear();
    this.minimap.update();
    this.redraw();
  }

  zoom(by) {
    const middle = (this.from + this.to) / 2;
    const half = ((this.to - this.from) / 2) * by;
    this.show(middle - half, middle + half);
  }

  pan(by) {
    const step = (this.to - this.from) * by;
    const shift = clamp(step, -this.from, this.trace.duration - this.to);
    this.show(this.from + shift, this.to + shift);
  }

  // Finds the spans that are not below a collapsed one.
  findRows() {
    const { spans } = this.trace;
    this.rows = [];
    for (let at = 0; at < spans.length; at = this.collapsed.has(at) ? spans[at].next : at + 1) this.rows.push(at);
    this.placeOf = new Map(this.rows.map((index, place) => [index, place]));
    if (!this.placeOf.has(this.cursor)) this.cursor = this.visibleAncestor(this.cursor);
    this.grid.setAttribute("aria-rowcount", this.rows.length);
    this.clear();
    this.layOut();
  }

  visibleAncestor(index) {
    while (!this.placeOf.has(index) && index > 0) index = this.trace.spans[index].parent;
    return Math.max(index, 0);
  }

  // Computes where each row begins.
  layOut() {
    const height = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row")) || 28;
    this.rowHeight = height;
    this.tops = new Float64Array(this.rows.length + 1);
    let top = 0;
    this.rows.forEach((index, place) => {
      this.tops[place] = top;
      top += height + (this.opened.has(index) ? this.heights.get(index) || 0 : 0);
    });
    this.tops[this.rows.length] = top;
    this.grid.style.height = top + "px";
    this.redraw();
  }

  clear() {
    const kept = document.activeElement;
    this.focusLost ||= this.grid.contains(kept) && kept.classList.contains("row");
    for (const node of this.nodes.values()) node.remove();
    this.nodes.clear();
  }

  // Draws at the next frame, but at once where a row with the focus was taken away: the next key must find it.
  redraw() {
    if (this.focusLost) this.drawNow();
    else this.draw();
  }

  placeAt(y) {
    let [low, high] = [0, this.rows.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.tops[middle] <= y) low = middle;
      else high = middle - 1;
    }
    return Math.max(low, 0);
  }

  drawNow() {
    if (!this.node.isConnected || this.node.closest("[hidden]")) return;
    const above = -this.grid.getBoundingClientRect().top;
    const first = this.placeAt(above - 300);
    const last = this.placeAt(above + innerHeight + 300);
    const wanted = new Set(this.rows.slice(first, last + 1));
    // The row with the focus stays, however far it is scrolled away.
    if (this.placeOf.has(this.cursor)) wanted.add(this.cursor);
    const open = new Set([...wanted].filter((index) => this.opened.has(index)));
    this.keep(this.nodes, wanted);
    this.keep(this.details, open);
    // In the order in which they are seen and read. What is in the page already is in that order and stays in place.
    let next = this.grid.firstChild;
    const put = (nodes, index, make) => {
      if (nodes.has(index)) {
        next = nodes.get(index).nextSibling;
        return;
      }
      const node = make();
      nodes.set(index, node);
      this.grid.insertBefore(node, next);
    };
    for (const index of [...wanted].sort((a, b) => a - b)) {
      put(this.nodes, index, () => spanRow(this, this.trace.spans[index]));
      if (open.has(index)) put(this.details, index, () => this.detail(index));
    }
    for (const [index, node] of this.nodes) this.place(index, node, 0);
    for (const [index, node] of this.details) this.place(index, node, this.rowHeight);
    this.drawAxis();
    if (this.focusLost) this.nodes.get(this.cursor)?.focus({ preventScroll: true });
    this.focusLost = false;
  }

  place(index, node, below) {
    node.style.transform = `translateY(${this.tops[this.placeOf.get(index)] + below}px)`;
  }

  keep(nodes, wanted) {
    for (const [index, node] of nodes) {
      if (wanted.has(index)) continue;
      this.resized.unobserve(node);
      node.remove();
      nodes.delete(index);
    }
  }

  detail(index) {
    const node = el("div", { class: "detail", role: "row", "data-of": index, id: "detail-" + index },
      el("div", { role: "gridcell" }, spanDetail(this.trace, this.trace.spans[index])));
    this.resized.observe(node);
    return node;
  }

  drawAxis() {
    const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => {
      const text = durationText(this.from + (this.to - this.from) * part);
      return el("span", { class: part === 1 ? "tick last" : "tick", style: { left: part * 100 + "%" } }, text);
    });
    this.axis.replaceChildren(...ticks);
  }

  // Marks spans. They are in the order of the rows.
  mark(hits) {
    this.matches = hits;
    this.match = -1;
    this.clear();
    this.redraw();
    return [...hits];
  }

  // Moves the focus to a span, and opens whatever hides it.
  goTo(index, withFocus = true) {
    this.nodes.get(this.match)?.classList.remove("current");
    this.match = this.matches.has(index) ? index : -1;
    for (let up = this.trace.spans[index].parent; up >= 0; up = this.trace.spans[up].parent) this.collapsed.delete(up);
    const before = this.cursor;
    this.cursor = index;
    if (!this.placeOf.has(index)) this.findRows();
    const top = this.grid.getBoundingClientRect().top + this.tops[this.placeOf.get(index)];
    const room = document.querySelector(".axis").offsetHeight + 8;
    if (top < room) scrollBy(0, top - room - innerHeight / 4);
    else if (top + this.rowHeight > innerHeight) scrollBy(0, top + this.rowHeight - innerHeight * 0.75);
    this.drawNow();
    this.nodes.get(before)?.setAttribute("tabindex", "-1");
    const row = this.nodes.get(index);
    row.setAttribute("tabindex", "0");
    row.classList.toggle("current", index === this.match);
    if (withFocus) row.focus({ preventScroll: true });
  }

  // Moves by so many rows.
  step(by) {
    const place = clamp(this.placeOf.get(this.cursor) + by, 0, this.rows.length - 1);
    this.goTo(this.rows[place]);
  }

  toggleDetail(index) {
    if (!this.opened.delete(index)) this.opened.add(index);
    this.nodes.get(index)?.setAttribute("aria-description", this.opened.has(index) ? "details shown" : "");
    this.layOut();
  }

  setCollapsed(index, isCollapsed) {
    const { spans } = this.trace;
    if (spans[index].next === index + 1) return;
    if (isCollapsed) this.collapsed.add(index);
    else this.collapsed.delete(index);
    this.findRows();
  }

  collapseAll(isCollapsed) {
    this.collapsed.clear();
    const hasChildren = (span) => span.next > span.index + 1;
    if (isCollapsed) this.trace.spans.filter(hasChildren).forEach((span) => this.collapsed.add(span.index));
    this.findRows();
  }

  // Collapses the deepest level that is in view, or expands the highest that is not.
  collapseOne(isCollapsed) {
    const { spans } = this.trace;
    const hasChildren = (index) => spans[index].next > index + 1;
    const candidates = this.rows.filter((index) => hasChildren(index) && this.collapsed.has(index) !== isCollapsed);
    const depths = candidates.map((index) => spans[index].depth);
    const depth = depths.reduce((a, b) => (isCollapsed ? Math.max(a, b) : Math.min(a, b)), isCollapsed ? -1 : Infinity);
    for (const index of candidates) {
      if (spans[index].depth !== depth) continue;
      if (isCollapsed) this.collapsed.add(index);
      else this.collapsed.delete(index);
    }
    this.findRows();
  }

  rowOf(event) {
    const row = event.target.closest?.(".row");
    return row ? Number(row.dataset.index) : undefined;
  }

  focused(event) {
    const index = this.rowOf(event);
    if (index === undefined || index === this.cursor) return;
    this.nodes.get(this.cursor)?.setAttribute("tabindex", "-1");
    this.cursor = index;
    event.target.setAttribute("tabindex", "0");
  }

  click(event) {
    const index = this.rowOf(event);
    if (index === undefined) return;
    if (event.target.closest(".toggle.parent")) this.setCollapsed(index, !this.collapsed.has(index));
    else this.toggleDetail(index);
  }

  // The keys of a tree grid, while a row has the focus.
  key(event) {
    if (!event.target.classList.contains("row") || event.ctrlKey || event.metaKey || event.altKey) return;
    const span = this.trace.spans[this.cursor];
    const isCollapsed = this.collapsed.has(this.cursor);
    const keys = {
      ArrowDown: () => this.step(1),
      ArrowUp: () => this.step(-1),
      Home: () => this.step(-Infinity),
      End: () => this.step(Infinity),
      Enter: () => this.toggleDetail(this.cursor),
      " ": () => this.toggleDetail(this.cursor),
      ArrowRight: () => {
        if (isCollapsed) this.setCollapsed(this.cursor, false);
        else if (span.next > span.index + 1) this.step(1);
      },
      ArrowLeft: () => {
        if (!isCollapsed && span.next > span.index + 1) this.setCollapsed(this.cursor, true);
        else if (span.parent >= 0) this.goTo(span.parent);
      },
    };
    const call = keys[event.key];
    if (!call || event.shiftKey) return;
    call();
    event.preventDefault();
    event.stopPropagation();
  }
}
