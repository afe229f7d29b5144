use std::{error::Error, sync::atomic::AtomicU64, time::Duration};

use tracehound::{
    JaegerTracer,
    reporter::{
        RemoteReporter,
        sender::{HttpSender, OtlpSender, UdpSender},
    },
    sampler::ConstSampler,
};
use tracehound_interop::LoadReport;

use crate::{
    options::{Options, Way},
    produce,
};

/// Makes the spans, closes the tracer and returns the ledger.
pub(crate) fn run(options: &Options) -> Result<LoadReport, Box<dyn Error>> {
    let receiver = options.load.agent;
    let url = format!("http://{receiver}");
    let reporter = match options.way {
        Way::Udp => RemoteReporter::new(UdpSender::new(receiver)),
        Way::Thrift => RemoteReporter::new(HttpSender::new(&url)?),
        Way::Otlp => RemoteReporter::new(OtlpSender::new(&url)?),
    };
    let tracer = JaegerTracer::builder(&*options.load.service)
        .sampler(ConstSampler::new(true))
        .reporter(reporter)
        .build()?;
    let took = produce::produce(&tracer, &options.load, &AtomicU64::new(0));
    Ok(produce::report(&tracer.close(CLOSE_WITHIN), took))
}

const CLOSE_WITHIN: Duration = Duration::from_secs(10);
