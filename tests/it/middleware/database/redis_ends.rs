//! Commands, pipelines and messages of the crate `redis` that end in each way, over a connection in memory.

use futures_util::FutureExt;
use redis::{Cmd, ConnectionLike, Pipeline, RedisFuture, RedisResult, Value, aio, pipe};
use tracehound::JaegerTracer;
use tracehound::middleware::{Database, RedisMessages, TracedRedis};
use tracehound::model::TagNames;
use tracehound::prelude::*;

use super::redis::{line, message};
use crate::middleware::ways::{Way, check, drive, ending, work};
use crate::support::recording_builder;

/// A connection whose commands end in a way.
pub(super) struct Ends(pub(super) Way);

impl aio::ConnectionLike for Ends {
    fn req_packed_command<'a>(&'a mut self, _: &'a Cmd) -> RedisFuture<'a, Value> {
        let work = work(self.0);
        Box::pin(async { Ok(work.await.map(|()| Value::Okay)?) })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        _: &'a Pipeline,
        _: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let work = work(self.0);
        Box::pin(async move { Ok(work.await.map(|()| vec![Value::Okay; count])?) })
    }

    fn get_db(&self) -> i64 {
        0
    }
}

impl ConnectionLike for Ends {
    fn req_packed_command(&mut self, _: &[u8]) -> RedisResult<Value> {
        work(self.0).now_or_never().expect("no wait")?;
        Ok(Value::Okay)
    }

    fn req_packed_commands(&mut self, _: &[u8], _: usize, count: usize) -> RedisResult<Vec<Value>> {
        work(self.0).now_or_never().expect("no wait")?;
        Ok(vec![Value::Okay; count])
    }

    fn get_db(&self) -> i64 {
        0
    }

    fn check_connection(&mut self) -> bool {
        true
    }

    fn is_open(&self) -> bool {
        true
    }
}

#[test]
pub(in crate::middleware) fn a_command_and_a_pipeline_end_in_each_way() {
    let rows = [
        (Way::Done, "client"),
        (Way::Error, "client error=true error"),
        (Way::Cancel, "client cancelled"),
        (Way::Drop, "client cancelled"),
        (Way::Panic, "client error=true panic"),
        (Way::Timeout, "client error=true timeout"),
    ];
    let (command, mut pipeline) = (line("GET a"), pipe());
    pipeline.cmd("GET").arg("a");
    let connection = |way, tracer: &JaegerTracer| {
        TracedRedis::new(Ends(way), Database::new(tracer.clone(), "redis"))
    };
    check(rows, |way, tracer| {
        let mut connection = connection(way, tracer);
        let sent = aio::ConnectionLike::req_packed_command(&mut connection, &command);
        let _ = drive(way, sent);
    });
    check(rows, |way, tracer| {
        let mut connection = connection(way, tracer);
        let sent = aio::ConnectionLike::req_packed_commands(&mut connection, &pipeline, 0, 1);
        let _ = drive(way, sent);
    });
    // A blocking connection can neither be given up nor dropped while it is in use.
    let blocking = rows.map(|row| (row.0 != Way::Cancel && row.0 != Way::Drop).then_some(row));
    let [
        Some(done),
        Some(error),
        None,
        None,
        Some(panic),
        Some(timeout),
    ] = blocking
    else {
        unreachable!("four rows: {blocking:?}");
    };
    let rows = [done, error, panic, timeout];
    check(rows, |way, tracer| {
        let mut connection = connection(way, tracer);
        let _ = ending(way, || command.query::<()>(&mut connection));
    });
    check(rows, |way, tracer| {
        let mut connection = connection(way, tracer);
        let _ = ending(way, || pipeline.query::<()>(&mut connection));
    });
}

#[test]
pub(in crate::middleware) fn the_span_of_a_message_ends_in_each_way() {
    // The program logs the error by itself, which does not tell a timeout from others.
    let rows = [
        (Way::Done, "consumer"),
        (Way::Error, "consumer error=true error"),
        (Way::Cancel, "consumer cancelled"),
        (Way::Drop, "consumer cancelled"),
        (Way::Panic, "consumer error=true panic"),
        (Way::Timeout, "consumer error=true error"),
    ];
    check(rows, |way, tracer| {
        let messages = RedisMessages::new(&Database::new(tracer.clone(), "redis"));
        let span = messages.span(&message(&["message", "orders", "1"]));
        let handled = async {
            let done = work(way).await;
            done.inspect_err(|error| active_span().log_error(error))
        };
        let _ = drive(way, handled.in_span(span));
    });
}

#[test]
pub(in crate::middleware) fn the_length_of_a_pipeline_is_told_in_each_vocabulary() {
    for (names, length, expected) in [
        (TagNames::OpenTracing, 2, ["2", ""]),
        (TagNames::OpenTelemetry, 2, ["", "2"]),
        (TagNames::Both, 2, ["2", "2"]),
        // One command is no batch to OpenTelemetry.
        (TagNames::Both, 1, ["1", ""]),
    ] {
        let (builder, spans) = recording_builder();
        let tracer = builder.tag_names(names).build();
        let tracer = tracer.expect("the service has a name");
        let mut connection = TracedRedis::new(Ends(Way::Done), Database::new(tracer, "redis"));
        let mut pipeline = pipe();
        for _ in 0..length {
            pipeline.cmd("GET").arg("a");
        }
        pipeline.query::<()>(&mut connection).expect("replies");
        let span = &spans.spans()[0];
        let told = ["redis.commands", "db.operation.batch.size"].map(|key| span.tag_text(key));
        assert_eq!(told, expected, "{names}");
    }
}
