use std::collections::VecDeque;
use std::fmt;
use std::io::{IsTerminal, Write, stdout};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::dev::options::{DevOptions, Waterfall};
use crate::dev::store::trace::Trace;
use crate::dev::store::{DevTotals, Rest, Store};
use crate::dev::view::waterfall::{Style, draw};
use crate::model::TraceId;
use crate::panics::caught;

/// Decides which traces are printed, and when. Time and traces are handed in.
///
/// Two a second at most. A few more wait for their turn; what comes on top of these is only counted.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    waiting: VecDeque<TraceId>,
    /// When the last two were printed, the earlier one first.
    printed: [Option<Instant>; 2],
    skipped: u64,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Print this trace, and say that so many others are not printed.
    Print(TraceId, u64),
    /// Look again at that time, or when a span has come.
    Wait(Option<Instant>),
}

impl Turns {
    /// Looks at what has come to rest by `now`.
    pub(crate) fn next(&mut self, store: &mut Store, now: Instant) -> Turn {
        let Rest { ready, next } = store.rest(now);
        for trace_id in ready {
            store.claim(trace_id);
            if self.waiting.contains(&trace_id) {
                continue;
            }
            if self.waiting.len() < MAX_WAITING {
                self.waiting.push_back(trace_id);
            } else {
                self.skipped += 1;
            }
        }
        if self.waiting.is_empty() {
            return Turn::Wait(next);
        }
        let free_at = self.printed[0].map(|printed| printed + PRINT_WINDOW);
        match free_at {
            Some(at) if at > now => Turn::Wait(Some(next.map_or(at, |next| next.min(at)))),
            _ => {
                self.printed = [self.printed[1], Some(now)];
                match self.waiting.pop_front() {
                    Some(trace_id) => Turn::Print(trace_id, std::mem::take(&mut self.skipped)),
                    None => Turn::Wait(next),
                }
            }
        }
    }

    /// Whether no trace waits for its turn.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What is left at the end, at rest or not: the traces to print, and how many more there would be.
    pub(crate) fn last(&mut self, store: &mut Store) -> (Vec<TraceId>, u64) {
        let mut left: Vec<TraceId> = self.waiting.drain(..).collect();
        for trace_id in store.unshown() {
            store.claim(trace_id);
            if !left.contains(&trace_id) {
                left.push(trace_id);
            }
        }
        let more = left.len().saturating_sub(MAX_AT_EXIT) as u64;
        left.truncate(MAX_AT_EXIT);
        (left, more + std::mem::take(&mut self.skipped))
    }
}

/// Where pictures go.
pub(crate) struct Output {
    to: To,
    color: bool,
    columns: Option<usize>,
}

enum To {
    Stdout,
    Writer(Box<dyn Write + Send>),
}

impl Output {
    /// As the options say; `None` where nothing is printed.
    pub(crate) fn new(options: &mut DevOptions) -> Option<Self> {
        let to = match (options.writer.take(), options.waterfall) {
            (Some(writer), _) => To::Writer(writer),
            (None, Waterfall::Always) => To::Stdout,
            (None, Waterfall::OnTerminal) if stdout().is_terminal() => To::Stdout,
            (None, _) => return None,
        };
        Some(Self {
            to,
            color: options.color,
            columns: options.columns,
        })
    }

    /// ASCII to a writer.
    pub(crate) fn to_writer(writer: Box<dyn Write + Send>, columns: Option<usize>) -> Self {
        Self {
            to: To::Writer(writer),
            color: false,
            columns,
        }
    }

    /// Prints a trace. Who does not want to read any more, misses it: errors are left alone.
    pub(crate) fn print(&mut self, trace: &Trace, foot: &Foot) {
        let style = self.style();
        let mut text = draw(trace, &style);
        foot.write(&mut text, trace.trace_id, style.unicode);
        text.push('\n');
        self.write(&text);
    }

    /// Says that so many traces have not been printed.
    pub(crate) fn print_skipped(&mut self, skipped: u64) {
        match skipped {
            0 => {}
            1 => self.write("(1 more trace was not printed)\n\n"),
            n => self.write(&format!("({n} more traces were not printed)\n\n")),
        }
    }

    fn write(&mut self, text: &str) {
        let write = |to: &mut dyn Write| to.write_all(text.as_bytes()).and_then(|()| to.flush());
        // A writer of the user's that panics costs its picture and nothing else.
        caught(|| match &mut self.to {
            To::Stdout => write(&mut stdout().lock()),
            To::Writer(writer) => write(writer),
        });
    }

    fn style(&self) -> Style {
        let is_terminal = matches!(self.to, To::Stdout) && stdout().is_terminal();
        if !is_terminal {
            return Style::plain(self.columns.unwrap_or(DEFAULT_COLUMNS));
        }
        let columns = self.columns.or_else(|| {
            let (width, _) = terminal_size::terminal_size()?;
            Some(width.0.into())
        });
        Style::terminal(columns.unwrap_or(DEFAULT_COLUMNS), self.color)
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.to {
            To::Stdout => "Output(stdout)",
            To::Writer(_) => "Output(writer)",
        })
    }
}

/// The line under a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Foot {
    /// Where the trace can be read; `None` when that is over.
    pub(crate) query: Option<SocketAddr>,
    pub(crate) totals: DevTotals,
}

impl Foot {
    fn write(&self, out: &mut String, trace_id: TraceId, unicode: bool) {
        use std::fmt::Write as _;

        if let Some(query) = self.query {
            let dots = if unicode { "…" } else { "..." };
            let _ = write!(
                out,
                "view: http://{query}/trace/{trace_id}   json: {dots}?format=jaeger   ",
            );
        }
        let DevTotals {
            received,
            dropped,
            lost_by_clients,
            ..
        } = self.totals;
        let dropped = dropped.saturating_add(lost_by_clients);
        let _ = writeln!(out, "(received {received}, dropped {dropped})");
    }
}

/// At most two traces are printed within this.
const PRINT_WINDOW: Duration = Duration::from_secs(1);
/// How many traces wait for their turn; at two a second, the last one for four seconds.
const MAX_WAITING: usize = 8;
/// How many are printed at the end, when there is no second to wait for.
const MAX_AT_EXIT: usize = 10;
const DEFAULT_COLUMNS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::instant_now;
    use crate::dev::store::Limits;
    use crate::dev::store::fixtures::{batch, trace_id, wire};

    fn store() -> Store {
        Store::new(Limits {
            traces: 1_000,
            bytes: 1 << 20,
        })
    }

    fn insert(store: &mut Store, traces: impl IntoIterator<Item = u64>, now: Instant) {
        for trace in traces {
            // One after the other, so that the order in which they come to rest is known.
            let batch = batch("shop", [wire(trace as i64, 1, 0)]);
            store.insert(batch, now + Duration::from_nanos(trace));
        }
    }

    #[test]
    fn a_trace_is_printed_once_when_it_has_come_to_rest() {
        let (mut store, mut turns, start) = (store(), Turns::default(), instant_now());
        assert_eq!(turns.next(&mut store, start), Turn::Wait(None));
        insert(&mut store, [1], start);
        let at = start + Duration::from_millis(200) + Duration::from_nanos(1);
        assert_eq!(turns.next(&mut store, start), Turn::Wait(Some(at)));
        assert_eq!(turns.next(&mut store, at), Turn::Print(trace_id(1), 0));
        assert_eq!(turns.next(&mut store, at), Turn::Wait(None));
        assert_eq!(turns.last(&mut store), (vec![], 0));
    }

    #[test]
    fn two_are_printed_in_any_second_a_few_wait_and_the_rest_are_counted() {
        let (mut store, mut turns, start) = (store(), Turns::default(), instant_now());
        insert(&mut store, 1..=30, start);
        let mut now = start + Duration::from_secs(1);
        let mut printed = Vec::new();
        let mut skipped = 0;
        loop {
            match turns.next(&mut store, now) {
                Turn::Print(trace_id, more) => {
                    printed.push((now, trace_id));
                    skipped += more;
                }
                Turn::Wait(Some(at)) => {
                    assert!(at > now);
                    now = at;
                }
                Turn::Wait(None) => break,
            }
        }
        let ids: Vec<_> = printed.iter().map(|(_, id)| *id).collect();
        assert_eq!(ids, (1..=8).map(trace_id).collect::<Vec<_>>());
        assert_eq!(skipped, 22);
        for three in printed.windows(3) {
            assert!(three[2].0 - three[0].0 >= PRINT_WINDOW);
        }
        assert_eq!(turns.last(&mut store), (vec![], 0));
    }

    #[test]
    fn what_waits_and_what_is_not_at_rest_is_printed_at_the_end() {
        let (mut store, mut turns, start) = (store(), Turns::default(), instant_now());
        insert(&mut store, 1..=4, start);
        let now = start + Duration::from_secs(1);
        assert_eq!(turns.next(&mut store, now), Turn::Print(trace_id(1), 0));
        insert(&mut store, [5], now);
        let left = [2, 3, 4, 5].map(trace_id).to_vec();
        assert_eq!(turns.last(&mut store), (left, 0));

        insert(&mut store, 100..=149, now);
        let (left, more) = turns.last(&mut store);
        assert_eq!((left.len(), more), (MAX_AT_EXIT, 40));
    }

    #[test]
    fn a_writer_that_panics_or_fails_harms_nobody() {
        struct Panics;
        impl Write for Panics {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                panic!("writer")
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
        }
        let mut output = Output::to_writer(Box::new(Panics), None);
        output.print_skipped(1);
        output.print_skipped(2);
    }
}
