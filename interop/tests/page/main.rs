//! The pages of the embedded agent in a real Chromium: what they show, what they do at each key, that nothing of a
//! trace runs in them, and that everybody can read them.

mod accessibility;
mod address;
mod file;
mod served;
mod traces;

use std::error::Error;

use serde_json::Value;
use tracehound_interop::{Browser, poll};

type Result<T = (), E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Waits until a script, the body of a function, returns `true`.
fn wait(browser: &Browser, script: &str) -> Result {
    let look = || match browser.run(script, &[]) {
        Ok(Value::Bool(true)) => Ok(()),
        Ok(other) => Err(format!("{script}: {other}")),
        Err(error) => Err(error.to_string()),
    };
    let within = std::time::Duration::from_secs(30);
    Ok(poll(within, std::time::Duration::from_millis(20), look)?)
}

/// Returns the value of an expression.
fn value(browser: &Browser, expression: &str) -> Result<Value> {
    Ok(browser.run(&format!("return {expression}"), &[])?)
}

/// Checks that the page has written nothing to the console: no error, and no violation of its policy.
fn assert_silent(browser: &Browser, what: &str) -> Result {
    let lines = browser.console()?;
    assert!(lines.is_empty(), "{what}: {lines:?}");
    Ok(())
}
