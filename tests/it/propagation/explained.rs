//! Differences from all clients, each explained by a line of the documentation.

use std::fmt::Debug;

use crate::support::vectors::Entry;

/// A line of the documentation, and whether it explains the answer to an entry.
pub(super) type Rule<A> = (&'static str, fn(&Entry, &A) -> bool);

/// A comparison of our answers with those of the clients.
///
/// An answer that no client gives must be explained by a rule. Each rule must explain an answer, and must stand in the
/// documentation as it stands here.
pub(super) struct Comparison<A: 'static> {
    rules: &'static [Rule<A>],
    used: Vec<usize>,
    equal: usize,
    failures: Vec<String>,
}

impl<A: Debug> Comparison<A> {
    pub(super) fn explained_by(rules: &'static [Rule<A>]) -> Self {
        Self {
            rules,
            used: vec![0; rules.len()],
            equal: 0,
            failures: Vec::new(),
        }
    }

    pub(super) fn compare(&mut self, entry: &Entry, ours: &A, equals_a_client: bool) {
        if equals_a_client {
            self.equal += 1;
            return;
        }
        let explains = |(_, rule): &Rule<A>| rule(entry, ours);
        match self.rules.iter().position(explains) {
            Some(rule) => self.used[rule] += 1,
            None => self
                .failures
                .push(format!("{}: no client has {ours:?}", entry.name)),
        }
    }

    /// Prints how many answers each rule explains. Fails unless `equal` answers are those of a client and all others
    /// are explained by a rule that is in `source`.
    #[track_caller]
    pub(super) fn check(self, source: &str, equal: usize) {
        let text = documentation(source);
        println!("{:4} as a client", self.equal);
        for ((line, _), used) in self.rules.iter().zip(&self.used) {
            println!("{used:4} by the line: {line}");
            assert!(text.contains(line), "not documented: {line}");
            assert!(*used > 0, "explains nothing: {line}");
        }
        assert!(self.failures.is_empty(), "{:#?}", self.failures);
        assert_eq!(self.equal, equal, "answers that equal a client's");
    }
}

/// Returns the doc comments of a file as one line.
fn documentation(source: &str) -> String {
    let lines = source
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("///"));
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}
