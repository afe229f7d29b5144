//! The credits of operations, as far as an agent has granted them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::clock::Clock;

/// The accounts of the operations for which a debug trace was requested lately. Bounded; takes no lock.
pub(super) struct Accounts {
    clock: Clock,
    operations: ArcSwap<Operations>,
    /// The number of the next question.
    questions: AtomicU64,
}

type Operations = HashMap<Arc<str>, Arc<Account>>;

/// The standing of a requested operation.
pub(super) enum Request {
    /// It is new, and has an account from now on.
    First,
    Known(Arc<Account>),
    /// Its name is too long, or there are too many operations.
    NoRoom,
}

/// The account of one operation.
pub(super) struct Account {
    /// The bits of an `f64`, from 0 to [`MAX_BALANCE`].
    balance: AtomicU64,
    /// The tick of the last request.
    requested_at: AtomicU64,
    /// The number of the last question that named the operation.
    asked_in: AtomicU64,
}

impl Accounts {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            operations: ArcSwap::default(),
            questions: AtomicU64::new(1),
        }
    }

    /// Notes a request for a debug trace, and opens an account if the operation has none.
    pub(super) fn request(&self, operation_name: &str) -> Request {
        let now = self.clock.now();
        let operations = self.operations.load();
        if let Some(account) = operations.get(operation_name) {
            account.requested_at.store(now, Ordering::Relaxed);
            return Request::Known(account.clone());
        }
        if operations.len() >= MAX_OPERATIONS || operation_name.len() > MAX_NAME_BYTES {
            return Request::NoRoom;
        }
        let name: Arc<str> = operation_name.into();
        let account = Arc::new(Account::new(now));
        let before = self.operations.rcu(|operations| {
            let mut operations = Operations::clone(operations);
            // Another thread may have added this operation or the last one that has room.
            if operations.len() < MAX_OPERATIONS {
                operations
                    .entry(name.clone())
                    .or_insert_with(|| account.clone());
            }
            operations
        });
        match before.get(operation_name) {
            Some(account) => Request::Known(account.clone()),
            None if before.len() < MAX_OPERATIONS => Request::First,
            None => Request::NoRoom,
        }
    }

    /// Adds credits to an operation that has an account.
    pub(super) fn add(&self, operation_name: &str, credits: f64) {
        if let Some(account) = self.operations.load().get(operation_name) {
            account.add(credits);
        }
    }

    /// Forgets operations that were not requested lately. Returns those that the next question names: as many as it has
    /// room for, those first that were not named for the longest time.
    pub(super) fn next_question(&self) -> Vec<Arc<str>> {
        self.forget_idle();
        let question = self.questions.fetch_add(1, Ordering::Relaxed);
        let operations = self.operations.load();
        let mut by_age: Vec<_> = operations.iter().collect();
        // Only this thread writes `asked_in`.
        by_age.sort_by_key(|(_, account)| account.asked_in.load(Ordering::Relaxed));
        let mut room = MAX_QUESTION_BYTES;
        let mut named = Vec::new();
        for (name, account) in by_age {
            // Percent-encoding triples a byte at most.
            let Some(left) = room.checked_sub(3 * name.len() + "&operations=".len()) else {
                break;
            };
            room = left;
            account.asked_in.store(question, Ordering::Relaxed);
            named.push(name.clone());
        }
        named
    }

    pub(super) fn len(&self) -> usize {
        self.operations.load().len()
    }

    fn forget_idle(&self) {
        let now = self.clock.now();
        let is_idle = |account: &Account| {
            let requested_at = account.requested_at.load(Ordering::Relaxed);
            now.saturating_sub(requested_at) > IDLE.as_nanos() as u64
        };
        if !self.operations.load().values().any(|it| is_idle(it)) {
            return;
        }
        self.operations.rcu(|operations| {
            let mut operations = Operations::clone(operations);
            operations.retain(|_, account| !is_idle(account));
            operations
        });
    }
}

impl Account {
    fn new(now: u64) -> Self {
        Self {
            balance: AtomicU64::new(0.0_f64.to_bits()),
            requested_at: AtomicU64::new(now),
            asked_in: AtomicU64::new(0),
        }
    }

    /// Takes a credit if there is one.
    pub(super) fn try_spend(&self) -> bool {
        self.change(|balance| (balance >= 1.0).then_some(balance - 1.0))
    }

    fn add(&self, credits: f64) {
        self.change(|balance| Some((balance + credits).min(MAX_BALANCE)));
    }

    fn change(&self, change: impl Fn(f64) -> Option<f64>) -> bool {
        let changed = |bits| change(f64::from_bits(bits)).map(f64::to_bits);
        let result = self
            .balance
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
        result.is_ok()
    }
}

/// The most operations that have accounts.
const MAX_OPERATIONS: usize = 2_000;

/// The longest name of an operation that has an account.
const MAX_NAME_BYTES: usize = 256;

/// The most credits of an operation.
const MAX_BALANCE: f64 = 100.0;

/// The most bytes of all operations in a question.
const MAX_QUESTION_BYTES: usize = 8_192;

/// How long an operation keeps its account without a request.
const IDLE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;
    use crate::clock::ManualClock;

    fn accounts() -> (Accounts, ManualClock) {
        let clock = ManualClock::default();
        (Accounts::new(clock.clone().into()), clock)
    }

    fn is_first(request: &Request) -> bool {
        matches!(request, Request::First)
    }

    #[test]
    fn operations_and_the_lengths_of_their_names_are_bounded() {
        let (accounts, _) = accounts();
        let long = "n".repeat(MAX_NAME_BYTES + 1);
        assert!(matches!(accounts.request(&long), Request::NoRoom));
        assert!(is_first(&accounts.request(&long[1..])));
        for n in 1..MAX_OPERATIONS {
            assert!(is_first(&accounts.request(&n.to_string())));
        }
        assert!(matches!(accounts.request("one more"), Request::NoRoom));
        assert!(matches!(accounts.request("1"), Request::Known(_)));
        assert_eq!(accounts.len(), MAX_OPERATIONS);
    }

    #[test]
    fn questions_go_round_all_operations() {
        let (accounts, _) = accounts();
        let names: HashSet<Arc<str>> = (0..300).map(|n| format!("{n:0>100}").into()).collect();
        for name in &names {
            accounts.request(name);
        }
        let per_question = MAX_QUESTION_BYTES / (3 * 100 + "&operations=".len());
        let mut seen = HashSet::new();
        for _ in 0..names.len().div_ceil(per_question) {
            let named = accounts.next_question();
            assert_eq!(named.len(), per_question);
            seen.extend(named);
        }
        assert_eq!(seen, names);
    }

    #[test]
    fn an_operation_without_requests_is_forgotten_after_ten_minutes() {
        let (accounts, clock) = accounts();
        accounts.request("old");
        accounts.request("new");
        clock.advance(Duration::from_secs(300));
        accounts.request("new");
        clock.advance(Duration::from_secs(301));
        assert_eq!(accounts.next_question(), [Arc::from("new")]);
        assert!(is_first(&accounts.request("old")));
    }

    #[test]
    fn threads_spend_each_credit_once() {
        let (accounts, _) = accounts();
        accounts.request("a");
        let spent = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        if let Request::Known(account) = accounts.request("a") {
                            spent.fetch_add(account.try_spend().into(), Ordering::Relaxed);
                        }
                    }
                });
            }
            for _ in 0..90 {
                accounts.add("a", 0.5);
                thread::yield_now();
            }
        });
        let Request::Known(account) = accounts.request("a") else {
            unreachable!("requested above");
        };
        let left = std::iter::repeat_with(|| account.try_spend()).take_while(|it| *it);
        assert_eq!(spent.into_inner() + left.count() as u64, 45);
    }

    #[test]
    fn one_of_several_threads_makes_the_first_request() {
        for _ in 0..50 {
            let (accounts, _) = accounts();
            let first = AtomicU64::new(0);
            thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        let request = accounts.request("a");
                        first.fetch_add(is_first(&request).into(), Ordering::Relaxed);
                    });
                }
            });
            assert_eq!(first.into_inner(), 1);
        }
    }
}
