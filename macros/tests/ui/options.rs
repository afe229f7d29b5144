//! Options that do not exist, are given twice or make no sense.
use tracehound::traced;

#[traced(nane = "x")]
fn unknown() {}

#[traced(name = "x", kind = "client", name = "y")]
fn twice() {}

#[traced(kind = "internal")]
fn wrong_kind() {}

#[traced(kind = client)]
fn kind_without_quotes() {}

#[traced(name = 5)]
fn name_of_another_type() {}

#[traced(err(Pretty))]
fn unknown_form() -> Result<(), String> {
    Ok(())
}

#[traced(root, parent = job)]
fn contradiction(job: tracehound::SpanContext) {}

#[traced(name "x")]
fn no_equals_sign() {}

fn main() {}
