//! Tests of the details of gRPC calls: messages each way, deadlines, who ended a call, with tonic over loopback.

pub(super) mod ends;
pub(super) mod message_spans;
pub(super) mod raw;
mod web;

use http::HeaderName;
use tonic::Request;
use tracehound::middleware::{ClientLayer, GrpcDetails, ServerLayer};
use tracehound::reporter::OwnedSpan;

use crate::support::grpc::{self, channel, message, unary};
use crate::support::grpc_streams::{Kind, Until, World};
use crate::support::recording_tracer;
use crate::support::web::{events, of_kind, run, spans};

/// Returns the messages that passed, as the client counts them (sent, received) and as the server does.
fn messages(span: &OwnedSpan) -> [String; 2] {
    ["grpc.messages_sent", "grpc.messages_received"].map(|key| span.tag_text(key).into_owned())
}

#[test]
pub(in crate::middleware) fn both_sides_count_the_messages_of_every_kind_of_call() {
    run(async {
        let rows: [(_, &[&str], _, _); 8] = [
            (Kind::Unary, &["a"], "1", "1"),
            (Kind::Unary, &[""], "1", "1"),
            (Kind::Collect, &["a", "b", "c"], "3", "1"),
            (Kind::Collect, &[], "0", "1"),
            (Kind::Repeat, &["a"], "1", "2"),
            (Kind::Chat, &["a", "", "c"], "3", "3"),
            (Kind::Chat, &[], "0", "0"),
            (Kind::Chat, &["a"; 1_000], "1000", "1000"),
        ];
        for (kind, sent, up, down) in rows {
            let mut world = World::new(GrpcDetails::new()).await;
            world.call(kind, sent, Until::End).await.expect("answers");
            let (client, server) = world.both().await;
            assert_eq!(messages(&client), [up, down], "{kind:?} {}", sent.len());
            assert_eq!(messages(&server), [down, up], "{kind:?} {}", sent.len());
            for span in [client, server] {
                assert_eq!(span.operation_name, kind.path());
                for key in ["response_code", "error", "grpc.ended_by", "grpc.cut_by"] {
                    assert_eq!(span.tag_text(key), "", "{kind:?}: {key}");
                }
                assert_eq!(events(&span), [""; 0]);
            }
        }
    });
}

#[test]
fn nothing_is_counted_unless_it_is_asked_for() {
    run(async {
        let world = grpc::World::new().await;
        let mut request = message("hello");
        request.set_timeout(std::time::Duration::from_secs(60));
        unary(world.client(), request).await.expect("an answer");
        let (client, server) = world.both().await;
        for span in [client, server] {
            let details = span.tags.iter().any(|tag| tag.key.starts_with("grpc."));
            assert!(!details, "{span:#?}");
        }
    });
}

#[test]
pub(in crate::middleware) fn the_first_messages_of_each_direction_have_events() {
    run(async {
        let mut world = World::new(GrpcDetails::new().message_events(2)).await;
        let messages = ["a", "bb", "ccc", "dddd"];
        let call = world.call(Kind::Chat, &messages, Until::End);
        call.await.expect("answers");
        let (client, server) = world.both().await;
        for span in [&client, &server] {
            for event in ["message_sent", "message_received"] {
                let seen = span.logs.iter().filter_map(|log| {
                    let field = |key: &str| {
                        let mut fields = log.fields.iter();
                        fields
                            .find(|field| field.key == key)
                            .map(|field| field.value.to_string())
                    };
                    let is_it = field("event").as_deref() == Some(event);
                    is_it.then(|| (field("grpc.message_number"), field("grpc.message_size")))
                });
                let some = |text: &str| Some(text.to_owned());
                let first = [(some("1"), some("1")), (some("2"), some("2"))];
                assert_eq!(seen.collect::<Vec<_>>(), first, "{event}");
            }
            assert_eq!(span.logs.len(), 4);
            assert_eq!(span.tag_text("grpc.messages_unlogged"), "4");
        }
    });
}

#[test]
fn a_call_without_room_for_more_events_tells_no_rest() {
    run(async {
        let mut world = World::new(GrpcDetails::new().message_events(3)).await;
        let call = world.call(Kind::Chat, &["a", "b", "c"], Until::End);
        call.await.expect("answers");
        let (client, _) = world.both().await;
        assert_eq!(client.logs.len(), 6);
        assert!(client.tag("grpc.messages_unlogged").is_none());
    });
}

#[test]
fn metadata_is_recorded_if_it_is_asked_for_and_is_text() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let names = ["x-tenant", "x-tenant-bin", "authorization", "x-auth-token"];
        let names = || names.map(HeaderName::from_static);
        let layer = ServerLayer::new(tracer.clone()).request_headers(names());
        let address = grpc::serve(layer).await;
        let layer = ClientLayer::new(tracer.clone()).request_headers(names());
        let mut request = message("hello");
        let metadata = request.metadata_mut();
        metadata.insert("x-tenant", "acme".parse().expect("text"));
        metadata.insert_bin(
            "x-tenant-bin",
            tonic::metadata::MetadataValue::from_bytes(b"canary"),
        );
        for secret in ["authorization", "x-auth-token"] {
            metadata.insert(secret, "canary".parse().expect("text"));
        }
        unary(layer.wrap(channel(address)), request)
            .await
            .expect("an answer");
        for span in spans(&reporter, 2).await {
            assert_eq!(span.tag_text("http.header.x-tenant"), "acme");
            let others = span
                .tags
                .iter()
                .filter(|tag| tag.key.starts_with("http.header."));
            assert_eq!(others.count(), 1, "{span:#?}");
        }
    });
}

#[test]
pub(in crate::middleware) fn a_deadline_is_a_tag_on_both_sides() {
    run(async {
        let mut world = World::new(GrpcDetails::new()).await;
        let mut request = Request::new(vec!["a"]);
        request.set_timeout(std::time::Duration::from_secs(60));
        let call = world.call_with(Kind::Chat, request, Until::End);
        call.await.expect("answers");
        let (client, server) = world.both().await;
        for span in [client, server] {
            assert_eq!(span.tag_text("grpc.deadline_millis"), "60000");
            assert_eq!(span.tag_text("grpc.ended_by"), "");
        }
        assert_eq!(of_kind(&world.reporter.spans(), "client").logs.len(), 0);
    });
}
