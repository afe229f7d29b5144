use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use crate::{
    Backend, Error,
    crossdock::{Alphabet, Format, Lack, Orders, Peer, Report, Run, Service, Setup, stored},
};

/// All runs over one start of the services.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// The format of the headers.
    pub format: Format,
    /// The length of new trace ids, 64 or 128.
    pub trace_id_bits: u32,
    /// The alphabets of baggage. Each has all runs.
    pub alphabets: &'a [Alphabet],
    /// The orders of services. Each is run sampled and not sampled.
    pub orders: Orders,
    /// The losses that are listed.
    pub lacks: &'a [Lack],
}

/// The outcome of a [`Matrix`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The counts, for each alphabet.
    pub reports: Vec<Report>,
    /// The findings that fail the matrix.
    pub problems: Vec<String>,
    /// The time from the start of the services to the last look at Jaeger.
    pub took: Duration,
}

impl Matrix<'_> {
    /// Starts the services of `peers`, does all runs, ends the services and looks for the traces in `jaeger`.
    ///
    /// The backend should be empty before.
    ///
    /// # Errors
    ///
    /// Fails if a service cannot be started or Jaeger cannot be asked. A run that fails is one of the
    /// [`problems`](Outcome::problems).
    pub fn run(&self, peers: &[Peer], jaeger: &Backend) -> Result<Outcome, Error> {
        let started = Instant::now();
        let mut outcome = Outcome {
            reports: Vec::new(),
            problems: Vec::new(),
            took: Duration::ZERO,
        };
        let services = self.start(peers, jaeger)?;
        let mut runs = Vec::new();
        for alphabet in self.alphabets {
            let mut report = Report::new(self.setup(*alphabet), self.orders, peers);
            runs.push(self.drive(&services, &mut report, &mut outcome.problems));
            outcome.reports.push(report);
        }
        for ended in at_once(services, Service::stop) {
            outcome
                .problems
                .extend(ended.err().map(|error| error.to_string()));
        }
        let mut known = BTreeSet::new();
        for (report, runs) in outcome.reports.iter_mut().zip(&runs) {
            for run in runs {
                outcome.problems.append(&mut report.judge(run, self.lacks));
                let problems = look(run, report, peers, jaeger, &mut known);
                let at = report.run_name(run.order, run.is_sampled);
                let problems = problems.iter().map(|problem| format!("{at}: {problem}"));
                outcome.problems.extend(problems);
            }
        }
        for peer in peers {
            let stored = jaeger.trace_ids(&peer.service_name())?;
            let unknown = stored.difference(&known).map(|trace_id| {
                let name = peer.name;
                format!("{name} stored the trace {trace_id:x}, which no service saw as sampled")
            });
            outcome.problems.extend(unknown);
        }
        outcome.took = started.elapsed();
        Ok(outcome)
    }

    fn start(&self, peers: &[Peer], jaeger: &Backend) -> Result<Vec<Service>, Error> {
        // The runs differ in nothing else, and no service knows of the alphabet.
        let setup = self.setup(Alphabet::Digits);
        let start = |peer| Service::start(peer, setup, jaeger.endpoints());
        at_once(peers.to_vec(), start).into_iter().collect()
    }

    fn drive(
        &self,
        services: &[Service],
        report: &mut Report,
        problems: &mut Vec<String>,
    ) -> Vec<Run> {
        let mut runs = Vec::new();
        for order in self.orders.of(services.len()) {
            for is_sampled in [true, false] {
                report.runs += 1;
                match Run::drive(services, order, is_sampled, report.setup.alphabet) {
                    Ok(run) => runs.push(run),
                    Err(error) => {
                        let at = report.run_name(order, is_sampled);
                        problems.push(format!("{at}: {error}"));
                    }
                }
            }
        }
        runs
    }

    const fn setup(&self, alphabet: Alphabet) -> Setup {
        Setup {
            format: self.format,
            trace_id_bits: self.trace_id_bits,
            alphabet,
        }
    }
}

impl Outcome {
    /// Returns the lines that show the outcome, with the reasons of `lacks`.
    pub fn lines(&self, lacks: &[Lack]) -> Vec<String> {
        let reports = self.reports.iter();
        let mut lines: Vec<_> = reports.flat_map(|report| report.lines(lacks)).collect();
        let runs: usize = self.reports.iter().map(|report| report.runs).sum();
        let format = self
            .reports
            .first()
            .map_or("", |report| report.setup.format.name());
        let took = self.took.as_secs_f64();
        lines.push(format!("crossdock, {format}: {runs} runs took {took:.1} s"));
        lines
    }
}

/// Looks for the traces of a run, counts them in `report`, adds their ids to `known` and returns what is wrong with them.
fn look(
    run: &Run,
    report: &mut Report,
    peers: &[Peer],
    jaeger: &Backend,
    known: &mut BTreeSet<u128>,
) -> Vec<String> {
    let of_run = run.order.map(|place| &peers[place]);
    let mut problems = Vec::new();
    for (trace_id, expected) in stored::expected(&run.seen, &of_run) {
        known.insert(trace_id);
        match jaeger.trace(trace_id, expected.len()) {
            Ok(trace) => {
                report.traces += 1;
                report.spans += trace.spans.len();
                let wrong = stored::wrong(&trace, &expected, &of_run, jaeger.version());
                problems.extend(wrong);
            }
            Err(error) => problems.push(error.to_string()),
        }
    }
    problems
}

/// Calls `work` with every item at the same time, because starting and ending a program is mostly waiting.
fn at_once<I: Send, O: Send>(items: Vec<I>, work: impl Fn(I) -> O + Sync) -> Vec<O> {
    thread::scope(|scope| {
        let work = &work;
        let working: Vec<_> = items
            .into_iter()
            .map(|item| scope.spawn(move || work(item)))
            .collect();
        let done = working.into_iter().map(|worker| worker.join());
        done.map(|output| output.expect("no panic in `work`"))
            .collect()
    })
}
