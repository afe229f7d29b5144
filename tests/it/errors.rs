//! The log record of an error and its causes.

use std::error::Error;
use std::fmt;

use tracehound::prelude::*;

use crate::support::{log_texts, recording_tracer};

/// An error with a cause, or without one.
#[derive(Debug)]
struct Failure(&'static str, Option<Box<Self>>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|error| error as _)
    }
}

fn chain(texts: &[&'static str]) -> Failure {
    let mut texts = texts.iter().rev();
    let last = Failure(texts.next().expect("one at least"), None);
    texts.fold(last, |cause, text| Failure(text, Some(Box::new(cause))))
}

#[test]
fn a_cause_that_the_message_quotes_is_not_repeated() {
    let rows: [(&[&str], &str); 10] = [
        (&["X"], "X"),
        (&["X", "X", "X"], "X"),
        (&["A: B: C", "B: C", "C"], "A: B: C"),
        (&["A: C", "B", "C"], "A: C: B"),
        (
            &["cannot start (no port)", "no port"],
            "cannot start (no port)",
        ),
        (&["cannot start", "no port"], "cannot start: no port"),
        // A part of a word is no quote.
        (&["timeout", "out"], "timeout: out"),
        (&["no port 80800", "80"], "no port 80800: 80"),
        (&["échec", "é"], "échec: é"),
        (&["A", "", "B"], "A: B"),
    ];
    for (texts, object) in rows {
        let (tracer, spans) = recording_tracer();
        let span = tracer.start_span("s");
        let error = chain(texts);
        span.log_error(&error);
        let boxed: Box<dyn Error> = Box::new(error);
        span.log_error(&*boxed);
        span.finish();
        for log in &spans.spans()[0].logs {
            let fields = log_texts(log);
            assert_eq!(fields[1], format!("message={}", texts[0]));
            assert_eq!(fields.last(), Some(&format!("error.object={object}")));
        }
    }
}
