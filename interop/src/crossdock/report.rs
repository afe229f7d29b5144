use std::{
    collections::{BTreeMap, BTreeSet},
    slice,
};

use crate::crossdock::{Aspect, Hop, Lack, Orders, Peer, Run, Setup};

/// The counts of all runs of a setup.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The settings of the services.
    pub setup: Setup,
    /// The orders of services.
    pub orders: Orders,
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
}

impl Report {
    pub(crate) fn new(setup: Setup, orders: Orders, peers: &[Peer]) -> Self {
        Self {
            setup,
            orders,
            languages: peers.iter().map(|peer| peer.name).collect(),
            runs: 0,
            whole: 0,
            excused: BTreeMap::new(),
            traces: 0,
            spans: 0,
        }
    }

    /// Compares what the services of the run saw, counts it, and returns what should not be.
    pub(crate) fn judge(&mut self, run: &Run, lacks: &[Lack]) -> Vec<String> {
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
        problems
    }

    /// Returns the name of a run, for messages.
    pub(crate) fn run_name(&self, order: [usize; 3], is_sampled: bool) -> String {
        let path = order.map(|place| self.languages[place]).join(" -> ");
        let is_sampled = if is_sampled { "sampled" } else { "not sampled" };
        format!("{path}, {}, {is_sampled}", self.setup)
    }

    /// Returns the entries of `lacks` that are about this setup and that no hop needed, although one should have.
    ///
    /// Only every order of three has every hop with every history. With every pair only the first hops are certain.
    /// Meaningful if all languages of the table took part.
    pub fn unused<'a>(&self, lacks: &'a [Lack]) -> Vec<&'a Lack> {
        let is_unused = |(place, lack): &(usize, &Lack)| {
            let is_due = self.orders == Orders::Every || self.has_first_hop(lack);
            let is_certain = lack.is_about(self.setup) && is_due && !lack.is_by_chance;
            is_certain && !self.excused.contains_key(place)
        };
        let unused = lacks.iter().enumerate().filter(is_unused);
        unused.map(|(_, lack)| lack).collect()
    }

    /// Returns whether the entry covers a call of S1.
    fn has_first_hop(&self, lack: &Lack) -> bool {
        let pairs = self.languages.iter().flat_map(|caller| {
            let path = slice::from_ref(caller);
            self.languages.iter().map(move |callee| (path, *callee))
        });
        pairs.into_iter().any(|(path, callee)| {
            [true, false].into_iter().any(|is_sampled| {
                let hop = Hop {
                    setup: self.setup,
                    path,
                    callee,
                    was_sampled: is_sampled,
                    is_sampled,
                    baggage: self.setup.alphabet.sample(),
                };
                lack.covers(&hop, lack.aspect)
            })
        })
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
        let languages = languages.join(", ");
        let stored = format!("{traces} traces of {spans} spans stored");
        let mut lines = vec![format!(
            "crossdock, {setup}: {languages}: {whole} of {runs} runs whole, {stored}"
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
            orders: Orders::EveryPair,
            languages: vec!["a", "b"],
            runs: 0,
            whole: 0,
            excused: BTreeMap::new(),
            traces: 0,
            spans: 0,
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
    fn a_loss_without_an_entry_is_a_problem() {
        let mut report = report();
        let problems = report.judge(&run([0, 0, 0], ["x", "x", ""]), &[LOSES_BAGGAGE]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        let problem =
            "a -> a => a, b3, 64-bit ids, digits in baggage, sampled: the baggage is lost";
        assert!(problems[0].starts_with(problem), "{problems:?}");
        assert_eq!((report.whole, report.excused.len()), (0, 0));
    }

    #[test]
    fn an_entry_excuses_a_loss_and_what_is_lost_is_not_missed_later() {
        let mut report = report();
        let problems = report.judge(&run([0, 1, 0], ["x", "", ""]), &[LOSES_BAGGAGE]);
        assert!(problems.is_empty(), "{problems:?}");
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
        assert!(
            report
                .judge(&run([0, 1, 0], ["x", "", ""]), &lacks)
                .is_empty()
        );
        assert_eq!(report.unused(&lacks).len(), 0);
    }

    #[test]
    fn an_entry_for_later_hops_is_due_only_in_every_order() {
        let late = Lack {
            hops: |hop| hop.path.len() == 2 && hop.callee == "b",
            ..LOSES_BAGGAGE
        };
        let mut report = report();
        assert_eq!(report.unused(&[late]).len(), 0);
        report.orders = Orders::Every;
        assert_eq!(report.unused(&[late]).len(), 1);
    }

    #[test]
    fn the_rest_of_a_lost_trace_is_not_missed() {
        let mut run = run([0, 0, 0], ["x", "x", "x"]);
        run.seen[2] = Seen {
            trace_id: 2,
            ..Seen::default()
        };
        let problems = report().judge(&run, &[LOSES_BAGGAGE]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("the trace id is lost"), "{problems:?}");
    }

    #[test]
    fn a_loss_by_chance_need_not_happen() {
        let by_chance = [Lack {
            is_by_chance: true,
            ..LOSES_BAGGAGE
        }];
        let mut report = report();
        report.orders = Orders::Every;
        assert!(report.unused(&by_chance).is_empty());
        for (seen, whole, lost) in [(["x", "x", "x"], 1, 0), (["x", "x", ""], 1, 1)] {
            let problems = report.judge(&run([0, 0, 1], seen), &by_chance);
            assert!(problems.is_empty(), "{problems:?}");
            assert_eq!((report.whole, report.excused.len()), (whole, lost));
        }
    }

    #[test]
    fn an_entry_for_a_hop_that_holds_is_a_problem() {
        let mut report = report();
        let problems = report.judge(&run([0, 0, 1], ["x", "x", "x"]), &[LOSES_BAGGAGE]);
        let problem = "the baggage holds, in spite of: b has no baggage";
        assert!(problems[0].ends_with(problem), "{problems:?}");
    }
}
