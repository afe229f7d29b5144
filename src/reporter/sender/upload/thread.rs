//! The thread that sends batches, one after the other.

use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rand::TryRng as _;
use rand::rngs::SysRng;

use crate::clock::{after, deadline_after, instant_now};
use crate::metrics::DropCause;
use crate::panics::caught;
use crate::reporter::sender::upload::exchange::{Answer, Exchange};
use crate::reporter::sender::upload::state::{Fate, Request, Shared, is_too_long};

/// Starts the thread. Returns false if the system has none.
pub(super) fn spawn(shared: &Arc<Shared>, exchange: Box<dyn Exchange>, timeout: Duration) -> bool {
    #[cfg(test)]
    if super::tests::NO_THREADS.get() {
        return false;
    }
    shared.set_interrupt(exchange.interrupter());
    let shared = shared.clone();
    let builder = thread::Builder::new().name("tracehound-upload".to_owned());
    let spawned = builder.spawn(move || run(&shared, exchange, timeout));
    spawned.is_ok()
}

fn run(shared: &Shared, mut exchange: Box<dyn Exchange>, timeout: Duration) {
    while let Some(request) = shared.next() {
        if let Some(fate) = upload(shared, &mut exchange, &request, timeout) {
            shared.tell(fate);
        }
    }
    // May wait for a runtime of its own to end, so not while a batch or a lock is held.
    caught(|| drop(exchange));
}

/// Sends one batch, in several tries if need be. Returns `None` if the upload ended meanwhile.
fn upload(
    shared: &Shared,
    exchange: &mut Box<dyn Exchange>,
    request: &Request,
    timeout: Duration,
) -> Option<Fate> {
    if let Some(left) = shared.hold_left(instant_now()) {
        if is_too_long(left) {
            let reason = format!("it has asked for a pause of {} s more", left.as_secs() + 1);
            return Some(request.lost(DropCause::Backoff, reason));
        }
        if !shared.pause(left) {
            return None;
        }
    }
    let mut deadline = deadline_after(timeout);
    let mut pauses = RETRY_PAUSES.into_iter();
    loop {
        let answer = ask(shared, exchange, request, deadline);
        let Answer::Retry {
            after: asked,
            cause,
            reason,
        } = answer
        else {
            return Some(request.fate(shared, answer));
        };
        let (now, pause) = (instant_now(), pauses.next());
        if let Some(asked) = asked {
            shared.hold_until(after(now, asked));
            if is_too_long(asked) || pause.is_none() {
                let seconds = asked.as_secs();
                let reason = format!("{reason}; it asks for a pause of {seconds} s");
                return Some(request.lost(DropCause::Backoff, reason));
            }
            if !shared.pause(asked) {
                return None;
            }
            deadline = deadline_after(timeout);
            continue;
        }
        let pause = pause.map(jittered);
        match pause.filter(|pause| after(now, *pause) < deadline) {
            Some(pause) if shared.pause(pause) => {}
            Some(_) => return None,
            None => return Some(request.lost(cause, reason)),
        }
    }
}

/// Sends a batch once. A panic loses it. That and an interruption end the connection.
fn ask(
    shared: &Shared,
    exchange: &mut Box<dyn Exchange>,
    request: &Request,
    deadline: Instant,
) -> Answer {
    shared.begin_request(deadline);
    let answer = caught(|| exchange.exchange(&request.bytes, request.spans, deadline));
    let was_interrupted = shared.end_request();
    if (answer.is_none() || was_interrupted)
        && let Some(renewed) = caught(|| exchange.renewed())
    {
        shared.set_interrupt(renewed.interrupter());
        let old = mem::replace(exchange, renewed);
        caught(|| drop(old));
    }
    answer.unwrap_or_else(|| Answer::Lost {
        cause: DropCause::InternalError,
        reason: "sending panicked".to_owned(),
    })
}

impl Request {
    fn fate(&self, shared: &Shared, answer: Answer) -> Fate {
        match answer {
            Answer::Accepted => Fate {
                arrived: self.spans,
                ..Fate::default()
            },
            Answer::Partial { rejected, reason } => {
                let rejected = rejected.min(self.spans);
                Fate {
                    arrived: self.spans - rejected,
                    failed: (rejected > 0).then_some((DropCause::Rejected, rejected)),
                    reason,
                }
            }
            Answer::TooLarge { reason } => {
                let limit = shared.halve_max_bytes(self.bytes.len());
                let size = self.bytes.len();
                let reason = match limit < size {
                    true => format!(
                        "{reason}; the batch had {size} bytes, and from now on batches have at most {limit}"
                    ),
                    false => format!("{reason}; the batch had no more than {size} bytes"),
                };
                self.lost(DropCause::TooLarge, reason)
            }
            Answer::Retry { cause, reason, .. } | Answer::Lost { cause, reason } => {
                self.lost(cause, reason)
            }
        }
    }

    fn lost(&self, cause: DropCause, reason: String) -> Fate {
        Fate {
            arrived: 0,
            failed: Some((cause, self.spans)),
            reason,
        }
    }
}

/// Returns a pause, moved at random by up to half of itself, so that programs do not try together.
fn jittered(pause: Duration) -> Duration {
    // Without the system's random numbers: unmoved.
    let share = SysRng
        .try_next_u32()
        .map_or(0.5, |bits| f64::from(bits) / f64::from(u32::MAX));
    pause.mul_f64(0.5 + share)
}

/// The pauses before the second and the third try.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];
