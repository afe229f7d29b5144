//! Spans and log lines of other crates in our traces: those of `tracing` and `log`.
