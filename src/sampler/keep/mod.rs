//! A sampler that keeps the traces that matter.

mod durations;
mod operations;
mod rule;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::thread;
use std::time::Duration;

use crate::clock::Clock;
use crate::metrics::{Counter, Metrics};
use crate::model::{TagRef, TagValue, tags};
use crate::sampler::keep::operations::Operations;
use crate::sampler::keep::rule::Rule;
use crate::sampler::rate_limiter::RateLimiter;
use crate::sampler::{
    Interests, Notes, Sampler, SamplerTags, SamplingDecision, SamplingRate, SpanView,
    TracesPerSecond,
};
use crate::services::Services;

/// A sampler that also keeps traces that another one would drop, if they turn out to matter: a span failed, or the
/// request was slow, or a rule of yours says so.
///
/// The other sampler, the *head*, is asked first, and what it keeps is kept as without this one. A trace that it would
/// drop is recorded all the same, in bounded memory, and *weighed* until its local root ends. (The local root is the
/// first span of the trace in this process.) So is the local part of a trace that a caller in another process has
/// dropped, unless [`dropped_by_callers`](Self::dropped_by_callers) says otherwise.
///
/// | reason | when | `sampler.param` |
/// |---|---|---|
/// | a span failed: its tag `error` is true | as soon as the tag is set | `error` |
/// | the local root took longer than a limit, or than nearly all of its operation | at its end | `slow` |
/// | a rule says so | at its end | the rule's name |
///
/// A kept trace has `sampler.type=keep` on the span at which it was decided, a type that Jaeger's adaptive sampling
/// does not count.
///
/// ```
/// use std::time::Duration;
/// use tracehound::JaegerTracer;
/// use tracehound::model::TagRef;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::{KeepSampler, ProbabilisticSampler, SamplingRate};
///
/// let spans = InMemoryReporter::new();
/// let one_in_a_million = ProbabilisticSampler::new(SamplingRate::new(1e-6)?);
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(
///         KeepSampler::new(one_in_a_million)
///             .slower_than(Duration::from_secs(2))
///             .slowest(SamplingRate::new(0.01)?)
///             .rule("tenant", |root| matches!(root.tag("tenant"), Some(TagRef::String("acme")))),
///     )
///     .reporter(spans.clone())
///     .build()?;
///
/// for is_paid in [true, false] {
///     let request = tracer.start_span("POST /orders");
///     let payment = tracer.build_span("pay").child_of(&request).start();
///     if !is_paid {
///         payment.set_tag("error", true);
///     }
/// }
/// let [payment, request] = &spans.spans()[..] else { panic!("one trace of two spans") };
/// assert_eq!(payment.tag_text("sampler.param"), "error");
/// assert_eq!(request.operation_name, "POST /orders");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What does a late decision miss?
///
/// Services that are called before the decision are told that the trace is not sampled, and keep nothing of it. So does
/// a caller that has dropped the trace. The local root of such a trace has the tag `tracehound.partial=true`. Calls
/// that are made after the decision are sampled. A failure is decided at once, so set `error` as early as it is known.
///
/// # What does it cost?
///
/// A weighed request costs about as much as a sampled one, less its way to the receiver. Finished spans that wait take
/// at most 64 KiB a trace and 1 MiB a process; a kept trace whose spans found no room counts them as
/// [`DropCause::Delayed`](crate::metrics::DropCause).
///
/// # How much does it keep?
///
/// Each operation keeps at most [`limit`](Self::limit) traces a second of failures and as many others, so that an
/// operation that fails all the time leaves room for those that fail rarely; all together keep at most
/// [`total_limit`](Self::total_limit). Beyond 2,000 operations, further ones share one limit. The operation is that of
/// the span that failed, or else of the local root. What becomes of the traces is counted: see
/// [`Counter::WeighedTracesLetGo`] and those beside it.
pub struct KeepSampler {
    head: Box<dyn Sampler>,
    head_interests: Interests,
    failures: bool,
    dropped_by_callers: bool,
    slower_than: Option<Duration>,
    slowest: Option<SamplingRate>,
    rules: Vec<Rule>,
    limit: TracesPerSecond,
    total_limit: TracesPerSecond,
    operations: Operations,
    total: RateLimiter,
    metrics: Metrics,
}

impl KeepSampler {
    /// Makes a sampler that keeps what `head` keeps, and traces with a failed span.
    pub fn new(head: impl Sampler + 'static) -> Self {
        let (limit, total_limit) = (TracesPerSecond::from(1), TracesPerSecond::from(20));
        let clock = Clock::system();
        Self {
            head: Box::new(head),
            // Asked in `attach`, once the head has its services.
            head_interests: Interests::nothing(),
            failures: true,
            dropped_by_callers: true,
            slower_than: None,
            slowest: None,
            rules: Vec::new(),
            limit,
            total_limit,
            operations: Operations::new(limit, clock.clone()),
            total: RateLimiter::new(total_limit.get(), clock),
            metrics: Metrics::default(),
        }
    }

    /// Sets whether traces with a failed span are kept: one whose tag `error` is true. Defaults to true.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::{ConstSampler, KeepSampler, TracesPerSecond};
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(
    ///         KeepSampler::new(ConstSampler::new(false))
    ///             .failures(false) // slow requests only
    ///             .dropped_by_callers(false) // callers have the last word
    ///             .slower_than(Duration::ZERO)
    ///             .limit(TracesPerSecond::from(2))
    ///             .total_limit(TracesPerSecond::from(10)),
    ///     )
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// for _ in 0..100 {
    ///     tracer.start_span("GET /cart").finish();
    /// }
    /// assert_eq!(spans.spans()[0].tag_text("sampler.param"), "slow");
    /// assert!(spans.spans().len() < 100, "no more than the limit");
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    #[must_use]
    pub fn failures(mut self, keeps: bool) -> Self {
        self.failures = keeps;
        self
    }

    /// Sets whether traces that a caller in another process has dropped are weighed too. Defaults to true.
    #[must_use]
    pub fn dropped_by_callers(mut self, weighs: bool) -> Self {
        self.dropped_by_callers = weighs;
        self
    }

    /// Keeps traces whose local root takes longer than `limit`. By default there is no limit.
    #[must_use]
    pub fn slower_than(mut self, limit: Duration) -> Self {
        self.slower_than = Some(limit);
        self
    }

    /// Keeps the slowest share of the traces of each operation, such as 0.01: those beyond the 99th percentile. By
    /// default there is none.
    ///
    /// The quantile is learned from the weighed traces. Until 128 of an operation have ended, and until one of them is
    /// in the share, none is slow. The estimate is at most a fifth above the quantile, so somewhat fewer traces than
    /// the share are kept. It takes half a kilobyte for each of at most 2,000 operations.
    #[must_use]
    pub fn slowest(mut self, share: SamplingRate) -> Self {
        self.slowest = Some(share);
        self
    }

    /// Keeps traces at whose local root `applies` returns true, with `name` as `sampler.param`. It is asked when the
    /// local root ends, and sees its name, duration and tags. Rules are asked in the order in which they were added, if
    /// there is no other reason to keep the trace.
    ///
    /// A panic of `applies` is caught and counted, and means no. After a hundred panics the rule is not asked any more.
    #[must_use]
    pub fn rule(
        mut self,
        name: impl Into<Cow<'static, str>>,
        applies: impl Fn(&SpanView<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.rules.push(Rule::new(name.into(), applies));
        self
    }

    /// Sets how many traces a second are kept for the failures of each operation, and for its other reasons. Defaults
    /// to 1; at least one in a burst, unless it is 0.
    #[must_use]
    pub fn limit(mut self, limit: TracesPerSecond) -> Self {
        self.limit = limit;
        self
    }

    /// Sets how many traces a second are kept in all. Defaults to 20.
    #[must_use]
    pub fn total_limit(mut self, limit: TracesPerSecond) -> Self {
        self.total_limit = limit;
        self
    }

    /// Decides to keep a trace for a reason, if the limits allow it.
    fn keep(&self, span: &SpanView<'_>, reason: &Reason<'_>) -> Option<SamplingDecision> {
        let notes = span.notes();
        let has_failed = notes.has(FAILED) || matches!(reason, Reason::Error);
        let operation = self.operations.of(span.operation_name);
        // In this order: an operation that fails all the time takes nothing from the others.
        if !operation.may_keep(has_failed) || !self.total.try_spend(1.0) {
            notes.set(LIMITED);
            return None;
        }
        let (counter, param) = match reason {
            Reason::Error => (Counter::WeighedTracesError, "error".into()),
            Reason::Slow => (Counter::WeighedTracesSlow, "slow".into()),
            Reason::Rule(rule) => (Counter::WeighedTracesRule, TagValue::String(rule.name())),
        };
        self.metrics.add(counter, 1);
        Some(SamplingDecision::Sample(SamplerTags::new("keep", param)))
    }

    /// Returns why the trace of a local root that ends should be kept, if it should.
    fn reason(&self, root: &SpanView<'_>) -> Option<Reason<'_>> {
        let duration = root.duration?;
        let mut is_slow = self.slower_than.is_some_and(|limit| duration > limit);
        if let Some(slowest) = self.slowest {
            let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
            let durations = &self.operations.of(root.operation_name).durations;
            is_slow |= durations.add(nanos, slowest);
        }
        if is_slow {
            return Some(Reason::Slow);
        }
        // Rules are user code: a panic while the thread unwinds would end the process.
        let mut rules = self.rules.iter().filter(|_| !thread::panicking());
        rules
            .find(|rule| rule.applies(root, &self.metrics))
            .map(Reason::Rule)
    }

    /// Passes a question on to the head, if it has not decided. Its "no" leaves the trace to be weighed.
    fn ask_head(
        &self,
        span: &SpanView<'_>,
        ask: impl FnOnce(&dyn Sampler, &SpanView<'_>) -> SamplingDecision,
    ) -> SamplingDecision {
        // The head may be user code: a panic while the thread unwinds would end the process.
        if span.is_dropped_by_caller || thread::panicking() {
            return SamplingDecision::Delay;
        }
        let notes = span.notes();
        let inner = span.with_notes(notes.after(NOTES));
        match ask(&*self.head, &inner) {
            SamplingDecision::Drop => {
                notes.set(HEAD_HAS_DECIDED);
                SamplingDecision::Delay
            }
            answer => answer,
        }
    }

    fn is_head_open(notes: Notes<'_>) -> bool {
        !notes.has(HEAD_HAS_DECIDED)
    }
}

impl Sampler for KeepSampler {
    fn attach(&mut self, services: &Services) {
        self.head.attach(services);
        self.head_interests = self.head.interests();
        self.metrics = services.metrics().clone();
        let clock = services.clock().clone();
        self.total = RateLimiter::new(self.total_limit.get(), clock.clone());
        self.operations = Operations::new(self.limit, clock);
    }

    /// Asks the head. Where it says no, leaves the trace undecided.
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        if span.is_local_root || Self::is_head_open(span.notes()) {
            self.ask_head(span, |head, span| head.on_create_span(span))
        } else {
            SamplingDecision::Delay
        }
    }

    /// Asks the head again if it depends on the name, or has not decided.
    fn on_set_operation_name(&self, span: &SpanView<'_>) -> SamplingDecision {
        if self.head.depends_on_operation_name() || Self::is_head_open(span.notes()) {
            self.ask_head(span, |head, span| head.on_set_operation_name(span))
        } else {
            SamplingDecision::Delay
        }
    }

    fn on_set_tag(&self, span: &SpanView<'_>, key: &str, value: TagRef<'_>) -> SamplingDecision {
        if self.failures && key == tags::ERROR && is_true(value) {
            if let Some(kept) = self.keep(span, &Reason::Error) {
                return kept;
            }
            span.notes().set(FAILED);
        }
        if self.head_interests.asks_about_tag(key) && Self::is_head_open(span.notes()) {
            self.ask_head(span, |head, span| head.on_set_tag(span, key, value))
        } else {
            SamplingDecision::Delay
        }
    }

    /// Weighs the trace of a local root, which is then decided.
    fn on_finish_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        let notes = span.notes();
        if self.head_interests.asks_about_finish(span.is_local_root) && Self::is_head_open(notes) {
            let answer = self.ask_head(span, |head, span| head.on_finish_span(span));
            if matches!(answer, SamplingDecision::Sample(_)) {
                return answer;
            }
        }
        if !span.is_local_root {
            return SamplingDecision::Delay;
        }
        let reason = self.reason(span);
        if let Some(kept) = reason.and_then(|reason| self.keep(span, &reason)) {
            return kept;
        }
        self.metrics.add(
            if notes.has(LIMITED) {
                Counter::WeighedTracesLimited
            } else {
                Counter::WeighedTracesLetGo
            },
            1,
        );
        SamplingDecision::Drop
    }

    fn depends_on_operation_name(&self) -> bool {
        self.head.depends_on_operation_name()
    }

    fn interests(&self) -> Interests {
        let own = Interests::nothing().finished_local_roots().in_panics();
        let own = if self.failures {
            own.tag(tags::ERROR)
        } else {
            own
        };
        own.and(self.head.interests())
    }

    fn weighs_dropped_traces(&self) -> bool {
        self.dropped_by_callers
    }

    /// Returns the head's decision if that is to keep every trace.
    fn constant_decision(&self) -> Option<SamplingDecision> {
        let decision = self.head.constant_decision();
        decision.filter(|decision| matches!(decision, SamplingDecision::Sample(_)))
    }

    fn description(&self) -> String {
        format!("{}, else keep what matters", self.head.description())
    }

    fn explain(&self, operation_name: &str) -> String {
        let head = self.head.explain(operation_name);
        let reasons = self.reasons().join(", or ");
        match reasons.is_empty() {
            true => head,
            false => format!("{head}; else keeps it, within limits, if {reasons}"),
        }
    }

    fn close(&self) {
        self.head.close();
    }
}

impl KeepSampler {
    /// Returns what a weighed trace is kept for, in words that follow an "if".
    fn reasons(&self) -> Vec<String> {
        let failures = self.failures.then(|| "a span fails".to_owned());
        let slower = self
            .slower_than
            .map(|limit| format!("it takes longer than {limit:?}"));
        let slowest = self.slowest.map(|share| {
            format!(
                "it is in the slowest share of {} of its operation",
                share.get()
            )
        });
        let rules = self
            .rules
            .iter()
            .map(|rule| format!("the rule {} applies", rule.name()));
        failures
            .into_iter()
            .chain(slower)
            .chain(slowest)
            .chain(rules)
            .collect()
    }
}

impl fmt::Debug for KeepSampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeepSampler")
            .field("head", &self.head.description())
            .field("failures", &self.failures)
            .field("slower_than", &self.slower_than)
            .field("slowest", &self.slowest)
            .field("rules", &self.rules)
            .field("limit", &self.limit)
            .field("total_limit", &self.total_limit)
            .finish_non_exhaustive()
    }
}

/// Why a trace is kept.
enum Reason<'a> {
    Error,
    Slow,
    Rule(&'a Rule),
}

/// Returns whether a value of the tag `error` says that the span failed: true, or a text that says so.
fn is_true(value: TagRef<'_>) -> bool {
    match value {
        TagRef::Bool(value) => value,
        TagRef::String(text) => matches!(text, "true" | "True" | "TRUE" | "t" | "T" | "1"),
        _ => false,
    }
}

/// The note that the head has said no.
const HEAD_HAS_DECIDED: u32 = 0;
/// The note that there was a reason to keep the trace, and no room within the limits.
const LIMITED: u32 = 1;
/// The note that a span has failed.
const FAILED: u32 = 2;
/// The number of these notes.
const NOTES: u32 = 3;
