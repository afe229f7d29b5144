use super::*;
use crate::span::SpanContext;

fn entry() -> Entry {
    (Active::Context(SpanContext::default()), foreign::mark())
}

/// Drops `count` scopes in an order, and returns how many entries were moved or skipped.
fn steps(count: u64, order: impl Fn(u64) -> u64) -> usize {
    let mut stack = Stack::new();
    for _ in 0..count {
        stack.push(entry());
    }
    for n in 0..count {
        assert!(stack.remove(order(n)).is_some());
        assert!(stack.remove(order(n)).is_none(), "an entry is there once");
        assert_eq!(stack.top().is_some(), n + 1 < count);
    }
    assert!(stack.entries.is_empty() && stack.gaps == 0);
    stack.steps
}

#[test]
fn scopes_dropped_in_any_order_cost_two_steps_each_at_most() {
    for count in [10, 1_000, 100_000] {
        let orders: [(&str, &dyn Fn(u64) -> u64); 4] = [
            ("oldest first", &|n| n),
            ("newest first", &|n| count - 1 - n),
            ("from both ends", &|n| {
                if n % 2 == 0 { n / 2 } else { count - 1 - n / 2 }
            }),
            // Coprime to every count, so that each scope is dropped once.
            ("scattered", &|n| n * 7_919 % count),
        ];
        for (name, order) in orders {
            let steps = steps(count, order);
            assert!(steps as u64 <= 3 * count, "{count} {name}: {steps}");
        }
    }
}

#[test]
fn a_chain_of_overlapping_scopes_does_not_grow_the_stack() {
    let mut stack = Stack::new();
    stack.push(entry());
    let mut last = stack.push(entry());
    for _ in 0..100_000 {
        let next = stack.push(entry());
        assert!(stack.remove(last).is_some());
        last = next;
        assert!(stack.entries.len() <= 8);
    }
    assert!(stack.steps <= 300_000, "{}", stack.steps);
}

#[cfg(feature = "tracing")]
mod deferred {
    use std::sync::Arc;

    use super::super::*;
    use crate::scope::deferred::Deferred;

    /// A span that never starts.
    #[derive(Debug)]
    struct Ended(bool);

    impl Deferred for Ended {
        fn started(&self) -> Option<&Span> {
            None
        }

        fn has_ended(&self) -> bool {
            self.0
        }

        fn waits_for(&self) -> Option<Arc<dyn Deferred>> {
            None
        }

        fn start(&self) {}
    }

    fn entry(id: u64, has_ended: bool) -> DeferredEntry {
        DeferredEntry {
            span: Arc::new(Ended(has_ended)),
            layer: 1,
            id,
            is_entered_in_panic: false,
        }
    }

    fn depth() -> usize {
        let depth = with_stack(|stack| stack.entries.len()).expect("not in use");
        assert_eq!(depth, DEPTH.get());
        depth
    }

    #[test]
    fn spans_that_end_elsewhere_do_not_gather() {
        push_deferred(entry(1, false));
        for id in 2..1_000 {
            push_deferred(entry(id, true));
            push_deferred(entry(id, true));
            assert!(depth() <= 2, "{}", depth());
        }
        push_deferred(entry(1_000, false));
        assert_eq!(depth(), 2);
        // The lower one first, which leaves a gap below the other one.
        for id in [1, 1_000] {
            let left = remove_deferred(|entry| entry.id == id);
            assert_eq!(left.map(|entry| entry.id), Some(id));
            assert!(remove_deferred(|entry| entry.id == id).is_none());
        }
        assert_eq!(depth(), 0);
    }
}
