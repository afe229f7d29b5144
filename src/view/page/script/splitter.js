// The border between names and times, which can be dragged, and moved by the arrow keys. The page keeps its place until it
// is left: for all views and traces, and nowhere else.

function splitter(moved) {
  const root = document.documentElement;
  const width = () => parseFloat(root.style.getPropertyValue("--name")) || USUAL_WIDTH;
  const node = el("div", {
    class: "splitter", role: "separator", tabindex: "0", "aria-orientation": "vertical", title: "Drag, or use ← →",
    "aria-label": "Width of the names", "aria-valuemin": LEAST_WIDTH, "aria-valuemax": MOST_WIDTH,
  });
  const set = (percent) => {
    const part = clamp(percent, LEAST_WIDTH, MOST_WIDTH);
    root.style.setProperty("--name", part + "%");
    node.setAttribute("aria-valuenow", Math.round(part));
    moved();
  };
  const percentAt = (x) => {
    const { left, width } = node.parentElement.getBoundingClientRect();
    return ((x - left) / width) * 100;
  };
  // Where the border was taken hold of, so that it does not jump to the pointer.
  let grip = 0;
  const follow = (event) => set(percentAt(event.clientX) - grip);
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    grip = percentAt(event.clientX) - width();
    node.setPointerCapture(event.pointerId);
    node.addEventListener("pointermove", follow);
    event.preventDefault();
    node.focus({ preventScroll: true });
  });
  node.addEventListener("lostpointercapture", () => node.removeEventListener("pointermove", follow));
  node.addEventListener("dblclick", () => set(USUAL_WIDTH));
  node.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 10 : 2;
    const to = { ArrowLeft: width() - step, ArrowRight: width() + step, Home: LEAST_WIDTH, End: MOST_WIDTH }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    set(to);
    event.preventDefault();
    event.stopPropagation();
  });
  node.setAttribute("aria-valuenow", Math.round(width()));
  return node;
}

// In per cent of the timeline.
const USUAL_WIDTH = 36;
const LEAST_WIDTH = 10;
const MOST_WIDTH = 85;
