use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::{Duration, Instant},
};

use crate::{
    Backend, Error,
    crossdock::{Aspect, Hop, Lack, Peer, Run, Service, Setup, stored},
};

/// Which orders of three services are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Orders {
    /// All `n³`.
    Every,
    /// `n²` of them: each ordered pair of services is once S1 and S2, and once S2 and S3.
    EveryPair,
}

impl Orders {
    /// Returns the orders of `services` services.
    ///
    /// ```
    /// use tracehound_interop::crossdock::Orders;
    ///
    /// assert_eq!(Orders::Every.of(4).len(), 64);
    /// assert_eq!(Orders::EveryPair.of(4).len(), 16);
    /// ```
    pub fn of(self, services: usize) -> Vec<[usize; 3]> {
        let every = || 0..services;
        let pairs = every().flat_map(|s1| every().map(move |s2| (s1, s2)));
        match self {
            Self::Every => pairs
                .flat_map(|(s1, s2)| every().map(move |s3| [s1, s2, s3]))
                .collect(),
            // For each S2, another S1 has another S3.
            Self::EveryPair => pairs
                .map(|(s1, s2)| [s1, s2, (s1 + s2) % services])
                .collect(),
        }
    }
}

/// The outcome of all runs of a setup. `Display` shows it in a few lines.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The settings of the services.
    pub setup: Setup,
    /// The languages.
    pub languages: Vec<&'static str>,
    /// The number of runs.
    pub runs: usize,
    /// The number of runs in which nothing was lost.
    pub whole: usize,
    /// The number of runs that each entry of the table excuses, by its place there. Several may excuse one run.
    pub excused: BTreeMap<usize, usize>,
    /// The number of traces found in Jaeger.
    pub traces: usize,
    /// The number of spans in them.
    pub spans: usize,
    /// What should not be.
    pub problems: Vec<String>,
    /// The time from the start of the services to the last look at Jaeger.
    pub took: Duration,
}

impl Report {
    /// Runs every order of the services of `peers`, sampled and not sampled, and looks for the traces in `jaeger`.
    ///
    /// `lacks` says what may be lost, and must be. A backend is for one matrix: it should be empty.
    ///
    /// # Errors
    ///
    /// Fails if a service cannot be started or Jaeger cannot be asked. A run that fails is one of the
    /// [`problems`](Self::problems).
    pub fn of(
        setup: Setup,
        peers: &[Peer],
        orders: Orders,
        lacks: &[Lack],
        jaeger: &Backend,
    ) -> Result<Self, Error> {
        let started = Instant::now();
        let mut report = Self {
            setup,
            languages: peers.iter().map(|peer| peer.name).collect(),
            runs: 0,
            whole: 0,
            excused: BTreeMap::new(),
            traces: 0,
            spans: 0,
            problems: Vec::new(),
            took: Duration::ZERO,
        };
        let services = peers
            .iter()
            .map(|peer| Service::start(*peer, setup, jaeger.endpoints()));
        let services = services.collect::<Result<Vec<_>, _>>()?;
        let mut runs = Vec::new();
        for order in orders.of(services.len()) {
            for is_sampled in [true, false] {
                report.runs += 1;
                match Run::drive(&services, order, is_sampled, setup.alphabet) {
                    Ok(run) => runs.push(run),
                    Err(error) => report.problem(order, is_sampled, &error),
                }
            }
        }
        for service in services {
            if let Err(error) = service.stop() {
                report.problems.push(error.to_string());
            }
        }
        for run in &runs {
            report.judge(run, lacks);
        }
        report.look(&runs, peers, jaeger)?;
        report.took = started.elapsed();
        Ok(report)
    }

    /// Compares what the services of the run saw.
    fn judge(&mut self, run: &Run, lacks: &[Lack]) {
        let path = run.order.map(|place| self.languages[place]);
        let mut excuses = BTreeSet::new();
        let mut problems = Vec::new();
        for callee in [1, 2] {
            let (before, after) = (&run.seen[callee - 1], &run.seen[callee]);
            let hop = Hop {
                setup: self.setup,
                path: &path[..callee],
                callee: path[callee],
                was_sampled: run.is_sampled,
                is_sampled: before.is_sampled,
                baggage: &before.baggage,
            };
            for aspect in Aspect::ALL {
                let (holds, could_be_lost) = match aspect {
                    Aspect::TraceId => (before.trace_id == after.trace_id, true),
                    Aspect::Sampled => (before.is_sampled == after.is_sampled, true),
                    Aspect::Baggage => {
                        (before.baggage == after.baggage, !before.baggage.is_empty())
                    }
                };
                let excuse = lacks.iter().position(|lack| lack.covers(&hop, aspect));
                match excuse {
                    Some(excuse) if !holds => {
                        excuses.insert(excuse);
                    }
                    Some(excuse) if could_be_lost && !lacks[excuse].is_by_chance => {
                        let reason = lacks[excuse].reason;
                        problems.push(format!("{hop}: the {aspect} holds, in spite of: {reason}"));
                    }
                    None if !holds => {
                        problems.push(format!(
                            "{hop}: the {aspect} is lost: {before:x?}, {after:x?}"
                        ));
                    }
                    _ => {}
                }
                if aspect == Aspect::TraceId && !holds {
                    // A new trace does not have the decision and the baggage of the old one.
                    break;
                }
            }
        }
        if problems.is_empty() && excuses.is_empty() {
            self.whole += 1;
        }
        for excuse in excuses {
            *self.excused.entry(excuse).or_default() += 1;
        }
        self.problems.append(&mut problems);
    }

    /// Looks for the spans of all runs, and for spans that no run should have left.
    fn look(&mut self, runs: &[Run], peers: &[Peer], jaeger: &Backend) -> Result<(), Error> {
        let mut known = BTreeSet::new();
        for run in runs {
            let of_run = run.order.map(|place| &peers[place]);
            for (trace_id, expected) in stored::expected(run, of_run) {
                known.insert(trace_id);
                let trace = match jaeger.trace(trace_id, expected.len()) {
                    Ok(trace) => trace,
                    Err(error) => {
                        self.problem(run.order, run.is_sampled, &error);
                        continue;
                    }
                };
                self.traces += 1;
                self.spans += trace.spans.len();
                let found = stored::spans(&trace);
                if found != expected {
                    let problem = format!("stored {found:#?}, expected {expected:#?}");
                    self.problem(run.order, run.is_sampled, &problem);
                }
                for problem in stored::wrong_versions(&trace, of_run, jaeger.version()) {
                    self.problem(run.order, run.is_sampled, &problem);
                }
            }
        }
        for peer in peers {
            let stored = jaeger.trace_ids(&peer.service_name())?;
            for trace_id in stored.difference(&known) {
                let name = peer.name;
                self.problems.push(format!(
                    "{name} stored the trace {trace_id:x} without reason"
                ));
            }
        }
        Ok(())
    }

    fn problem(&mut self, order: [usize; 3], is_sampled: bool, problem: &dyn fmt::Display) {
        let path = order.map(|place| self.languages[place]).join(" -> ");
        let is_sampled = if is_sampled { "sampled" } else { "not sampled" };
        self.problems
            .push(format!("{path}, {}, {is_sampled}: {problem}", self.setup));
    }

    /// Returns the entries of `lacks` that are about this setup and that no hop needed, except for those by chance.
    ///
    /// Only meaningful if all languages of the table took part.
    pub fn unused<'a>(&self, lacks: &'a [Lack]) -> Vec<&'a Lack> {
        let is_unused = |(place, lack): &(usize, &Lack)| {
            lack.is_about(self.setup) && !lack.is_by_chance && !self.excused.contains_key(place)
        };
        let unused = lacks.iter().enumerate().filter(is_unused);
        unused.map(|(_, lack)| lack).collect()
    }

    /// Returns the lines that show the outcome, with the reasons of `lacks`.
    pub fn lines(&self, lacks: &[Lack]) -> Vec<String> {
        let Self {
            setup,
            languages,
            runs,
            whole,
            traces,
            spans,
            ..
        } = self;
        let took = self.took.as_secs_f64();
        let languages = languages.join(", ");
        let stored = format!("{traces} traces of {spans} spans stored");
        let mut lines = vec![format!(
            "crossdock, {setup}: {languages}: {whole} of {runs} runs whole, {stored}, {took:.1} s"
        )];
        lines.extend(self.excused.iter().map(|(excuse, runs)| {
            let lack = &lacks[*excuse];
            format!("  {} lost: {runs}, because {}", lack.aspect, lack.reason)
        }));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crossdock::{Alphabet, Format, Seen};

    const SETUP: Setup = Setup {
        format: Format::B3,
        trace_id_bits: 64,
        alphabet: Alphabet::Digits,
    };

    const LOSES_BAGGAGE: Lack = Lack {
        formats: &[Format::B3],
        alphabets: &Alphabet::ALL,
        aspect: Aspect::Baggage,
        hops: |hop| hop.caller() == "b" || hop.callee == "b",
        is_by_chance: false,
        reason: "b has no baggage",
    };

    fn report() -> Report {
        Report {
            setup: SETUP,
            languages: vec!["a", "b"],
            runs: 0,
            whole: 0,
            excused: BTreeMap::new(),
            traces: 0,
            spans: 0,
            problems: Vec::new(),
            took: Duration::ZERO,
        }
    }

    fn run(order: [usize; 3], baggage: [&str; 3]) -> Run {
        Run {
            order,
            is_sampled: true,
            seen: baggage.map(|baggage| Seen {
                trace_id: 1,
                is_sampled: true,
                baggage: baggage.to_owned(),
            }),
        }
    }

    #[test]
    fn every_pair_is_called_at_both_places() {
        for services in 1..9 {
            let orders = Orders::EveryPair.of(services);
            let pairs = |at: usize| -> BTreeSet<_> {
                orders
                    .iter()
                    .map(|order| (order[at], order[at + 1]))
                    .collect()
            };
            assert_eq!([pairs(0).len(), pairs(1).len()], [services * services; 2]);
        }
        let every: BTreeSet<_> = Orders::Every.of(5).into_iter().collect();
        assert_eq!(every.len(), 125);
    }

    #[test]
    fn a_loss_without_an_entry_is_a_problem() {
        let mut report = report();
        report.judge(&run([0, 0, 0], ["x", "x", ""]), &[LOSES_BAGGAGE]);
        assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
        let problem =
            "a -> a => a, b3, 64-bit ids, digits in baggage, sampled: the baggage is lost";
        assert!(
            report.problems[0].starts_with(problem),
            "{:?}",
            report.problems
        );
        assert_eq!((report.whole, report.excused.len()), (0, 0));
    }

    #[test]
    fn an_entry_excuses_a_loss_and_what_is_lost_is_not_missed_later() {
        let mut report = report();
        report.judge(&run([0, 1, 0], ["x", "", ""]), &[LOSES_BAGGAGE]);
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        assert_eq!(report.excused, BTreeMap::from([(0, 1)]));
        assert_eq!(report.whole, 0);
    }

    #[test]
    fn an_entry_that_no_hop_needed_is_unused_in_its_own_format_alone() {
        let mut report = report();
        let of_w3c = Lack {
            formats: &[Format::W3c],
            ..LOSES_BAGGAGE
        };
        let lacks = [of_w3c, LOSES_BAGGAGE];
        assert_eq!(report.unused(&lacks).len(), 1);
        report.judge(&run([0, 1, 0], ["x", "", ""]), &lacks);
        assert_eq!(report.unused(&lacks).len(), 0);
    }

    #[test]
    fn the_rest_of_a_lost_trace_is_not_missed() {
        let mut run = run([0, 0, 0], ["x", "x", "x"]);
        let anew = Seen {
            trace_id: 2,
            ..Seen::default()
        };
        run.seen[2] = anew;
        let mut report = report();
        report.judge(&run, &[LOSES_BAGGAGE]);
        assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
        let problem = "the trace id is lost";
        assert!(
            report.problems[0].contains(problem),
            "{:?}",
            report.problems
        );
    }

    #[test]
    fn a_loss_by_chance_need_not_happen() {
        let by_chance = Lack {
            is_by_chance: true,
            ..LOSES_BAGGAGE
        };
        let mut report = report();
        report.judge(&run([0, 0, 1], ["x", "x", "x"]), &[by_chance]);
        report.judge(&run([0, 0, 1], ["x", "x", ""]), &[by_chance]);
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        assert_eq!(
            (report.whole, report.excused.clone()),
            (1, BTreeMap::from([(0, 1)]))
        );
        assert!(
            Report {
                excused: BTreeMap::new(),
                ..report
            }
            .unused(&[by_chance])
            .is_empty()
        );
    }

    #[test]
    fn an_entry_for_a_hop_that_holds_is_a_problem() {
        let mut report = report();
        report.judge(&run([0, 0, 1], ["x", "x", "x"]), &[LOSES_BAGGAGE]);
        let problem = "the baggage holds, in spite of: b has no baggage";
        assert!(
            report.problems[0].ends_with(problem),
            "{:?}",
            report.problems
        );
    }
}
