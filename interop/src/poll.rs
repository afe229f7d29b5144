use std::{
    thread,
    time::{Duration, Instant},
};

/// Calls `look` every `every` until it succeeds or `within` is over, and then returns its last error.
///
/// It always looks once after the deadline, so a machine that stood still is no failure.
pub fn poll<T, L>(
    within: Duration,
    every: Duration,
    mut look: impl FnMut() -> Result<T, L>,
) -> Result<T, L> {
    let started = Instant::now();
    loop {
        let is_last = started.elapsed() >= within;
        match look() {
            Err(_) if !is_last => thread::sleep(every),
            seen => return seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_ends_with_the_first_success() {
        let mut looks = 0;
        let seen = poll(Duration::from_secs(60), Duration::ZERO, || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err(looks) }
        });
        assert_eq!(seen, Ok(3));
    }

    #[test]
    fn polling_looks_once_even_if_there_is_no_time() {
        assert_eq!(
            poll(Duration::ZERO, Duration::ZERO, || Ok::<_, ()>(1)),
            Ok(1)
        );
        assert_eq!(
            poll(Duration::ZERO, Duration::ZERO, || Err::<(), _>("no")),
            Err("no")
        );
    }
}
