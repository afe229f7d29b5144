//! The state that the clones of one observer share.

use std::sync::OnceLock;
use std::time::Duration;

use crate::clock::Clock;
use crate::diagnostics::{Diagnostics, Rounded, Subject};
use crate::services::Services;
use crate::sync::PerProcess;
use crate::watch::open_spans::table::Table;

pub(super) struct Shared {
    pub(super) limit: Option<Duration>,
    pub(super) max_spans: usize,
    table: PerProcess<Table>,
    /// The clock and the lines of the first tracer.
    tracer: OnceLock<(Clock, Diagnostics)>,
}

impl Shared {
    pub(super) fn new(limit: Option<Duration>, max_spans: usize) -> Self {
        Self {
            limit,
            max_spans,
            table: PerProcess::new(Table::new(max_spans)),
            tracer: OnceLock::new(),
        }
    }

    pub(super) fn attach(&self, services: &Services) {
        let tracer = || (services.clock().clone(), services.diagnostics().clone());
        self.tracer.get_or_init(tracer);
    }

    /// Returns the table of this process.
    pub(super) fn table(&self) -> &Table {
        self.table.get(|_| Table::new(self.max_spans))
    }

    /// Returns the ticks of now, or 0 if there is no tracer, and so no span.
    pub(super) fn now(&self) -> i64 {
        let ticks = self.tracer.get().map_or(0, |(clock, _)| clock.now());
        ticks.cast_signed()
    }

    /// Looks for spans that are open longer than the limit, and writes lines about them. Returns how many it has found,
    /// and the pause until the next look.
    pub(super) fn look(&self) -> (usize, Duration) {
        let (Some(limit), Some((_, diagnostics))) = (self.limit, self.tracer.get()) else {
            return (0, LONGEST_PAUSE);
        };
        let now = self.now();
        let mut round = self.table().round(limit, now);
        // The oldest span of each place has the line.
        round
            .overdue
            .sort_by_key(|span| std::cmp::Reverse(span.age));
        for span in &round.overdue {
            let place = span.place.map(|place| (place.file(), place.line()));
            let subject = Subject::of(place, &span.operation_name);
            let now = Duration::from_nanos(now.max(0).unsigned_abs());
            diagnostics.warn_about("open_span", subject, now, || {
                format!("a span is open longer than {}: {span}", Rounded(limit))
            });
        }
        // A span that starts from now on exceeds the limit no sooner than after the limit.
        let left = round.next.map_or(limit, |next| {
            Duration::from_nanos(next.saturating_sub(now).max(0).unsigned_abs())
        });
        let shortest = (limit / 10).clamp(SHORTEST_PAUSE, LONGEST_LATENESS);
        let pause = left.min(limit).clamp(shortest, LONGEST_PAUSE);
        (round.overdue.len(), pause)
    }
}

/// Between two looks at least.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
/// The delay that a line about a span may have because other spans were looked at just before.
const LONGEST_LATENESS: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);
