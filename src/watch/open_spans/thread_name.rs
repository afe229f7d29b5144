//! The name of the current thread, made once.

use std::cell::OnceCell;
use std::sync::Arc;
use std::thread;

thread_local! {
    static NAME: OnceCell<Arc<str>> = const { OnceCell::new() };
}

/// Returns the name of the current thread, or its id if it has none.
pub(super) fn thread_name() -> Arc<str> {
    NAME.try_with(|name| name.get_or_init(make).clone())
        .unwrap_or_else(|_| "an ending thread".into())
}

fn make() -> Arc<str> {
    let thread = thread::current();
    match thread.name() {
        Some(name) => name.into(),
        None => format!("{:?}", thread.id()).into(),
    }
}
