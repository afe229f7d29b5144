//! Tests of calls that end early: who ended them, and how many messages had passed.

use std::time::Duration;

use tonic::Request;
use tonic::transport::Server;
use tracehound::middleware::GrpcDetails;
use tracehound::reporter::OwnedSpan;

use super::messages;
use crate::support::grpc::outcome;
use crate::support::grpc_streams::{Kind, Until, World};
use crate::support::web::{events, run};

/// Returns the code, who ended the call, and the messages that were sent and received.
pub(super) fn ending(span: &OwnedSpan) -> [String; 4] {
    let [code, _, _] = outcome(span);
    let [sent, received] = messages(span);
    let ended_by = span.tag_text("grpc.ended_by").into_owned();
    [code, ended_by, sent, received]
}

#[test]
pub(in crate::middleware) fn a_call_that_fails_tells_the_messages_before() {
    run(async {
        let rows: [(_, &[&str], _, _); 4] = [
            (Kind::Unary, &["fail 5 no"], "1", "0"),
            (Kind::Collect, &["a", "fail 5 no"], "2", "0"),
            (Kind::Repeat, &["fail 5 no"], "1", "0"),
            (Kind::Chat, &["a", "fail 5 no"], "2", "1"),
        ];
        for (kind, sent, up, down) in rows {
            let mut world = World::new(GrpcDetails::new()).await;
            let call = world.call(kind, sent, Until::End);
            call.await.expect_err("a status");
            let (client, server) = world.both().await;
            assert_eq!(ending(&client), ["NotFound", "", up, down], "{kind:?}");
            assert_eq!(ending(&server), ["NotFound", "", down, up], "{kind:?}");
        }
    });
}

#[test]
fn a_call_that_the_client_drops_was_ended_by_the_client() {
    run(async {
        let rows: [(_, &[&str], _, _, _); 4] = [
            (Kind::Unary, &["hold"], Until::Held, "1", "0"),
            (Kind::Collect, &["a", "hold"], Until::Held, "2", "0"),
            (Kind::Repeat, &["once"], Until::Answers(1), "1", "1"),
            (Kind::Repeat, &["hold"], Until::Answers(0), "1", "0"),
        ];
        for (kind, sent, until, up, down) in rows {
            for _ in 0..3 {
                let row = format!("{kind:?} {sent:?} {until:?}");
                let mut world = World::new(GrpcDetails::new()).await;
                world.call(kind, sent, until).await.expect("no error");
                let (client, server) = world.both().await;
                let [code, by, ..] = ending(&client);
                assert_eq!([&code, &by], ["Canceled", "client"], "{row}");
                // A request that has ended does not tell that its client has gone.
                let is_open = kind == Kind::Collect;
                let by_client = if is_open { "client" } else { "" };
                let [code, by, ..] = ending(&server);
                assert_eq!([&*code, &*by], ["Canceled", by_client], "{row}");
                for span in [&client, &server] {
                    assert_eq!(events(span), ["cancelled"], "{row}");
                    assert_eq!(span.tag_text("error"), "", "{row}");
                }
                assert_eq!(ending(&client)[3], down, "{row}");
                assert!(*ending(&client)[2] <= *up, "{row}");
                assert!(*ending(&server)[2] >= *down, "{row}");
            }
        }
    });
}

#[test]
fn a_call_that_the_server_drops_was_ended_by_the_server() {
    run(async {
        for (kind, until, by) in [
            (Kind::Unary, Until::End, ""),
            (Kind::Collect, Until::Answers(1), "server"),
        ] {
            let server = Server::builder().timeout(Duration::from_millis(100));
            let mut world = World::with(server, GrpcDetails::new()).await;
            let call = world.call(kind, &["hold"], until);
            call.await.expect_err("late");
            let (client, server) = world.both().await;
            let row = format!("{kind:?} {until:?}");
            assert_eq!(ending(&server), ["Canceled", by, "0", "1"], "{row}");
            // The answer of tonic says "Timeout expired".
            let late = ["DeadlineExceeded", "deadline", "1", "0"];
            assert_eq!(ending(&client), late, "{row}");
        }
    });
}

#[test]
pub(in crate::middleware) fn a_call_whose_deadline_passes_was_ended_by_it() {
    // Long, because the clocks of client and server begin at different times.
    const DEADLINE: Duration = Duration::from_secs(2);

    async fn passes(kind: Kind, until: Until) {
        let mut world = World::new(GrpcDetails::new()).await;
        let mut request = Request::new(vec!["hold"]);
        request.set_timeout(DEADLINE);
        let call = world.call_with(kind, request, until);
        call.await.expect_err("late");
        let (client, server) = world.both().await;
        let row = format!("{kind:?} {until:?}");
        for span in [&client, &server] {
            let late = ["DeadlineExceeded", "5xx", "true"];
            assert_eq!(outcome(span), late, "{row}");
            assert_eq!(span.tag_text("grpc.ended_by"), "deadline", "{row}");
            assert_eq!(span.tag_text("grpc.deadline_millis"), "2000", "{row}");
        }
        assert_eq!(messages(&client), ["1", "0"], "{row}");
        assert_eq!(messages(&server), ["0", "1"], "{row}");
    }
    run(async {
        tokio::join!(
            passes(Kind::Unary, Until::End),
            passes(Kind::Collect, Until::End),
            passes(Kind::Collect, Until::Answers(1)),
        );
    });
}

#[test]
fn a_call_whose_handler_panics_was_ended_by_the_server() {
    run(async {
        for kind in Kind::ALL {
            let mut world = World::new(GrpcDetails::new()).await;
            let call = world.call(kind, &["panic"], Until::End);
            call.await.expect_err("gone");
            let (client, server) = world.both().await;
            let [_, by, sent, received] = ending(&server);
            assert_eq!([by, sent, received], ["server", "0", "1"], "{kind:?}");
            assert_eq!(events(&server), ["panic"], "{kind:?}");
            let [code, by, sent, received] = ending(&client);
            assert_ne!(code, "", "{kind:?}");
            assert_eq!([by, sent, received], ["server", "1", "0"], "{kind:?}");
        }
    });
}
