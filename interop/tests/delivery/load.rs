//! Rates and bursts that every client should manage: all spans are sent, and all sent spans are
//! stored.

use tracehound_interop::{Backend, Load, LoadProgram, Profile, SpanSize, Version};

use crate::{
    Result, produce,
    scene::{alone, losses},
};

#[test]
fn v1_stores_every_span_of_even_rates() -> Result {
    stores_all(Version::V1, rates)
}

#[test]
fn v2_stores_every_span_of_even_rates() -> Result {
    stores_all(Version::V2, rates)
}

#[test]
fn v1_stores_every_span_of_bursts() -> Result {
    stores_all(Version::V1, bursts)
}

#[test]
fn v2_stores_every_span_of_bursts() -> Result {
    stores_all(Version::V2, bursts)
}

#[test]
fn v1_stores_every_span_of_eight_threads() -> Result {
    stores_all(Version::V1, threads)
}

#[test]
fn v2_stores_every_span_of_eight_threads() -> Result {
    stores_all(Version::V2, threads)
}

#[test]
fn v1_stores_every_span_of_four_programs() -> Result {
    stores_all_of_four_programs(Version::V1)
}

#[test]
fn v2_stores_every_span_of_four_programs() -> Result {
    stores_all_of_four_programs(Version::V2)
}

fn rates(load: &Load) -> Vec<Load> {
    [500, 1_000, 5_000]
        .map(|per_second| load.clone().rate(per_second, 2))
        .into()
}

fn bursts(load: &Load) -> Vec<Load> {
    [1_000, 5_000].map(|spans| load.clone().burst(spans)).into()
}

fn threads(load: &Load) -> Vec<Load> {
    vec![load.clone().rate(1_000, 2).threads(8)]
}

/// Runs every load, so that a failure reports all of them.
fn stores_all(version: Version, loads: fn(&Load) -> Vec<Load>) -> Result {
    let _alone = alone();
    let Some(jaeger) = Backend::start_for_load_or_skip(version)? else {
        return Ok(());
    };
    let mut wrong = String::new();
    let load = Load::new("load", jaeger.compact_addr(), SpanSize::Large);
    for (n, mut load) in loads(&load).into_iter().enumerate() {
        load.service = format!("load-{n}");
        let before = jaeger.delivered_now(&load.service)?;
        let report = produce::run(&load)?;
        let delivered = jaeger.delivered(&load.service)? - before;
        let what = match load.rate {
            0 => format!("a burst of {}", load.spans),
            rate => format!("{rate} spans a second by {} threads", load.threads),
        };
        wrong += &losses(&what, &report, &delivered);
    }
    assert!(wrong.is_empty(), "{version}\n{wrong}");
    Ok(())
}

fn stores_all_of_four_programs(version: Version) -> Result {
    let _alone = alone();
    let Some(jaeger) = Backend::start_for_load_or_skip(version)? else {
        return Ok(());
    };
    let profile = if cfg!(debug_assertions) {
        Profile::Debug
    } else {
        Profile::Release
    };
    let program = LoadProgram::tracehound(profile)?;
    let load = Load::new("load", jaeger.compact_addr(), SpanSize::Large).rate(1_000, 2);
    let before = jaeger.delivered_now(&load.service)?;
    let report = program.run_beside(&load, 4)?;
    let delivered = jaeger.delivered(&load.service)? - before;
    let wrong = losses("four programs", &report, &delivered);
    assert!(wrong.is_empty(), "{version}\n{wrong}");
    Ok(())
}
