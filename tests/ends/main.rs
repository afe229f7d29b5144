//! Scenes where threads and processes end. Each scene has a process to itself.
//!
//! This is a program without a test harness, because it forks, ends main threads, counts memory, and also runs where
//! panics abort:
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
#[cfg(all(unix, feature = "remote-sampler", feature = "udp"))]
mod agent;
#[cfg(feature = "udp")]
#[path = "../support/block_on.rs"]
mod block_on;
mod callbacks;
mod churn;
#[cfg(all(unix, feature = "dev"))]
mod dev_programs;
#[cfg(feature = "udp")]
mod endings;
#[cfg(all(unix, feature = "udp"))]
mod exits;
#[cfg(all(target_os = "linux", feature = "udp"))]
mod footprint;
#[cfg(all(unix, feature = "udp"))]
mod fork;
#[cfg(all(unix, feature = "udp"))]
mod fork_load;
#[cfg(all(unix, feature = "remote-sampler", feature = "udp"))]
mod fork_policies;
#[cfg(all(unix, feature = "tokio", feature = "udp"))]
mod fork_runtime;
#[cfg(all(unix, feature = "remote-sampler", feature = "udp"))]
mod fork_sampling;
#[cfg(all(unix, feature = "collector", feature = "udp"))]
mod fork_upload;
#[cfg(all(unix, feature = "udp"))]
mod fork_watch;
mod hostile;
#[cfg(all(unix, feature = "udp"))]
mod lines;
#[cfg(all(unix, feature = "udp"))]
mod log_volume;
#[cfg(target_os = "linux")]
mod no_thread;
#[cfg(all(unix, feature = "udp"))]
mod parts;
#[cfg(all(unix, feature = "udp"))]
mod process;
#[cfg(target_os = "linux")]
mod quiet;
#[cfg(all(unix, feature = "udp"))]
mod signals;
#[cfg(all(target_os = "linux", feature = "udp"))]
mod slow_agent;
#[cfg(target_os = "linux")]
mod starved;
mod support;
mod teardown;
mod wall_clock;
#[cfg(target_os = "linux")]
mod watchdog_thread;

use std::env;
use std::process::{Command, ExitCode};
use std::time::Instant;

/// A scene: a claim as its name, and its code.
type Scene = (&'static str, fn());

macro_rules! scenes {
    ($($module:ident: [$($name:ident),+ $(,)?]),+ $(,)?) => {
        [$($((stringify!($name), $module::$name as fn())),+),+].to_vec()
    };
}

fn scenes() -> Vec<Scene> {
    let everywhere: Vec<Scene> = scenes! {
        wall_clock: [spans_start_at_the_time_of_the_wall_clock],
        callbacks: [
            a_tracer_can_be_closed_inside_every_callback,
            the_last_tracer_can_be_dropped_inside_every_callback,
            the_last_span_can_be_dropped_inside_every_callback,
            a_tracer_can_be_closed_while_spans_are_open,
        ],
        churn: [
            short_threads_leave_no_memory_behind,
            short_lived_tracers_leave_no_memory_behind,
            endless_children_of_a_long_root_leave_no_memory_behind,
            endless_traces_leave_no_memory_behind,
            open_spans_beyond_the_limit_keep_no_tags,
        ],
        hostile: [
            hostile_headers_and_settings_never_stop_the_program,
            hostile_span_data_never_stops_the_program,
            a_slow_or_missing_reporter_never_blocks_the_program,
        ],
        teardown: [
            spans_work_in_every_order_of_a_threads_end,
            spans_work_at_the_end_of_the_main_thread,
            spans_work_at_the_end_of_a_runtimes_threads,
            the_last_tracer_closes_when_its_thread_ends,
        ],
    };
    [
        everywhere,
        forks(),
        fork_polls(),
        fork_uploads(),
        dev(),
        linux(),
        signals(),
        fork_runtime(),
        endings(),
        footprint(),
    ]
    .concat()
}

#[cfg(all(unix, feature = "dev"))]
fn dev() -> Vec<Scene> {
    scenes! {
        dev_programs: [
            a_second_program_sends_its_spans_to_the_agent_of_the_first,
            a_variable_puts_the_embedded_agent_in_the_place_of_a_real_one,
            a_handler_may_ask_for_a_tracer_of_the_embedded_agent,
        ],
    }
}

#[cfg(not(all(unix, feature = "dev")))]
fn dev() -> Vec<Scene> {
    Vec::new()
}

#[cfg(all(unix, feature = "udp", feature = "signals"))]
fn signals() -> Vec<Scene> {
    scenes! {
        signals: [
            every_span_that_has_finished_is_sent_before_a_signal_ends_the_process,
            a_forked_child_ends_by_the_signal_at_once_and_its_parent_goes_on,
            a_tracer_that_hangs_takes_no_time_from_another_one_at_a_signal,
        ],
    }
}

#[cfg(not(all(unix, feature = "udp", feature = "signals")))]
fn signals() -> Vec<Scene> {
    Vec::new()
}

#[cfg(all(unix, feature = "tokio", feature = "udp"))]
fn fork_runtime() -> Vec<Scene> {
    scenes! {
        fork_runtime: [a_forked_child_of_a_runtime_has_a_worker_thread],
    }
}

#[cfg(not(all(unix, feature = "tokio", feature = "udp")))]
fn fork_runtime() -> Vec<Scene> {
    Vec::new()
}

#[cfg(feature = "udp")]
fn endings() -> Vec<Scene> {
    scenes! {
        endings: [flush_and_close_end_in_time_in_every_place_with_every_receiver],
    }
}

#[cfg(not(feature = "udp"))]
fn endings() -> Vec<Scene> {
    Vec::new()
}

#[cfg(all(target_os = "linux", feature = "udp"))]
fn footprint() -> Vec<Scene> {
    scenes! {
        footprint: [a_tracer_at_rest_has_one_thread_and_two_descriptors],
        slow_agent: [a_steady_stream_reaches_a_slow_agent_whole],
    }
}

#[cfg(not(all(target_os = "linux", feature = "udp")))]
fn footprint() -> Vec<Scene> {
    Vec::new()
}

#[cfg(target_os = "linux")]
fn linux() -> Vec<Scene> {
    scenes! {
        no_thread: [
            a_tracer_that_gets_no_thread_is_built_and_gets_one_later,
            spans_of_a_tracer_that_never_gets_a_thread_are_counted,
        ],
        quiet: [a_program_that_hardly_traces_is_hardly_woken],
        starved: [a_starved_worker_stops_no_thread_and_every_lost_span_is_counted],
        watchdog_thread: [the_thread_of_the_watchdog_ends_with_its_tracer],
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
        exits: [
            a_process_that_exits_loses_no_span_older_than_the_flush_interval,
            a_process_that_becomes_another_program_loses_no_span_older_than_the_flush_interval,
        ],
        fork: [
            a_forked_child_sends_its_spans_by_a_worker_of_its_own,
            waiting_and_open_spans_are_sent_once_after_a_fork,
            a_forked_child_of_a_forked_child_traces_too,
            threads_of_a_forked_child_trace_too,
            a_forked_child_without_an_agent_ends_by_its_deadline,
            a_forked_child_says_that_its_reporter_cannot_be_made_again,
            a_forked_child_that_never_traces_has_no_second_thread,
            a_closed_tracer_stays_closed_in_a_forked_child,
            spans_that_wait_for_a_decision_of_the_parent_are_counted_in_a_forked_child,
            an_in_memory_reporter_begins_anew_in_a_forked_child,
            a_forked_child_counts_operations_and_metrics_from_zero,
            a_reporter_may_fork,
        ],
        fork_load: [
            ids_of_forked_children_never_repeat,
            forked_children_never_wait_for_a_lock_of_the_parent,
        ],
        fork_watch: [
            a_forked_child_watches_its_own_spans_and_not_those_of_its_parent,
            a_forked_child_looks_for_orphans_of_its_own,
        ],
        parts: [parts_count_and_warn_in_a_forked_child_too],
        signals: [a_killed_process_loses_no_span_older_than_the_flush_interval],
        lines: [
            tracers_without_an_agent_say_so_once_per_destination,
        ],
        log_volume: [
            no_cause_has_more_than_one_line_in_ten_seconds_under_any_trouble,
        ],
    }
}

#[cfg(not(all(unix, feature = "udp")))]
fn forks() -> Vec<Scene> {
    Vec::new()
}

#[cfg(all(unix, feature = "remote-sampler", feature = "udp"))]
fn fork_polls() -> Vec<Scene> {
    scenes! {
        fork_policies: [a_forked_child_asks_for_restrictions_and_credits_by_itself],
        fork_sampling: [
            a_forked_child_asks_for_its_sampling_strategy_by_itself,
            a_forked_child_keeps_the_strategy_of_a_fetcher_that_cannot_be_made_again,
        ],
    }
}

#[cfg(not(all(unix, feature = "remote-sampler", feature = "udp")))]
fn fork_polls() -> Vec<Scene> {
    Vec::new()
}

#[cfg(all(unix, feature = "collector", feature = "udp"))]
fn fork_uploads() -> Vec<Scene> {
    scenes! {
        fork_upload: [
            a_forked_child_uploads_by_a_thread_of_its_own,
            a_fork_during_an_upload_leaves_its_answer_to_the_parent,
        ],
    }
}

#[cfg(not(all(unix, feature = "collector", feature = "udp")))]
fn fork_uploads() -> Vec<Scene> {
    Vec::new()
}

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if let [flag, name, ..] = &arguments[..]
        && flag == "--scene"
    {
        return play(name);
    }
    // `cargo test` hands flags to every suite; this one ignores them.
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
    // The main thread is torn down after this.
    ExitCode::SUCCESS
}
