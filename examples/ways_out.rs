//! A program that sends its trace to an agent, a Jaeger collector, a receiver of OTLP and a Zipkin, one after the
//! other.
//!
//! Learnt: the code does not say where spans go. Variables do, those of Jaeger's clients and those of OpenTelemetry, so
//! a service that moves to another backend is not even built again. The report of `close` counts what was sent: after a
//! request the receiver has said that it has the spans, after a datagram nobody has.
//!
//! Run: `cargo run --example ways_out --features full,testkit`. It starts an agent and a collector, and then itself
//! once for each way. With `-- send` at the end it sends as its own variables say, such as `OTEL_TRACES_EXPORTER=otlp`.
//!
//! Change: run it with `-- send` and `OTEL_TRACES_EXPORTER=otlp,console`. Where does each span go?

use std::env;
use std::error::Error;
use std::process::Command;
use std::time::Duration;

use tracehound::Config;
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;
use tracehound::testkit::{MockAgent, MockCollector};

fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).as_deref() == Some("send") {
        return send();
    }

    let (agent, collector) = (MockAgent::start()?, MockCollector::start()?);
    let port = agent.address().port().to_string();
    let (thrift, otlp) = (collector.url("/api/traces"), collector.url(""));
    let zipkin = collector.url("/api/v2/spans");
    for variables in [
        [
            ("JAEGER_AGENT_HOST", "127.0.0.1"),
            ("JAEGER_AGENT_PORT", &port),
        ],
        [
            ("JAEGER_SERVICE_NAME", "shop"),
            ("JAEGER_ENDPOINT", &thrift),
        ],
        [
            ("OTEL_TRACES_EXPORTER", "otlp"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &otlp),
        ],
        [
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", &zipkin),
        ],
    ] {
        for (name, value) in variables {
            println!("{name}={value}");
        }
        let program = env::current_exe()?;
        Command::new(program).arg("send").envs(variables).status()?;
    }

    let datagram = agent.wait_for_spans(2, Duration::from_secs(5));
    println!("the agent has {} spans", datagram.len());
    println!("the collector has {} spans", collector.spans().len());
    for request in collector.requests() {
        println!("{} bytes at {}", request.body().len(), request.path());
    }
    Ok(())
}

/// Sends one trace as the variables say.
fn send() -> Result<(), Box<dyn Error>> {
    let tracer = Config::from_env()?
        .service_name("shop")
        .sampler(ConstSampler::new(true))
        .build()?;
    let checkout = tracer.start_span("checkout");
    checkout.set_tag("span.kind", "server").set_tag("cart", 3);
    let pay = tracer.build_span("pay").child_of(&checkout).start();
    pay.log_error(&std::io::Error::other("the card is too old"));
    pay.finish();
    checkout.finish();
    println!("  {}\n", tracer.close(Duration::from_secs(5)));
    Ok(())
}
