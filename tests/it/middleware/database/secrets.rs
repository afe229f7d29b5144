//! No data and no secret of a call is recorded. All that must stay hidden holds `canary`.

use std::io;

use tracehound::middleware::Database;
use tracehound::model::Recording;
use tracehound::prelude::*;

use crate::support::{kept_lines, recording_builder};

/// Statements whose data is `canary`, quoted in every way.
const STATEMENTS: [&str; 14] = [
    "SELECT * FROM users WHERE mail = 'canary@x.org' AND id = 7",
    "INSERT INTO users VALUES ('it''s canary', \"canary\", $$canary$$, E'canary\\'canary')",
    "SELECT 'a\\' OR mail = 'canary'",
    "SELECT /* canary it's */ a -- canary\n FROM t # canary\n WHERE b = N'canary'",
    "SELECT q'[canary's]' FROM dual",
    "SELECT a FROM t WHERE b = 0xcanary OR c = 7canary",
    "CREATE USER app IDENTIFIED BY canary",
    "ALTER ROLE app PASSWORD 'canary'",
    "SET PASSWORD = canary",
    "PRAGMA key = 'canary'",
    "COPY t FROM 's3://canary:canary@b/t' CREDENTIALS 'canary'",
    "canary is no SQL",
    "canary",
    "SELECT 'canary",
];

/// Makes a call with a statement and an error that quotes it, and returns all that is recorded.
fn record(level: Recording, statement: &str) -> String {
    let (builder, spans) = recording_builder();
    let (diagnostics, lines) = kept_lines();
    let builder = builder.recording(level).diagnostics(diagnostics);
    let tracer = builder.build().expect("the service has a name");
    let database = Database::new(tracer.clone(), "mysql")
        .peer_address("app:canary@db:3306")
        .repeats(0);
    let page = tracer.start_active_span("page");
    let call = database.statement(statement).start();
    call.parameters(|| "canary").result(|| "canary");
    call.fail(&io::Error::other(format!(
        "cannot run '{statement}' at mysql://app:canary@db/x\nDETAIL: Key (mail)=(canary)"
    )));
    call.finish();
    page.finish();
    let spans = spans.spans();
    assert_eq!(spans.len(), 2);
    let lines = lines.lock().expect("no panic").join("\n");
    format!("{spans:?} {lines}")
}

#[test]
fn no_data_is_recorded_unless_everything_is() {
    for statement in STATEMENTS {
        for level in [Recording::metadata(), Recording::statements()] {
            let seen = record(level, statement);
            assert!(!seen.contains("canary"), "{level}: {statement}: {seen}");
        }
    }
}

#[test]
pub(in crate::middleware) fn secrets_are_hidden_even_if_everything_is_recorded() {
    for statement in [
        "CREATE USER app IDENTIFIED BY canary",
        "UPDATE users SET password = $1",
        "INSERT INTO sessions (access_token) VALUES ('canary')",
        "SET PASSWORD = canary",
    ] {
        let seen = record(Recording::everything(), statement);
        assert!(!seen.contains("canary"), "{statement}: {seen}");
    }
    let seen = record(
        Recording::everything(),
        "SELECT 'http://app:canary@shop/?id=canary'",
    );
    assert!(seen.contains("http://shop/?id="), "{seen}");
    assert!(!seen.contains("app:canary"), "{seen}");
}

#[test]
fn a_tracer_that_records_everything_says_so() {
    let seen = record(Recording::everything(), "SELECT 'x'");
    assert!(seen.contains("ONLY FOR TESTS"), "{seen}");
    let seen = record(Recording::statements(), "SELECT 'x'");
    assert!(!seen.contains("ONLY FOR TESTS"), "{seen}");
}
