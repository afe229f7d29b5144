//! Tests of the traces of a program: its spans, their parents and their tags.
//!
//! Learnt: an `InMemoryReporter` keeps spans for assertions, and waits for them by itself: no sleep. Its `tree()`
//! compares the shape of whole traces in one line; assert on shapes, not on ids, which are random. A `ManualClock`
//! makes durations exact.
//!
//! Run: `cargo run --example testing`. In your project, each of the functions below `main` is a `#[test]`.
//!
//! Change: have `check_out` reserve before it charges. Which of the assertions notices, and should it?

use std::error::Error;
use std::num::ParseIntError;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::ConstSampler;

fn main() -> Result<(), Box<dyn Error>> {
    a_check_out_charges_and_reserves()?;
    a_bad_amount_fails_the_charge_and_the_check_out()?;
    a_span_lasts_as_long_as_its_work()?;
    a_trace_that_is_not_sampled_leaves_nothing()?;
    Ok(())
}

/// The code under test. It takes any tracer.
fn check_out(tracer: &impl Tracer, cents: &str) -> Result<(), ParseIntError> {
    let span = tracer.start_active_span("check_out");
    charge(tracer, cents).inspect_err(|_| {
        span.set_tag("error", true);
    })?;
    tracer.start_span("reserve").set_tag("items", 3);
    Ok(())
}

fn charge(tracer: &impl Tracer, cents: &str) -> Result<(), ParseIntError> {
    let span = tracer
        .build_span("charge")
        .tag("span.kind", "client")
        .start();
    let cents: u32 = cents.parse().inspect_err(|error| span.log_error(error))?;
    span.set_tag("cents", cents);
    Ok(())
}

fn a_check_out_charges_and_reserves() -> Result<(), Box<dyn Error>> {
    let (tracer, spans) = test_tracer(true)?;
    check_out(&tracer, "4200")?;
    assert_eq!(spans.tree(), "check_out\n  charge\n  reserve");
    passed("a check-out charges and reserves");
    Ok(())
}

fn a_bad_amount_fails_the_charge_and_the_check_out() -> Result<(), Box<dyn Error>> {
    let (tracer, spans) = test_tracer(true)?;
    assert!(check_out(&tracer, "a lot").is_err());
    assert_eq!(spans.tree(), "check_out !\n  charge !");
    let charge = spans.find("charge").ok_or("no charge")?;
    assert_eq!(charge.tag_text("span.kind"), "client");
    assert_eq!(charge.logs.len(), 1);
    passed("a bad amount fails the charge and the check-out");
    Ok(())
}

fn a_span_lasts_as_long_as_its_work() -> Result<(), Box<dyn Error>> {
    let clock = ManualClock::at_micros(1_700_000_000_000_000);
    let spans = InMemoryReporter::new();
    let tracer = JaegerTracer::builder("shop")
        .sampler(ConstSampler::new(true))
        .reporter(spans.clone())
        .clock(clock.clone())
        .build()?;
    let span = tracer.start_span("brew");
    clock.advance(Duration::from_secs(180));
    span.finish();
    assert_eq!(spans.spans()[0].duration, Duration::from_secs(180));
    passed("a span lasts as long as its work: three minutes, and nobody waited");
    Ok(())
}

fn a_trace_that_is_not_sampled_leaves_nothing() -> Result<(), Box<dyn Error>> {
    let (tracer, spans) = test_tracer(false)?;
    check_out(&tracer, "4200")?;
    assert!(spans.spans().is_empty());
    passed("a trace that is not sampled leaves nothing");
    Ok(())
}

fn test_tracer(keeps: bool) -> Result<(JaegerTracer, InMemoryReporter), Box<dyn Error>> {
    let spans = InMemoryReporter::new();
    let builder = JaegerTracer::builder("shop").sampler(ConstSampler::new(keeps));
    Ok((builder.reporter(spans.clone()).build()?, spans))
}

fn passed(claim: &str) {
    println!("ok: {claim}");
}
