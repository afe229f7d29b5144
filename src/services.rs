//! The services of a tracer for its parts: who the process is, counters, lines to the user, and the time.
//!
//! A sampler, a codec, a reporter and the other parts are made before their tracer. The tracer's builder therefore
//! hands them [`Services`] once, by the method `attach` of their trait, before it uses them.
//!
//! # How does a part count and warn?
//!
//! ```
//! use std::sync::Mutex;
//! use tracehound::JaegerTracer;
//! use tracehound::metrics::Counter;
//! use tracehound::prelude::*;
//! use tracehound::reporter::InMemoryReporter;
//! use tracehound::sampler::{Sampler, SamplerTags, SamplingDecision, SpanView};
//! use tracehound::services::Services;
//!
//! /// Keeps the operations on a list, which is short.
//! struct Listed {
//!     operations: Vec<String>,
//!     services: Option<Services>,
//! }
//!
//! impl Sampler for Listed {
//!     fn attach(&mut self, services: &Services) {
//!         self.services = Some(services.clone());
//!         if self.operations.len() > 100 {
//!             services.metrics().add(Counter::DroppedItems, 1);
//!             services.diagnostics().warn("listed_sampler", || {
//!                 format!("{}: only 100 operations are kept", services.process().service_name)
//!             });
//!             self.operations.truncate(100);
//!         }
//!     }
//!
//!     fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
//!         if self.operations.iter().any(|listed| listed == span.operation_name) {
//!             SamplingDecision::Sample(SamplerTags::new("listed", true))
//!         } else {
//!             SamplingDecision::Drop
//!         }
//!     }
//! }
//!
//! let spans = InMemoryReporter::new();
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(Listed { operations: vec!["pay".to_owned(); 101], services: None })
//!     .reporter(spans.clone())
//!     .build()?;
//! assert_eq!(tracer.metrics().get(Counter::DroppedItems), 1);
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! # Which parts get them?
//!
//! | part | method |
//! |---|---|
//! | sampler | [`Sampler::attach`](crate::sampler::Sampler::attach) |
//! | throttler | [`Throttler::attach`](crate::throttler::Throttler::attach) |
//! | baggage restrictions | [`BaggageRestrictions::attach`](crate::restrictions::BaggageRestrictions::attach) |
//! | codec | [`Codec::attach`](crate::propagation::Codec::attach) |
//! | codec of a carrier of your own | [`CustomCodec::attach`](crate::propagation::CustomCodec::attach) |
//! | reporter | [`Reporter::attach`](crate::reporter::Reporter::attach), in a `WorkerHandle` |
//! | sender | [`Sender::attach`](crate::reporter::sender::Sender::attach), by its reporter |
//!
//! # How does a part notice a fork?
//!
//! A forked child has one thread. Reporters and senders are made anew there
//! ([`Reporter::after_fork`](crate::reporter::Reporter::after_fork)). Samplers and codecs stay, so one that has a
//! thread or a socket of its own compares [`Services::generation`] with the number that it saw last, and makes them
//! anew when the two differ. Counters begin from zero in a forked child, and every line may be written again.

use std::fmt;
use std::sync::Arc;

use crate::clock::{Clock, ManualClock};
use crate::diagnostics::Diagnostics;
use crate::metrics::{Counter, Metrics};
use crate::model::Process;
use crate::panics::caught;
use crate::poller::Poller;
use crate::sync::generation;

/// The services of one tracer for its parts. Cheap to clone; clones share their counters and lines.
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
/// use tracehound::clock::ManualClock;
/// use tracehound::diagnostics::Diagnostics;
/// use tracehound::metrics::Counter;
/// use tracehound::model::Process;
/// use tracehound::services::Services;
///
/// // A part that is tried out in a test, with lines and times in the test's hands.
/// let (sender, lines) = mpsc::channel();
/// let diagnostics = Diagnostics::with_handler(move |line| {
///     let _ = sender.send(line.to_owned());
/// });
/// let clock = ManualClock::default();
/// let services = Services::detached(Process::new("shop", vec![]))
///     .with_diagnostics(diagnostics)
///     .with_clock(clock.clone());
///
/// let before = services.clock().monotonic();
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(services.clock().monotonic() - before, Duration::from_secs(1));
/// services.diagnostics().say("ready");
/// assert!(lines.recv().expect("a line").contains("ready"));
/// assert_eq!(services.process().service_name, "shop");
/// assert_eq!(services.metrics().get(Counter::CallbackPanics), 0);
/// ```
#[derive(Clone)]
pub struct Services {
    process: Arc<Process>,
    metrics: Metrics,
    diagnostics: Diagnostics,
    clock: Clock,
    poller: Poller,
}

impl Services {
    /// Returns services without a tracer, to try a part out by hand: counters of their own, lines to standard error,
    /// the system's clock.
    ///
    /// ```
    /// use tracehound::clock::ManualClock;
    /// use tracehound::model::{Process, TraceId};
    /// use tracehound::sampler::{
    ///     RateLimitingSampler, Sampler, SamplingDecision, SpanView, TracesPerSecond,
    /// };
    /// use tracehound::services::Services;
    ///
    /// let clock = ManualClock::default();
    /// let services = Services::detached(Process::new("shop", vec![])).with_clock(clock);
    /// let mut sampler = RateLimitingSampler::new(TracesPerSecond::from(1));
    /// sampler.attach(&services);
    /// let root = SpanView::new(TraceId::new(0, 1).expect("not zero"), "checkout", true);
    /// assert!(matches!(sampler.on_create_span(&root), SamplingDecision::Sample(_)));
    /// assert!(matches!(sampler.on_create_span(&root), SamplingDecision::Drop));
    /// ```
    pub fn detached(process: Process) -> Self {
        Self::new(
            Arc::new(process),
            Metrics::default(),
            Diagnostics::default(),
            Clock::system(),
        )
    }

    /// Replaces the diagnostics: the place to which lines go.
    #[must_use]
    pub fn with_diagnostics(self, diagnostics: Diagnostics) -> Self {
        Self {
            poller: Poller::new(self.metrics.clone(), diagnostics.clone()),
            diagnostics,
            ..self
        }
    }

    /// Replaces the clock, such as by a [`ManualClock`] in a test.
    #[must_use]
    pub fn with_clock(self, clock: impl Into<Clock>) -> Self {
        let clock = clock.into();
        Self { clock, ..self }
    }

    /// Replaces the process, as a forked child does.
    pub(crate) fn with_process(self, process: Process) -> Self {
        Self {
            process: Arc::new(process),
            ..self
        }
    }

    /// Attaches a part. A panic of the part is counted and told in a line, and the part is used all the same.
    pub(crate) fn attach(&self, part: &str, attach: impl FnOnce(&Self)) {
        if caught(|| attach(self)).is_none() {
            self.metrics.add(Counter::CallbackPanics, 1);
            self.diagnostics.say(&format!(
                "{part} panicked while it was attached to the tracer"
            ));
        }
    }

    /// Returns who the spans are from: the service's name and the tags of the process.
    ///
    /// In a forked child a reporter and its sender see the tag `client-uuid` of the child, unless the user has set one.
    /// Samplers and codecs, which the child shares with its parent, see the tag of the parent.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Returns the tracer's counters.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Returns the diagnostics, by which the tracer says what is wrong.
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// Returns the tracer's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns a number that differs between this process and every process that it was forked from. Reads one atomic
    /// word.
    ///
    /// Forks are noticed from the first tracer on that a program builds.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use tracehound::services::Services;
    ///
    /// /// Calls `restart` once in each forked child.
    /// fn check(services: &Services, seen: &AtomicU32, restart: impl FnOnce()) {
    ///     let now = services.generation();
    ///     if seen.swap(now, Ordering::Relaxed) != now {
    ///         restart();
    ///     }
    /// }
    /// # let services = Services::detached(tracehound::model::Process::new("shop", vec![]));
    /// # check(&services, &AtomicU32::new(services.generation()), || panic!("no fork"));
    /// ```
    pub fn generation(&self) -> u32 {
        generation()
    }

    /// Returns the poller, for what a part does now and then on a thread of the tracer.
    pub(crate) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// Joins the four, and makes a poller without a thread.
    pub(crate) fn new(
        process: Arc<Process>,
        metrics: Metrics,
        diagnostics: Diagnostics,
        clock: Clock,
    ) -> Self {
        let poller = Poller::new(metrics.clone(), diagnostics.clone());
        Self {
            process,
            metrics,
            diagnostics,
            clock,
            poller,
        }
    }

    /// Returns services for a part that is not attached yet. Their clock stands still: making the system's clock may
    /// take milliseconds, or wait for a lock that a forked child has inherited.
    pub(crate) fn unattached() -> Self {
        Self::new(
            Arc::new(Process::new("unknown", Vec::new())),
            Metrics::default(),
            Diagnostics::default(),
            Clock::from(ManualClock::default()),
        )
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Services({})", self.process.service_name)
    }
}
