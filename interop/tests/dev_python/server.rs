//! The embedded agent, and a tracer that sends to it.

use std::{sync::Arc, time::Duration};

use tracehound::{
    JaegerTracer,
    dev::{DevOptions, DevServer, Waterfall},
    model::{SpanId, TraceId},
    reporter::{RemoteReporter, sender::UdpSender},
    sampler::ConstSampler,
    view::ReceivedSpan,
};

use crate::Result;

/// Starts an embedded agent on free ports that prints nothing.
pub(crate) fn start() -> Result<DevServer> {
    let options = DevOptions::new().any_ports().waterfall(Waterfall::Never);
    Ok(DevServer::start(options)?)
}

/// Returns a tracer that keeps everything and sends it to that agent.
pub(crate) fn tracer(server: &DevServer) -> Result<JaegerTracer> {
    let reporter = RemoteReporter::new(UdpSender::new(server.agent_address()));
    let builder = JaegerTracer::builder(RUST).sampler(ConstSampler::new(true));
    Ok(builder.reporter(reporter).build()?)
}

/// Waits for `total` spans of any trace since the start, and returns the spans of one trace.
pub(crate) fn trace(
    server: &DevServer,
    trace_id: TraceId,
    total: u64,
) -> Result<Vec<Arc<ReceivedSpan>>> {
    if !server.wait_for_spans(total, PATIENCE) {
        return Err(format!("not {total} spans: {:?}", server.totals()).into());
    }
    let trace = server.trace(trace_id).ok_or("no such trace")?;
    Ok(trace.spans)
}

/// Returns the span with that id.
pub(crate) fn find(spans: &[Arc<ReceivedSpan>], id: SpanId) -> Result<&ReceivedSpan> {
    let span = spans.iter().find(|span| span.span.span_id == id);
    Ok(span.ok_or_else(|| format!("no span {id} in {spans:#?}"))?)
}

/// The service name of [`tracer`].
pub(crate) const RUST: &str = "rust service";

/// The timeout of events that should come at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
