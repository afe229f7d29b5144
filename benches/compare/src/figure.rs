//! Figures: numbers and their meaning.

/// A quantity and its number.
pub type Figure = (Quantity, f64);

/// The meaning of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Time for a piece of work, in ns.
    Time,
    /// Like `Time`, but of bursts that had the physical core to themselves.
    Alone,
    /// Like `Time`, but of bursts that shared the physical core with another machine.
    Shared,
    /// The work of two threads as a multiple of one thread's: each thread's time alone by its time beside the other.
    Speedup,
    /// Time of all threads on a core for a span, in µs.
    Cpu,
    /// Like `Cpu`, but without the program's own thread.
    BackgroundCpu,
    /// Spans that the program finished.
    Made,
    /// Spans that the sink counted.
    Arrived,
    /// Spans that the contender says it sent.
    Sent,
    /// Spans that the contender says it dropped.
    Dropped,
    /// Datagrams that the kernel dropped because the sink's receive buffer was full.
    KernelDrops,
    /// Spans that arrived, in millions a second.
    Delivered,
    /// The share of spans that did not arrive.
    Missing,
    /// The most memory that was held, in MB.
    Memory,
    /// The longest of the fastest half of the calls, in ns; the others are for 99 %, 99.9 % and 99.99 %.
    P50,
    P99,
    P999,
    P9999,
}

impl Quantity {
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|quantity| format!("{quantity:?}") == name)
    }

    const ALL: [Self; 18] = [
        Self::Time,
        Self::Alone,
        Self::Shared,
        Self::Speedup,
        Self::Cpu,
        Self::BackgroundCpu,
        Self::Made,
        Self::Arrived,
        Self::Sent,
        Self::Dropped,
        Self::KernelDrops,
        Self::Delivered,
        Self::Missing,
        Self::Memory,
        Self::P50,
        Self::P99,
        Self::P999,
        Self::P9999,
    ];
}
