//! Every scene over both protocols, with trace ids of both lengths, compared field by field.

use tracehound::tracer::TracerBuilder;
use tracehound_interop::{Backend, Version};

use crate::{
    Result,
    client::{Client, Protocol},
    scenes::{self, Scene},
};

#[test]
fn v1_shows_compact_spans_as_they_were_made() -> Result {
    shows_as_made(Version::V1, Protocol::Compact)
}

#[test]
fn v1_shows_binary_spans_as_they_were_made() -> Result {
    shows_as_made(Version::V1, Protocol::Binary)
}

#[test]
fn v2_shows_compact_spans_as_they_were_made() -> Result {
    shows_as_made(Version::V2, Protocol::Compact)
}

#[test]
fn v2_shows_binary_spans_as_they_were_made() -> Result {
    shows_as_made(Version::V2, Protocol::Binary)
}

fn shows_as_made(version: Version, protocol: Protocol) -> Result {
    let Some(jaeger) = Backend::start_or_skip(version)? else {
        return Ok(());
    };
    let mut mismatches = Vec::new();
    for is_128_bit in [false, true] {
        for (name, scene) in scenes::ALL {
            let of_scene = play(&jaeger, protocol, is_128_bit, scene)?;
            let said = |mismatch| format!("{name}, 128 bit {is_128_bit}: {mismatch}");
            mismatches.extend(of_scene.into_iter().map(said));
        }
    }
    let all = mismatches.join("\n");
    assert!(mismatches.is_empty(), "{version}, {protocol:?}:\n{all}");
    Ok(())
}

fn play(
    jaeger: &Backend,
    protocol: Protocol,
    is_128_bit: bool,
    scene: Scene,
) -> Result<Vec<String>> {
    let client = Client::new(jaeger, protocol.sender(jaeger), |tracer| {
        with_tags(tracer).trace_id_128bit(is_128_bit)
    })?;
    scene(client.tracer());
    client.deliver_all()?;
    let made = client.made();
    assert!(!made.is_empty(), "the scene makes no spans");
    let mut mismatches = Vec::new();
    for (trace_id, batch) in made {
        mismatches.extend(client.compare(trace_id, &batch)?);
    }
    Ok(mismatches)
}

fn with_tags(tracer: TracerBuilder) -> TracerBuilder {
    tracer
        .tag("zone", "eu-1")
        .tag("größe", "")
        .tag("replica", 3)
        .tag("canary", true)
        .tag("weight", 0.5)
        .tag("limit", f64::INFINITY)
        .tag("key", vec![0, 255])
}
