//! Rules that let everybody read a page: names, roles and contrast. Some are our own; axe-core has the others.

use std::sync::OnceLock;

use tracehound_interop::{Browser, crossdock::AXE};

use crate::Result;

/// Checks the present page.
pub(crate) fn assert_accessible(browser: &Browser, what: &str) -> Result {
    let problems = browser.run(RULES, &[])?;
    let problems: Vec<String> = serde_json::from_value(problems)?;
    assert!(problems.is_empty(), "{what}: {problems:#?}");
    static SCRIPT: OnceLock<Option<String>> = OnceLock::new();
    let script = match SCRIPT.get() {
        Some(script) => script,
        None => {
            let script = script()?;
            SCRIPT.get_or_init(|| script)
        }
    };
    let Some(script) = script else {
        return Ok(());
    };
    let violations = browser.run(&format!("{script}\n{RUN}"), &[])?;
    let violations: Vec<String> = serde_json::from_value(violations)?;
    assert!(violations.is_empty(), "{what}: {violations:#?}");
    Ok(())
}

/// Returns the script of axe-core; `None`, and a word about it, on a machine that cannot have it.
fn script() -> Result<Option<String>> {
    if !AXE.is_there_or_skipped()? {
        return Ok(None);
    }
    let output = AXE.command()?.output()?;
    if !output.status.success() || output.stdout.is_empty() {
        return Err(format!("no script of axe-core: {}", output.status).into());
    }
    Ok(Some(String::from_utf8(output.stdout)?))
}

/// Returns the violations of all rules of axe-core.
const RUN: &str = r#"
return window.axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations.map((violation) =>
  `${violation.id}: ${violation.nodes.slice(0, 3).map(({ html }) => html.slice(0, 160)).join(" | ")}`));
"#;

/// Returns the problems of a page. Contrast is that of WCAG 2, level AA.
const RULES: &str = r#"
const problems = [];
const say = (node, text) => problems.push(`${text}: ${node.outerHTML.slice(0, 160)}`);
const isShown = (node) => node.checkVisibility({ visibilityProperty: true });
const all = (selector) => [...document.querySelectorAll(selector)].filter(isShown);
const labelled = (node) => (node.getAttribute("aria-labelledby") || "").split(" ")
    .map((id) => document.getElementById(id)?.textContent || "").join("");
const nameOf = (node) => (node.getAttribute("aria-label") || labelled(node) || [...(node.labels || [])]
    .map((label) => label.textContent).join("") || node.textContent || "").trim();

if (!document.documentElement.lang) problems.push("the page has no language");
if (!document.title) problems.push("the page has no title");
if (all("h1").length !== 1) problems.push(`${all("h1").length} headings of the first level`);
if (all("main").length !== 1) problems.push("no main part");
for (const node of all("button, a, input, select, [role=img], [role=slider], [role=treegrid], dialog[open]")) {
  if (node.closest("[aria-hidden=true]")) continue;
  if (!nameOf(node) && !(node.localName === "a" && node.querySelector("title"))) say(node, "no name");
}
for (const node of all("[role=img]")) if (node.querySelector("a, button")) say(node, "a picture with something to press");
for (const node of all(".wide-table")) {
  const isWide = node.scrollWidth > node.clientWidth;
  if (isWide && node.tabIndex < 0 && !node.querySelector("a, button")) say(node, "cannot be scrolled by the keyboard");
}
for (const node of all("table")) if (!node.caption && !node.getAttribute("aria-label")) say(node, "no caption");
for (const node of all("thead th")) if (node.scope !== "col") say(node, "no scope");
for (const node of document.querySelectorAll("[aria-controls], [aria-labelledby]")) {
  for (const name of ["aria-controls", "aria-labelledby"]) {
    const id = node.getAttribute(name);
    if (id && !document.getElementById(id)) say(node, `${name} of nothing`);
  }
}
const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) problems.push(`the id ${id} twice`);
const levels = all("h1, h2, h3").map((node) => Number(node.localName[1]));
levels.forEach((level, at) => {
  if (level > (levels[at - 1] || 0) + 1) problems.push(`a heading of level ${level} after ${levels[at - 1] || "none"}`);
});
const parents = { row: "treegrid", gridcell: "row", tab: "tablist" };
for (const [role, parent] of Object.entries(parents)) {
  for (const node of all(`[role=${role}]`)) if (!node.parentElement.closest(`[role=${parent}]`)) say(node, "astray");
}
for (const node of all("[role=treegrid], [role=tablist]")) {
  if (!node.querySelector("[tabindex='0']")) say(node, "cannot be reached by the keyboard");
}
for (const node of all("[tabindex]")) if (node.tabIndex > 0) say(node, "an order of its own");

// Contrast: colours in any notation are read from a canvas.
const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const rgba = (color) => {
  pen.clearRect(0, 0, 1, 1);
  pen.fillStyle = color;
  pen.fillRect(0, 0, 1, 1);
  return pen.getImageData(0, 0, 1, 1).data;
};
const over = (top, below) => [0, 1, 2].map((at) => (top[at] * top[3] + below[at] * (255 - top[3])) / 255);
const backOf = (node) => {
  if (!node) return [255, 255, 255];
  const own = rgba(getComputedStyle(node).backgroundColor);
  return own[3] === 255 ? [...own] : over(own, backOf(node.parentElement));
};
const light = (color) => [0.2126, 0.7152, 0.0722].reduce((sum, part, at) => {
  const value = color[at] / 255;
  return sum + part * (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
}, 0);
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const seen = new Set();
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || seen.has(node) || !isShown(node)) continue;
  if (node.closest(".hidden, .skip, script, style, option, svg, [aria-hidden=true]")) continue;
  seen.add(node);
  const style = getComputedStyle(node);
  const back = backOf(node);
  const [a, b] = [light(over(rgba(style.color), back)), light(back)];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const size = parseFloat(style.fontSize);
  const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (contrast < (isLarge ? 3 : 4.5)) say(node, `contrast of ${contrast.toFixed(2)}`);
}
return problems;
"#;
