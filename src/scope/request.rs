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
        Role::Server { wants_route } => Some((span.downgrade(), *wants_route)),
        Role::Carrier => Some((span.downgrade(), false)),
    })
}

/// Like [`answered_request`], but only if a request that comes to another layer now may be that one: this program has
/// not sent it meanwhile, and it would not carry its span.
pub(crate) fn passed_on_request() -> Option<(Span, bool)> {
    let found = stack::find_request(|span, role| {
        Some(match role {
            Role::Server { wants_route } => Some((span.downgrade(), *wants_route)),
            Role::Client | Role::Carrier => None,
        })
    });
    found.flatten()
}

/// Notes that the [request that was passed on](passed_on_request) has its final name.
pub(crate) fn settle_name() {
    stack::find_request(|_, role| {
        if let Role::Server { wants_route } = role {
            *wants_route = false;
        }
        Some(())
    });
}
