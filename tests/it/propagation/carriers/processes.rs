//! The environments of real processes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use tracehound::JaegerTracer;
use tracehound::prelude::*;
use tracehound::propagation::{ChildEnvironment, Environment, Propagation};

use crate::propagation::{context, items};
use crate::support::recording_builder;

/// The path of [`child`].
const CHILD: &str = "propagation::carriers::processes::child";

fn tracer() -> JaegerTracer {
    let (builder, _) = recording_builder();
    let formats = [Propagation::Jaeger, Propagation::W3c, Propagation::B3Single];
    builder.propagation(formats).build().expect("named")
}

/// Returns a command that runs [`child`] in a process of its own.
fn child_command() -> Command {
    let this_program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(this_program);
    command.args(["--exact", CHILD, "--ignored", "--nocapture"]);
    command
}

/// Runs the child, and returns the lines that it prints.
fn lines_of(mut command: Command) -> Vec<String> {
    let output = command.output().expect("the child runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(str::to_owned).collect()
}

/// Returns the rest of the lines that begin with `start`.
fn after<'l>(lines: &'l [String], start: &str) -> Vec<&'l str> {
    let lines = lines.iter();
    lines.filter_map(|line| line.strip_prefix(start)).collect()
}

/// Returns the variables of the grandchild that carry a context, without their values.
fn carried(lines: &[String]) -> Vec<&str> {
    let names = lines.iter().filter_map(|line| line.split_once('='));
    let headers = tracer();
    let mut names: Vec<_> = names
        .map(|(name, _)| name)
        .filter(|name| {
            let header = name.to_lowercase().replace('_', "-");
            headers.propagated_headers().contains(&header)
        })
        .collect();
    names.sort_unstable();
    names
}

/// Reads the context of this process, and prints it. Prints then what it gives to a child of a new trace.
#[test]
#[ignore = "runs as the child process of other tests"]
fn child() {
    let tracer = tracer();
    let read = tracer.extract(&Environment::of_this_process());
    let read = read.expect("well-formed").unwrap_or_default();
    println!("\nread {read}");
    for (key, value) in items(&read) {
        println!("baggage {key} {value}");
    }
    println!("conflict {:?}", read.conflict());

    let span = tracer.build_span("other work").ignore_active_span().start();
    let mut command = Command::new("/usr/bin/env");
    tracer.inject(&span.context(), &mut ChildEnvironment(&mut command));
    let output = command.output().expect("env runs");
    println!("own {}", span.context());
    println!("{}", String::from_utf8_lossy(&output.stdout));
}

/// What a grandchild gets of a trace without baggage.
const GIVEN: [&str; 3] = ["B3", "TRACEPARENT", "UBER_TRACE_ID"];

#[test]
fn a_child_process_reads_what_its_parent_gives_it() {
    let context = context().with_baggage_item("tenant", "Zoë 7\n");
    let mut command = child_command();
    command
        .env("UBERCTX_EARLIER", "e")
        .env("BAGGAGE_EARLIER", "e")
        .env("uber_trace_id", "e:e:0:1")
        .env("Traceparent", "e")
        .env("B3", "e-e-1")
        .env("JAEGER_DEBUG_ID", "e")
        .env("OTHER_OF_THE_PARENT", "stays");
    tracer().inject(&context, &mut ChildEnvironment(&mut command));
    // Names that are not UTF-8 are no headers.
    command.env(OsStr::from_bytes(b"UBERCTX_\xff"), "v");
    let lines = lines_of(command);
    assert_eq!(after(&lines, "read "), [context.to_string()], "{lines:#?}");
    assert_eq!(after(&lines, "baggage "), ["tenant Zoë 7"], "{lines:#?}");
    assert_eq!(after(&lines, "conflict "), ["None"], "{lines:#?}");

    // The grandchild inherits nothing of the parent's trace.
    assert_eq!(carried(&lines), GIVEN, "{lines:#?}");
    let own = after(&lines, "own ");
    assert_eq!(after(&lines, "UBER_TRACE_ID="), own, "{lines:#?}");
    assert_eq!(after(&lines, "OTHER_OF_THE_PARENT="), ["stays"]);
}

#[test]
fn a_variable_is_read_and_replaced_in_any_spelling() {
    for name in ["uber_trace_id", "Uber_Trace_Id", "UBER-TRACE-ID"] {
        let mut command = child_command();
        command.env(name, "1:2:0:1").env("UberCtx_K", "v");
        let lines = lines_of(command);
        let read = after(&lines, "read ");
        assert_eq!(read, [context().to_string()], "{name}: {lines:#?}");
        assert_eq!(after(&lines, "baggage "), ["k v"], "{name}: {lines:#?}");
        assert_eq!(carried(&lines), GIVEN, "{name}: {lines:#?}");
        let own = after(&lines, "own ");
        assert_eq!(after(&lines, "UBER_TRACE_ID="), own, "{name}");
    }
}

#[test]
fn a_process_without_a_trace_reads_none() {
    let mut command = child_command();
    command.env("UBER_TRACE", "1:2:0:1").env("UBERCTX", "v");
    let lines = lines_of(command);
    assert_eq!(after(&lines, "read "), [""], "{lines:#?}");
    assert_eq!(carried(&lines), GIVEN, "{lines:#?}");
}
