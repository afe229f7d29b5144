//! The results as a picture: bars for four workloads, shorter is better.

use std::fmt::Write;

use crate::contender;
use crate::results::{Distance, Results};
use crate::table::number;
use crate::workload::Workload;

/// At the distance that most figures were taken at.
pub fn render(results: &Results) -> String {
    let distance = Distance::ALL
        .into_iter()
        .max_by_key(|distance| results.round_trips(*distance).0);
    let distance = distance.expect("there are two");
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
        height=\"{HEIGHT}\" role=\"img\" aria-label=\"Nanoseconds per piece of work, shorter is better\">\n{STYLE}"
    );
    for (at, (workload, title)) in PANELS.into_iter().enumerate() {
        let x = MARGIN + (at % 2) * (PANEL_WIDTH + MARGIN);
        let y = MARGIN + (at / 2) * (PANEL_HEIGHT + MARGIN);
        let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">");
        panel(&mut svg, results, workload, title, distance);
        svg.push_str("</g>\n");
    }
    let _ = writeln!(
        svg,
        "<text class=\"small\" x=\"{MARGIN}\" y=\"{}\">ns of the program's thread, shorter is better; cores {}; the \
        dashed line is the machine's floor. Footnotes in RESULTS.md.</text>\n</svg>",
        HEIGHT - 8,
        distance.name()
    );
    svg
}

fn panel(svg: &mut String, results: &Results, workload: Workload, title: &str, distance: Distance) {
    let bars: Vec<(&str, f64)> = contender::ALL
        .into_iter()
        .filter_map(|(name, _)| Some((name, results.ns(name, workload, distance)?)))
        .collect();
    let longest = bars.iter().map(|(_, ns)| *ns).fold(1.0, f64::max);
    let length = |ns: f64| ns / longest * BAR_WIDTH as f64;
    let _ = writeln!(svg, "<text class=\"title\" y=\"12\">{title}</text>");
    for (at, (name, ns)) in bars.iter().enumerate() {
        let class = if at == 0 { "ours" } else { "bar" };
        let y = 22 + at * ROW;
        let (bar, base) = (length(*ns), y + 12);
        let _ = writeln!(
            svg,
            "<text class=\"{class}\" x=\"{}\" y=\"{base}\" text-anchor=\"end\">{name}</text>\
            <rect class=\"{class}\" x=\"{LABEL}\" y=\"{y}\" width=\"{bar:.1}\" height=\"15\" rx=\"2\"/>\
            <text class=\"{class}\" x=\"{:.1}\" y=\"{base}\">{}</text>",
            LABEL - 8,
            LABEL as f64 + bar + 6.0,
            number(*ns)
        );
    }
    if let Some(floor) = results.floor(workload) {
        let x = LABEL as f64 + length(floor);
        let end = 22 + bars.len() * ROW;
        let _ = writeln!(svg, "<path class=\"floor\" d=\"M{x:.1} 18V{end}\"/>");
    }
}

const PANELS: [(Workload, &str); 4] = [
    (Workload::Root, "A root span"),
    (
        Workload::Request,
        "A request: two spans, headers, six tags, a log",
    ),
    (Workload::Unsampled, "The same request, not sampled"),
    (Workload::Off, "A span where tracing is off"),
];

const MARGIN: usize = 24;
const LABEL: usize = 150;
const BAR_WIDTH: usize = 200;
const ROW: usize = 20;
const PANEL_WIDTH: usize = LABEL + BAR_WIDTH + 40;
const PANEL_HEIGHT: usize = 22 + ROW * contender::ALL.len();
const WIDTH: usize = 2 * PANEL_WIDTH + 3 * MARGIN;
const HEIGHT: usize = 2 * PANEL_HEIGHT + 3 * MARGIN + 8;

const STYLE: &str = "<style>\
    text{font:12px system-ui,sans-serif;fill:#57606a}\
    .title{font-weight:600;font-size:13px;fill:#1f2328}\
    .small{font-size:11px}\
    text.ours{font-weight:600;fill:#1f2328}\
    rect.bar{fill:#afb8c1}rect.ours{fill:#0969da}\
    .floor{stroke:#cf222e;stroke-dasharray:3 3}\
    @media(prefers-color-scheme:dark){\
    text{fill:#9198a1}.title,text.ours{fill:#f0f6fc}\
    rect.bar{fill:#545d68}rect.ours{fill:#4493f8}.floor{stroke:#f85149}}\
    </style>\n";
