//! The speed of the sink.

use std::hint::spin_loop;
use std::time::{Duration, Instant};

/// How the sink reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Counts the spans of a message and reads the next one, with a receive buffer as large as an agent asks for.
    Fast,
    /// Also spins 2 ns for each byte, as an agent that decodes does, with the receive buffer that the system gives.
    Slow,
}

impl Reader {
    pub const ALL: [Self; 2] = [Self::Fast, Self::Slow];

    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Slow => "slow",
        }
    }

    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reader| reader.name() == name)
    }

    /// The receive buffer to ask the system for, in bytes. `None` leaves what the system gives.
    pub(super) fn receive_buffer(self) -> Option<usize> {
        match self {
            Self::Fast => Some(RECEIVE_BUFFER),
            Self::Slow => None,
        }
    }

    /// Spins for as long as this reader needs for a message of `bytes`.
    pub(super) fn work(self, bytes: usize) {
        let begin = Instant::now();
        let time = match self {
            Self::Fast => return,
            Self::Slow => Duration::from_nanos(NANOS_PER_BYTE * bytes as u64),
        };
        while begin.elapsed() < time {
            spin_loop();
        }
    }
}

/// Linux grants no more than `net.core.rmem_max`.
const RECEIVE_BUFFER: usize = 4 << 20;
const NANOS_PER_BYTE: u64 = 2;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Reader;

    #[test]
    fn the_slow_reader_takes_two_nanoseconds_a_byte() {
        let begin = Instant::now();
        Reader::Slow.work(1_000_000);
        assert!(begin.elapsed() >= Duration::from_millis(2));
    }

    #[test]
    fn readers_are_found_by_name() {
        for reader in Reader::ALL {
            assert_eq!(Reader::find(reader.name()), Some(reader));
        }
        assert_eq!(Reader::find(""), None);
    }
}
