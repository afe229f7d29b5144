//! Connections of the crate `redis`, blocking and async, against a server on loopback.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, Connection, ConnectionLike, Msg, Pipeline, RedisResult,
    Value, cmd, pipe,
};
use tracehound::middleware::{Database, RedisMessages, TracedRedis};
use tracehound::model::Recording;
use tracehound::prelude::*;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};
use tracehound::{JaegerTracer, NoopTracer};

use super::redis_ends::Ends;
use crate::middleware::ways::Way;
use crate::support::redis_server::{self, CLOSES, FAILS, HANGS, RedisServer};
use crate::support::{events, kept_lines, log_field, names, recording_builder, recording_tracer};

/// Both kinds of connections to one server.
struct Connections {
    server: RedisServer,
    runtime: tokio::runtime::Runtime,
    blocking: TracedRedis<Connection>,
    multiplexed: TracedRedis<MultiplexedConnection>,
}

impl Connections {
    fn new(tracer: &JaegerTracer) -> Self {
        let server = redis_server::start();
        let url = format!("redis://app:canary@{}/3", server.address());
        let client = Client::open(url).expect("a URL");
        let database = Database::redis(tracer.clone(), client.get_connection_info());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let multiplexed = client.get_multiplexed_async_connection_with_config(&config);
        let multiplexed = runtime.block_on(multiplexed).expect("a connection");
        let blocking = client.get_connection().expect("a connection");
        Self {
            server,
            runtime,
            blocking: TracedRedis::new(blocking, database.clone()),
            multiplexed: TracedRedis::new(multiplexed, database),
        }
    }

    /// Sends a command over each connection.
    fn command(&mut self, command: &Cmd) -> [RedisResult<Value>; 2] {
        let sent = command.query_async(&mut self.multiplexed);
        [
            command.query(&mut self.blocking),
            self.runtime.block_on(sent),
        ]
    }

    /// Sends a pipeline over each connection.
    fn pipeline(&mut self, pipeline: &Pipeline) -> [RedisResult<Value>; 2] {
        let sent = pipeline.query_async(&mut self.multiplexed);
        [
            pipeline.query(&mut self.blocking),
            self.runtime.block_on(sent),
        ]
    }
}

pub(super) fn line(words: &str) -> Cmd {
    let mut words = words.split(' ');
    let mut command = cmd(words.next().unwrap_or_default());
    for word in words {
        command.arg(word);
    }
    command
}

/// Returns the spans of both connections, which must be alike.
fn both(spans: &InMemoryReporter) -> OwnedSpan {
    let [one, other] = &spans.take()[..] else {
        panic!("two spans");
    };
    let told = |span: &OwnedSpan| {
        let tags = format!("{:?}", span.tags);
        (span.operation_name.clone(), tags, events(span))
    };
    // Only roots have the tags of the sampler, and both are roots.
    assert_eq!(told(one), told(other));
    one.clone()
}

#[test]
pub(in crate::middleware) fn a_command_is_a_span_with_its_name_and_its_number_of_keys() {
    let (tracer, spans) = recording_tracer();
    let mut connections = Connections::new(&tracer);
    for (words, name, keys) in [
        ("GET canary", "GET", "1"),
        ("get missing", "GET", "1"),
        ("MGET canary a b", "MGET", "3"),
        ("MSET a canary b canary", "MSET", "2"),
        ("PING", "PING", ""),
        ("CONFIG GET canary", "CONFIG", ""),
        ("CANARY canary", "Command", ""),
    ] {
        for result in connections.command(&line(words)) {
            result.expect("a reply");
        }
        let span = both(&spans);
        assert_eq!(span.operation_name, name);
        assert_eq!(span.tag_text("redis.keys"), keys, "{words}");
        for (key, value) in [
            ("span.kind", "client"),
            ("db.type", "redis"),
            ("component", "redis"),
            ("db.instance", "3"),
            ("db.user", "app"),
            ("peer.address", &*connections.server.address().to_string()),
        ] {
            assert_eq!(span.tag_text(key), value);
        }
        assert!(
            span.tag("error").is_none() && span.logs.is_empty(),
            "{span:?}"
        );
        assert!(
            !format!("{span:?}").to_lowercase().contains("canary"),
            "{span:?}"
        );
    }
}

#[test]
pub(in crate::middleware) fn a_pipeline_is_one_span_with_the_number_of_its_commands() {
    let (tracer, spans) = recording_tracer();
    let mut connections = Connections::new(&tracer);
    let mut commands = pipe();
    commands
        .cmd("SET")
        .arg("canary")
        .arg(1)
        .cmd("INCR")
        .arg("canary");
    for (pipeline, name) in [
        (commands.clone(), "PIPELINE"),
        (commands.atomic().clone(), "MULTI"),
    ] {
        for result in connections.pipeline(&pipeline) {
            result.expect("replies");
        }
        let span = both(&spans);
        assert_eq!(span.operation_name, name);
        assert_eq!(span.tag_text("redis.commands"), "2");
        assert!(!format!("{span:?}").contains("canary"), "{span:?}");
    }
}

#[test]
fn an_error_of_the_server_marks_the_span_and_shows_no_data() {
    let (tracer, spans) = recording_tracer();
    let mut connections = Connections::new(&tracer);
    let mut pipeline = pipe();
    pipeline.cmd("GET").arg("a").cmd("GET").arg(FAILS);
    let of_command = connections.command(&line(&format!("GET {FAILS}")));
    let command = both(&spans);
    let of_pipeline = connections.pipeline(&pipeline);
    for result in of_command.into_iter().chain(of_pipeline) {
        assert!(result.expect_err("an error").to_string().contains("canary"));
    }
    for span in [command, both(&spans)] {
        assert_eq!(span.tag_text("error"), "true");
        assert_eq!(span.tag_text("db.error_code"), "WRONGTYPE");
        assert_eq!(events(&span), ["error"]);
        assert!(!format!("{span:?}").contains("canary"), "{span:?}");
    }
}

#[test]
fn a_connection_that_ends_marks_the_span() {
    let (tracer, spans) = recording_tracer();
    let mut connections = Connections::new(&tracer);
    for result in connections.command(&line(&format!("GET {CLOSES}"))) {
        result.expect_err("no reply");
    }
    let span = both(&spans);
    assert_eq!(span.tag_text("error"), "true");
    assert_eq!(events(&span), ["error"]);
}

#[test]
fn a_timeout_is_told_by_its_kind() {
    let (tracer, spans) = recording_tracer();
    let mut connections = Connections::new(&tracer);
    let soon = Duration::from_millis(20);
    connections
        .blocking
        .get_ref()
        .set_read_timeout(Some(soon))
        .expect("a timeout");
    connections.multiplexed.get_mut().set_response_timeout(soon);
    for result in connections.command(&line(&format!("GET {HANGS}"))) {
        result.expect_err("no reply");
    }
    let span = both(&spans);
    assert_eq!(
        log_field(&span, "error", "error.kind").as_deref(),
        Some("timeout")
    );
}

#[test]
fn a_command_that_is_dropped_was_cancelled() {
    let (tracer, spans) = recording_tracer();
    let mut connections = Connections::new(&tracer);
    let hanging = line(&format!("GET {HANGS}"));
    connections.runtime.block_on(async {
        let sent = hanging.query_async::<Value>(&mut connections.multiplexed);
        let soon = Duration::from_millis(20);
        tokio::time::timeout(soon, sent)
            .await
            .expect_err("no reply");
    });
    assert_eq!(names(&spans), ["GET"]);
    assert_eq!(events(&spans.spans()[0]), ["cancelled"]);
}

#[test]
fn a_panic_marks_the_span() {
    let (tracer, spans) = recording_tracer();
    let mut panicking = TracedRedis::new(Ends(Way::Panic), Database::new(tracer, "redis"));
    let packed = line("GET canary").get_packed_command();
    let caught = [
        catch_unwind(AssertUnwindSafe(|| {
            panicking.req_packed_command(&packed).is_ok()
        })),
        catch_unwind(AssertUnwindSafe(|| {
            line("GET a").query::<()>(&mut panicking).is_ok()
        })),
        catch_unwind(AssertUnwindSafe(|| {
            pipe().cmd("GET").query::<()>(&mut panicking).is_ok()
        })),
    ];
    assert!(caught.iter().all(Result::is_err));
    assert_eq!(names(&spans), ["GET", "GET", "PIPELINE"]);
    for span in spans.spans() {
        assert_eq!(events(&span), ["panic"]);
    }
}

#[test]
fn arguments_are_shown_only_if_everything_is_recorded_and_passwords_never() {
    let password = "AUTH app canary";
    let rows = [
        (Recording::metadata(), "SET a canary", ""),
        (Recording::statements(), "SET a canary", "SET ? ?"),
        (Recording::everything(), "SET a value", "SET a value"),
        (Recording::statements(), password, "AUTH ? ?"),
        (Recording::everything(), password, "AUTH ? ?"),
        (Recording::everything(), "SET token canary", "SET ? ?"),
    ];
    for (level, words, statement) in rows {
        let (builder, spans) = recording_builder();
        let (diagnostics, _lines) = kept_lines();
        let builder = builder.recording(level).diagnostics(diagnostics);
        let tracer = builder.build().expect("the service has a name");
        let mut connections = Connections::new(&tracer);
        for result in connections.command(&line(words)) {
            result.expect("a reply");
        }
        let span = both(&spans);
        assert_eq!(span.tag_text("db.statement"), statement, "{level}: {words}");
        assert!(!format!("{span:?}").contains("canary"), "{span:?}");
        let is_full = statement == words;
        assert_eq!(span.tag("db.result").is_some(), is_full, "{level}: {words}");
        let mut pipeline = pipe();
        pipeline
            .add_command(line(words))
            .add_command(line("INCR b"));
        for result in connections.pipeline(&pipeline) {
            result.expect("replies");
        }
        let shown = match (statement, is_full) {
            ("", _) => String::new(),
            (_, true) => format!("{statement}; INCR b"),
            (_, false) => format!("{statement}; INCR ?"),
        };
        let span = both(&spans);
        assert_eq!(span.tag_text("db.statement"), shown, "{level}: {words}");
        assert!(!format!("{span:?}").contains("canary"), "{span:?}");
    }
}

#[test]
fn a_tracer_that_is_off_changes_no_reply() {
    let mut connections = Connections::new(&JaegerTracer::disabled());
    for result in connections.command(&line("GET a")) {
        assert_eq!(
            result.expect("a reply"),
            Value::BulkString(b"canary-value".to_vec())
        );
    }
    connections
        .server
        .shared()
        .wait_until("both commands", |commands| {
            let gets = commands.iter().filter(|command| command[0] == "GET");
            gets.count() == 2
        });
}

pub(super) fn message(parts: &[&str]) -> Msg {
    let parts = parts
        .iter()
        .map(|part| Value::BulkString(part.as_bytes().to_vec()));
    Msg::from_owned_value(Value::Array(parts.collect())).expect("a message")
}

#[test]
fn a_message_has_a_span_that_follows_from_the_subscriber() {
    let (tracer, spans) = recording_tracer();
    let database = Database::new(tracer.clone(), "redis");
    let subscriber = tracer.start_active_span("subscribe");
    let messages = RedisMessages::new(&database);
    let context = subscriber.context();
    subscriber.finish();
    spans.take();
    let other = tracer.start_active_span("other");
    messages
        .span(&message(&["message", "orders", "canary"]))
        .finish();
    messages
        .span(&message(&["pmessage", "user:*", "user:canary", "canary"]))
        .finish();
    drop(other);
    let [one, by_pattern, _] = &spans.spans()[..] else {
        panic!("three spans");
    };
    assert_eq!(one.operation_name, "From_orders");
    assert_eq!(by_pattern.operation_name, "From_user:*");
    for span in [one, by_pattern] {
        assert_eq!(Some(span.trace_id), context.trace_id());
        assert_eq!(span.parent_id, context.span_id());
        let references = format!("{:?}", span.references);
        assert!(references.contains("FollowsFrom"), "{references}");
        assert_eq!(span.tag_text("span.kind"), "consumer");
        assert!(!format!("{span:?}").contains("canary"), "{span:?}");
    }
    assert_eq!(one.tag_text("message_bus.destination"), "orders");
    let off = RedisMessages::new(&Database::new(NoopTracer, "redis"));
    assert!(off.span(&message(&["message", "a", "b"])).is_noop());
}

#[test]
fn channels_without_end_share_a_name_and_have_their_tag() {
    let (tracer, spans) = recording_tracer();
    let database = Database::new(tracer, "redis");
    for user in 0..102 {
        // As if each subscription had messages of its own.
        let messages = RedisMessages::new(&database.clone());
        let channel = format!("user:{user}");
        messages
            .span(&message(&["message", &channel, "hi"]))
            .finish();
    }
    let messages = RedisMessages::new(&database);
    messages
        .span(&message(&["message", "user:7", "hi"]))
        .finish();
    let url = "redis://u:canary@h/";
    messages.span(&message(&["message", url, "hi"])).finish();
    let spans = spans.spans();
    let named = |index: usize| &*spans[index].operation_name;
    assert_eq!(named(99), "From_user:99");
    assert_eq!([named(100), named(101)], ["From_other"; 2]);
    assert_eq!(spans[101].tag_text("message_bus.destination"), "user:101");
    assert_eq!(named(102), "From_user:7");
    assert_eq!(spans[103].tag_text("message_bus.destination"), "redis://h/");
}
