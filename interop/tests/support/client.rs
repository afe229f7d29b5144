//! A tracer that sends to a real backend, and the comparison of what it made with what is shown.

use std::collections::{BTreeMap, BTreeSet};

use tracehound::{
    JaegerTracer, metrics::FlushReport, reporter::sender::Sender, tracer::TracerBuilder,
};
use tracehound_interop::{Backend, Received, SentBatch, Way};

use crate::{
    Result,
    maker::{Maker, with_tags},
    scenes,
};

/// A [`Maker`] that sends to a backend.
pub(crate) struct Client<'a> {
    jaeger: &'a Backend,
    way: Way,
    maker: Maker,
    /// The counts of the backend when this client began.
    before: Received,
}

impl<'a> Client<'a> {
    /// Returns a client that samples everything; `adjust` can change its tracer. Its `sender` sends by
    /// `way`.
    ///
    /// Only one client may send to a backend at a time, because the backend counts the spans of all.
    pub(crate) fn new(
        jaeger: &'a Backend,
        way: Way,
        sender: impl Sender + 'static,
        adjust: impl FnOnce(TracerBuilder) -> TracerBuilder,
    ) -> Result<Self> {
        Self::of(jaeger, way, Maker::new(sender, adjust)?)
    }

    pub(crate) fn of(jaeger: &'a Backend, way: Way, maker: Maker) -> Result<Self> {
        let before = jaeger.received_by(way)?;
        Ok(Self {
            jaeger,
            way,
            maker,
            before,
        })
    }

    pub(crate) const fn tracer(&self) -> &JaegerTracer {
        self.maker.tracer()
    }

    /// Sends all finished spans and waits until the backend has counted exactly those that the
    /// tracer's ledger calls sent.
    pub(crate) fn deliver(&self) -> Result<FlushReport> {
        let report = self.maker.flush();
        let wanted = self.before.spans + report.sent;
        let enough = |it: &Received| it.spans >= wanted;
        let received = self.jaeger.received_by_when(self.way, enough)?;
        assert_eq!(received.spans, wanted, "{report}, but {received:?}");
        assert_eq!(received.refused_spans, self.before.refused_spans);
        assert_eq!(received.handler_errors.unwrap_or(0), 0, "{received:?}");
        Ok(report)
    }

    /// Like [`deliver`](Self::deliver), but fails if a span was lost.
    pub(crate) fn deliver_all(&self) -> Result {
        self.maker.assert_all_sent(&self.deliver()?);
        Ok(())
    }

    /// Returns the spans that the tracer made, each trace as a batch.
    pub(crate) fn made(&self) -> BTreeMap<u128, SentBatch> {
        self.maker.made()
    }

    /// Reads a trace back, and returns the fields that differ from those expected for `batch`, and the
    /// names of the known differences that were seen.
    pub(crate) fn compare(&self, trace_id: u128, batch: &SentBatch) -> Result<Compared> {
        let route = self.way.to(self.jaeger.version());
        let expected = route.expected(batch);
        let mut read = self.jaeger.trace(trace_id, batch.spans.len())?.spans;
        let mismatches = route.compare(&expected.spans, &read);
        let mut known = expected.differences;
        known.extend(read.iter_mut().flat_map(|span| route.normalise(span)));
        Ok(Compared {
            mismatches: mismatches.iter().map(ToString::to_string).collect(),
            known,
        })
    }
}

/// A trace as it is shown, compared with what was made.
pub(crate) struct Compared {
    /// The fields that differ and should not.
    pub(crate) mismatches: Vec<String>,
    /// The names of the known differences that were seen.
    pub(crate) known: BTreeSet<&'static str>,
}

/// Plays every scene with trace ids of both lengths, and fails if a span is not read as it was made.
/// Returns the names of the known differences that were seen.
pub(crate) fn shows_as_made<S: Sender + 'static>(
    jaeger: &Backend,
    way: Way,
    sender: impl Fn() -> Result<S>,
) -> Result<BTreeSet<&'static str>> {
    let (mut mismatches, mut known) = (Vec::new(), BTreeSet::new());
    for is_128_bit in [false, true] {
        for (name, scene) in scenes::ALL {
            let client = Client::new(jaeger, way, sender()?, |tracer| {
                with_tags(tracer).trace_id_128bit(is_128_bit)
            })?;
            scene(client.tracer());
            client.deliver_all()?;
            let made = client.made();
            assert!(!made.is_empty(), "the scene makes no spans");
            for (trace_id, batch) in made {
                let compared = client.compare(trace_id, &batch)?;
                let said = |mismatch| format!("{name}, 128 bit {is_128_bit}: {mismatch}");
                mismatches.extend(compared.mismatches.into_iter().map(said));
                known.extend(compared.known);
            }
        }
    }
    let route = way.to(jaeger.version());
    let all = mismatches.join("\n");
    assert!(mismatches.is_empty(), "{route}:\n{all}");
    Ok(known)
}
