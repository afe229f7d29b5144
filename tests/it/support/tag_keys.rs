//! The names that a test's spans have: keys of tags, and events and fields of log records.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tracehound::model::TagNames;
use tracehound::reporter::{FinishedSpan, InMemoryReporter, Reporter, WorkerHandle};

/// A reporter that notes the names on all spans, and hands the spans on to one that keeps them.
pub(crate) struct KeyNotes {
    spans: InMemoryReporter,
    keys: Arc<Mutex<BTreeSet<String>>>,
}

/// What the tracers of a thread note.
struct Noting {
    names: TagNames,
    keys: Arc<Mutex<BTreeSet<String>>>,
    reporters: Vec<InMemoryReporter>,
}

thread_local! {
    static NOTING: RefCell<Option<Noting>> = const { RefCell::new(None) };
}

/// Runs a scene whose tracers, all made on this thread, name tags in this way unless the scene says something else.
/// Returns the keys of all tags that their spans had, and each field of their log records as `event: field`.
pub(crate) fn keys_of(names: TagNames, scene: impl FnOnce()) -> BTreeSet<String> {
    NOTING.set(Some(Noting {
        names,
        keys: Arc::default(),
        reporters: Vec::new(),
    }));
    scene();
    let noted = NOTING.take().expect("set above");
    for reporter in noted.reporters {
        // The spans that nobody has read are reported now.
        reporter.spans();
    }
    let keys = noted.keys.lock().unwrap();
    keys.clone()
}

/// Returns the vocabulary of the scene that runs, and a reporter that notes the keys of a tracer. Returns `None` if no
/// scene runs.
pub(super) fn notes_of(spans: &InMemoryReporter) -> Option<(TagNames, KeyNotes)> {
    NOTING.with_borrow_mut(|noting| {
        let noting = noting.as_mut()?;
        noting.reporters.push(spans.clone());
        let (spans, keys) = (spans.clone(), noting.keys.clone());
        Some((noting.names, KeyNotes { spans, keys }))
    })
}

impl Reporter for KeyNotes {
    fn attach(&mut self, worker: &WorkerHandle) {
        self.spans.attach(worker);
    }

    fn report(&mut self, span: &FinishedSpan<'_>) {
        let mut keys = self.keys.lock().unwrap();
        keys.extend(span.tags().map(|(key, _)| key.to_string()));
        for log in span.logs() {
            let event = log.fields.clone().find(|(key, _)| *key == "event");
            let event = event.map_or_else(String::new, |(_, value)| value.to_string());
            keys.extend(log.fields.map(|(key, _)| format!("{event}: {key}")));
        }
        drop(keys);
        self.spans.report(span);
    }
}
