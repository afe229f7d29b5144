//! Tests of spans for single messages of gRPC calls.

use http_body_util::BodyExt;
use tracehound::middleware::GrpcDetails;
use tracehound::reporter::OwnedSpan;
use tracehound::sampler::SamplingRate;

use crate::support::grpc_streams::{Kind, Until, World, frame};
use crate::support::web::{Fed, events, of_kind, run, spans};

fn share(share: f64) -> GrpcDetails {
    GrpcDetails::new().message_spans(SamplingRate::new(share).expect("a share"))
}

/// Returns the spans of the messages of a call in one direction, in the order in which they began.
fn messages<'s>(spans: &'s [OwnedSpan], call: &OwnedSpan, name: &str) -> Vec<&'s OwnedSpan> {
    let mut messages: Vec<_> = spans
        .iter()
        .filter(|span| span.operation_name == name && span.parent_id == Some(call.span_id))
        .collect();
    messages.sort_by_key(|span| span.start);
    messages
}

/// Returns the number and the size that the span of a message tells.
fn told(message: &&OwnedSpan) -> [String; 2] {
    ["grpc.message_number", "grpc.message_size"].map(|key| message.tag_text(key).into_owned())
}

#[test]
pub(in crate::middleware) fn a_share_of_the_messages_has_spans() {
    run(async {
        for (part, numbers) in [(1.0, &["1", "2", "3", "4"][..]), (0.5, &["2", "4"])] {
            let mut world = World::new(share(part)).await;
            let call = world.call(Kind::Chat, &["a", "bb", "ccc", "dddd"], Until::End);
            call.await.expect("answers");
            let spans = spans(&world.reporter, 2 + 4 * numbers.len()).await;
            for kind in ["client", "server"] {
                let call = of_kind(&spans, kind);
                for name in ["gRPC send", "gRPC receive"] {
                    let messages = messages(&spans, call, name);
                    let told: Vec<_> = messages.iter().map(told).collect();
                    let expected: Vec<_> = numbers.iter().map(|n| [*n, *n]).collect();
                    assert_eq!(told, expected, "{part} {kind} {name}");
                    assert!(messages.iter().all(|message| message.logs.is_empty()));
                }
                assert_eq!(call.tag_text("grpc.messages_sent"), "4");
                assert!(call.logs.is_empty(), "{call:#?}");
            }
        }
    });
}

#[test]
fn the_span_of_a_message_that_is_cut_off_says_so() {
    run(async {
        let world = World::new(share(1.0)).await;
        let (feeder, body) = Fed::new();
        let response = world.call_raw(Kind::Chat, body).await;
        let mut answers = response.into_body();
        feeder.bytes(frame("whole"));
        assert!(answers.frame().await.is_some_and(|answer| answer.is_ok()));
        feeder.bytes(&b"\0\0\0\0\x05hal"[..]);
        drop(feeder);
        while answers.frame().await.is_some() {}
        drop(answers);
        let spans = spans(&world.reporter, 8).await;
        for (kind, name) in [("client", "gRPC send"), ("server", "gRPC receive")] {
            let [whole, cut] = messages(&spans, of_kind(&spans, kind), name)[..] else {
                panic!("two messages: {spans:#?}");
            };
            assert_eq!(told(&whole), ["1", "5"]);
            assert_eq!(told(&cut), ["", ""]);
            assert_eq!(events(whole), [""; 0]);
            assert_eq!(events(cut), ["cancelled"]);
        }
    });
}
