// Small tools of all views. Text of a trace goes into the page by text nodes and attributes alone.

// Makes an element. Attributes that are null or false are left out; `on…` are listeners; `style` is an object.
function el(name, attributes, ...children) {
  const node = document.createElement(name);
  setAttributes(node, attributes);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

function setAttributes(node, attributes) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "style") Object.assign(node.style, value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

// A duration in microseconds as text with about three digits.
function durationText(micros) {
  const digits = (value) => String(Number(value.toPrecision(value < 1000 ? 3 : 4)));
  if (micros < 0) return "-" + durationText(-micros);
  if (micros < 1000) return Math.round(micros) + "µs";
  if (micros < 1e6) return digits(micros / 1e3) + "ms";
  if (micros < 60e6) return digits(micros / 1e6) + "s";
  // Cut, not rounded: 119.7 s must not become 1m 60s.
  if (micros < 3600e6) return Math.floor(micros / 60e6) + "m " + Math.floor((micros % 60e6) / 1e6) + "s";
  if (micros < 86400e6) return Math.floor(micros / 3600e6) + "h " + Math.floor((micros % 3600e6) / 60e6) + "m";
  return digits(micros / 86400e6) + " days";
}

function dateText(micros) {
  const date = new Date(micros / 1000);
  return Number.isNaN(date.getTime()) ? String(micros) : date.toLocaleString();
}

function countText(count, noun, nouns = noun + "s") {
  return count + " " + (count === 1 ? noun : nouns);
}

// Colours that stand out from a light and a dark background alike, in the order in which services appear.
function serviceColor(index) {
  const lightness = [0.6, 0.54, 0.65][Math.floor(index / 7) % 3];
  return `oklch(${lightness} 0.13 ${(250 + index * 137.5) % 360})`;
}

// Calls a function at the next frame, once, however often that is asked for.
function onceAFrame(call) {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      call();
    });
  };
}

// Moves the focus among the children of a node by the arrow keys.
function arrowKeys(node, selector, activate) {
  node.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const items = [...node.querySelectorAll(selector)];
    const at = items.indexOf(document.activeElement);
    const next = items[(at + step + items.length) % items.length];
    next.focus();
    activate(next);
    event.preventDefault();
    event.stopPropagation();
  });
}

// Lets the reader choose between the light and the dark look. Without a choice, that of the system holds.
function themeButton() {
  const root = document.documentElement;
  const isDark = () => {
    const chosen = root.style.colorScheme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  // A browser may refuse storage to a file.
  const stored = (value) => {
    try {
      if (value) localStorage.setItem("tracehound-theme", value);
      return localStorage.getItem("tracehound-theme");
    } catch {
      return value;
    }
  };
  const known = stored();
  if (known === "dark" || known === "light") root.style.colorScheme = known;
  const button = el("button", { type: "button", class: "theme" });
  const label = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
  };
  button.addEventListener("click", () => {
    root.style.colorScheme = stored(isDark() ? "light" : "dark");
    label();
  });
  label();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
  return button;
}
