//! Where threads and processes end: each scene has a process to itself.
//!
//! This is a program and no suite of the usual kind, because it forks, ends main threads, counts memory, and has to run
//! where panics abort, too:
//!
//! ```text
//! cargo test --test ends [part of a scene's name]
//! RUSTFLAGS="-C panic=abort" cargo test --test ends --target <this machine> --target-dir target/abort
//! cargo test --release --test ends ids -- --ids 1000000
//! ```
#![allow(clippy::disallowed_methods, reason = "tests keep deadlines")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails says where"
)]

#[cfg(all(unix, feature = "udp"))]
mod abort;
mod callbacks;
mod churn;
#[cfg(all(unix, feature = "dev"))]
mod dev_programs;
#[cfg(all(unix, feature = "udp"))]
mod fork;
#[cfg(all(unix, feature = "udp"))]
mod fork_load;
mod hostile;
mod lines;
#[cfg(all(unix, feature = "udp"))]
mod parts;
#[cfg(all(unix, feature = "udp"))]
mod process;
#[cfg(target_os = "linux")]
mod quiet;
mod support;
mod teardown;

use std::env;
use std::process::{Command, ExitCode};
use std::time::Instant;

/// A scene, by the claim that it makes.
type Scene = (&'static str, fn());

macro_rules! scenes {
    ($($module:ident: [$($name:ident),+ $(,)?]),+ $(,)?) => {
        [$($((stringify!($name), $module::$name as fn())),+),+].to_vec()
    };
}

fn scenes() -> Vec<Scene> {
    let everywhere: Vec<Scene> = scenes! {
        callbacks: [
            a_tracer_is_closed_inside_every_callback,
            the_last_tracer_goes_inside_every_callback,
            the_last_span_goes_inside_every_callback,
            a_tracer_is_closed_while_spans_are_open,
        ],
        churn: [
            short_threads_leave_no_memory_behind,
            short_lived_tracers_leave_no_memory_behind,
        ],
        hostile: [
            nothing_that_comes_in_stops_the_program,
            nothing_that_is_put_on_a_span_stops_the_program,
            a_reporter_that_is_slow_or_gone_stops_nobody,
        ],
        teardown: [
            spans_work_in_every_order_of_a_threads_end,
            spans_work_at_the_end_of_the_main_thread,
            spans_work_at_the_end_of_a_runtimes_threads,
            the_last_tracer_goes_with_its_thread,
        ],
    };
    [everywhere, forks(), dev(), linux()].concat()
}

#[cfg(all(unix, feature = "dev"))]
fn dev() -> Vec<Scene> {
    scenes! {
        dev_programs: [
            a_second_program_sends_its_spans_to_the_agent_of_the_first,
            a_variable_puts_the_embedded_agent_in_the_place_of_a_real_one,
        ],
    }
}

#[cfg(not(all(unix, feature = "dev")))]
fn dev() -> Vec<Scene> {
    Vec::new()
}

#[cfg(target_os = "linux")]
fn linux() -> Vec<Scene> {
    scenes! {
        quiet: [a_program_that_hardly_traces_is_hardly_woken],
    }
}

#[cfg(not(target_os = "linux"))]
fn linux() -> Vec<Scene> {
    Vec::new()
}

#[cfg(all(unix, feature = "udp"))]
fn forks() -> Vec<Scene> {
    scenes! {
        abort: [
            a_panic_hook_sends_the_span_whose_work_panics,
        ],
        fork: [
            a_child_sends_its_spans_by_a_worker_of_its_own,
            what_waited_or_was_open_at_a_fork_is_sent_once,
            a_child_of_a_child_traces_too,
            threads_of_a_child_trace_too,
            a_child_without_an_agent_ends_by_its_deadline,
            a_child_whose_reporter_cannot_be_made_again_says_so,
            a_child_that_never_traces_has_no_second_thread,
            a_child_of_a_closed_tracer_stays_closed,
            an_in_memory_reporter_begins_anew,
            a_reporter_may_fork,
        ],
        fork_load: [
            ids_of_children_never_repeat,
            children_forked_under_load_wait_for_nobody,
        ],
        parts: [parts_count_and_warn_in_a_child_too],
        lines: [
            tracers_that_reach_nobody_say_so_once_a_destination,
        ],
    }
}

#[cfg(not(all(unix, feature = "udp")))]
fn forks() -> Vec<Scene> {
    Vec::new()
}

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if let [flag, name, ..] = &arguments[..]
        && flag == "--scene"
    {
        return play(name);
    }
    // What `cargo test` hands on to every suite is not for this one.
    let filters: Vec<_> = arguments
        .iter()
        .take_while(|argument| !argument.starts_with("--"))
        .collect();
    let rest = arguments.iter().skip(filters.len());
    let mut failed = 0;
    for (name, _) in scenes() {
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(&**filter)) {
            continue;
        }
        let started = Instant::now();
        let mut scene = Command::new(env::current_exe().expect("the path of this test"));
        let status = scene.args(["--scene", name]).args(rest.clone()).status();
        let outcome = match status {
            Ok(status) if status.success() => "ok".to_owned(),
            Ok(status) => format!("FAILED ({status})"),
            Err(error) => format!("FAILED ({error})"),
        };
        failed += i32::from(outcome != "ok");
        println!("scene {name} ... {outcome} ({:.1?})", started.elapsed());
    }
    let panics = if cfg!(panic = "abort") {
        "abort"
    } else {
        "unwind"
    };
    println!("{failed} scenes failed where panics {panics}");
    ExitCode::from(u8::from(failed > 0))
}

fn play(name: &str) -> ExitCode {
    let Some((_, scene)) = scenes().into_iter().find(|(known, _)| *known == name) else {
        eprintln!("there is no scene {name}");
        return ExitCode::FAILURE;
    };
    #[cfg(all(unix, feature = "udp"))]
    process::die_after(process::SCENES_PATIENCE);
    scene();
    // From here on the main thread is torn down.
    ExitCode::SUCCESS
}
