//! `err` on functions that return no `Result`.
use tracehound::traced;

#[traced(err)]
fn nothing() {}

#[traced(err)]
fn never() -> ! {
    loop {}
}

fn main() {}
