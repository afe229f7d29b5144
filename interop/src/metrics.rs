use std::iter::Peekable;
use std::str::Chars;

/// A reading of a backend's own metrics, in Prometheus' text format.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    samples: Vec<Sample>,
}

#[derive(Clone, Debug)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Metrics {
    /// Reads `text`; a line that is no sample is skipped.
    pub fn parse(text: &str) -> Self {
        Self {
            samples: text.lines().filter_map(Sample::parse).collect(),
        }
    }

    /// Returns the sum of all samples of the metric that carry all of `labels`; `None` if there are none.
    ///
    /// `name` is the end of the metric's name, without `_total`: the prefix and the presence of the
    /// suffix change with version and settings.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.samples
            .iter()
            .filter(|sample| sample.is(name) && sample.has(labels))
            .map(|sample| sample.value)
            .reduce(|sum, value| sum + value)
    }

    /// Like [`sum`](Self::sum), for a counter that is missing until it first counts.
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.sum(name, labels).unwrap_or(0.0) as u64
    }
}

impl Sample {
    fn parse(line: &str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let end = line.find(['{', ' '])?;
        let (name, rest) = line.split_at(end);
        let mut chars = rest.chars().peekable();
        let labels = if chars.next_if_eq(&'{').is_some() {
            labels(&mut chars)?
        } else {
            Vec::new()
        };
        let rest: String = chars.collect();
        let value = rest.split_whitespace().next()?.parse().ok()?;
        Some(Self {
            name: name.to_owned(),
            labels,
            value,
        })
    }

    fn is(&self, name: &str) -> bool {
        self.name
            .strip_suffix("_total")
            .unwrap_or(&self.name)
            .ends_with(name)
    }

    fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels
            .iter()
            .all(|(key, value)| self.labels.iter().any(|(k, v)| k == key && v == value))
    }
}

/// Reads `a="b",c="d"}`, with `\\`, `\"` and `\n` in values.
fn labels(chars: &mut Peekable<Chars<'_>>) -> Option<Vec<(String, String)>> {
    let mut labels = Vec::new();
    loop {
        while chars.next_if(|c| matches!(c, ',' | ' ')).is_some() {}
        if chars.next_if_eq(&'}').is_some() {
            return Some(labels);
        }
        let mut key = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=') {
            key.push(c);
        }
        if chars.next()? != '=' || chars.next()? != '"' {
            return None;
        }
        let mut value = String::new();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => match chars.next()? {
                    'n' => value.push('\n'),
                    c => value.push(c),
                },
                c => value.push(c),
            }
        }
        labels.push((key, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_by_the_end_of_the_name_and_by_label() {
        let metrics = Metrics::parse(
            "# HELP x_seen_total Things.\n# TYPE x_seen_total counter\n\
             x_seen_total{protocol=\"compact\",model=\"jaeger\"} 3\n\
             x_seen_total{protocol=\"binary\",model=\"jaeger\"} 4e+00 1395066363000\n\
             bare 7\nnot a sample at all\n\
             quoted{a=\"say \\\"}\\\" \\\\ \\n\"} 2.5\n",
        );
        assert_eq!(metrics.sum("seen", &[]), Some(7.0));
        assert_eq!(metrics.sum("seen", &[("protocol", "binary")]), Some(4.0));
        assert_eq!(
            metrics.sum("seen", &[("protocol", "binary"), ("model", "zipkin")]),
            None
        );
        assert_eq!(metrics.sum("bare", &[]), Some(7.0));
        assert_eq!(
            metrics.sum("quoted", &[("a", "say \"}\" \\ \n")]),
            Some(2.5)
        );
        assert_eq!(metrics.sum("missing", &[]), None);
        assert_eq!(metrics.count("missing", &[]), 0);
    }
}
