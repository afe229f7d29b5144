//! The text that Prometheus and its kin scrape.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::metrics::text_format::TextFormat;

/// A source of metrics for a [`MetricsPage`].
///
/// ```
/// use tracehound::metrics::{MetricsPage, MetricsSource, TextFormat};
///
/// /// The state of a shop.
/// struct Shop {
///     open_orders: i64,
/// }
///
/// impl MetricsSource for Shop {
///     fn write_to(&self, page: &mut MetricsPage) {
///         page.gauge("open_orders", "Orders that are not packed.", [(&[][..], self.open_orders)]);
///     }
/// }
///
/// let page = MetricsPage::new(TextFormat::Prometheus).with(&Shop { open_orders: 7 }).finish();
/// assert!(page.contains("\nopen_orders 7\n"));
/// ```
pub trait MetricsSource {
    /// Writes the metrics, as of now.
    fn write_to(&self, page: &mut MetricsPage);
}

/// A page of metrics in a text format. The answer to a scrape.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::metrics::{MetricsPage, TextFormat};
/// use tracehound::prelude::*;
///
/// let tracer = JaegerTracer::builder("shop").build()?;
/// tracer.start_span("checkout").finish();
/// let page = MetricsPage::new(TextFormat::OpenMetrics)
///     .with(&tracer.metrics())
///     .finish();
/// assert!(page.contains("\njaeger_tracer_started_spans_total{sampled=\"y\"} "));
/// assert!(page.ends_with("# EOF\n"));
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
///
/// A source of your own writes families by [`counter`](Self::counter), [`gauge`](Self::gauge),
/// [`summary`](Self::summary) and [`histogram`](Self::histogram). Characters that a name must not have become `_`, and
/// a label's value is escaped. A family whose name is on the page already is left out, and so is a label whose name its
/// series has already: a scraper refuses a whole page with one of them twice.
#[derive(Clone, Debug)]
#[must_use = "`finish` returns the text"]
pub struct MetricsPage {
    format: TextFormat,
    text: String,
    families: Vec<String>,
}

/// The labels of a series: names and values.
///
/// ```
/// use tracehound::metrics::{Labels, MetricsPage, TextFormat};
///
/// let teapots: Labels<'_> = &[("shop", "teapots"), ("zone", "eu-1")];
/// let mut page = MetricsPage::new(TextFormat::OpenMetrics);
/// page.counter("orders", "Orders taken.", [(teapots, 3)]);
/// assert!(page.finish().contains(r#"orders_total{shop="teapots",zone="eu-1"} 3"#));
/// ```
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// A histogram of durations, as a [`MetricsPage`] shows it.
///
/// ```
/// use std::time::Duration;
/// use tracehound::metrics::{Exemplar, HistogramView, MetricsPage, TextFormat};
/// use tracehound::model::TraceId;
///
/// let trace_id = TraceId::new(0, 1).expect("not zero");
/// let slow = Exemplar::new(trace_id, Duration::from_secs(3), Duration::from_secs(1_500_000_000));
/// let durations = HistogramView {
///     bounds: &[Duration::from_millis(10), Duration::from_secs(1)],
///     counts: &[5, 2, 1],
///     sum: Duration::from_secs(4),
///     exemplars: &[None, None, Some(slow)],
/// };
/// let mut page = MetricsPage::new(TextFormat::OpenMetrics);
/// assert_eq!(page.format(), TextFormat::OpenMetrics);
/// page.histogram("request_seconds", "Time of a request.", [(&[][..], durations)]);
/// page.summary("wait_seconds", "Time in the queue.", [(&[][..], 2, Duration::from_secs(1))]);
/// page.gauge("queue", "Requests that wait.", [(&[][..], 0)]);
/// let text = page.finish();
/// assert!(text.contains("request_seconds_bucket{le=\"1.0\"} 7\n"));
/// assert!(text.contains("# {trace_id=\"0000000000000001\"}"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct HistogramView<'a> {
    /// The highest duration that each bucket but the last one holds, in rising order.
    pub bounds: &'a [Duration],
    /// The number of durations in each bucket, one more than there are bounds. The last bucket holds the longest ones.
    pub counts: &'a [u64],
    /// The sum of all durations.
    pub sum: Duration,
    /// A kept trace for each bucket, or none. Shorter than `counts` if the rest has none.
    pub exemplars: &'a [Option<Exemplar>],
}

/// A kept trace that stands for the durations in a bucket of a histogram.
///
/// ```
/// use std::time::Duration;
/// use tracehound::metrics::Exemplar;
/// use tracehound::model::TraceId;
///
/// let trace_id = TraceId::new(0, 1).expect("not zero");
/// let slow = Exemplar::new(trace_id, Duration::from_secs(3), Duration::from_secs(1_500_000_000));
/// assert_eq!(slow.duration, Duration::from_secs(3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Exemplar {
    /// The trace, which can be looked up in Jaeger.
    pub trace_id: crate::model::TraceId,
    /// The duration of its span.
    pub duration: Duration,
    /// When the span ended, since 1970.
    pub ended_at: Duration,
}

impl Exemplar {
    /// Joins the three.
    pub fn new(trace_id: crate::model::TraceId, duration: Duration, ended_at: Duration) -> Self {
        Self {
            trace_id,
            duration,
            ended_at,
        }
    }
}

impl MetricsPage {
    /// Returns an empty page.
    pub fn new(format: TextFormat) -> Self {
        Self {
            format,
            text: String::new(),
            families: Vec::new(),
        }
    }

    /// Adds the metrics of a source.
    pub fn with(mut self, source: &impl MetricsSource) -> Self {
        source.write_to(&mut self);
        self
    }

    /// Returns the text.
    pub fn finish(mut self) -> String {
        if self.format == TextFormat::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    /// Returns the format of the page.
    pub fn format(&self) -> TextFormat {
        self.format
    }

    /// Writes a counter. `name` goes without `_total`, which the page adds.
    ///
    /// ```
    /// use tracehound::metrics::{MetricsPage, TextFormat};
    ///
    /// let mut page = MetricsPage::new(TextFormat::Prometheus);
    /// page.counter("orders", "Orders taken.", [(&[("shop", "teapots")][..], 3)]);
    /// let text = page.finish();
    /// let lines: Vec<&str> = text.lines().collect();
    /// assert_eq!(lines[0], "# HELP orders_total Orders taken.");
    /// assert_eq!(lines[1], "# TYPE orders_total counter");
    /// assert_eq!(lines[2], r#"orders_total{shop="teapots"} 3"#);
    /// ```
    pub fn counter<'a>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'a>, u64)>,
    ) {
        let name = name.strip_suffix("_total").unwrap_or(name);
        let total = format!("{}_total", sanitized(name));
        let family = match self.format {
            TextFormat::Prometheus => total.clone(),
            TextFormat::OpenMetrics => sanitized(name),
        };
        if self.begin(family, help, "counter") {
            for (labels, value) in series {
                self.sample(&total, labels, None, value);
                self.text.push('\n');
            }
        }
    }

    /// Writes a gauge.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::metrics::{MetricsPage, TextFormat};
    ///
    /// let mut page = MetricsPage::new(TextFormat::Prometheus);
    /// page.gauge("queue", "Orders that wait.", [(&[("shop", "teapots")][..], 7)]);
    /// page.summary("wait_seconds", "Time in the queue.", [(&[][..], 2, Duration::from_secs(3))]);
    /// let text = page.finish();
    /// assert!(text.contains("\nqueue{shop=\"teapots\"} 7\n"));
    /// assert!(text.contains("\nwait_seconds_count 2\n"));
    /// ```
    pub fn gauge<'a>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'a>, i64)>,
    ) {
        let name = sanitized(name);
        if self.begin(name.clone(), help, "gauge") {
            for (labels, value) in series {
                self.sample(&name, labels, None, value);
                self.text.push('\n');
            }
        }
    }

    /// Writes a summary without quantiles: the number of durations and their sum in seconds.
    pub fn summary<'a>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'a>, u64, Duration)>,
    ) {
        let name = sanitized(name);
        if self.begin(name.clone(), help, "summary") {
            for (labels, count, sum) in series {
                self.count_and_sum(&name, labels, count, sum);
            }
        }
    }

    /// Writes a histogram of durations, in seconds. OpenMetrics also has the exemplars.
    pub fn histogram<'a>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'a>, HistogramView<'a>)>,
    ) {
        let name = sanitized(name);
        if !self.begin(name.clone(), help, "histogram") {
            return;
        }
        let bucket = format!("{name}_bucket");
        for (labels, histogram) in series {
            let of_bucket = |(label, _): &&(&str, &str)| sanitized(label) == "le";
            let labels: Vec<_> = labels.iter().filter(|it| !of_bucket(it)).copied().collect();
            let mut count = 0;
            for (n, in_bucket) in histogram.counts.iter().enumerate() {
                count += in_bucket;
                let bound = match histogram.bounds.get(n) {
                    Some(bound) => Bound::Seconds(bound.as_secs_f64()),
                    None => Bound::Infinite,
                };
                self.sample(&bucket, &labels, Some(bound), count);
                let exemplar = histogram.exemplars.get(n).copied().flatten();
                if let Some(exemplar) = exemplar.filter(|_| self.format == TextFormat::OpenMetrics)
                {
                    self.exemplar(&exemplar);
                }
                self.text.push('\n');
            }
            self.count_and_sum(&name, &labels, count, histogram.sum);
        }
    }

    /// Writes the head of a family. Returns false if it is on the page already.
    fn begin(&mut self, name: String, help: &str, kind: &str) -> bool {
        if self.families.contains(&name) {
            return false;
        }
        self.text.push_str("# HELP ");
        self.text.push_str(&name);
        self.text.push(' ');
        let is_quote_escaped = self.format == TextFormat::OpenMetrics;
        push_escaped(&mut self.text, help, is_quote_escaped);
        // Writing to a `String` cannot fail, here and below.
        let _ = write!(self.text, "\n# TYPE {name} {kind}\n");
        self.families.push(name);
        true
    }

    fn sample(
        &mut self,
        name: &str,
        labels: Labels<'_>,
        bound: Option<Bound>,
        value: impl fmt::Display,
    ) {
        self.text.push_str(name);
        let mut separator = '{';
        let mut names: Vec<String> = Vec::new();
        for (label, value) in labels {
            let name = sanitized(label).replace(':', "_");
            if names.contains(&name) {
                continue;
            }
            self.text.push(separator);
            self.text.push_str(&name);
            names.push(name);
            self.text.push_str("=\"");
            push_escaped(&mut self.text, value, true);
            self.text.push('"');
            separator = ',';
        }
        if let Some(bound) = bound {
            let _ = write!(self.text, "{separator}le=\"{bound}\"");
            separator = ',';
        }
        if separator == ',' {
            self.text.push('}');
        }
        let _ = write!(self.text, " {value}");
    }

    fn count_and_sum(&mut self, name: &str, labels: Labels<'_>, count: u64, sum: Duration) {
        self.sample(&format!("{name}_sum"), labels, None, sum.as_secs_f64());
        self.text.push('\n');
        self.sample(&format!("{name}_count"), labels, None, count);
        self.text.push('\n');
    }

    fn exemplar(&mut self, exemplar: &Exemplar) {
        let Exemplar {
            trace_id,
            duration,
            ended_at,
        } = exemplar;
        let _ = write!(
            self.text,
            " # {{trace_id=\"{trace_id}\"}} {} {}.{:03}",
            duration.as_secs_f64(),
            ended_at.as_secs(),
            ended_at.subsec_millis(),
        );
    }
}

/// The upper bound of a bucket.
#[derive(Clone, Copy)]
enum Bound {
    Seconds(f64),
    Infinite,
}

impl fmt::Display for Bound {
    /// Writes `0.005`, `1.0` or `+Inf`. OpenMetrics demands that a whole number has a point.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) if seconds.fract() == 0.0 => write!(f, "{seconds:.1}"),
            Self::Seconds(seconds) => write!(f, "{seconds}"),
            Self::Infinite => f.write_str("+Inf"),
        }
    }
}

/// Returns a name with `_` for each character that a name must not have.
fn sanitized(name: &str) -> String {
    let mut clean: String = name
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | ':' => c,
            _ => '_',
        })
        .collect();
    if clean.is_empty() || clean.starts_with(|c: char| c.is_ascii_digit()) {
        clean.insert(0, '_');
    }
    clean
}

fn push_escaped(text: &mut String, value: &str, is_quote_escaped: bool) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '"' if is_quote_escaped => text.push_str("\\\""),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TraceId;

    fn page(format: TextFormat) -> String {
        let mut page = MetricsPage::new(format);
        page.counter(
            "orders-taken",
            "A \"quoted\"\nhelp \\",
            [
                (&[("na-me", "a\\b\"c\nd"), ("x", "é")][..], 1),
                (&[][..], 2),
            ],
        );
        page.gauge("9lives", "", [(&[][..], -1)]);
        page.gauge("9lives", "twice", [(&[][..], 7)]);
        page.summary(
            "wait",
            "w",
            [(&[("a", "b")][..], 3, Duration::from_millis(2_500))],
        );
        let trace_id = TraceId::new(0, 0xabc).expect("not zero");
        let exemplar = Exemplar::new(
            trace_id,
            Duration::from_millis(750),
            Duration::from_millis(1_700_000_000_042),
        );
        let histogram = HistogramView {
            bounds: &[Duration::from_millis(5), Duration::from_secs(1)],
            counts: &[2, 1, 4],
            sum: Duration::from_secs(60),
            exemplars: &[None, Some(exemplar)],
        };
        page.histogram("took", "t", [(&[("a", "b")][..], histogram)]);
        page.finish()
    }

    #[test]
    fn a_page_for_prometheus_is_written_by_its_rules() {
        assert_eq!(
            page(TextFormat::Prometheus),
            "# HELP orders_taken_total A \"quoted\"\\nhelp \\\\\n\
             # TYPE orders_taken_total counter\n\
             orders_taken_total{na_me=\"a\\\\b\\\"c\\nd\",x=\"é\"} 1\n\
             orders_taken_total 2\n\
             # HELP _9lives \n\
             # TYPE _9lives gauge\n\
             _9lives -1\n\
             # HELP wait w\n\
             # TYPE wait summary\n\
             wait_sum{a=\"b\"} 2.5\n\
             wait_count{a=\"b\"} 3\n\
             # HELP took t\n\
             # TYPE took histogram\n\
             took_bucket{a=\"b\",le=\"0.005\"} 2\n\
             took_bucket{a=\"b\",le=\"1.0\"} 3\n\
             took_bucket{a=\"b\",le=\"+Inf\"} 7\n\
             took_sum{a=\"b\"} 60\n\
             took_count{a=\"b\"} 7\n"
        );
    }

    #[test]
    fn a_series_has_each_label_once() {
        let labels: Labels<'_> = &[("a-b", "1"), ("a.b", "2"), ("le", "3"), ("a_b", "4")];
        let histogram = HistogramView {
            bounds: &[],
            counts: &[7],
            sum: Duration::ZERO,
            exemplars: &[],
        };
        let mut page = MetricsPage::new(TextFormat::Prometheus);
        page.gauge("queue", "q", [(labels, 7)]);
        page.histogram("took", "t", [(labels, histogram)]);
        let page = page.finish();
        for line in [
            "queue{a_b=\"1\",le=\"3\"} 7",
            "took_bucket{a_b=\"1\",le=\"+Inf\"} 7",
            "took_count{a_b=\"1\"} 7",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}: {page}");
        }
    }

    #[test]
    fn a_page_of_open_metrics_has_exemplars_and_an_end() {
        let page = page(TextFormat::OpenMetrics);
        let expected = [
            "# HELP orders_taken A \\\"quoted\\\"\\nhelp \\\\\n# TYPE orders_taken counter\n",
            "\norders_taken_total 2\n",
            "\ntook_bucket{a=\"b\",le=\"1.0\"} 3 # {trace_id=\"0000000000000abc\"} 0.75 1700000000.042\n",
            "\ntook_count{a=\"b\"} 7\n# EOF\n",
        ];
        for piece in expected {
            assert!(page.contains(piece), "{piece:?} is not in\n{page}");
        }
        assert_eq!(page.matches("# EOF").count(), 1);
    }
}
