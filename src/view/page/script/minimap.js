// The whole trace in small, with the stretch of time that the timeline shows.

class Minimap {
  constructor(timeline) {
    this.timeline = timeline;
    this.canvas = el("canvas", { role: "img", "aria-label": "The whole trace in small" });
    this.before = el("div", { class: "outside" });
    this.after = el("div", { class: "outside" });
    this.drag = el("div", { class: "drag", hidden: true });
    this.start = this.handle("Start of the shown time", () => timeline.from, (time) => timeline.show(time, timeline.to));
    this.end = this.handle("End of the shown time", () => timeline.to, (time) => timeline.show(timeline.from, time));
    const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => el("span", {
      class: part === 1 ? "tick last" : "tick", style: { left: part * 100 + "%" },
    }, durationText(timeline.trace.duration * part)));
    this.area = el("div", { class: "area" }, this.canvas, this.before, this.after, this.drag, this.start, this.end);
    this.node = el("div", { class: "minimap" }, el("div", { class: "ticks", "aria-hidden": "true" }, ticks), this.area);
    this.area.addEventListener("pointerdown", (event) => this.press(event));
    new ResizeObserver(onceAFrame(() => this.draw())).observe(this.area);
  }

  draw() {
    const { trace } = this.timeline;
    const [width, height] = [this.area.clientWidth, this.area.clientHeight];
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.max(width * ratio, 1);
    this.canvas.height = Math.max(height * ratio, 1);
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const each = height / trace.spans.length;
    for (const span of trace.spans) {
      const left = (span.start / trace.duration) * width;
      pen.fillStyle = serviceColor(span.service);
      pen.fillRect(left, span.index * each, Math.max((span.duration / trace.duration) * width, 1), Math.max(each * 0.8, 1));
    }
    this.update();
  }

  update() {
    const { from, to, trace } = this.timeline;
    const percent = (time) => (time / trace.duration) * 100 + "%";
    Object.assign(this.before.style, { left: "0", width: percent(from) });
    Object.assign(this.after.style, { left: percent(to), right: "0" });
    for (const [handle, time] of [[this.start, from], [this.end, to]]) {
      handle.style.left = percent(time);
      handle.setAttribute("aria-valuenow", Math.round((time / trace.duration) * 100));
      handle.setAttribute("aria-valuetext", durationText(time));
    }
  }

  handle(label, time, move) {
    const handle = el("div", {
      class: "handle", role: "slider", tabindex: "0", "aria-label": label, "aria-valuemin": "0", "aria-valuemax": "100",
    });
    handle.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01 }[event.key];
      if (!step) return;
      move(time() + step * (event.shiftKey ? 10 : 1) * this.timeline.trace.duration);
      event.preventDefault();
      event.stopPropagation();
    });
    handle.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      this.follow(event, (to) => move(to), () => {});
    });
    return handle;
  }

  timeAt(event) {
    const box = this.area.getBoundingClientRect();
    return clamp((event.clientX - box.left) / box.width, 0, 1) * this.timeline.trace.duration;
  }

  // Calls `move` with the time under the pointer until it is released.
  follow(event, move, end) {
    const target = event.target;
    target.setPointerCapture(event.pointerId);
    const moved = (event) => move(this.timeAt(event));
    const released = (event) => {
      target.removeEventListener("pointermove", moved);
      target.removeEventListener("pointerup", released);
      target.removeEventListener("pointercancel", released);
      end(this.timeAt(event));
    };
    target.addEventListener("pointermove", moved);
    target.addEventListener("pointerup", released);
    target.addEventListener("pointercancel", released);
    event.preventDefault();
  }

  press(event) {
    const first = this.timeAt(event);
    const percent = (time) => (time / this.timeline.trace.duration) * 100 + "%";
    this.follow(event, (time) => {
      this.drag.hidden = false;
      Object.assign(this.drag.style, { left: percent(Math.min(first, time)), width: percent(Math.abs(time - first)) });
    }, (time) => {
      this.drag.hidden = true;
      // A press without a way between is a click, which shows the whole again.
      const isClick = Math.abs(time - first) < this.timeline.trace.duration / 200;
      if (isClick) this.timeline.show(0, this.timeline.trace.duration);
      else this.timeline.show(Math.min(first, time), Math.max(first, time));
    });
  }
}
