use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::clock::{instant_now, system_time_now};
use crate::metrics::{DropCause, Metrics};

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
    /// [`DropCause::QueueFull`].
    pub last: Option<LastLoss>,
}

/// The last loss of spans for one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastLoss {
    /// The time at which the tracer knew of it.
    pub time: SystemTime,
    /// The error, and how to mend it, as the diagnostic line says it. It is up to a second older than `time` if losses
    /// follow each other.
    pub reason: String,
}

/// A loss and when its reason was written.
pub(super) struct NotedLoss {
    last: LastLoss,
    written: Instant,
}

impl Metrics {
    /// Returns what was lost, by cause, and why last. Nothing else is needed to tell a user what is wrong.
    pub fn losses(&self) -> Vec<Loss> {
        let counts = self.report().dropped;
        let noted = self.losses_by_cause();
        let last = |cause| noted.get(&cause).map(|loss| loss.last.clone());
        let losses = counts.iter().map(|(cause, spans)| Loss {
            cause,
            spans,
            last: last(cause),
        });
        losses.collect()
    }

    /// Notes that spans were lost just now. The reason is asked for once a second.
    pub(crate) fn note_loss(&self, cause: DropCause, reason: impl FnOnce() -> String) {
        let (time, now) = (system_time_now(), instant_now());
        let is_fresh = |loss: &NotedLoss| now.saturating_duration_since(loss.written) < REASON_AGE;
        {
            let mut losses = self.losses_by_cause();
            if let Some(loss) = losses.get_mut(&cause).filter(|loss| is_fresh(loss)) {
                loss.last.time = time;
                return;
            }
        }
        // Not under the lock: the sender of a user may be asked.
        let last = LastLoss {
            time,
            reason: reason(),
        };
        let noted = NotedLoss { last, written: now };
        self.losses_by_cause().insert(cause, noted);
    }

    fn losses_by_cause(&self) -> MutexGuard<'_, HashMap<DropCause, NotedLoss>> {
        let losses = self.inner().losses.lock();
        losses.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The age at which a reason is asked for again.
const REASON_AGE: Duration = Duration::from_secs(1);
