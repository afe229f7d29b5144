//! Strategies from servers that answer rightly, wrongly, slowly, without end or not at all.

#[cfg(feature = "grpc")]
mod grpc;
mod replies;

#[cfg(feature = "grpc")]
use std::thread;
#[cfg(feature = "grpc")]
use std::time::{Duration, Instant};

/// Polls until `is_so`.
#[cfg(feature = "grpc")]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        thread::yield_now();
    }
}
