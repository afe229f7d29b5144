//! Tests of the traces of a program: its spans, their parents and their tags.
//!
//! Learnt: a `TestTracer` keeps spans for assertions, and waits for them by itself: no sleep. `assert_trace` compares
//! the shape of whole traces in one line, or in several with tags; assert on shapes, not on ids, which are random. A
//! `ManualClock` makes durations exact. A `MockAgent` stands for Jaeger, and fails when told to.
//!
//! Run: `cargo run --example testing --features testkit`. In your project, each of the functions below `main` is a
//! `#[test]`.
//!
//! Change: have `check_out` reserve before it charges. Which of the assertions notices, and should it?

use std::error::Error;
use std::num::ParseIntError;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::UdpSender;
use tracehound::sampler::ConstSampler;
use tracehound::testkit::{Fault, MockAgent, TestTracer, span};

fn main() -> Result<(), Box<dyn Error>> {
    a_check_out_charges_and_reserves()?;
    a_bad_amount_fails_the_charge_and_the_check_out();
    a_span_lasts_as_long_as_its_work();
    a_trace_that_is_not_sampled_leaves_nothing()?;
    an_agent_that_loses_datagrams_stops_no_check_out()?;
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
    let tracer = TestTracer::new("shop");
    check_out(&*tracer, "4200")?;
    tracer.assert_trace("check_out\n  charge\n  reserve");
    passed("a check-out charges and reserves");
    Ok(())
}

fn a_bad_amount_fails_the_charge_and_the_check_out() {
    let tracer = TestTracer::new("shop");
    assert!(check_out(&*tracer, "a lot").is_err());
    let charge = span("charge")
        .failed()
        .tag("span.kind", "client")
        .event("error");
    tracer.assert_trace(span("check_out").failed().child(charge));
    passed("a bad amount fails the charge and the check-out");
}

fn a_span_lasts_as_long_as_its_work() {
    let clock = ManualClock::at_micros(1_700_000_000_000_000);
    let tracer = TestTracer::with("kitchen", |builder| builder.clock(clock.clone()));
    let span = tracer.start_span("brew");
    clock.advance(Duration::from_secs(180));
    span.finish();
    assert_eq!(tracer.spans()[0].duration, Duration::from_secs(180));
    passed("a span lasts as long as its work: three minutes, and nobody waited");
}

fn a_trace_that_is_not_sampled_leaves_nothing() -> Result<(), Box<dyn Error>> {
    let tracer = TestTracer::with("shop", |builder| builder.sampler(ConstSampler::new(false)));
    check_out(&*tracer, "4200")?;
    tracer.assert_trace("");
    passed("a trace that is not sampled leaves nothing");
    Ok(())
}

fn an_agent_that_loses_datagrams_stops_no_check_out() -> Result<(), Box<dyn Error>> {
    let agent = MockAgent::start()?;
    let tracer = JaegerTracer::builder("shop")
        .sampler(ConstSampler::new(true))
        .reporter(RemoteReporter::new(UdpSender::new(agent.address())))
        .build()?;
    agent.next_faults([Fault::drop()]);
    for _ in 0..2 {
        check_out(&tracer, "4200")?;
        tracer.flush(Duration::from_secs(5));
    }
    let spans = agent.wait_for_spans(3, Duration::from_secs(5));
    assert_eq!(spans.len(), 3, "the second check-out arrived");
    passed("an agent that loses datagrams stops no check-out");
    Ok(())
}

fn passed(claim: &str) {
    println!("ok: {claim}");
}
