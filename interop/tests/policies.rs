//! Real backends, which serve neither baggage restrictions nor credits for debug traces, are asked for both.

use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::restrictions::RemoteRestrictions;
use tracehound::sampler::ConstSampler;
use tracehound::throttler::RemoteThrottler;
use tracehound_interop::{Backend, Version, poll};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

#[test]
fn what_a_backend_answers_is_taken_for_neither_restrictions_nor_credits() -> Result {
    for version in Version::ALL {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        let address = jaeger.endpoints().sampling_http;
        let url = |path| format!("http://{address}{path}");
        let often = Duration::from_millis(10);
        let tracer = JaegerTracer::builder("policies")
            .sampler(ConstSampler::new(false))
            .baggage_restrictions(
                RemoteRestrictions::new(&url("/baggageRestrictions"))?.refresh_interval(often),
            )
            .throttler(RemoteThrottler::new(&url("/credits"))?.refresh_interval(often))
            .diagnostics(Diagnostics::silent())
            .reporter(NullReporter::new())
            .build()?;
        let count = |counter| tracer.metrics().get(counter);
        let span = || {
            let span = tracer.start_span("pay");
            span.set_baggage_item("user", "7");
            span.set_tag("sampling.priority", 1);
            (span.baggage_item("user"), span.context().is_debug())
        };
        assert_eq!(span(), (Some("7".to_owned()), true));
        poll(Duration::from_secs(20), Duration::from_millis(5), || {
            let restrictions = count(Counter::BaggageRestrictionsUpdatesErr);
            let failures = restrictions.min(count(Counter::ThrottlerUpdatesErr));
            if failures < 3 { Err(failures) } else { Ok(()) }
        })
        .map_err(|failures| format!("{version}: {failures} failures of both"))?;
        assert_eq!(span(), (Some("7".to_owned()), true), "{version}");
        assert_eq!(count(Counter::BaggageRestrictionsUpdatesOk), 0, "{version}");
        assert_eq!(count(Counter::ThrottlerUpdatesOk), 0, "{version}");
        assert_eq!(count(Counter::ThrottledDebugSpans), 0, "{version}");
    }
    Ok(())
}
