mod details;
mod style;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::model::{TagRef, TagValue, otel_tags, tags};
use crate::view::text::{columns, fit};
use crate::view::tree::{Link, Node, Tree, TreeSpan};
use crate::view::waterfall::details::details;
use crate::view::waterfall::style::pad;
pub(crate) use crate::view::waterfall::style::{Style, duration_text, micros};
use crate::view::{ReceivedSpan, Trace};

impl Trace {
    /// Returns the picture of the trace in ASCII, at most `columns` wide, as it is printed to a pipe.
    ///
    /// Characters that could control a terminal are replaced. At most 60 spans are drawn, in 40 to 10,000 columns.
    pub fn waterfall(&self, columns: usize) -> String {
        draw(self, &Style::plain(columns))
    }
}

/// Draws a trace: a line about the whole, then a line for each span.
///
/// ```text
/// checkout  trace 7f3c..a91e   182.4ms   3 services  depth 3  5 spans  2 errors
/// shop  checkout          |===-------------------------------| 182.4ms
/// shop   \ GET /cart      |--| 31.0ms
/// cart    \ GET /cart     |--| 27.2ms
/// shop   \ charge             |====--------------------------| ! 140.9ms
/// pay     \ Charge/Do              |=========================| ! 120.1ms declined
/// ```
///
/// `!` marks an error, `~` a span that is still open, `>` in place of `\` a span that only follows, and `?` a span
/// whose parent is missing. `=`, or `━` beyond ASCII, marks the critical path.
pub(crate) fn draw(trace: &Trace, style: &Style) -> String {
    draw_tree(trace, &Tree::new(trace), style)
}

/// Draws a trace whose tree is known.
pub(crate) fn draw_tree(trace: &Trace, tree: &Tree<'_>, style: &Style) -> String {
    let mut out = String::new();
    let pen = Pen { style };
    let head = fit(&summary(trace, tree, style), style.width, style.unicode);
    pen.put(&mut out, &head, None, true);
    out.push('\n');

    let services = services_in_order(tree);
    let rows = choose_rows(tree, style.rows);
    let layout = Layout::new(tree, &rows, style);
    for &row in &rows {
        let node = &tree.nodes[row];
        layout.row(&mut out, tree, node, &services, &pen);
        if let (true, TreeSpan::Received(span)) = (style.details, node.span) {
            details(&mut out, span, layout.service + 4, style);
        }
    }
    let hidden = tree.nodes.len() - rows.len();
    if hidden > 0 {
        let _ = writeln!(out, "({hidden} more spans)");
    }
    out
}

/// Returns the line about the whole trace.
pub(crate) fn summary(trace: &Trace, tree: &Tree<'_>, style: &Style) -> String {
    let name = tree.root().map_or("", |root| root.span.operation_name());
    let id = trace.trace_id.to_string();
    let (first, last) = (
        id.get(..4).unwrap_or(&id),
        id.get(id.len() - 4..).unwrap_or(""),
    );
    let dots = if style.unicode { "…" } else { ".." };
    let whole = duration_text(micros(tree.end.saturating_sub(tree.start)), style.unicode);
    let mut head = format!(
        "{}  trace {first}{dots}{last}   {whole}",
        fit(name, 40, style.unicode)
    );
    let count = |what: &str, n: usize| match n {
        1 => format!("  1 {what}"),
        n => format!("  {n} {what}s"),
    };
    head.push(' ');
    head.push_str(&count("service", trace.services().len()));
    let _ = write!(head, "  depth {}", tree.depth());
    head.push_str(&count("span", tree.nodes.len()));
    let errors = tree
        .nodes
        .iter()
        .filter(|node| node.span.is_error())
        .count();
    if errors > 0 {
        head.push_str(&count("error", errors));
    }
    let open = tree.nodes.iter().filter(|node| node.span.is_open()).count();
    if open > 0 {
        let _ = write!(head, "  {open} open");
    }
    if tree.nodes.iter().any(|node| node.link == Link::Orphan) {
        head.push_str("  incomplete");
    }
    head
}

fn services_in_order<'a>(tree: &Tree<'a>) -> Vec<&'a str> {
    let mut services = Vec::new();
    for node in &tree.nodes {
        let name = node.span.service_name();
        // Only services with a colour are looked for, so the list stays short.
        if services.len() < COLORS.len() && !services.contains(&name) {
            services.push(name);
        }
    }
    services
}

/// Chooses the spans to draw if there are too many: errors, then the critical path, then the first ones. A span is
/// drawn only with its ancestors.
pub(crate) fn choose_rows(tree: &Tree<'_>, limit: usize) -> Vec<usize> {
    let mut is_chosen = vec![false; tree.nodes.len()];
    let mut left = limit;
    let mut choose = |wanted: &dyn Fn(&Node<'_>) -> bool| {
        for (index, node) in tree.nodes.iter().enumerate() {
            if left == 0 {
                return;
            }
            if !wanted(node) {
                continue;
            }
            let new = || {
                let up = std::iter::successors(Some(index), |&at| tree.nodes[at].parent);
                up.take_while(|&at| !is_chosen[at]).take(left + 1)
            };
            if new().count() <= left {
                let new: Vec<usize> = new().collect();
                left -= new.len();
                new.into_iter().for_each(|at| is_chosen[at] = true);
            }
        }
    };
    choose(&|node| node.span.is_error());
    choose(&|node| !node.critical.is_empty());
    choose(&|_| true);
    (0..tree.nodes.len()).filter(|&at| is_chosen[at]).collect()
}

/// The widths of the columns of the picture.
struct Layout {
    service: usize,
    name: usize,
    /// The bound on a name. Not the width of the widest one: how far names are indented depends on the bound.
    name_limit: usize,
    bar: usize,
    label: usize,
}

impl Layout {
    fn new(tree: &Tree<'_>, rows: &[usize], style: &Style) -> Self {
        let width = style.width.clamp(40, MOST_COLUMNS);
        let widest = |of: &dyn Fn(&Node<'_>) -> usize| {
            rows.iter()
                .map(|&row| of(&tree.nodes[row]))
                .max()
                .unwrap_or(0)
        };
        let service =
            widest(&|node| columns(&fit(node.span.service_name(), width / 5, style.unicode)));
        let name_limit = width * 7 / 20;
        let name = widest(&|node| columns(&name_text(node, name_limit, style)));
        let label = widest(&|node| columns(&label_text(node, width / 4, style)));
        Self {
            service,
            name,
            name_limit,
            // At least 3: the others take 37 of 40 columns at most.
            bar: (width.saturating_sub(service + 2 + name + 2 + 1 + label)).max(1),
            label,
        }
    }

    fn row(
        &self,
        out: &mut String,
        tree: &Tree<'_>,
        node: &Node<'_>,
        services: &[&str],
        pen: &Pen<'_>,
    ) {
        let style = pen.style;
        let name = node.span.service_name();
        let color = services.iter().position(|&service| service == name);
        let color = Some(color.map_or(OTHER_COLOR, |index| COLORS[index]));
        let is_critical = !node.critical.is_empty();

        let service = fit(name, self.service, style.unicode);
        pen.put(out, &service, color, false);
        pad(out, self.service - columns(&service) + 2);
        let name = name_text(node, self.name_limit, style);
        pen.put(out, &name, None, is_critical);
        pad(out, self.name - columns(&name) + 2);

        let (from, to) = self.cells(tree, (node.start, node.end));
        pad(out, from);
        let mut critical = vec![false; self.bar];
        for &stretch in &node.critical {
            let (from, to) = self.cells(tree, stretch);
            critical[from..to].fill(true);
        }
        let glyphs: Vec<char> = (from..to)
            .map(|cell| glyph(cell, (from, to), node.span.is_open(), critical[cell], style))
            .collect();
        let mut at = from;
        for run in critical[from..to].chunk_by(|a, b| a == b) {
            let text: String = glyphs[at - from..][..run.len()].iter().collect();
            pen.put(out, &text, color, run[0]);
            at += run.len();
        }
        let color = node.span.is_error().then_some(ERROR_COLOR);
        out.push(' ');
        pen.put(out, &label_text(node, self.label, style), color, false);
        out.push('\n');
    }

    /// Returns the cells that a stretch of time covers; at least one.
    fn cells(&self, tree: &Tree<'_>, (start, end): (i64, i64)) -> (usize, usize) {
        let whole = (i128::from(tree.end) - i128::from(tree.start)).max(1);
        let bar = self.bar as i128;
        let since = |time: i64| (i128::from(time) - i128::from(tree.start)).clamp(0, whole) * bar;
        let from = (since(start) / whole).min(bar - 1);
        let to = (since(end) + whole - 1) / whole;
        (from as usize, to.clamp(from + 1, bar) as usize)
    }
}

/// Returns the character of one cell of a bar. The critical path has its own: not every surface shows bold.
fn glyph(
    cell: usize,
    (from, to): (usize, usize),
    is_open: bool,
    is_critical: bool,
    style: &Style,
) -> char {
    let (is_first, is_last) = (cell == from, cell + 1 == to);
    // Without a cell between its ends, an ASCII bar has room for either the ends or the path.
    let is_short = to - from <= 2;
    match (style.unicode, is_first, is_last) {
        (_, _, true) if is_open => '~',
        (true, true, true) => {
            if is_critical {
                '━'
            } else {
                '│'
            }
        }
        (true, true, false) => {
            if is_critical {
                '┝'
            } else {
                '├'
            }
        }
        (true, false, true) => {
            if is_critical {
                '┥'
            } else {
                '┤'
            }
        }
        (true, false, false) => {
            if is_critical {
                '━'
            } else {
                '─'
            }
        }
        (false, false, false) => {
            if is_critical {
                '='
            } else {
                '-'
            }
        }
        (false, _, _) => {
            if is_critical && is_short {
                '='
            } else {
                '|'
            }
        }
    }
}

/// Returns the operation name, indented and marked by its place in the tree.
fn name_text(node: &Node<'_>, limit: usize, style: &Style) -> String {
    let mark = match (node.link, style.unicode) {
        (Link::Root, _) => "",
        (Link::ChildOf, true) => "└ ",
        (Link::ChildOf, false) => "\\ ",
        (Link::FollowsFrom, true) => "→ ",
        (Link::FollowsFrom, false) => "> ",
        (Link::Orphan, _) => "? ",
    };
    // Half of the room is for the name, however deep the span is.
    let indent = node.depth.min(limit / 2);
    let mut text = " ".repeat(indent);
    text.push_str(mark);
    let room = limit.saturating_sub(columns(&text));
    text.push_str(&fit(node.span.operation_name(), room, style.unicode));
    text
}

fn label_text(node: &Node<'_>, limit: usize, style: &Style) -> String {
    let span = match node.span {
        TreeSpan::Open(..) => return "open".to_owned(),
        TreeSpan::Received(span) => span,
    };
    let duration = duration_text(span.span.duration, style.unicode);
    let text = match message(span).filter(|_| span.is_error()) {
        Some(message) => format!("! {duration} {message}"),
        None if span.is_error() => format!("! {duration}"),
        None => duration,
    };
    // A client may say that a span took thousands of years.
    fit(&text, limit, style.unicode)
}

/// Returns the message of an error.
pub(crate) fn message(span: &ReceivedSpan) -> Option<String> {
    let texts = [tags::MESSAGE, tags::ERROR_OBJECT];
    let fields = span.span.logs.iter().rev().flat_map(|log| &log.fields);
    for field in fields {
        if let TagValue::String(text) = &field.value
            && texts.contains(&field.key.as_ref())
        {
            return Some(text.chars().take(80).collect());
        }
    }
    let status = span.span.tag(tags::HTTP_STATUS_CODE);
    match status.or_else(|| span.span.tag(otel_tags::HTTP_RESPONSE_STATUS_CODE))? {
        TagRef::Long(code) => Some(code.to_string()),
        _ => None,
    }
}

/// Writes text with the colours that the style allows.
struct Pen<'a> {
    style: &'a Style,
}

impl Pen<'_> {
    fn put(&self, out: &mut String, text: &str, color: Option<u8>, bold: bool) {
        let color = color.filter(|_| self.style.color);
        let bold = bold && self.style.bold;
        if text.is_empty() || (color.is_none() && !bold) {
            out.push_str(text);
            return;
        }
        let _ = match (bold, color) {
            (true, Some(color)) => write!(out, "\x1b[1;{color}m{text}\x1b[0m"),
            (false, Some(color)) => write!(out, "\x1b[{color}m{text}\x1b[0m"),
            (_, None) => write!(out, "\x1b[1m{text}\x1b[0m"),
        };
    }
}

/// No surface is wider, and no trace says more.
const MOST_COLUMNS: usize = 10_000;
/// Cyan, yellow, green, magenta, blue, and their bright forms; red is for errors.
const COLORS: [u8; 10] = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];
const OTHER_COLOR: u8 = 37;
const ERROR_COLOR: u8 = 31;
