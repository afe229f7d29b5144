use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use crate::clock::{instant_now, system_time_now};
use crate::metrics::ledger::{DropCause, DropCounts};

/// The spans that a tracer has lost for one cause.
///
/// ```
/// use std::time::Duration;
/// use tracehound::JaegerTracer;
/// use tracehound::prelude::*;
/// use tracehound::sampler::ConstSampler;
///
/// let tracer = JaegerTracer::builder("shop").sampler(ConstSampler::new(true)).build()?;
/// tracer.close(Duration::from_secs(1));
/// tracer.start_span("late").finish();
/// for loss in tracer.metrics().losses() {
///     println!("{} spans lost as {}: {:?}", loss.spans, loss.cause, loss.last);
/// }
/// # assert_eq!(tracer.metrics().losses()[0].spans, 1);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// The cause.
    pub cause: DropCause,
    /// The number of spans.
    pub spans: u64,
    /// The last loss for this cause, if its reason is known. Causes before the reporter have none but
    /// [`DropCause::QueueFull`] and [`DropCause::AfterShutdown`].
    pub last: Option<LastLoss>,
}

/// The last loss of spans for one cause.
///
/// ```
/// use tracehound::metrics::{LastLoss, Loss};
///
/// /// A line for a page about the state of the program.
/// fn line(loss: &Loss) -> String {
///     let reason = match &loss.last {
///         Some(LastLoss { reason, .. }) => reason.as_str(),
///         None => "no reason is known",
///     };
///     format!("{} spans lost: {}; {reason}", loss.spans, loss.cause)
/// }
///
/// # let tracer = tracehound::JaegerTracer::disabled();
/// assert!(tracer.metrics().losses().iter().map(line).collect::<String>().is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastLoss {
    /// The time at which the tracer knew of it.
    pub time: SystemTime,
    /// The error, and how to mend it, as the diagnostic line says it. It is up to a second older than `time` if losses
    /// follow each other.
    pub reason: String,
}

/// The last loss for each cause.
#[derive(Default)]
pub(super) struct LastLosses(HashMap<DropCause, NotedLoss>);

/// A loss and when its reason was written.
struct NotedLoss {
    last: LastLoss,
    written: Instant,
}

impl LastLosses {
    /// Notes that spans were lost now. Returns false if the reason should be written again.
    pub(super) fn note(&mut self, cause: DropCause) -> bool {
        let now = instant_now();
        let fresh = self.0.get_mut(&cause).filter(|loss| {
            let age = now.saturating_duration_since(loss.written);
            age < REASON_AGE
        });
        let is_fresh = fresh.is_some();
        if let Some(loss) = fresh {
            loss.last.time = system_time_now();
        }
        is_fresh
    }

    /// Notes that spans were lost now for this reason.
    pub(super) fn note_reason(&mut self, cause: DropCause, reason: String) {
        let last = LastLoss {
            time: system_time_now(),
            reason,
        };
        let written = instant_now();
        self.0.insert(cause, NotedLoss { last, written });
    }

    /// Returns the losses with these counts.
    pub(super) fn losses(&self, counts: &DropCounts) -> Vec<Loss> {
        let losses = counts.iter().map(|(cause, spans)| Loss {
            cause,
            spans,
            last: self.0.get(&cause).map(|loss| loss.last.clone()),
        });
        losses.collect()
    }
}

/// The age at which a reason is asked for again.
const REASON_AGE: Duration = Duration::from_secs(1);
