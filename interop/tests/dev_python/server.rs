//! The embedded agent, and a tracer that sends to it.

use std::{sync::Arc, time::Duration};

use tracehound::{
    JaegerTracer,
    dev::{DevOptions, DevServer, ReceivedSpan, Waterfall},
    model::{SpanId, TraceId},
    reporter::{RemoteReporter, sender::UdpSender},
    sampler::ConstSampler,
};

use crate::Result;

/// An embedded agent on ports of its own that prints nothing.
pub(crate) fn start() -> Result<DevServer> {
    let options = DevOptions::new().any_ports().waterfall(Waterfall::Never);
    Ok(DevServer::start(options)?)
}

/// A tracer that keeps everything and sends it there.
pub(crate) fn tracer(server: &DevServer) -> Result<JaegerTracer> {
    let reporter = RemoteReporter::new(UdpSender::new(server.agent_address()));
    let builder = JaegerTracer::builder(RUST).sampler(ConstSampler::new(true));
    Ok(builder.reporter(reporter).build()?)
}

/// The spans of a trace, once `total` spans of any trace have come since the start.
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

/// The one of `spans` with that id.
pub(crate) fn find(spans: &[Arc<ReceivedSpan>], id: SpanId) -> Result<&ReceivedSpan> {
    let span = spans.iter().find(|span| span.span.span_id == id);
    Ok(span.ok_or_else(|| format!("no span {id} in {spans:#?}"))?)
}

/// The service of [`tracer`].
pub(crate) const RUST: &str = "rust service";

/// For what should come at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
