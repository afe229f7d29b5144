//! Carriers that no codec knows: the tracer counts the call and logs a line.

use std::any::Any;
use std::sync::{Arc, Mutex};

use tracehound::JaegerTracer;
use tracehound::SpanContext;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::propagation::{
    CustomCodec, ExtractCarrier, ExtractError, InjectCarrier, ReadFrom, WriteTo,
};
use tracehound::tracer::TracerBuilder;

use crate::support::recording_builder;

/// A carrier that only `FrameCodec` knows.
struct Frame(Option<SpanContext>);

impl InjectCarrier for Frame {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::Custom(self)
    }
}

impl ExtractCarrier for Frame {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::Custom(self)
    }
}

/// A carrier that no codec knows.
struct Stranger;

impl ExtractCarrier for Stranger {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::Custom(self)
    }
}

/// Knows frames and takes one without a context for a malformed one.
struct FrameCodec;

impl CustomCodec for FrameCodec {
    fn inject(&self, context: &SpanContext, carrier: &mut dyn Any) -> bool {
        let Some(frame) = carrier.downcast_mut::<Frame>() else {
            return false;
        };
        frame.0 = Some(context.clone());
        true
    }

    fn extract(&self, carrier: &dyn Any) -> Result<Option<SpanContext>, ExtractError> {
        match carrier.downcast_ref::<Frame>() {
            Some(Frame(Some(context))) => Ok(Some(context.clone())),
            Some(Frame(None)) => Err(ExtractError::CorruptedBinary {
                reason: "the frame is empty",
            }),
            None => Ok(None),
        }
    }
}

/// Knows no carrier.
struct Ignorant;

impl CustomCodec for Ignorant {
    fn inject(&self, _: &SpanContext, _: &mut dyn Any) -> bool {
        false
    }

    fn extract(&self, _: &dyn Any) -> Result<Option<SpanContext>, ExtractError> {
        Ok(None)
    }
}

fn listened(
    with: impl FnOnce(TracerBuilder) -> TracerBuilder,
) -> (JaegerTracer, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heard = lines.clone();
    let (builder, _) = recording_builder();
    let builder = builder.diagnostics(Diagnostics::with_handler(move |line| {
        heard.lock().unwrap().push(line.to_owned());
    }));
    (with(builder).build().expect("named"), lines)
}

#[test]
fn inject_into_an_unknown_carrier_is_logged_and_counted() {
    let (tracer, lines) = listened(|builder| builder);
    let span = tracer.start_span("s");
    let count = || tracer.metrics().get(Counter::EncodingErrors);
    for n in 1..=3 {
        let mut frame = Frame(None);
        tracer.inject(&span.context(), &mut frame);
        assert_eq!(frame.0, None);
        assert_eq!(count(), n);
    }
    assert_eq!(lines.lock().unwrap().len(), 1, "once in ten seconds");
    assert!(lines.lock().unwrap()[0].contains("custom"), "{lines:?}");

    // An empty context loses nothing.
    tracer.inject(&SpanContext::default(), &mut Frame(None));
    assert_eq!(count(), 3);
    span.finish();
}

#[test]
fn inject_into_a_known_carrier_is_no_error() {
    let (tracer, lines) = listened(|builder| builder.custom_codec(FrameCodec));
    let span = tracer.start_span("s");
    let mut frame = Frame(None);
    tracer.inject(&span.context(), &mut frame);
    assert_eq!(frame.0, Some(span.context()));
    assert_eq!(tracer.metrics().get(Counter::EncodingErrors), 0);
    assert!(lines.lock().unwrap().is_empty());
}

#[test]
fn extract_asks_each_custom_codec_until_one_knows_the_carrier() {
    let boxed: Box<dyn CustomCodec> = Box::new(FrameCodec);
    let (tracer, lines) = listened(|builder| builder.custom_codec(Ignorant).custom_codec(boxed));
    let span = tracer.start_span("s");
    let mut frame = Frame(None);
    tracer.inject(&span.context(), &mut frame);
    assert_eq!(tracer.extract(&frame), Ok(Some(span.context())));
    assert_eq!(tracer.extract(&Stranger), Ok(None));
    assert_eq!(tracer.metrics().get(Counter::DecodingErrors), 0);
    assert!(lines.lock().unwrap().is_empty());

    let reason = "the frame is empty";
    assert_eq!(
        tracer.extract(&Frame(None)),
        Err(ExtractError::CorruptedBinary { reason })
    );
    assert_eq!(tracer.metrics().get(Counter::DecodingErrors), 1);
    assert!(lines.lock().unwrap()[0].contains(reason), "{lines:?}");
}
