//! A WebSocket behind a real nginx that ends in three ways. The spans of both sides say who ended it.

use std::{error::Error, net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    response::IntoResponse,
    routing::any,
};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tracehound::{
    JaegerTracer,
    middleware::{RequestSpan, ServerLayer, SessionSpan, Sessions, WebSocketClient},
    reporter::{InMemoryReporter, OwnedSpan},
    sampler::ConstSampler,
};
use tracehound_interop::{Nginx, poll};

type Result<T = (), E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_that_fails_says_so_itself() -> Result {
    let Some(seen) = play("fail", Duration::from_secs(600)).await? else {
        return Ok(());
    };
    assert_eq!(seen.ending("chat"), "panic by local");
    assert_eq!(seen.ending("client"), "end_of_stream by peer");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_says_so_itself() -> Result {
    let Some(seen) = play("leave", Duration::from_secs(600)).await? else {
        return Ok(());
    };
    assert_eq!(seen.ending("chat"), "end_of_stream by peer");
    assert_eq!(seen.ending("client"), "dropped by local");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_out_of_nginx_is_said_to_be_the_peers_by_both_sides() -> Result {
    let Some(seen) = play("wait", Duration::from_millis(400)).await? else {
        return Ok(());
    };
    assert_eq!(seen.ending("chat"), "end_of_stream by peer");
    assert_eq!(seen.ending("client"), "end_of_stream by peer");
    for service in ["chat", "client"] {
        let silence: u64 = seen.tag(service, "session.last_silence_ms").parse()?;
        assert!((350..60_000).contains(&silence), "{service}: {silence} ms");
    }
    assert!(
        seen.error_log.contains("upstream timed out"),
        "{}",
        seen.error_log
    );
    Ok(())
}

/// The spans of both sides, and what nginx has to say.
struct Seen {
    spans: Vec<OwnedSpan>,
    error_log: String,
}

impl Seen {
    fn tag(&self, service: &str, key: &str) -> String {
        let session = self.spans.iter().find(|span| {
            let is_of = |process: &std::sync::Arc<tracehound::model::Process>| {
                process.service_name == service
            };
            is_session(span) && span.process.as_ref().is_some_and(is_of)
        });
        session.map_or_else(String::new, |span| span.tag_text(key).into_owned())
    }

    fn ending(&self, service: &str) -> String {
        let (ending, by) = ("session.ending", "session.ended_by");
        format!("{} by {}", self.tag(service, ending), self.tag(service, by))
    }
}

fn is_session(span: &OwnedSpan) -> bool {
    span.tag("session.ending").is_some()
}

/// Opens a WebSocket through nginx, says `word` to the application, and waits for the end of the session.
async fn play(word: &str, read_timeout: Duration) -> Result<Option<Seen>> {
    let reporter = InMemoryReporter::new();
    let tracer = |service| {
        let builder = JaegerTracer::builder(service).sampler(ConstSampler::new(true));
        builder.reporter(reporter.clone()).build()
    };
    let chat = serve(tracer("chat")?).await?;
    let Some(nginx) = Nginx::start_or_skip(chat, read_timeout)? else {
        return Ok(None);
    };
    let client = WebSocketClient::new(tracer("client")?);
    let url = format!("ws://{}/chat", nginx.addr());
    let (mut socket, response) = client.connect(url).await?;
    let trace = response.headers()["x-trace-id"].to_str()?.to_owned();
    socket.send(word.into()).await?;
    if word != "fail" {
        socket.next().await.ok_or("no echo")??;
    }
    while word != "leave" && matches!(socket.next().await, Some(Ok(_))) {}
    drop(socket);

    let look = || {
        let (spans, line) = (reporter.spans(), nginx.access_log());
        match line {
            Ok(line) if spans.len() == 4 && line.ends_with('\n') => Ok((spans, line)),
            line => Err(format!("{} spans, and the log has {line:?}", spans.len())),
        }
    };
    // The services go on meanwhile on another thread.
    let wait = || poll(Duration::from_secs(60), Duration::from_millis(5), look);
    let (spans, line) = tokio::task::block_in_place(wait)?;
    for span in &spans {
        assert_eq!(span.trace_id.to_string(), trace);
    }
    // nginx's line leads to the trace by either header.
    let expected = format!("101 uber-trace-id={trace}:");
    assert!(line.starts_with(&expected), "{line}");
    assert!(line.ends_with(&format!("trace={trace}\n")), "{line}");
    let error_log = nginx.error_log()?;
    Ok(Some(Seen { spans, error_log }))
}

async fn serve(tracer: JaegerTracer) -> Result<SocketAddr> {
    let app = Router::new()
        .route("/chat", any(chat))
        .layer(ServerLayer::new(tracer).sessions(Sessions::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(address)
}

async fn chat(
    upgrade: WebSocketUpgrade,
    request: RequestSpan,
    session: SessionSpan,
) -> impl IntoResponse {
    let trace = [("x-trace-id", request.context().to_trace_id())];
    (
        trace,
        upgrade.on_upgrade(|socket| session.run(talk(socket))),
    )
}

async fn talk(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        assert_ne!(message, Message::text("fail"), "a bug of the application");
        let _ = socket.send(message).await;
    }
}
