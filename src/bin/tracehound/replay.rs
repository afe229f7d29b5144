//! `tracehound replay`.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tracehound::metrics::DropCounts;
use tracehound::model::{Process, Timestamp};
use tracehound::reporter::{RemoteReporter, Reporter, WorkerHandle};
use tracehound::services::Services;
use tracehound::view::{ReceivedSpan, Trace};

use crate::clock::now_micros;
use crate::options::ReplayOptions;
use crate::output::say;
use crate::{CommandResult, Outcome, file};

/// Sends the spans of each process as that process would have sent them.
pub(crate) fn run(options: &ReplayOptions) -> CommandResult {
    let traces = file::traces(&options.file)?;
    let shift = if options.now {
        shift_to_now(&traces)
    } else {
        0
    };
    let mut sent = 0;
    let mut lost = DropCounts::default();
    let mut waiting = 0;
    for (process, spans) in by_process(&traces) {
        let mut reporter = options.to.reporter()?;
        let services = Services::detached(Process::clone(&process));
        reporter.attach(&WorkerHandle::detached(services));
        let account = send(&mut reporter, &spans, shift, options.timeout);
        let unsent = account.dropped.total().saturating_add(account.waiting);
        sent += (spans.len() as u64).saturating_sub(unsent);
        lost.merge(&account.dropped);
        waiting += account.waiting;
    }
    let count = traces.len();
    say!("sent {sent} spans of {count} traces to {}", options.to);
    if lost.total() + waiting == 0 {
        return Ok(Outcome::Good);
    }
    say!("lost {} ({lost}), waiting {waiting}", lost.total());
    Ok(Outcome::Bad)
}

/// Spans that were not sent.
struct Account {
    dropped: DropCounts,
    waiting: u64,
}

fn send(
    reporter: &mut RemoteReporter,
    spans: &[Arc<ReceivedSpan>],
    shift: i64,
    timeout: Duration,
) -> Account {
    let deadline = Instant::now() + timeout;
    for received in spans {
        wait_for_room(reporter, deadline);
        let mut span = received.span.clone();
        span.start = shifted(span.start, shift);
        for log in &mut span.logs {
            log.timestamp = shifted(log.timestamp, shift);
        }
        span.view(|span| reporter.report(span));
    }
    let mut unsent = reporter.flush(deadline);
    while unsent.queued > 0 && Instant::now() < deadline {
        wait_for_room(reporter, deadline);
        unsent = if unsent.in_flight > 0 {
            thread::park_timeout(LOOK_AGAIN);
            reporter.poll()
        } else {
            reporter.flush(deadline)
        };
    }
    let unsent = reporter.close(deadline);
    Account {
        dropped: unsent.dropped,
        waiting: unsent.queued,
    }
}

/// Waits while the sender has no room.
fn wait_for_room(reporter: &mut RemoteReporter, deadline: Instant) {
    while let Some(until) = reporter.paused_until() {
        let now = Instant::now();
        if now >= deadline {
            return;
        }
        thread::park_timeout(until.min(deadline).saturating_duration_since(now));
        reporter.resume();
    }
}

/// Returns the spans of each process, in their order.
fn by_process(traces: &[Trace]) -> Vec<(Arc<Process>, Vec<Arc<ReceivedSpan>>)> {
    let mut groups: Vec<(Arc<Process>, Vec<Arc<ReceivedSpan>>)> = Vec::new();
    // A file may have a process of its own for each span, and thousands of them for one service.
    let mut by_facts: HashMap<String, usize> = HashMap::new();
    let mut by_address: HashMap<*const Process, usize> = HashMap::new();
    for span in traces.iter().flat_map(|trace| &trace.spans) {
        let process = &span.process;
        let place = *by_address.entry(Arc::as_ptr(process)).or_insert_with(|| {
            *by_facts.entry(format!("{process:?}")).or_insert_with(|| {
                groups.push((process.clone(), Vec::new()));
                groups.len() - 1
            })
        });
        groups[place].1.push(span.clone());
    }
    groups
}

/// Returns the microseconds from the end of the last span until now.
fn shift_to_now(traces: &[Trace]) -> i64 {
    let spans = traces.iter().flat_map(|trace| &trace.spans);
    let ends = spans.map(|received| {
        let duration = i64::try_from(received.span.duration.as_micros()).unwrap_or(i64::MAX);
        received.span.start.as_micros().saturating_add(duration)
    });
    ends.max().map_or(0, |end| now_micros().saturating_sub(end))
}

fn shifted(time: Timestamp, by: i64) -> Timestamp {
    Timestamp::from_micros(time.as_micros().saturating_add(by))
}

const LOOK_AGAIN: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a trace whose spans have these processes, each for itself.
    fn trace(processes: impl Iterator<Item = String>) -> Vec<Trace> {
        let spans = processes.enumerate().map(|(n, process)| {
            format!(
                r#"{{"spanID":"{:x}","operationName":"o","startTime":1,"duration":1,"process":{process}}}"#,
                n + 1
            )
        });
        let spans: Vec<_> = spans.collect();
        let json = format!(r#"{{"traceID":"a","spans":[{}]}}"#, spans.join(","));
        Trace::from_json(&json).expect("a trace")
    }

    #[test]
    fn spans_are_together_whose_processes_have_the_same_facts() {
        let process = |service: &str, host: &str| {
            format!(
                r#"{{"serviceName":"{service}","tags":[{{"key":"host","type":"string","value":"{host}"}}]}}"#
            )
        };
        let processes = [("a", "1"), ("a", "2"), ("b", "1"), ("a", "1"), ("b", "1")];
        let traces = trace(
            processes
                .iter()
                .map(|(service, host)| process(service, host)),
        );
        let groups = by_process(&traces);
        let ids: Vec<Vec<u64>> = groups
            .iter()
            .map(|(_, spans)| spans.iter().map(|span| span.span.span_id.get()).collect())
            .collect();
        assert_eq!(ids, [vec![1, 4], vec![2], vec![3, 5]]);
        assert_eq!(groups[2].0.service_name, "b");
    }

    #[test]
    fn very_many_processes_of_a_service_are_told_apart() {
        let process = |n| {
            format!(r#"{{"serviceName":"a","tags":[{{"key":"n","type":"int64","value":{n}}}]}}"#)
        };
        assert_eq!(by_process(&trace((0..30_000).map(process))).len(), 30_000);
    }
}
