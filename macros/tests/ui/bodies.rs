//! Errors in bodies, which have nothing to do with the attribute.
use tracehound::traced;

#[traced]
fn plain() -> u32 {
    "one"
}

#[traced]
fn no_value() -> u32 {
    let _one = 1;
}

#[traced(err)]
fn fallible() -> Result<u32, std::fmt::Error> {
    Ok("one")
}

#[traced(err)]
async fn later() -> Result<u32, std::fmt::Error> {
    if true {
        return Ok("one");
    }
    "two"
}

#[traced]
async fn nothing_later() {
    1
}

#[traced]
fn returned() -> impl Future<Output = u32> {
    let one: u32 = "one";
    async move { one }
}

#[traced]
fn used_up(text: String) {
    drop(text);
    drop(text);
}

#[traced]
async fn unknown_name() -> u32 {
    one
}

fn main() {}
