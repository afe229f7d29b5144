mod grpc;
mod otlp;
mod thrift;
mod zipkin;

use std::{collections::BTreeSet, fmt};

use crate::{Mismatch, SentBatch, SentSpan, StoredSpan, Version, Way, compare};

/// A known difference between what was sent and what a backend shows.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// The difference in a few words.
    pub name: &'static str,
    /// The origin of the difference.
    pub reason: &'static str,
    change: Change,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    /// A change of the expected spans.
    Expect(fn(&SentSpan, &mut StoredSpan)),
    /// A change of both sides, which makes alike what the backend does not keep apart.
    Overlook(fn(&mut StoredSpan)),
    /// A change of the JSON text alone: this crate reads such spans as they were sent.
    ReadBack(fn(&SentSpan) -> bool),
}

/// The spans that a backend should show for a batch.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The spans, one for each that was sent, in the order sent.
    pub spans: Vec<StoredSpan>,
    /// The names of the [`Difference`]s that applied, including those of the text of the answer.
    pub differences: BTreeSet<&'static str>,
}

/// A way to a backend of some version.
///
/// ```no_run
/// use tracehound_interop::{Backend, Error, SentBatch, SentSpan, Tag, Way};
///
/// # fn main() -> Result<(), Error> {
/// let jaeger = Backend::v2()?;
/// let sent = SentBatch {
///     service: "shop".into(),
///     process_tags: vec![Tag::new("hostname", "here")],
///     spans: vec![SentSpan {
///         trace_id: 1,
///         span_id: 2,
///         operation: "checkout".into(),
///         tags: vec![Tag::new("items", 3)],
///         ..SentSpan::default()
///     }],
/// };
/// // Send it to `jaeger.compact_addr()`, then:
/// let route = Way::Agent.to(jaeger.version());
/// let read = jaeger.trace(1, 1)?;
/// assert_eq!(route.compare(&route.expected(&sent).spans, &read.spans), []);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    way: Way,
    version: Version,
}

impl Way {
    /// Returns this way to a backend of that version.
    pub const fn to(self, version: Version) -> Route {
        Route { way: self, version }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.way, self.version)
    }
}

impl Route {
    /// Returns the table of expected differences, in the order in which they apply.
    ///
    /// Everything else is expected to be read as it was sent.
    pub const fn differences(self) -> &'static [Difference] {
        match (self.version, self.way) {
            (Version::V1, Way::Agent) => thrift::V1_AGENT,
            (Version::V1, Way::Grpc) => grpc::V1,
            (Version::V2, Way::Grpc) => grpc::V2,
            (Version::V1, Way::Zipkin) => zipkin::V1,
            (Version::V2, Way::Zipkin) => zipkin::V2,
            (Version::V1, Way::OtlpHttp | Way::OtlpGrpc) => otlp::V1,
            (Version::V2, Way::OtlpHttp | Way::OtlpGrpc) => otlp::V2,
            (Version::V1, _) => thrift::V1_HTTP,
            (Version::V2, _) => thrift::V2,
        }
    }

    /// Returns what the backend should show of `batch` in a raw read, according to the table.
    pub fn expected(self, batch: &SentBatch) -> Expected {
        let mut expected = Expected::default();
        for sent in &batch.spans {
            let mut span = as_sent(batch, sent);
            for difference in self.differences() {
                let before = span.clone();
                let mut is_met = false;
                match difference.change {
                    Change::Expect(change) => change(sent, &mut span),
                    Change::Overlook(change) => change(&mut span),
                    Change::ReadBack(meets) => is_met = meets(sent),
                }
                if is_met || span != before {
                    expected.differences.insert(difference.name);
                }
            }
            expected.spans.push(span);
        }
        expected
    }

    /// Makes alike what the table says is not kept, and returns the names of the entries that applied.
    pub fn normalise(self, read: &mut StoredSpan) -> BTreeSet<&'static str> {
        let mut used = BTreeSet::new();
        for difference in self.differences() {
            if let Change::Overlook(change) = difference.change {
                let before = read.clone();
                change(read);
                if *read != before {
                    used.insert(difference.name);
                }
            }
        }
        used
    }

    /// Compares what was read with [`expected`](Self::expected) spans, as
    /// [`compare`](crate::compare()) does, after [normalising](Self::normalise) it.
    pub fn compare(self, expected: &[StoredSpan], read: &[StoredSpan]) -> Vec<Mismatch> {
        let mut read = read.to_vec();
        for span in &mut read {
            self.normalise(span);
        }
        compare(expected, &read)
    }
}

/// Returns the span with nothing changed.
fn as_sent(batch: &SentBatch, span: &SentSpan) -> StoredSpan {
    StoredSpan {
        trace_id: span.trace_id,
        span_id: span.span_id,
        references: span.references.clone(),
        operation: span.operation.clone(),
        flags: span.flags,
        start_us: span.start_us,
        duration_us: span.duration_us,
        tags: span.tags.clone(),
        logs: span.logs.clone(),
        service: batch.service.clone(),
        process_tags: batch.process_tags.clone(),
        warnings: Vec::new(),
    }
}
