//! The results as a picture: bars for some of them, shorter is better.

use std::fmt::Write;

use crate::contender;
use crate::figure::Quantity;
use crate::results::{Distance, Results};
use crate::table::print;
use crate::task::Task;
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
    for (at, (task, quantity, title)) in PANELS.into_iter().enumerate() {
        let x = MARGIN + (at % 2) * (PANEL_WIDTH + MARGIN);
        let y = MARGIN + (at / 2) * (PANEL_HEIGHT + MARGIN);
        let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">");
        panel(&mut svg, results, (task, quantity, title), distance);
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

fn panel(
    svg: &mut String,
    results: &Results,
    (task, quantity, title): (Task, Quantity, &str),
    distance: Distance,
) {
    let median = |name| results.median(name, task, quantity, distance);
    let bars: Vec<(&str, f64)> = contender::ALL
        .into_iter()
        .filter_map(|(name, _)| Some((name, median(name)?)))
        .collect();
    let longest = bars
        .iter()
        .map(|(_, number)| *number)
        .fold(f64::MIN_POSITIVE, f64::max);
    let length = |number: f64| number / longest * BAR_WIDTH as f64;
    let _ = writeln!(svg, "<text class=\"title\" y=\"12\">{title}</text>");
    for (at, (name, number)) in bars.iter().enumerate() {
        let class = if at == 0 { "ours" } else { "bar" };
        let y = 22 + at * ROW;
        let (bar, base) = (length(*number), y + 12);
        let _ = writeln!(
            svg,
            "<text class=\"{class}\" x=\"{}\" y=\"{base}\" text-anchor=\"end\">{name}</text>\
            <rect class=\"{class}\" x=\"{LABEL}\" y=\"{y}\" width=\"{bar:.1}\" height=\"15\" rx=\"2\"/>\
            <text class=\"{class}\" x=\"{:.1}\" y=\"{base}\">{}</text>",
            LABEL - 8,
            LABEL as f64 + bar + 6.0,
            print(quantity, *number)
        );
    }
    let floor = match (task, task.floor()) {
        (Task::Burst(workload), _) => results.floor(workload),
        (_, Some((harness, _))) => median(harness),
        (_, None) => None,
    };
    if let Some(floor) = floor {
        let x = LABEL as f64 + length(floor);
        let end = 22 + bars.len() * ROW;
        let _ = writeln!(svg, "<path class=\"floor\" d=\"M{x:.1} 18V{end}\"/>");
    }
}

const PANELS: [(Task, Quantity, &str); 6] = [
    (
        Task::Burst(Workload::Root),
        Quantity::Time,
        "A root span, ns",
    ),
    (
        Task::Burst(Workload::Request),
        Quantity::Time,
        "A request: two spans, headers, six tags, a log, ns",
    ),
    (
        Task::Burst(Workload::Unsampled),
        Quantity::Time,
        "The same request, not sampled, ns",
    ),
    (
        Task::Burst(Workload::Off),
        Quantity::Time,
        "A span where tracing is off, ns",
    ),
    (
        Task::Paced,
        Quantity::Cpu,
        "Sent to an agent, 40 000 spans a second: CPU, µs a span",
    ),
    (
        Task::Latency,
        Quantity::P999,
        "A span with five tags: what 99.9 % of calls take at most, ns",
    ),
];

const MARGIN: usize = 24;
const LABEL: usize = 150;
const BAR_WIDTH: usize = 200;
const ROW: usize = 20;
const PANEL_WIDTH: usize = LABEL + BAR_WIDTH + 40;
const PANEL_HEIGHT: usize = 22 + ROW * contender::ALL.len();
const WIDTH: usize = 2 * PANEL_WIDTH + 3 * MARGIN;
const ROWS: usize = PANELS.len() / 2;
const HEIGHT: usize = ROWS * PANEL_HEIGHT + (ROWS + 1) * MARGIN + 8;

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
