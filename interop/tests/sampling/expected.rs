//! The numbers of kept traces that a strategy promises.

use std::time::Duration;

/// Returns why `kept` of `made` traces do not fit to a probability: they are more than four standard deviations away
/// from the mean.
pub(crate) fn probability(kept: u64, made: u64, probability: f64) -> Option<String> {
    let made_f = made as f64;
    let mean = made_f * probability;
    let deviation = (made_f * probability * (1.0 - probability)).sqrt();
    let is_near = (kept as f64 - mean).abs() <= 4.0 * deviation;
    (!is_near).then(|| format!("{kept} of {made} traces were kept at {probability}: expected {mean} ± 4 x {deviation:.1}"))
}

/// Returns why the times of kept traces do not fit to a limit of traces a second: some window has more than the limit
/// allows, or the whole time has less than 95 % of what was due.
///
/// `starts` are in microseconds.
pub(crate) fn limit(starts: &[i64], lasting: Duration, per_second: f64) -> Option<String> {
    let mut starts = starts.to_vec();
    starts.sort_unstable();
    for (at, first) in starts.iter().enumerate() {
        for (n, last) in starts.iter().skip(at).enumerate() {
            let kept = n as f64 + 1.0;
            let window = (last - first) as f64 / 1e6 + SLACK;
            let most = per_second * window + per_second.max(1.0);
            if kept > most {
                return Some(format!(
                    "{kept} traces in {window} s at {per_second} a second"
                ));
            }
        }
    }
    let due = per_second * lasting.as_secs_f64();
    let kept = starts.len() as f64;
    // One may be due at the very end.
    (kept + 1.0 < 0.95 * due)
        .then(|| format!("{kept} traces in {lasting:?} at {per_second} a second"))
}

/// The longest time between the start of a trace, as it is read, and its decision on a busy machine, in seconds.
const SLACK: f64 = 0.1;

#[test]
fn a_count_far_from_its_mean_is_seen() {
    for (kept, fits) in [
        (400, true),
        (440, true),
        (360, true),
        (480, false),
        (320, false),
    ] {
        assert_eq!(probability(kept, 800, 0.5).is_none(), fits, "{kept}");
    }
    assert!(probability(1, 1_000, 0.0).is_some());
    assert!(probability(999, 1_000, 1.0).is_some());
}

#[test]
fn a_burst_and_a_shortfall_are_seen() {
    let evenly: Vec<i64> = (0..30).map(|n| n * 100_000).collect();
    let lasting = Duration::from_secs(3);
    assert_eq!(limit(&evenly, lasting, 10.0), None);
    assert!(limit(&evenly[..20], lasting, 10.0).is_some());
    let mut burst = evenly.clone();
    burst.extend([1_000_000; 13]);
    assert!(limit(&burst, lasting, 10.0).is_some());
}
