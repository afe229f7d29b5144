//! Every tag and log field that the middleware sets has a row in the guide, and every row is set.

use std::collections::BTreeSet;

use tracehound::model::TagNames;

use super::{ALL, requests};
use crate::middleware::{
    answer, attempts, connect, database, everything, forwarded, grpc, grpc_details, message,
    reqwest, server, services, thrift, upgrade,
};
use crate::support::tag_keys::keys_of;

/// A test, run for the tags of its spans.
type Scene = fn();

/// Every adapter, ending in each way, in any vocabulary.
const WAYS: [Scene; 23] = [
    services::a_request_that_is_served_ends_in_each_way,
    services::a_request_that_is_sent_ends_in_each_way,
    services::a_call_around_a_request_ends_in_each_way,
    services::a_body_ends_in_each_way,
    reqwest::ends::a_request_ends_in_each_way,
    reqwest::ends::a_call_around_a_request_ends_in_each_way,
    grpc::a_call_ends_in_each_way,
    upgrade::ends::a_websocket_of_axum_ends_in_each_way,
    upgrade::ends::an_upgrade_of_hyper_ends_in_each_way,
    upgrade::ends::an_upgrade_of_a_client_of_hyper_ends_in_each_way,
    upgrade::ends::an_extended_connect_over_http2_ends_in_each_way,
    upgrade::ends::an_extended_connect_of_a_client_ends_in_each_way,
    upgrade::broken_streams::a_handshake_of_a_client_ends_in_each_way,
    upgrade::tungstenite::a_session_ends_in_each_way,
    database::ends::a_call_ends_in_each_way,
    database::rows::a_stream_of_rows_ends_in_each_way,
    database::redis_ends::a_command_and_a_pipeline_end_in_each_way,
    database::redis_ends::the_span_of_a_message_ends_in_each_way,
    message::ends::both_sides_end_in_each_way,
    message::nats::a_request_and_a_message_end_in_each_way,
    message::nats_jetstream::a_publication_and_a_message_end_in_each_way,
    thrift::ends::a_call_ends_in_each_way,
    thrift::ends::a_call_is_a_span_on_both_sides,
];

/// Tests that expect OpenTracing's names, with the tags that a way to end does not show.
const OPENTRACING: [Scene; 37] = [
    answer::a_client_finds_the_trace_of_a_server_that_has_started_another_one,
    attempts::each_attempt_of_a_call_has_a_span_with_its_number,
    attempts::redirects_that_reqwest_follows_itself_are_logged_with_their_number,
    connect::the_first_request_of_a_connection_logs_how_it_was_made,
    connect::a_handshake_is_told_from_the_connection,
    connect::a_look_up_that_fails_is_logged_without_secrets,
    connect::a_span_tells_whether_its_connection_was_used_before,
    forwarded::a_trusted_proxy_tells_the_client_and_the_url,
    forwarded::a_trusted_proxy_tells_how_long_a_request_has_waited,
    everything::everything_shows_queries_headers_and_bodies_without_their_secrets,
    everything::a_message_is_recorded_without_its_secrets,
    everything::everything_shows_the_metadata_and_the_sizes_of_a_grpc_call,
    server::the_callers_address_is_recorded_if_the_server_tells_it,
    grpc_details::both_sides_count_the_messages_of_every_kind_of_call,
    grpc_details::the_first_messages_of_each_direction_have_events,
    grpc_details::a_deadline_is_a_tag_on_both_sides,
    grpc_details::ends::a_call_that_fails_tells_the_messages_before,
    grpc_details::ends::a_call_whose_deadline_passes_was_ended_by_it,
    grpc_details::message_spans::a_share_of_the_messages_has_spans,
    grpc_details::raw::a_request_that_ends_inside_of_a_message_is_cut,
    grpc_details::raw::bytes_that_are_no_message_end_the_count_of_their_side,
    upgrade::endings::each_ending_has_its_tags,
    upgrade::raw::both_ends_of_a_connection_tell_their_side_of_it,
    upgrade::sessions::a_share_of_the_messages_has_spans,
    database::a_call_has_the_tags_of_its_database,
    database::ends::an_error_is_logged_without_the_values_that_it_quotes,
    database::repeats::a_span_with_more_repeats_than_the_limit_is_marked_once,
    database::secrets::secrets_are_hidden_even_if_everything_is_recorded,
    database::redis::a_command_is_a_span_with_its_name_and_its_number_of_keys,
    database::redis::a_pipeline_is_one_span_with_the_number_of_its_commands,
    message::both_sides_have_the_tags_of_the_bus_and_of_the_message,
    message::batches::a_batch_that_is_received_refers_to_each_producer_up_to_a_limit,
    message::the_time_in_the_queue_is_a_tag_unless_the_clocks_disagree,
    message::secrets::a_test_environment_sees_payloads_but_no_secrets,
    message::nats_jetstream::a_publication_lasts_until_the_server_has_stored_the_message,
    message::nats_jetstream::a_publication_that_the_server_knows_already_is_a_duplicate,
    message::nats_jetstream::a_delivered_message_tells_its_place_its_redeliveries_and_its_wait,
];

/// Tests that choose a vocabulary, or try each.
const MIXED: [Scene; 7] = [
    super::a_statement_is_described_in_each_vocabulary,
    super::a_call_without_a_statement_is_named_after_its_operation_and_its_target,
    requests::a_request_is_described_in_each_vocabulary_on_both_sides,
    requests::a_redirect_is_logged_in_the_vocabulary_of_the_span,
    requests::an_unknown_method_is_other_and_a_request_without_a_host_has_a_path,
    attempts::attempts_are_numbered_by_the_name_of_opentelemetry_if_the_tracer_says_so,
    database::redis_ends::the_length_of_a_pipeline_is_told_in_each_vocabulary,
];

/// Tags and events that these tests set by themselves.
const OWN: [&str; 5] = ["item", "mine", "shard", "handled: event", "read: event"];

/// Log records of the tracer, which the middleware does not write.
const OF_TRACER: [&str; 3] = ["baggage", "blocking_poll", "dropped Span logs"];

/// The names in a part of the guide.
struct Table {
    opentracing: BTreeSet<&'static str>,
    opentelemetry: BTreeSet<&'static str>,
    either: BTreeSet<&'static str>,
    /// Those that the middleware does not set.
    tracer: BTreeSet<&'static str>,
    logs: Vec<LogRow>,
}

/// A row of the guide: events, and fields that their records may have.
struct LogRow {
    events: Vec<&'static str>,
    fields: Vec<&'static str>,
}

impl LogRow {
    /// Returns whether a name is this field of a record of this row.
    fn has(&self, name: &str, field: &str) -> bool {
        let mut events = self.events.iter();
        events.any(|event| name.split_once(": ") == Some((event, field)))
    }
}

impl Table {
    fn read() -> Self {
        Self {
            opentracing: column("Tags with two names", 1),
            opentelemetry: &column("Tags with two names", 2)
                | &column("Tags that only OpenTelemetry names", 1),
            either: column("Tags with one name", 1),
            tracer: column("Tags of the tracer", 1),
            logs: section("Log records")
                .map(|row| LogRow {
                    events: names_in(row, 1).collect(),
                    fields: names_in(row, 2).collect(),
                })
                .filter(|row| !row.events.is_empty() && row.events != ["event"])
                .collect(),
        }
    }

    /// Returns whether a span with these names of tags may have this name.
    fn knows(&self, tags: &BTreeSet<&str>, name: &str) -> bool {
        let is_field = |row: &LogRow| {
            let mut fields = row.fields.iter().chain(&["event"]);
            // A field that is a tag, too, may have the tag's other name.
            fields.any(|field| row.has(name, field)) || tags.iter().any(|tag| row.has(name, tag))
        };
        tags.iter().any(|row| fits(name, row)) || self.logs.iter().any(is_field)
    }

    /// Returns the events, and the fields of rows, that none of the names is.
    fn unset_logs(&self, seen: &BTreeSet<String>) -> Vec<String> {
        let is_seen = |row: &LogRow, field| seen.iter().any(|name| row.has(name, field));
        let rows = self
            .logs
            .iter()
            .filter(|row| !OF_TRACER.contains(&row.events[0]));
        rows.flat_map(|row| {
            let events = row
                .events
                .iter()
                .filter(|event| !seen.contains(&format!("{event}: event")));
            let fields = row.fields.iter().filter(|field| !is_seen(row, field));
            events
                .chain(fields)
                .map(|name| format!("{:?}: {name}", row.events))
        })
        .collect()
    }

    /// Returns the names that a span may have.
    fn allowed(&self, names: TagNames) -> BTreeSet<&'static str> {
        let shared = &self.either | &self.tracer;
        match names {
            TagNames::OpenTracing => &shared | &self.opentracing,
            TagNames::OpenTelemetry => &shared | &self.opentelemetry,
            _ => &(&shared | &self.opentracing) | &self.opentelemetry,
        }
    }
}

/// Returns the lines under a heading of the guide.
fn section(heading: &str) -> impl Iterator<Item = &'static str> {
    const GUIDE: &str = include_str!("../../../../docs/guide/names.md");
    let (_, section) = GUIDE
        .split_once(&format!("\n## {heading}\n"))
        .expect("a heading of the guide");
    section.split("\n## ").next().unwrap_or_default().lines()
}

/// Returns the names in a column of a row.
fn names_in(row: &'static str, column: usize) -> impl Iterator<Item = &'static str> {
    let cell = row.split('|').nth(column).unwrap_or_default();
    cell.split('`').skip(1).step_by(2)
}

/// Returns the names in a column of the table under a heading of the guide.
fn column(heading: &str, column: usize) -> BTreeSet<&'static str> {
    let names: BTreeSet<_> = section(heading)
        .flat_map(|row| names_in(row, column))
        .collect();
    assert!(!names.is_empty(), "{heading}");
    names
}

/// Returns whether a key is that of a row, which may be a family such as `http.header.{name}`.
fn fits(key: &str, row: &str) -> bool {
    match row.split_once('{') {
        Some((family, _)) => key.starts_with(family),
        None => key == row,
    }
}

#[test]
fn every_name_that_is_set_has_a_row_and_every_row_is_set() {
    let table = Table::read();
    let mut seen = BTreeSet::new();
    let mut unknown = BTreeSet::new();
    let ways = ALL.map(|names| (names, names, &WAYS[..]));
    let others = [
        (
            TagNames::OpenTracing,
            TagNames::OpenTracing,
            &OPENTRACING[..],
        ),
        (TagNames::OpenTracing, TagNames::Both, &MIXED),
    ];
    for (names, allowed, scenes) in ways.into_iter().chain(others) {
        let allowed = table.allowed(allowed);
        let is_known = |key: &String| table.knows(&allowed, key) || OWN.contains(&&**key);
        for scene in scenes {
            let keys = keys_of(names, scene);
            assert!(!keys.is_empty(), "a scene sets no tags");
            let strange = keys.iter().filter(|key| !is_known(key));
            unknown.extend(strange.map(|key| format!("{names}: {key}")));
            seen.extend(keys);
        }
    }
    assert!(
        unknown.is_empty(),
        "not in docs/guide/names.md: {unknown:#?}"
    );
    let rows = &(&table.opentracing | &table.opentelemetry) | &table.either;
    let is_set = |row: &&&str| seen.iter().any(|key| fits(key, row));
    let unset: Vec<_> = rows.iter().filter(|row| !is_set(row)).collect();
    assert!(unset.is_empty(), "no scene sets: {unset:#?}");
    let unset = table.unset_logs(&seen);
    assert!(unset.is_empty(), "no scene logs: {unset:#?}");
}
