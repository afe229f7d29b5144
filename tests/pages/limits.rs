//! The limits in the guide are those of the code, and no limit of the code is missing.

use std::collections::BTreeSet;

use crate::markdown::Page;
use crate::sources::{code_of, file, files};

/// What the guide calls a limit, its file, and a constant, a field (with a dot before it) or the text before the value.
const LIMITS: &str = r#"
bytes of a tag's value | src/record/wire/limits.rs | .tag_value_bytes
bytes of a log field's value | src/record/wire/limits.rs | .log_value_bytes
bytes of a key | src/record/wire/limits.rs | .key_bytes
bytes of an operation name | src/record/wire/limits.rs | .operation_name_bytes
log records | src/record/wire/limits.rs | .logs
bytes of all tags, and of all log records | src/record/wire/limits.rs | .span_bytes
bytes of an error's text that are read | src/span/error_text.rs | MAX_BYTES
references that can be added after the start | src/record/open/buffer/records.rs | MAX_LATE_REFERENCES
bytes of the list of cut binary values | src/record/wire/truncated_keys.rs | MAX_LIST_BYTES
open spans of a tracer | src/record/open/slot_limit.rs | DEFAULT
bytes of finished spans, in the process | src/record/queue/budget.rs | Self::new(
finished spans, at 512 bytes a span | src/config/explain.rs | QUEUE_SIZE
bytes that each thread may hold beyond that | src/record/queue/thread_queue/mod.rs | (tracehound_loom) { 128 } else {
bytes of an undecided trace | src/record/open/shared_decision.rs | TRACE_BYTES
bytes of all undecided traces | src/record/open/shared_decision.rs | PROCESS_BYTES
time that a finished span waits at most | src/tracer/builder.rs | .flush_interval
time that the drop of a tracer waits | src/tracer/handle.rs | DROP_TIMEOUT
bytes of a datagram to an agent on this host | src/reporter/sender/udp/mod.rs | LOOPBACK_PACKET_BYTES
bytes of a datagram to an agent elsewhere | src/reporter/sender/udp/mod.rs | PACKET_BYTES
bytes of a single span | src/reporter/sender/udp/mod.rs | MAX_PACKET_BYTES
bytes a second to an agent that cannot be watched | src/reporter/sender/udp/mod.rs | BYTES_PER_SECOND
bytes that go to such an agent at once | src/reporter/sender/udp/mod.rs | BLIND_BURST
time between look-ups of the agent's name | src/reporter/sender/udp/addresses.rs | LOOKUP_INTERVAL
addresses of a name | src/reporter/sender/udp/resolver.rs | MAX_ADDRESSES
time for a batch, with all tries | src/reporter/sender/upload/options.rs | .timeout
bytes of a batch, before compression | src/reporter/sender/upload/options.rs | .max_bytes
bytes that are read of an answer | src/http_client/post.rs | MAX_REPLY_BYTES
pause that a collector may ask for | src/reporter/sender/upload/state.rs | LONGEST_HELD
bytes held for a caller of a reporter during a pause | src/reporter/remote/mod.rs | MAX_HELD_BYTES
bytes of a file of certificates | src/config/sending/files.rs | MOST_BYTES
baggage items | src/model/baggage/mod.rs | MAX_ITEMS
bytes of all baggage, as it goes on the wire | src/model/baggage/mod.rs | MAX_BYTES
bytes of a baggage item in the binary format | src/propagation/binary.rs | MAX_WRITTEN_ITEM_BYTES
items that a binary carrier may announce | src/propagation/binary.rs | MAX_READ_ITEMS
characters of `uber-trace-id` | src/propagation/jaeger/trace_header.rs | MAX_BYTES
characters of `b3` | src/propagation/b3/single.rs | MAX_BYTES
bytes of a debug id | src/propagation/jaeger/mod.rs | MAX_DEBUG_ID_BYTES
members of `tracestate` | src/model/trace_state/members.rs | MAX_MEMBERS
characters of `tracestate` that are written | src/model/trace_state/mod.rs | MAX_HEADER_CHARS
characters of a key or value in it | src/model/trace_state/members.rs | MAX_PART_CHARS
headers of a request that are searched for baggage | src/propagation/carrier/header_map.rs | MAX_SCANNED
headers of one format that are kept | src/propagation/carrier/scan.rs | MAX_NAMED
operations with a strategy of their own | src/sampler/remote/sampler.rs | MAX_OPERATIONS
operations of a `PerOperationSampler` | src/sampler/per_operation/mod.rs | MAX_OPERATIONS
bytes of a strategy | src/sampler/remote/strategy.rs | MAX_JSON_BYTES
time for a request for strategies | src/http_client/get.rs | DEADLINE
time between requests for strategies | src/sampler/remote/sampler.rs | REFRESH_INTERVAL
traces a second of an operation, by a `KeepSampler` | src/sampler/keep/mod.rs | ) = (TracesPerSecond::from(
traces a second in all, by a `KeepSampler` | src/sampler/keep/mod.rs | (TracesPerSecond::from(1), TracesPerSecond::from(
operations that a `KeepSampler` tells apart | src/sampler/keep/operations.rs | MOST
debug traces a second, by a `DebugLimiter` | src/throttler/debug_limiter.rs | per_operation: TracesPerSecond::from(
debug traces a second in all | src/throttler/debug_limiter.rs | total: TracesPerSecond::from(
operations that a `DebugLimiter` tells apart | src/throttler/debug_limiter.rs | MAX_OPERATIONS
operations with credits of an agent | src/throttler/accounts.rs | MAX_OPERATIONS
credits of an operation | src/throttler/accounts.rs | MAX_BALANCE
bytes of an agent's answer about credits or restrictions | src/agent_poll.rs | MAX_REPLY_BYTES
operations of `RedMetrics` | src/observer/red/mod.rs | DEFAULT_MAX_OPERATIONS
bounds of its histogram | src/observer/red/bounds.rs | MAX_BOUNDS
bytes of a name that it counts by | src/observer/red/table.rs | MAX_NAME_BYTES
endpoints of `RpcMetrics` | src/observer/rpc.rs | MAX_NAMES
open spans in `OpenSpans` | src/watch/open_spans/mod.rs | DEFAULT_MAX_SPANS
bytes of a name in it | src/watch/open_spans/table.rs | MAX_NAME_BYTES
places in `Orphans` | src/watch/orphans/found.rs | MAX_PLACES
tasks that `Orphans` watches at a time | src/watch/orphans/tasks.rs | MAX_TASKS
time between two lines of one cause | src/diagnostics/subjects.rs | QUIET
panics after which a part of yours is not called any more | src/tracer/core.rs | MAX_PANICS
rules of `traced::set_enabled` | src/traced/registry.rs | MAX_RULES
bytes of the path of such a rule | src/traced/registry.rs | MAX_PATH_BYTES
names that a server makes of callers' words | src/middleware/kept_names.rs | LIMIT
methods of gRPC that are names | src/middleware/grpc/methods.rs | LIMIT
methods of Thrift that are names | src/middleware/known_methods.rs | LIMIT
bytes of a name that a caller gave | src/middleware/kept_names.rs | MAX_BYTES
bytes of the text of a Thrift error | src/middleware/thrift/answer.rs | MAX_TEXT
bytes of the name of a Thrift method | src/middleware/thrift/server_call.rs | MAX_NAME
topics, and channels of Redis, that are names | src/middleware/topic_names.rs | LIMIT
bytes of a topic that is a name | src/middleware/topic_names.rs | MAX_BYTES
bytes of a payload that a test environment reads | src/middleware/message/settings.rs | MAX_PAYLOAD
producers that the span of a batch refers to | src/middleware/message/incoming.rs | MAX_REFERENCES
bytes of a statement that are read | src/redact/sql/words.rs | MAX_READ
summaries of statements that are names | src/middleware/database/otel_call.rs | MAX_SUMMARIES
arguments of a Redis command that are shown | src/middleware/database/redis/command.rs | SHOWN_ARGS
bytes of a Redis argument that are read | src/middleware/database/redis/command.rs | MAX_ARG
bytes of parameters and results that a test environment reads | src/middleware/database/settings.rs | MAX_DATA
bytes of a body, of headers, that a test environment shows | src/middleware/http/contents.rs | LONGEST
proxies that are looked at | src/middleware/http/forwarded.rs | MOST_HOPS
time in a proxy's queue | src/middleware/http/queue_time.rs | LONGEST
entries of a Thrift call's context | src/middleware/thrift/context_field.rs | MAX_ENTRIES
bytes of a Thrift call's context | src/middleware/thrift/context_field.rs | MAX_BYTES
traces | src/dev/options.rs | .max_traces
bytes of spans | src/dev/options.rs | .max_bytes
bytes of a request as it comes | src/dev/server/ingest.rs | MAX_PACKED
bytes of a request, unpacked | src/dev/server/ingest.rs | MAX_BODY
bytes of a request in JSON, unpacked | src/dev/server/ingest.rs | MAX_JSON
resources, spans, tags, logs and references of a request | src/decode/parts.rs | MAX_PARTS
bytes of a file of strategies | src/dev/strategies/mod.rs | MAX_BYTES
"#;

/// Constants whose names look like those of a limit, and which no user meets: sizes of what makes something faster,
/// lengths of what lines show, and the like.
const INSIDE: &str = "
src/config/remote/mod.rs: MAX_OPERATIONS
src/diagnostics/written_lines.rs: MAX_LINES
src/diagnostics/subjects.rs: MAX_SUBJECTS
src/diagnostics/subjects.rs: MAX_NAME_CHARS
src/diagnostics/words.rs: MAX_CHARS
src/http_client/mod.rs: MAX_LINE
src/http_client/post.rs: MAX_IDLE_AGE
src/middleware/first_value.rs: MAX_STEPS
src/model/trace_state/mod.rs: MAX_MEMBERS
src/observer/red/static_names.rs: MAX_NAMES
src/propagation/carrier/header_map.rs: MAX_STEPS
src/propagation/carrier/scan.rs: MAX_PREFIXED
src/propagation/w3c/ot_member.rs: MAX_CHARS
src/record/open/handle_count.rs: MAX_HANDLES
src/redact/data/scopes.rs: MAX_DEPTH
src/redact/sql/error.rs: MAX_DIGITS
src/redact/sql/summary.rs: MAX_SHOWN
src/redact/sql/summary.rs: MAX_SUMMARY
src/redact/sql/summary.rs: MAX_DEPTH
src/reporter/packet/binary.rs: MAX_FRAME_BYTES
src/reporter/packet/compact.rs: MAX_FRAME_BYTES
src/reporter/packet/compact.rs: MAX_LIST_HEADER_BYTES
src/reporter/sender/udp/watch.rs: MAX_CREDIT
src/reporter/worker/thread.rs: MAX_PANICS
src/sampler/keep/rule.rs: MAX_PANICS
src/sampler/remote/file.rs: MAX_BYTES
src/sampler/remote/poll.rs: MAX_ERROR
src/throttler/accounts.rs: MAX_NAME_BYTES
src/throttler/accounts.rs: MAX_QUESTION_BYTES
src/watch/open_spans/table.rs: MAX_SHARDS
src/watch/open_spans/table.rs: MAX_SHARE
src/watch/open_spans/table.rs: MAX_DOUBLINGS
src/watch/orphans/loss.rs: MAX_CHARS
src/watch/orphans/mod.rs: MAX_CHARS
";

struct Limit {
    name: &'static str,
    path: &'static str,
    place: &'static str,
}

fn limits() -> impl Iterator<Item = Limit> {
    LIMITS.trim().lines().map(|line| {
        let mut columns = line.split(" | ");
        let mut next = || columns.next().expect("three columns").trim_end();
        Limit {
            name: next(),
            path: next(),
            place: next(),
        }
    })
}

impl Limit {
    /// Returns the value in the code.
    fn value(&self) -> f64 {
        let source = file(self.path);
        let is_constant = |c: char| c.is_ascii_uppercase() || c == '_';
        let found = match self.place.strip_prefix('.') {
            Some(field) => source.split(&format!("\n            {field}: ")).nth(1),
            None if self.place.chars().all(is_constant) => source
                .split(&format!("const {}: ", self.place))
                .nth(1)
                .and_then(|rest| rest.split_once(" = "))
                .map(|(_, value)| value),
            None => source.split(self.place).nth(1),
        };
        let found = found.unwrap_or_else(|| panic!("{}: no {:?}", self.path, self.place));
        value_of(expression(found.trim_start()))
    }
}

#[test]
fn the_guide_has_the_limits_of_the_code() {
    let rows = Page::at("docs/guide/limits.md").rows("limit");
    for limit in limits() {
        let row = rows.iter().find(|row| row[0] == limit.name);
        let row = row.unwrap_or_else(|| panic!("docs/guide/limits.md has no row {:?}", limit.name));
        assert_eq!(value_of_cell(&row[1]), limit.value(), "{}", limit.name);
    }
    let known: BTreeSet<_> = limits().map(|limit| limit.name).collect();
    let listed: BTreeSet<_> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(listed, known);
}

/// Returns the text of an expression, which ends at a comma, a semicolon, or a bracket that it has not opened.
fn expression(text: &str) -> &str {
    let mut depth = 0;
    let end = text.find(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth < 0 || depth == 0 && matches!(c, ',' | ';' | '}')
    });
    text[..end.expect("an end")].trim()
}

/// Returns a number, or the milliseconds of a duration.
fn value_of(expression: &str) -> f64 {
    if let Some(rest) = expression.strip_prefix("Duration::from_") {
        let (unit, count) = rest.trim_end_matches(')').split_once('(').expect("a call");
        return value_of(count)
            * match unit {
                "secs" => 1_000.0,
                "millis" => 1.0,
                unit => panic!("{unit} is no unit"),
            };
    }
    if let Some((number, shift)) = expression.split_once(" << ") {
        return value_of(number) * value_of(shift).exp2();
    }
    let factors = expression.split(" * ").map(|factor| {
        let digits = factor.trim().replace('_', "");
        digits
            .parse::<f64>()
            .unwrap_or_else(|_| panic!("{factor:?} is no number"))
    });
    factors.product()
}

/// Returns what a cell such as `8 MiB` or `1,024 bytes` says, times in milliseconds.
fn value_of_cell(cell: &str) -> f64 {
    let (number, unit) = cell.split_once(' ').unwrap_or((cell, ""));
    let number: f64 = number
        .replace(',', "")
        .parse()
        .unwrap_or_else(|_| panic!("{cell:?}"));
    number
        * match unit {
            "" | "bytes" | "ms" => 1.0,
            "KiB" => 1_024.0,
            "MiB" => 1_024.0 * 1_024.0,
            "s" => 1_000.0,
            "min" => 60_000.0,
            unit => panic!("{unit} is no unit"),
        }
}

#[test]
fn every_limit_of_the_code_is_in_the_guide() {
    let mut missing = Vec::new();
    let mut inside: Vec<_> = INSIDE.trim().lines().collect();
    for (path, text) in files("src", ".rs") {
        if TOOLS.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        let code = code_of(&text);
        for name in code.split("const ").skip(1).filter_map(name_of_limit) {
            let is_listed = limits().any(|limit| limit.path == path && limit.place == name);
            let constant = format!("{path}: {name}");
            if let Some(at) = inside.iter().position(|line| *line == constant) {
                inside.remove(at);
            } else if !is_listed {
                missing.push(constant);
            }
        }
    }
    assert!(
        missing.is_empty(),
        "constants that are in neither list of {}: add a row to LIMITS, and one to docs/guide/limits.md, if users meet \
         the limit, or a line to INSIDE if not: {missing:#?}",
        file!()
    );
    assert!(
        inside.is_empty(),
        "remove from INSIDE what is not in the code any more: {inside:#?}"
    );
}

/// Folders of what is for a developer's machine.
const TOOLS: [&str; 6] = [
    "src/bin",
    "src/decode",
    "src/dev",
    "src/fuzzing",
    "src/testkit",
    "src/view",
];

/// Returns the name of a constant if it is that of a limit.
fn name_of_limit(constant: &str) -> Option<&str> {
    let name = constant.split(':').next()?;
    let is_limit = name.starts_with("MAX_") || name.starts_with("DEFAULT_MAX_");
    is_limit.then_some(name)
}
