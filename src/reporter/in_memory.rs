use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::Process;
use crate::record::FinishedSpan;
use crate::reporter::forest::{Planted, forest};
use crate::reporter::{MakeReporter, OwnedSpan, Reporter, WorkerHandle};
use crate::sync::PerProcess;

/// The longest time that a reader waits for the worker.
const PATIENCE: Duration = Duration::from_secs(5);

/// A reporter that keeps spans, for tests. Clones share the spans, and one reporter may serve several tracers.
///
/// Tests need not wait: before each read, the worker hands over every span that has finished (the read waits for at
/// most five seconds). Spans of one thread are in the order of their finish. They stay until
/// [`InMemoryReporter::clear`] or [`InMemoryReporter::take`], also after the tracer's end. A forked child has only the
/// spans that finished there.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let reporter = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(reporter.clone())
///     .build()?;
/// let checkout = tracer.start_active_span("checkout");
/// tracer.start_span("charge").set_tag("cents", 4_200).set_tag("error", true);
/// tracer.start_span("apologise").finish();
/// checkout.finish();
///
/// assert_eq!(reporter.tree(), "checkout\n  charge !\n  apologise");
/// let charge = reporter.find("charge").expect("charged");
/// assert!(charge.is_error());
/// assert_eq!(charge.tag_text("cents"), "4200");
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone)]
pub struct InMemoryReporter {
    shared: Arc<PerProcess<Shared>>,
    /// Set only in the clone that a tracer owns.
    process: Option<Arc<Process>>,
}

#[derive(Default)]
struct Shared {
    spans: Mutex<Vec<OwnedSpan>>,
    workers: Mutex<Vec<WorkerHandle>>,
}

impl InMemoryReporter {
    /// Makes a reporter without spans.
    pub fn new() -> Self {
        Self::default()
    }

    /// Removes the spans that have finished until now.
    pub fn clear(&self) {
        self.take();
    }

    /// Returns and removes the spans that have finished until now.
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let reporter = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(reporter.clone())
    ///     .build()?;
    /// tracer.start_span("warm up").finish();
    /// reporter.clear();
    /// tracer.start_span("checkout").finish();
    /// assert_eq!(reporter.spans().len(), 1);
    /// assert_eq!(reporter.take()[0].operation_name, "checkout");
    /// assert!(reporter.spans().is_empty());
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn take(&self) -> Vec<OwnedSpan> {
        self.drain();
        std::mem::take(&mut *self.lock())
    }

    /// Returns copies of the spans that have finished until now.
    pub fn spans(&self) -> Vec<OwnedSpan> {
        self.drain();
        self.lock().clone()
    }

    /// Returns the first finished span with this operation name.
    pub fn find(&self, operation_name: &str) -> Option<OwnedSpan> {
        self.drain();
        let spans = self.lock();
        let mut spans = spans.iter();
        spans
            .find(|span| span.operation_name == operation_name)
            .cloned()
    }

    /// Draws the spans that have finished until now as a tree of their names, to compare the shape of whole traces at
    /// once.
    ///
    /// There is a line for each span, indented by two blanks more than its parent, without a line break at the end. A
    /// span that [failed](OwnedSpan::is_error) ends with ` !`. If there are spans of several services, each line begins
    /// with the name of the service: `shop: checkout`.
    ///
    /// Spans that have one parent come in the order of their start, and so do traces. A span whose parent is not there
    /// is not indented.
    ///
    /// ```
    /// # use tracehound::prelude::*;
    /// # use tracehound::reporter::InMemoryReporter;
    /// # use tracehound::sampler::ConstSampler;
    /// # let reporter = InMemoryReporter::new();
    /// # let tracer = JaegerTracer::builder("shop")
    /// #     .sampler(ConstSampler::new(true))
    /// #     .reporter(reporter.clone())
    /// #     .build()?;
    /// let order = tracer.start_active_span("order");
    /// tracer.start_active_span("charge").log_error(&std::fmt::Error);
    /// drop(order);
    /// assert_eq!(reporter.tree(), "order\n  charge !");
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn tree(&self) -> String {
        self.drain();
        tree(&self.lock())
    }

    fn drain(&self) {
        // The locks are free during the wait, because the worker needs them.
        let workers = self.shared().workers.lock();
        let workers = workers.unwrap_or_else(PoisonError::into_inner).clone();
        for worker in workers {
            worker.drain(PATIENCE);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<OwnedSpan>> {
        let spans = self.shared().spans.lock();
        spans.unwrap_or_else(PoisonError::into_inner)
    }

    fn shared(&self) -> &Shared {
        self.shared.get(|_| Shared::default())
    }
}

impl Default for InMemoryReporter {
    fn default() -> Self {
        Self {
            shared: Arc::new(PerProcess::new(Shared::default())),
            process: None,
        }
    }
}

impl Reporter for InMemoryReporter {
    fn attach(&mut self, worker: &WorkerHandle) {
        self.process = Some(Arc::new(worker.process().clone()));
        let workers = self.shared().workers.lock();
        workers
            .unwrap_or_else(PoisonError::into_inner)
            .push(worker.clone());
    }

    fn report(&mut self, span: &FinishedSpan<'_>) {
        let mut span = span.to_owned();
        span.process.clone_from(&self.process);
        self.lock().push(span);
    }

    fn after_fork(&self) -> Option<MakeReporter> {
        let same = self.clone();
        Some(Box::new(move || Box::new(same.clone())))
    }
}

fn tree(spans: &[OwnedSpan]) -> String {
    let services: HashSet<_> = spans.iter().map(|span| span.service_name()).collect();
    let line = |planted: Planted<'_>| {
        let mut line = "  ".repeat(planted.depth);
        if services.len() > 1 {
            line += planted.span.service_name();
            line += ": ";
        }
        line += &planted.span.operation_name;
        if planted.span.is_error() {
            line += " !";
        }
        line
    };
    let lines: Vec<_> = forest(spans).into_iter().map(line).collect();
    lines.join("\n")
}

impl fmt::Debug for InMemoryReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InMemoryReporter({} spans)", self.lock().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Process, SpanId, Tag, Timestamp, TraceId};
    use crate::services::Services;

    fn span(name: &str) -> OwnedSpan {
        let trace_id = TraceId::new(0, 1).expect("not zero");
        OwnedSpan::new(trace_id, SpanId::new(2).expect("not zero"), name)
    }

    #[test]
    fn a_tree_shows_spans_whose_parents_form_a_circle() {
        let reporter = InMemoryReporter::new();
        let id = |n| SpanId::new(n).expect("not zero");
        for (n, parent, name) in [
            (1, Some(2), "a"),
            (2, Some(1), "b"),
            (3, Some(2), "c"),
            (9, None, "root"),
        ] {
            let mut span = OwnedSpan::new(TraceId::new(0, 1).expect("not zero"), id(n), name);
            span.parent_id = parent.map(id);
            reporter.lock().push(span);
        }
        let tree = reporter.tree();
        let mut names: Vec<_> = tree.lines().map(str::trim).collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "b", "c", "root"], "{tree}");
    }

    #[test]
    fn clones_share_the_spans_in_their_order() {
        let reporter = InMemoryReporter::new();
        let mut working = reporter.clone();
        working.attach(&WorkerHandle::detached(Services::detached(Process::new(
            "shop",
            vec![],
        ))));
        let kept = |name| {
            let mut span = span(name);
            span.process = Some(Arc::new(Process::new("shop", vec![])));
            span
        };
        for name in ["a", "b"] {
            span(name).view(|span| working.report(span));
        }
        assert_eq!(reporter.spans(), [kept("a"), kept("b")]);
        assert_eq!(reporter.find("b"), Some(kept("b")));
        assert_eq!(reporter.find("c"), None);
        assert_eq!(reporter.take(), [kept("a"), kept("b")]);
        assert_eq!(working.spans(), []);
        span("c").view(|span| working.report(span));
        reporter.clear();
        assert_eq!(working.spans(), []);
    }

    fn child(trace: u64, id: u64, parent: Option<u64>, start: i64, name: &str) -> OwnedSpan {
        let trace_id = TraceId::new(0, trace).expect("not zero");
        let mut span = OwnedSpan::new(trace_id, SpanId::new(id).expect("not zero"), name);
        span.parent_id = parent.and_then(SpanId::new);
        span.start = Timestamp::from_micros(start);
        span
    }

    #[test]
    fn a_tree_has_traces_and_children_in_the_order_of_their_start() {
        // In the order in which they might finish.
        let mut spans = vec![
            child(1, 4, Some(3), 30, "grandchild"),
            child(1, 5, Some(1), 40, "late"),
            child(2, 1, None, 5, "first trace"),
            child(1, 3, Some(1), 20, "early"),
            child(1, 6, Some(1), 40, "same time, ends later"),
            child(1, 1, None, 10, "root"),
            child(1, 8, Some(7), 11, "orphan"),
        ];
        spans[3].tags.push(Tag::new("error", true));
        assert_eq!(
            tree(&spans),
            "first trace\nroot\n  early !\n    grandchild\n  late\n  same time, ends later\norphan"
        );
        spans[0].process = Some(Arc::new(Process::new("shop", vec![])));
        assert!(tree(&spans).contains("\n    shop: grandchild\n  : late"));
        assert_eq!(tree(&[]), "");
    }

    #[test]
    fn a_tree_of_spans_that_are_their_own_parents_ends() {
        let own = child(1, 1, Some(1), 1, "own");
        assert_eq!(tree(&[own.clone(), own]), "own\nown");
    }

    #[test]
    fn a_tree_in_which_a_span_beside_a_circle_starts_first_ends() {
        let spans = [
            child(1, 1, Some(2), 20, "a"),
            child(1, 2, Some(1), 30, "b"),
            child(1, 3, Some(2), 10, "c"),
            child(1, 4, Some(3), 40, "d"),
        ];
        assert_eq!(tree(&spans), "c\n  d\na\n  b");
    }
}
