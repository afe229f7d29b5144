//! A program that traces for long, and what that costs it.
//!
//! It makes spans at an even rate and sends them to a receiver that is well, away, or in another trouble every so
//! often. Each line of the table has its memory, its share of one processor, and the spans that have arrived. At the
//! end stand how its memory grew in the second half, what its ledger says, and whether that adds up.
//!
//! Run: `cargo run --release -p tracehound-interop --example soak -- -way=otlp -trouble=changing -seconds=600
//! -rate=20000 -threads=2`. `-way` is `udp`, `thrift` or `otlp`, `-trouble` is `none`, `away` or `changing`, and
//! `-change` is the time between two troubles, in seconds.

use std::{
    env,
    error::Error,
    io::Read as _,
    process::{Child, Command, Stdio},
    time::Duration,
};

use options::Options;
use receiver::Receiver;
use tracehound_interop::{LoadReport, poll};
use usage::{Sample, Usage};

mod options;
#[expect(dead_code, reason = "the tracer is another one")]
#[path = "../load/produce.rs"]
mod produce;
mod receiver;
#[path = "../load/spans.rs"]
mod spans;
mod traced;
mod usage;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == TRACED) {
        let options = Options::parse(arguments.drain(1..))?;
        println!("{}", traced::run(&options)?.to_json());
        return Ok(());
    }
    let mut options = Options::parse(arguments)?;
    let receiver = Receiver::start(options.way, options.trouble)?;
    options.load.agent = receiver.address();
    let mut traced = Command::new(env::current_exe()?)
        .arg(TRACED)
        .args(options.arguments())
        .stdout(Stdio::piped())
        .spawn()?;
    let samples = watch(&mut traced, &receiver, &options)?;
    let report = report(traced)?;
    println!();
    println!("{}", Usage::of(&samples));
    println!("made {} in {:.1} s", report.finished, report.seconds);
    println!("sent {}, lost {}", report.sent, report.losses());
    println!("arrived {}", receiver.spans());
    println!("the ledger adds up: {}", report.adds_up());
    Ok(())
}

/// Samples the program once a second until it ends, and prints a line every half a minute.
fn watch(
    traced: &mut Child,
    receiver: &Receiver,
    options: &Options,
) -> Result<Vec<Sample>, Box<dyn Error>> {
    println!("| s | resident MiB | processor % | arrived | trouble |");
    println!("|---|---|---|---|---|");
    let mut samples: Vec<Sample> = Vec::new();
    let mut seconds = 0;
    // It may take as long again to close.
    let patience = Duration::from_secs(2 * options.seconds() + 60);
    poll(patience, Duration::from_secs(1), || {
        let trouble = receiver.change(seconds / options.change);
        let has_ended = traced.try_wait().map_or(true, |status| status.is_some());
        if has_ended {
            return Ok(());
        }
        if let Some(sample) = Sample::of(traced.id()) {
            if seconds % 30 == 0 {
                let share = sample.share_since(samples.last());
                let arrived = receiver.spans();
                let memory = sample.mebibytes();
                println!("| {seconds} | {memory:.1} | {share:.0} | {arrived} | {trouble} |");
            }
            samples.push(sample);
        }
        seconds += 1;
        Err(())
    })
    .map_err(|()| "the program does not end")?;
    Ok(samples)
}

fn report(mut traced: Child) -> Result<LoadReport, Box<dyn Error>> {
    let mut line = String::new();
    if let Some(out) = &mut traced.stdout {
        out.read_to_string(&mut line)?;
    }
    let status = traced.wait()?;
    if !status.success() {
        return Err(format!("the program ended with {status}").into());
    }
    Ok(LoadReport::from_json(&line)?)
}

/// The first argument of the program that is watched.
const TRACED: &str = "traced";
