//! `err` on functions whose return type turns out to be no `Result`, or whose error cannot be logged.
use tracehound::traced;

type Number = u64;

#[traced(err)]
fn number() -> Number {
    1
}

#[traced(err)]
async fn number_later() -> u64 {
    1
}

#[traced(err)]
fn future() -> impl Future<Output = u64> {
    std::future::ready(1)
}

#[traced(err)]
fn no_error() -> Result<(), String> {
    Ok(())
}

struct Bare;

#[traced(err(Debug))]
fn no_debug() -> Result<(), Bare> {
    Ok(())
}

fn main() {}
