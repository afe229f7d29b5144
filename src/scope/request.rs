//! The requests that a thread works on. Each is an entry of the stack of active spans, so that it costs nothing more.

use crate::scope::role::Role;
use crate::scope::stack;
use crate::span::Span;

/// Returns the innermost request that this thread answers: a handle to its span that does not own it, and whether the
/// route would be a better name than the present one.
///
/// Spans that were activated since do not hide it.
pub(crate) fn answered_request() -> Option<(Span, bool)> {
    stack::find_request(|span, role| match role {
        Role::Client => None,
        Role::Server { wants_route, .. } => Some((span.downgrade(), *wants_route)),
        Role::Carrier => Some((span.downgrade(), false)),
    })
}

/// Returns the innermost request that this thread works on, sent or answered: a handle to its span that does not own
/// it, and the part that this program has in it.
///
/// If this program has sent it, a request that comes in now is that one, and not the one that it answers.
pub(crate) fn innermost_request() -> Option<(Span, Role)> {
    stack::find_request(|span, role| Some((span.downgrade(), *role)))
}

/// Notes that the [innermost request](innermost_request), which this program answers, has its final name.
pub(crate) fn settle_name() {
    stack::find_request(|_, role| {
        if let Role::Server { wants_route, .. } = role {
            *wants_route = false;
        }
        Some(())
    });
}
