//! The company of a core: whether it has its physical core to itself.
//!
//! A core of a virtual machine is often one of two threads of a physical core, and nothing says when another machine
//! works on the other one. They share what executes instructions: meanwhile a loop that keeps all of it busy takes up to
//! twice as long, and one that waits for each result before it goes on takes as long as before. This comes and goes
//! within milliseconds.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// The company of a thread on its physical core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    Alone,
    Shared,
}

/// Two such loops, which tell the company in some microseconds.
#[derive(Clone, Copy)]
pub struct Probe {
    /// The time of the wide loop by the time of the chain, alone on the core. It depends on the processor and on the
    /// build: about 0.85 where it was tried.
    pub least: f64,
}

impl Probe {
    /// Measures `least` on the core of this thread. The core has to be alone for a few microseconds of the two seconds
    /// that this takes.
    pub fn calibrate() -> Self {
        let end = Instant::now() + CALIBRATION;
        // The least of each, and not the least ratio: that is next to nothing if the thread is interrupted in the
        // chain.
        let (mut least_wide, mut least_chain) = (f64::INFINITY, f64::INFINITY);
        while Instant::now() < end {
            least_wide = wide().min(least_wide);
            least_chain = chain().min(least_chain);
        }
        Self {
            least: least_wide / least_chain,
        }
    }

    /// Does the work and returns its company, or `None` if the company right before and right after differ.
    pub fn around<T>(self, work: impl FnOnce() -> T) -> (T, Option<Company>) {
        let before = self.company();
        let result = work();
        let after = self.company();
        (result, (before == after).then_some(before))
    }

    fn company(self) -> Company {
        self.company_at(wide() / chain())
    }

    fn company_at(self, ratio: f64) -> Company {
        if ratio <= self.least * TOLERANCE {
            Company::Alone
        } else {
            Company::Shared
        }
    }
}

/// Runs a loop with as many instructions at once as there are units for them. Returns its time in ns.
#[inline(never)]
fn wide() -> f64 {
    let begin = Instant::now();
    // Eight words: over six, an AMD Zen 3 has two speeds, 7 % from each other, even alone. And a count that the compiler
    // does not know: else the speed depends on where in memory the loop is.
    let mut words = black_box([1_u64, 2, 3, 4, 5, 6, 7, 8]);
    for i in 0..black_box(WIDE) {
        // Each rotates by another number of bits, so that they do not become vectors.
        for (bits, word) in (1..).zip(&mut words) {
            *word = (*word ^ i).rotate_left(bits);
        }
    }
    black_box(words.into_iter().fold(0, |all, word| all ^ word));
    begin.elapsed().as_nanos() as f64
}

/// Runs a loop in which each multiplication waits for the one before. Returns its time in ns.
#[inline(never)]
fn chain() -> f64 {
    let begin = Instant::now();
    let mut x = black_box(3_u64);
    for _ in 0..CHAIN {
        x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 1;
        x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 1;
    }
    black_box(x);
    begin.elapsed().as_nanos() as f64
}

const WIDE: u64 = 2_250;
const CHAIN: u64 = 1_500;
const CALIBRATION: Duration = Duration::from_secs(2);
/// Alone, nearly all probes are within 1 %; shared, most are 10 % and more above.
const TOLERANCE: f64 = 1.05;

#[cfg(test)]
mod tests {
    use super::{Company, Probe};

    #[test]
    fn a_core_is_shared_from_five_percent_above_the_least() {
        let probe = Probe { least: 0.85 };
        for (ratio, company) in [
            (0.85, Company::Alone),
            (0.89, Company::Alone),
            (0.90, Company::Shared),
            (1.50, Company::Shared),
        ] {
            assert_eq!(probe.company_at(ratio), company, "{ratio}");
        }
    }
}
