//! Samplers, codecs and senders of the user in a forked child.

use std::any::Any;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use tracehound::SpanContext;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::model::tags;
use tracehound::prelude::*;
use tracehound::propagation::{CustomCodec, ExtractError, InjectCarrier, WriteTo};
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::{Batch, BatchFormat, MakeSender, SendOutcome, Sender};
use tracehound::sampler::{ConstSampler, Sampler, SamplingDecision, SpanView};
use tracehound::services::Services;

use crate::process::in_child;
use crate::support::{LONG, builder};

/// Notices the first call in each process, as a part with a thread of its own would.
#[derive(Default)]
struct Watch {
    services: Option<Services>,
    seen: AtomicU32,
}

impl Watch {
    fn attach(&mut self, services: &Services) {
        *self.seen.get_mut() = services.generation();
        self.services = Some(services.clone());
    }

    fn look(&self, counter: Counter, cause: &'static str) {
        let services = self.services.as_ref().expect("attached");
        let now = services.generation();
        if self.seen.swap(now, Ordering::Relaxed) != now {
            services.metrics().add(counter, 1);
            let line = || format!("{cause} begins anew");
            services.diagnostics().warn(cause, line);
        }
    }
}

struct WatchingSampler(Watch);

impl Sampler for WatchingSampler {
    fn attach(&mut self, services: &Services) {
        self.0.attach(services);
    }

    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.0.look(Counter::DroppedItems, "sampler");
        ConstSampler::new(true).on_create_span(span)
    }
}

struct Envelope;

impl InjectCarrier for Envelope {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::Custom(self)
    }
}

struct WatchingCodec(Watch);

impl CustomCodec for WatchingCodec {
    fn attach(&mut self, services: &Services) {
        self.0.attach(services);
    }

    fn inject(&self, _: &SpanContext, _: &mut dyn Any) -> bool {
        self.0.look(Counter::BaggageItemsSkipped, "codec");
        true
    }

    fn extract(&self, _: &dyn Any) -> Result<Option<SpanContext>, ExtractError> {
        Ok(None)
    }
}

/// A sender that tells in which process it was attached, by the `client-uuid` of the process.
#[derive(Default)]
struct TellingSender(Option<Services>);

impl Sender for TellingSender {
    fn attach(&mut self, services: &Services) {
        assert!(self.0.is_none(), "attached once");
        self.0 = Some(services.clone());
    }

    fn format(&self) -> BatchFormat {
        BatchFormat::Compact
    }

    fn max_bytes(&self) -> usize {
        60_000
    }

    fn send(&mut self, _: &Batch<'_>, _: Instant) -> SendOutcome {
        let services = self.0.as_ref().expect("attached");
        services.metrics().add(Counter::DegradedSpans, 1);
        let uuid = uuid(services);
        services
            .diagnostics()
            .warn("sender", || format!("uuid {uuid}"));
        SendOutcome::default()
    }

    fn after_fork(&self) -> Option<MakeSender> {
        Some(Box::new(|| Box::new(Self::default())))
    }
}

fn uuid(services: &Services) -> String {
    let tags = &services.process().tags;
    let uuid = tags.iter().find(|tag| tag.key == tags::CLIENT_UUID);
    uuid.map_or_else(String::new, |tag| tag.value.to_string())
}

pub(super) fn parts_count_and_warn_in_a_forked_child_too() {
    let (lines, said) = mpsc::channel();
    let lines = Mutex::new(lines);
    let tracer = builder(RemoteReporter::new(TellingSender::default()))
        .sampler(WatchingSampler(Watch::default()))
        .custom_codec(WatchingCodec(Watch::default()))
        .diagnostics(Diagnostics::with_handler(move |line| {
            let _ = lines.lock().expect("not poisoned").send(line.to_owned());
        }))
        .build()
        .expect("named");
    let trace = || {
        let span = tracer.start_span("s");
        tracer.inject(&span.context(), &mut Envelope);
        span.finish();
        tracer.flush(LONG);
        let counters = [
            Counter::DroppedItems,
            Counter::BaggageItemsSkipped,
            Counter::DegradedSpans,
        ];
        let counts = counters.map(|counter| tracer.metrics().get(counter));
        (counts, said.try_iter().collect::<Vec<_>>())
    };
    let (counts, of_parent) = trace();
    assert_eq!(counts, [0, 0, 1]);
    assert_eq!(of_parent.len(), 1, "{of_parent:?}");
    in_child(|| {
        let (counts, of_child) = trace();
        assert_eq!(counts, [1, 1, 1]);
        // A cause that had its line in the parent has another one in the child.
        assert_eq!(of_child[..2], ["sampler begins anew", "codec begins anew"]);
        assert!(of_child[2].starts_with("uuid "), "{of_child:?}");
        assert_ne!(of_child[2], of_parent[0]);
        assert_eq!(trace().0, [1, 1, 2], "noticed once");
        in_child(|| assert_eq!(trace().0, [1, 1, 1]));
    });
    assert_eq!(trace().0, [0, 0, 2]);
}
