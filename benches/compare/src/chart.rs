//! A picture of some of the results as bars.

use std::fmt::Write;

use crate::contender;
use crate::figure::Quantity;
use crate::machine::machine;
use crate::markdown::print;
use crate::results::{Distance, Results};
use crate::sink::Reader;
use crate::task::Task;
use crate::workload::Workload;

pub fn render(results: &Results) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
        height=\"{HEIGHT}\" role=\"img\" aria-label=\"What tracing costs, by crate; shorter is better\">\n{STYLE}"
    );
    for (at, panel) in PANELS.iter().enumerate() {
        let x = MARGIN + (at % COLUMNS) * (PANEL_WIDTH + MARGIN);
        let y = MARGIN + (at / COLUMNS) * (PANEL_HEIGHT + MARGIN);
        let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">");
        panel.render(&mut svg, results);
        svg.push_str("</g>\n");
    }
    let lines = [
        "Shorter is better. The dashed line is the machine's floor, or the harness alone."
            .to_owned(),
        "A request whose code and data have been swept out of the caches takes, in ns:".to_owned(),
        swept(results),
        format!("{}. Footnotes are in RESULTS.md.", machine()),
    ];
    for (at, line) in lines.into_iter().enumerate() {
        let y = HEIGHT - 58 + 16 * at;
        let _ = writeln!(
            svg,
            "<text class=\"small\" x=\"{MARGIN}\" y=\"{y}\">{line}</text>"
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Lists the times of requests after a sweep of the caches.
fn swept(results: &Results) -> String {
    let (distance, _) = best_distance(results, Task::Swept, Quantity::Time);
    let times = contender::ALL.map(|(name, _)| {
        let time = results.median(name, Task::Swept, Quantity::Time, distance);
        let time = time.map_or_else(|| "–".to_owned(), |time| print(Quantity::Time, time));
        format!("{name} {time}")
    });
    format!(
        "A request after the caches were swept, ns: {}.",
        times.join(", ")
    )
}

/// The distance at which the most crates have a figure, and the figures.
fn best_distance(
    results: &Results,
    task: Task,
    quantity: Quantity,
) -> (
    Distance,
    [(&'static str, Option<f64>); contender::ALL.len()],
) {
    let figures = |distance| {
        contender::ALL.map(|(name, _)| (name, results.median(name, task, quantity, distance)))
    };
    Distance::ALL
        .map(|distance| (distance, figures(distance)))
        .into_iter()
        .max_by_key(|(distance, figures)| {
            let known = figures.iter().filter(|(_, number)| number.is_some());
            (known.count(), results.round_trips(*distance).0)
        })
        .expect("there are two")
}

struct Panel {
    task: Task,
    quantity: Quantity,
    title: &'static str,
    unit: &'static str,
}

impl Panel {
    const fn new(task: Task, quantity: Quantity, title: &'static str, unit: &'static str) -> Self {
        Self {
            task,
            quantity,
            title,
            unit,
        }
    }

    /// Draws the panel for the distance at which the most crates have a figure.
    fn render(&self, svg: &mut String, results: &Results) {
        let (distance, bars) = best_distance(results, self.task, self.quantity);
        let scale = Scale::of(bars.iter().filter_map(|(_, number)| *number));
        let (title, unit) = (self.title, self.unit);
        let _ = writeln!(
            svg,
            "<text class=\"title\" y=\"12\">{title}</text><text class=\"small\" y=\"27\">{unit}, cores {}\
            </text>",
            distance.name()
        );
        for (at, (name, number)) in bars.into_iter().enumerate() {
            let class = if at == 0 { "ours" } else { "bar" };
            let y = TOP + at * ROW;
            let base = y + 12;
            let _ = write!(
                svg,
                "<text class=\"{class}\" x=\"{}\" y=\"{base}\" text-anchor=\"end\">{name}</text>",
                LABEL - 8
            );
            let mut end = (LABEL + 24) as f64;
            if let Some(number) = number {
                let width = scale.width(number);
                end = LABEL as f64 + width;
                let _ = write!(svg, "<path class=\"{class}\" d=\"M{LABEL} {y}");
                if width < BAR_WIDTH {
                    let _ = write!(svg, "h{width:.1}v15H{LABEL}z\"/>");
                } else if scale.cuts(number) {
                    // A gap before the end shows that the bar is cut.
                    let _ = write!(
                        svg,
                        "h160l-6 15H{LABEL}zM{} {y}h34v15h-40z\"/>",
                        LABEL + 166
                    );
                } else {
                    let _ = write!(svg, "h{BAR_WIDTH}v15H{LABEL}z\"/>");
                }
            }
            let number =
                number.map_or_else(|| "–".to_owned(), |number| print(self.quantity, number));
            let _ = writeln!(
                svg,
                "<text class=\"{class}\" x=\"{:.1}\" y=\"{base}\">{number}</text>",
                end + 6.0
            );
        }
        let floor = match (self.task, self.task.floor()) {
            (Task::Burst(workload), _) => results.floor(workload),
            (_, Some((harness, _))) => results.median(harness, self.task, self.quantity, distance),
            (_, None) => None,
        };
        if let Some(floor) = floor {
            let x = LABEL as f64 + scale.width(floor);
            let (from, to) = (TOP - 4, TOP + contender::ALL.len() * ROW);
            let _ = writeln!(svg, "<path class=\"floor\" d=\"M{x:.1} {from}V{to}\"/>");
        }
    }
}

/// The number for which a bar is full.
struct Scale(f64);

impl Scale {
    /// Takes the largest number, unless it is so large that the bars of the others could not be seen.
    fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let mut numbers: Vec<f64> = numbers.collect();
        numbers.sort_by(f64::total_cmp);
        Self(match *numbers {
            [.., next, largest] if largest > 2.5 * next => 1.25 * next,
            [.., largest] => largest,
            [] => 1.0,
        })
    }

    fn width(&self, number: f64) -> f64 {
        (number / self.0).min(1.0) * BAR_WIDTH
    }

    fn cuts(&self, number: f64) -> bool {
        number > self.0
    }
}

const PANELS: [Panel; 6] = [
    Panel::new(
        Task::Burst(Workload::Root),
        Quantity::Time,
        "A root span",
        "ns of the program's thread",
    ),
    Panel::new(
        Task::Burst(Workload::Request),
        Quantity::Time,
        "A request: two spans, headers, six tags, a log",
        "ns of the program's thread",
    ),
    Panel::new(
        Task::Burst(Workload::Unsampled),
        Quantity::Time,
        "A request that is not sampled",
        "ns of the program's thread",
    ),
    Panel::new(
        Task::Burst(Workload::Off),
        Quantity::Time,
        "A span where tracing is off",
        "ns of the program's thread",
    ),
    Panel::new(
        Task::Paced(Reader::Fast),
        Quantity::Cpu,
        "Spans of requests, sent to an agent",
        "40 000 a second; µs of CPU a span, all threads",
    ),
    Panel::new(
        Task::Latency,
        Quantity::P999,
        "The slowest call in a thousand",
        "a span with five tags, start and finish; ns",
    ),
];

const COLUMNS: usize = 2;
const ROWS: usize = PANELS.len() / COLUMNS;
const MARGIN: usize = 24;
const LABEL: usize = 150;
const BAR_WIDTH: f64 = 200.0;
const ROW: usize = 20;
/// The distance from the top of a panel to its first bar. The title stands above it.
const TOP: usize = 38;
const PANEL_WIDTH: usize = LABEL + BAR_WIDTH as usize + 50;
const PANEL_HEIGHT: usize = TOP + ROW * contender::ALL.len();
const WIDTH: usize = COLUMNS * PANEL_WIDTH + (COLUMNS + 1) * MARGIN;
const HEIGHT: usize = ROWS * PANEL_HEIGHT + (ROWS + 1) * MARGIN + 56;

const STYLE: &str = "<style>\
    text{font:12px system-ui,sans-serif;fill:#57606a}\
    .title{font-weight:600;font-size:13px;fill:#1f2328}\
    .small{font-size:11px}\
    text.ours{font-weight:600;fill:#1f2328}\
    path.bar{fill:#afb8c1}path.ours{fill:#0969da}\
    .floor{stroke:#cf222e;stroke-dasharray:3 3}\
    @media(prefers-color-scheme:dark){\
    text{fill:#9198a1}.title,text.ours{fill:#f0f6fc}\
    path.bar{fill:#545d68}path.ours{fill:#4493f8}.floor{stroke:#f85149}}\
    </style>\n";
