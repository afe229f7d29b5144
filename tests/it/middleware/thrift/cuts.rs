//! Tests of connections that end, or fail, at every byte of a call.

use std::io::{self, Write};

use tracehound::NoopTracer;
use tracehound::middleware::{ThriftClient, ThriftProcessor};

use super::stock::{StockSyncClient, StockSyncProcessor};
use super::{Stock, Wire, client_of, only, request, serve};
use crate::support::{log_field, recording_tracer};

#[test]
fn a_client_whose_server_goes_away_at_any_byte_ends_its_span_once() {
    for wire in Wire::BOTH {
        for item in ["teapot", "samovar", "shelf"] {
            let whole = whole_answer(wire, item);
            for end in 0..=whole.len() {
                let (tracer, spans) = recording_tracer();
                let answer = whole[..end].to_vec();
                let client = ThriftClient::new(tracer);
                let (mut client, _) = client_of(wire, &client, move |_| answer.clone());
                let result = client.count(item.into());
                let span = only(&spans);
                let is_failure = end < whole.len() || item != "teapot";
                assert_eq!(result.is_err(), is_failure, "{wire:?} {item} {end}");
                assert_eq!(
                    span.tag("error").is_some(),
                    is_failure,
                    "{wire:?} {item} {end}"
                );
                if end < whole.len() {
                    let kind = log_field(&span, "error", "error.kind");
                    assert_eq!(
                        kind.as_deref(),
                        Some("end_of_file"),
                        "{wire:?} {item} {end}"
                    );
                }
                drop(client);
                assert!(spans.take().is_empty());
            }
        }
    }
}

/// Returns what a server answers to a call of `count`.
fn whole_answer(wire: Wire, item: &str) -> Vec<u8> {
    let seen = super::Written::default();
    let copy = seen.clone();
    let processor = ThriftProcessor::new(NoopTracer, StockSyncProcessor::new(Stock));
    let (mut client, _) = client_of(wire, &ThriftClient::new(NoopTracer), move |requests| {
        let answer = serve(wire, &processor, requests);
        copy.clone().write_all(&answer).unwrap();
        answer
    });
    let _ = client.count(item.into());
    seen.take()
}

#[test]
fn a_server_whose_client_goes_away_at_any_byte_ends_its_span_once() {
    for wire in Wire::BOTH {
        let (tracer, spans) = recording_tracer();
        let whole = request(wire, &ThriftClient::new(tracer), "teapot");
        let caller = only(&spans);
        let mut children = 0;
        for end in 0..=whole.len() {
            let (tracer, spans) = recording_tracer();
            let processor = ThriftProcessor::new(tracer, StockSyncProcessor::new(Stock));
            serve(wire, &processor, whole[..end].to_vec());
            let Some(span) = spans.spans().first().cloned() else {
                // The head of the message ends before its arguments do.
                assert!(end < whole.len() / 2, "{wire:?} {end}");
                continue;
            };
            assert_eq!(spans.spans().len(), 1);
            assert_eq!(
                span.tag("error").is_some(),
                end < whole.len(),
                "{wire:?} {end}"
            );
            // Once the context has come, even a call that is cut off is in its trace.
            children += usize::from(span.parent_id == Some(caller.span_id));
        }
        assert!(children > 1, "{wire:?}: {children}");
    }
}

/// A connection that can be written to up to a byte.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_client_that_cannot_write_a_byte_ends_its_span_once() {
    for wire in Wire::BOTH {
        let (tracer, spans) = recording_tracer();
        let whole = request(wire, &ThriftClient::new(tracer), "teapot").len();
        spans.take();
        // An id may be shorter than the other.
        for end in 0..whole.saturating_sub(16) {
            let (tracer, spans) = recording_tracer();
            let client = ThriftClient::new(tracer);
            let (input, output) = client.wrap(wire.input(io::empty()), wire.output(Full(end)));
            let mut client = StockSyncClient::new(input, output);
            client.restock("teapot".into()).unwrap_err();
            let span = only(&spans);
            let kind = log_field(&span, "error", "error.kind");
            assert_eq!(kind.as_deref(), Some("transport_error"), "{wire:?} {end}");
            drop(client);
            assert!(spans.take().is_empty());
        }
    }
}
