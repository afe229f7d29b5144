use std::{
    ops::Sub,
    time::{Duration, Instant},
};

use crate::{Backend, Error, Version, kernel_drops, poll};

/// Counts of the spans sent to a backend since it started, as far as it and the kernel know.
///
/// Subtract two readings for the spans that came in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivered {
    /// Spans written to the store.
    pub stored: u64,
    /// Spans that the collector (v1) or a receiver (v2) took.
    pub received: u64,
    /// Spans that were read from the socket and lost afterwards: v1's agent could not hand them to
    /// its collector, the queue of the collector was full, or the store refused them.
    pub lost_inside: u64,
    /// Datagrams that v1's agent read and threw away because its queue was full; 0 in v2, which
    /// does not count them.
    pub datagrams_lost_inside: u64,
    /// Datagrams that the kernel dropped at the agent's socket for Thrift compact; 0 if the system
    /// does not count them.
    pub kernel_drops: u64,
}

impl Backend {
    /// Returns the counts of `service`. v2 does not count services apart: it gives those of all.
    pub fn delivered_now(&self, service: &str) -> Result<Delivered, Error> {
        let metrics = self.metrics()?;
        let count = |name, labels: &[_]| metrics.count(name, labels);
        let kernel_drops = kernel_drops(self.compact_addr())?.unwrap_or(0);
        Ok(match self.version() {
            Version::V1 => {
                let svc = ("svc", service);
                let saved =
                    |result| count("collector_spans_saved_by_svc", &[svc, ("result", result)]);
                Delivered {
                    stored: saved("ok"),
                    received: count("collector_spans_received", &[svc]),
                    lost_inside: saved("err")
                        + count("collector_spans_dropped", &[])
                        + count("collector_spans_rejected", &[svc])
                        + count("reporter_spans_failures", &[("format", "jaeger")]),
                    datagrams_lost_inside: count(
                        "thrift_udp_server_packets_dropped",
                        &[("model", "jaeger")],
                    ),
                    kernel_drops,
                }
            }
            Version::V2 => {
                let exporter = [("exporter", "jaeger_storage_exporter")];
                Delivered {
                    stored: count("exporter_sent_spans", &exporter),
                    received: count("receiver_accepted_spans", &[]),
                    lost_inside: count("receiver_refused_spans", &[])
                        + count("exporter_send_failed_spans", &exporter),
                    datagrams_lost_inside: 0,
                    kernel_drops,
                }
            }
        })
    }

    /// Returns [`delivered_now`](Self::delivered_now), once it has not changed for half a second.
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] with the last counts if they still change after 20 s.
    pub fn delivered(&self, service: &str) -> Result<Delivered, Error> {
        let mut last = self.delivered_now(service)?;
        let mut since = Instant::now();
        let settled = poll(WITHIN, EVERY, || {
            let now = match self.delivered_now(service) {
                Ok(now) => now,
                Err(error) => return Ok(Err(error)),
            };
            if now != last {
                (last, since) = (now, Instant::now());
            }
            if since.elapsed() >= UNCHANGED {
                Ok(Ok(now))
            } else {
                Err(format!("{now:?}"))
            }
        });
        settled.unwrap_or_else(|last| {
            self.suspect();
            Err(Error::Deadline {
                wanted: format!("the last span of {service}"),
                last,
            })
        })
    }
}

impl Sub for Delivered {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            stored: self.stored - before.stored,
            received: self.received - before.received,
            lost_inside: self.lost_inside - before.lost_inside,
            datagrams_lost_inside: self.datagrams_lost_inside - before.datagrams_lost_inside,
            kernel_drops: self.kernel_drops - before.kernel_drops,
        }
    }
}

const WITHIN: Duration = Duration::from_secs(20);
const EVERY: Duration = Duration::from_millis(50);
const UNCHANGED: Duration = Duration::from_millis(500);
