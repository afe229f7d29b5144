//! One number.

/// What it is of, and the number.
pub type Figure = (Quantity, f64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// For a piece of work, in ns.
    Time,
    /// The same, of those bursts only that had the physical core to themselves.
    Alone,
    /// Of those that shared it with another machine.
    Shared,
    /// How many times the work of one thread two threads do: what each takes alone by what it takes beside the other.
    Speedup,
    /// Of all threads for a span, in µs.
    Cpu,
    /// Of those threads for a span that are not the program's, in µs.
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
    /// Which share of the spans did not arrive.
    Missing,
    /// The most that was held, in MB.
    Memory,
    /// What half of all calls take at most, in ns.
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
