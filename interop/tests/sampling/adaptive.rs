//! A backend that adapts its strategies to the traces that it gets.
//!
//! It is Jaeger v1.57.0, because v2.13.0 never changes its first answer. It aims at 20 sampled traces a second of each
//! operation, and begins with one in ten. So the probability of a busy operation must fall, and that of a rare one rise.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracehound_interop::{Backend, poll};

use crate::{
    Result,
    roots::{Report, Roots},
};

#[test]
fn operations_come_near_to_the_target_of_an_adaptive_backend() -> Result {
    keeps_operations_at_the_target(&Scene {
        settle: 30,
        window: 20,
        restart: 40,
        tolerance: 0.5,
    })
}

/// Run: `cargo test -p tracehound-interop --test sampling -- --include-ignored`
#[test]
#[ignore = "takes more than two minutes"]
fn operations_stay_at_the_target_of_an_adaptive_backend() -> Result {
    keeps_operations_at_the_target(&Scene {
        settle: 60,
        window: 60,
        restart: 90,
        tolerance: 0.3,
    })
}

/// The seconds from the program's start on.
struct Scene {
    /// The start of the window in which the mean is taken.
    settle: u64,
    /// Its length.
    window: u64,
    /// The time when the program ends and another one takes its place.
    restart: u64,
    /// The greatest distance of a mean from the target, as a share of it.
    tolerance: f64,
}

fn keeps_operations_at_the_target(scene: &Scene) -> Result {
    let Some(jaeger) = Backend::start_adaptive_or_skip()? else {
        return Ok(());
    };
    let endpoint = format!("http://{}/sampling", jaeger.endpoints().sampling_http);
    let variables = [
        ("JAEGER_SERVICE_NAME", SERVICE),
        ("JAEGER_SAMPLING_ENDPOINT", &*endpoint),
        ("JAEGER_SAMPLER_REFRESH_INTERVAL", "1s"),
    ];
    let roots = OPERATIONS
        .map(|(name, rate)| format!("{name}:{rate}"))
        .join(",");
    let program = Roots::build()?;
    let run = |seconds| Roots::start(&program, &jaeger, &variables, &roots, seconds);

    let end = scene.settle + scene.window;
    let from = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + scene.settle;
    let window = from..from + scene.window;
    let reports: [Report; 2] = [
        run(scene.restart)?.report()?,
        run(end - scene.restart + 1)?.report()?,
    ];
    let mut wrong = String::new();
    for (operation, _) in OPERATIONS {
        let of_operation = || reports.iter().map(|report| &report.operations[operation]);
        let sampled: u64 = of_operation().map(|report| report.all_sampled()).sum();
        let stored = poll(WITHIN, EVERY, || {
            match jaeger.spans_of(SERVICE, operation) {
                Ok(spans) if spans.len() as u64 == sampled => Ok(Ok(spans)),
                Ok(spans) => Err(format!("{} of {sampled} are stored", spans.len())),
                Err(error) => Ok(Err(error)),
            }
        });
        let stored = stored??;
        let by_program: u64 = of_operation()
            .flat_map(|report| report.sampled.range(window.clone()))
            .map(|(_, sampled)| sampled)
            .sum();
        let seconds = stored.iter().map(|span| span.start_us as u64 / 1_000_000);
        let by_backend = seconds.filter(|second| window.contains(second)).count() as u64;
        for (by, sampled) in [("program", by_program), ("backend", by_backend)] {
            let mean = sampled as f64 / scene.window as f64;
            println!("{operation}: {mean:.1} a second, by the {by}");
            if (mean - TARGET).abs() > scene.tolerance * TARGET {
                wrong += &format!("{operation}: {mean:.1} a second, by the {by}\n");
            }
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("{wrong}{:?}", jaeger.strategy(SERVICE)?).into())
    }
}

const SERVICE: &str = "adaptive";
/// Names and traces a second.
const OPERATIONS: [(&str, u64); 3] = [("checkout", 1_000), ("search", 200), ("login", 40)];
/// Sampled traces a second of each operation.
const TARGET: f64 = 20.0;
const WITHIN: Duration = Duration::from_secs(20);
const EVERY: Duration = Duration::from_millis(200);
