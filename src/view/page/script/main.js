// Finds the data of the page and shows it.

function main() {
  document.querySelector(".theme-place").append(themeButton());
  const live = document.getElementById("live");
  if (live) new Live(live);
  document.documentElement.dataset.ready = "true";
  const data = document.getElementById("data");
  const place = document.getElementById("view");
  if (!data || !place) return;
  const { traces, links } = JSON.parse(data.textContent);
  let viewer;
  const empty = el("p", { hidden: true }, "The trace has no spans.");
  place.append(empty);
  const show = (at) => {
    viewer?.close();
    viewer = undefined;
    const trace = decodeTrace(traces[at]);
    empty.hidden = trace.spans.length > 0;
    if (!empty.hidden) return;
    viewer = new Viewer(trace, links);
    place.append(viewer.node);
    viewer.timeline.layOut();
    viewer.goToHash();
  };
  if (traces.length > 1) {
    const options = traces.map((trace, at) => el("option", { value: at }, `Trace ${at + 1}: ${trace.id}`));
    const choice = el("select", { onchange: () => show(Number(choice.value)) }, options);
    place.append(el("label", { class: "choice" }, "Trace ", choice));
  }
  show(0);
}

main();
