use std::fmt;
use std::time::Instant;

use crate::metrics::{DropCause, Metrics};
use crate::panics::caught;
use crate::record::FinishedSpan;
use crate::reporter::guarded::guarded;
use crate::reporter::{MakeReporter, Reporter, Unsent, WorkerHandle};
use crate::services::Services;

/// A reporter that hands each span to several others, in order.
///
/// A member that panics does not stop the others. The panic is counted, and the span counts as lost with that member
/// (`internal_error`).
///
/// The composite reports the unsent spans of the member that has most of them, because one number cannot tell the
/// members apart: a span that only one of two agents got counts as lost.
///
/// In a forked child it has only the members whose [`Reporter::after_fork`] returns a function.
///
/// ```
/// use tracehound::model::{SpanId, TraceId};
/// use tracehound::reporter::{
///     CompositeReporter, InMemoryReporter, LoggingReporter, OwnedSpan, Reporter,
/// };
///
/// let kept = InMemoryReporter::new();
/// let mut reporter = CompositeReporter::new()
///     .member(LoggingReporter::with_handler(|_| {}))
///     .member(kept.clone());
/// let (trace_id, span_id) = (TraceId::new(0, 1).expect("not 0"), SpanId::new(2).expect("not 0"));
/// OwnedSpan::new(trace_id, span_id, "checkout").view(|span| reporter.report(span));
/// assert_eq!(kept.spans().len(), 1);
/// ```
#[derive(Default)]
pub struct CompositeReporter {
    members: Vec<Member>,
    metrics: Metrics,
}

struct Member {
    reporter: Box<dyn Reporter>,
    /// Its last answer, which holds if it panics the next time.
    unsent: Unsent,
    /// The number of spans at which it panicked.
    panics: u64,
}

impl CompositeReporter {
    /// Returns a composite without members, which discards spans.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a reporter, which gets each span after the ones before it.
    #[must_use]
    pub fn member(mut self, reporter: impl Reporter + 'static) -> Self {
        self.members.push(Member {
            reporter: Box::new(reporter),
            unsent: Unsent::default(),
            panics: 0,
        });
        self
    }

    fn ask(&mut self, ask: impl FnMut(&mut dyn Reporter) -> Unsent) -> Unsent {
        self.ask_those(|_| true, ask)
    }

    /// Asks some members anew, and returns the answer for all.
    fn ask_those(
        &mut self,
        are_asked: impl Fn(&Member) -> bool,
        mut ask: impl FnMut(&mut dyn Reporter) -> Unsent,
    ) -> Unsent {
        for member in &mut self.members {
            if !are_asked(member) {
                continue;
            }
            if let Some(unsent) = guarded(&self.metrics, || ask(&mut *member.reporter)) {
                member.unsent = unsent;
            }
        }
        let members = self.members.iter().map(Member::unsent);
        let in_flight = members.clone().map(|unsent| unsent.in_flight).max();
        members
            .max_by_key(|unsent| unsent.dropped.total().saturating_add(unsent.queued))
            .unwrap_or_default()
            .with_in_flight(in_flight.unwrap_or(0))
    }
}

impl Member {
    fn unsent(&self) -> Unsent {
        let mut unsent = self.unsent;
        unsent.dropped.add(DropCause::InternalError, self.panics);
        unsent
    }
}

impl Reporter for CompositeReporter {
    fn attach(&mut self, worker: &WorkerHandle) {
        self.metrics = worker.metrics().clone();
        for member in &mut self.members {
            let attach = |_: &Services| member.reporter.attach(worker);
            worker.services().attach("a reporter", attach);
        }
    }

    fn report(&mut self, span: &FinishedSpan<'_>) {
        for member in &mut self.members {
            if guarded(&self.metrics, || member.reporter.report(span)).is_none() {
                member.panics += 1;
            }
        }
    }

    /// Returns the latest time of all members: the slowest decides for all.
    fn paused_until(&self) -> Option<Instant> {
        let members = self.members.iter();
        members
            .filter_map(|member| {
                guarded(&self.metrics, || member.reporter.paused_until()).flatten()
            })
            .max()
    }

    fn resume(&mut self) {
        for member in &mut self.members {
            guarded(&self.metrics, || {
                if member.reporter.paused_until().is_some() {
                    member.reporter.resume();
                }
            });
        }
    }

    fn explain_pause(&self) -> Option<String> {
        let mut members = self.members.iter();
        members
            .find_map(|member| guarded(&self.metrics, || member.reporter.explain_pause()).flatten())
    }

    fn flush(&mut self, deadline: Instant) -> Unsent {
        self.ask(|member| member.flush(deadline))
    }

    fn poll(&mut self) -> Unsent {
        self.ask_those(|member| member.unsent.in_flight > 0, |member| member.poll())
    }

    fn close(&mut self, deadline: Instant) -> Unsent {
        self.ask(|member| member.close(deadline))
    }

    fn after_fork(&self) -> Option<MakeReporter> {
        let members = self.members.iter();
        let make: Vec<_> = members
            .filter_map(|member| guarded(&self.metrics, || member.reporter.after_fork()).flatten())
            .collect();
        if make.is_empty() {
            return None;
        }
        Some(Box::new(move || {
            // A member that cannot be made again does not stop the others.
            let members = make.iter().filter_map(caught);
            Box::new(members.fold(Self::new(), Self::member))
        }))
    }
}

impl fmt::Debug for CompositeReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompositeReporter({} members)", self.members.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::clock::instant_now;
    use crate::metrics::Counter;
    use crate::metrics::DropCounts;
    use crate::model::{Process, SpanId, TraceId};
    use crate::reporter::{InMemoryReporter, OwnedSpan};

    struct Panicking;

    impl Reporter for Panicking {
        fn attach(&mut self, _: &WorkerHandle) {
            panic!("attach");
        }

        fn report(&mut self, _: &FinishedSpan<'_>) {
            panic!("report");
        }

        fn flush(&mut self, _: Instant) -> Unsent {
            panic!("flush");
        }
    }

    /// Panics when it should say how to make it again.
    struct NotMadeAgain;

    impl Reporter for NotMadeAgain {
        fn report(&mut self, _: &FinishedSpan<'_>) {}

        fn after_fork(&self) -> Option<MakeReporter> {
            panic!("after_fork");
        }
    }

    /// Panics when it is made again.
    struct PanicsAgain;

    impl Reporter for PanicsAgain {
        fn report(&mut self, _: &FinishedSpan<'_>) {}

        fn after_fork(&self) -> Option<MakeReporter> {
            Some(Box::new(|| panic!("made again")))
        }
    }

    #[test]
    fn members_that_panic_after_a_fork_do_not_stop_the_others() {
        let kept = InMemoryReporter::new();
        let composite = CompositeReporter::new()
            .member(NotMadeAgain)
            .member(PanicsAgain)
            .member(kept.clone());
        let mut again = composite.after_fork().expect("one can be made again")();
        let ids = (
            TraceId::new(0, 1).expect("not zero"),
            SpanId::new(2).expect("not zero"),
        );
        OwnedSpan::new(ids.0, ids.1, "s").view(|span| again.report(span));
        assert_eq!(kept.spans().len(), 1);
    }

    struct Losing(u64);

    impl Reporter for Losing {
        fn report(&mut self, _: &FinishedSpan<'_>) {}

        fn flush(&mut self, _: Instant) -> Unsent {
            let mut dropped = DropCounts::default();
            dropped.add(DropCause::Refused, self.0);
            Unsent::new(dropped, 1)
        }
    }

    fn report_to(reporter: &mut CompositeReporter, spans: u64) {
        for id in 1..=spans {
            let trace_id = TraceId::new(0, id).expect("not zero");
            let span_id = SpanId::new(id).expect("not zero");
            OwnedSpan::new(trace_id, span_id, "x").view(|span| reporter.report(span));
        }
    }

    #[test]
    fn a_member_that_panics_does_not_stop_the_others() {
        let (before, after) = (InMemoryReporter::new(), InMemoryReporter::new());
        let mut reporter = CompositeReporter::new()
            .member(before.clone())
            .member(Panicking)
            .member(after.clone());
        let worker = WorkerHandle::detached(Services::detached(Process::new("shop", vec![])));
        reporter.attach(&worker);
        report_to(&mut reporter, 2);
        assert_eq!((before.spans().len(), after.spans().len()), (2, 2));
        let unsent = reporter.flush(instant_now());
        assert_eq!(unsent.dropped.get(DropCause::InternalError), 2);
        assert_eq!(unsent.dropped.total() + unsent.queued, 2);
        assert_eq!(worker.metrics().get(Counter::CallbackPanics), 4);
    }

    /// Waits until a time, and counts how often it tries again.
    struct Paused(Option<Instant>, Arc<AtomicUsize>);

    impl Reporter for Paused {
        fn report(&mut self, _: &FinishedSpan<'_>) {}

        fn paused_until(&self) -> Option<Instant> {
            self.0
        }

        fn resume(&mut self) {
            self.0 = None;
            self.1.fetch_add(1, Ordering::Relaxed);
        }

        fn explain_pause(&self) -> Option<String> {
            self.0.map(|_| "the disk is slow".to_owned())
        }
    }

    #[test]
    fn only_members_that_wait_resume_and_explain_why() {
        let resumed: [Arc<AtomicUsize>; 3] = Default::default();
        let [ready, soon, later] = &resumed;
        let times = [1, 2].map(|seconds| instant_now() + Duration::from_secs(seconds));
        let mut reporter = CompositeReporter::new()
            .member(Paused(None, ready.clone()))
            .member(Paused(Some(times[1]), later.clone()))
            .member(Paused(Some(times[0]), soon.clone()));
        assert_eq!(reporter.paused_until(), Some(times[1]));
        assert_eq!(
            reporter.explain_pause().as_deref(),
            Some("the disk is slow")
        );
        reporter.resume();
        assert_eq!(reporter.paused_until(), None);
        assert_eq!(reporter.explain_pause(), None);
        let counts = resumed.map(|count| count.load(Ordering::Relaxed));
        assert_eq!(counts, [0, 1, 1]);
    }

    #[test]
    fn the_unsent_spans_are_those_of_the_member_that_lost_most() {
        let mut reporter = CompositeReporter::new()
            .member(Losing(3))
            .member(Losing(5))
            .member(Losing(4));
        report_to(&mut reporter, 6);
        for unsent in [reporter.flush(instant_now()), reporter.close(instant_now())] {
            assert_eq!(unsent.dropped.get(DropCause::Refused), 5);
            assert_eq!(unsent.dropped.total() + unsent.queued, 6);
        }
    }
}
