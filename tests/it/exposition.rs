//! A strict reader of the two text formats, to check the pages that the crate writes.

use std::collections::{BTreeMap, HashSet};

/// A family of a page.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) help: String,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
    /// The labels, the value and the time of an exemplar.
    pub(crate) exemplar: Option<(BTreeMap<String, String>, f64, f64)>,
}

impl Family {
    /// Returns the value of the sample with that name and these labels.
    #[track_caller]
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: BTreeMap<_, _> = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let sample = self
            .samples
            .iter()
            .find(|it| it.name == name && it.labels == labels);
        sample
            .unwrap_or_else(|| panic!("no {name}{labels:?} in {self:?}"))
            .value
    }
}

/// Reads a page and checks the rules of its format.
#[track_caller]
pub(crate) fn parse(page: &str, is_open_metrics: bool) -> BTreeMap<String, Family> {
    let mut families = BTreeMap::<String, Family>::new();
    let mut current = String::new();
    let mut seen = HashSet::new();
    assert!(
        page.is_empty() || page.ends_with('\n'),
        "the last line has no end"
    );
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        assert!(
            !line.is_empty() && line.trim_end_matches(' ') == line || line.starts_with("# HELP"),
            "{line:?}"
        );
        if line == "# EOF" {
            assert!(
                is_open_metrics && lines.peek().is_none(),
                "# EOF in between"
            );
            return checked(families);
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect(line);
            assert!(
                families
                    .insert(name.to_owned(), Family::default())
                    .is_none(),
                "{name} twice"
            );
            name.clone_into(&mut current);
            families.get_mut(name).expect("inserted").help = unescaped(help, is_open_metrics);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect(line);
            assert_eq!(name, current, "HELP and TYPE belong together");
            assert!(
                ["counter", "gauge", "histogram", "summary"].contains(&kind),
                "{line}"
            );
            kind.clone_into(&mut families.get_mut(name).expect("has HELP").kind);
        } else {
            assert!(!line.starts_with('#'), "{line}");
            let sample = sample(line);
            let family = families
                .get_mut(&current)
                .expect("a sample follows its family");
            let suffix = sample
                .name
                .strip_prefix(&current)
                .expect("a sample of its family");
            let suffixes: &[&str] = match (&*family.kind, is_open_metrics) {
                ("counter", true) => &["_total"],
                ("counter", false) => {
                    assert!(current.ends_with("_total"), "{current}");
                    &[""]
                }
                ("gauge", _) => &[""],
                ("summary", _) => &["_sum", "_count"],
                _ => &["_bucket", "_sum", "_count"],
            };
            assert!(suffixes.contains(&suffix), "{line}");
            assert!(
                sample.exemplar.is_none() || is_open_metrics && suffix == "_bucket",
                "{line}"
            );
            assert!(family.kind != "counter" || sample.value >= 0.0, "{line}");
            assert!(
                seen.insert((sample.name.clone(), sample.labels.clone())),
                "twice: {line}"
            );
            family.samples.push(sample);
        }
    }
    assert!(!is_open_metrics, "no # EOF");
    checked(families)
}

/// Checks that the buckets of each histogram rise up to its count.
#[track_caller]
fn checked(families: BTreeMap<String, Family>) -> BTreeMap<String, Family> {
    for (name, family) in families.iter().filter(|(_, it)| it.kind == "histogram") {
        let mut series = BTreeMap::<_, Vec<(f64, f64)>>::new();
        for sample in family
            .samples
            .iter()
            .filter(|it| it.name.ends_with("_bucket"))
        {
            let mut labels = sample.labels.clone();
            let bound = labels.remove("le").expect("a bucket has a bound");
            let bound = bound.replace("+Inf", "inf").parse().expect("a number");
            if let Some((_, value, _)) = &sample.exemplar {
                assert!(*value <= bound, "{sample:?}");
            }
            series
                .entry(labels)
                .or_default()
                .push((bound, sample.value));
        }
        for (labels, buckets) in series {
            let is_rising = buckets
                .windows(2)
                .all(|it| it[0].0 < it[1].0 && it[0].1 <= it[1].1);
            assert!(is_rising, "{name}: {buckets:?}");
            let last = buckets.last().expect("not empty");
            assert_eq!(last.0, f64::INFINITY);
            let count = family
                .samples
                .iter()
                .find(|it| it.name == format!("{name}_count") && it.labels == labels);
            assert_eq!(count.expect("a histogram has a count").value, last.1);
        }
    }
    families
}

#[track_caller]
fn sample(line: &str) -> Sample {
    let name_len = line.find(['{', ' ']).expect(line);
    let (name, rest) = line.split_at(name_len);
    assert!(is_name(name, true), "{line}");
    let (labels, rest) = labels(rest);
    let rest = rest.strip_prefix(' ').expect(line);
    let (value, exemplar) = match rest.split_once(" # ") {
        None => (rest, None),
        Some((value, exemplar)) => {
            let (labels, rest) = self::labels(exemplar);
            let length: usize = labels
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum();
            assert!(length <= 128, "{line}");
            let mut numbers = rest.strip_prefix(' ').expect(line).split(' ');
            let mut number = || numbers.next().expect(line).parse::<f64>().expect(line);
            let exemplar = (labels, number(), number());
            assert_eq!(numbers.next(), None, "{line}");
            (value, Some(exemplar))
        }
    };
    Sample {
        name: name.to_owned(),
        labels,
        value: value.parse().expect(line),
        exemplar,
    }
}

/// Reads `{name="value",…}` if it is there. Returns the rest too.
#[track_caller]
fn labels(text: &str) -> (BTreeMap<String, String>, &str) {
    let mut labels = BTreeMap::new();
    let Some(mut rest) = text.strip_prefix('{') else {
        return (labels, text);
    };
    loop {
        let (name, after) = rest.split_once("=\"").expect(text);
        assert!(is_name(name, false), "{text}");
        let mut end = 0;
        let bytes = after.as_bytes();
        while bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let value = unescaped(&after[..end], true);
        assert!(labels.insert(name.to_owned(), value).is_none(), "{text}");
        rest = &after[end + 1..];
        match rest.as_bytes()[0] {
            b',' => rest = &rest[1..],
            b'}' => return (labels, &rest[1..]),
            _ => panic!("{text}"),
        }
    }
}

fn is_name(name: &str, may_have_colon: bool) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_' || may_have_colon && c == ':';
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

#[track_caller]
fn unescaped(text: &str, has_quotes: bool) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('\\') => plain.push('\\'),
                Some('n') => plain.push('\n'),
                Some('"') if has_quotes => plain.push('"'),
                other => panic!("\\{other:?} in {text:?}"),
            },
            '"' if has_quotes => panic!("a quote in {text:?}"),
            c => plain.push(c),
        }
    }
    plain
}
