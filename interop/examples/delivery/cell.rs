use std::net::SocketAddr;

use tracehound_interop::{Load, SpanSize, Version};

/// A row of the table before it is measured: the backend, the client and the load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) version: Version,
    pub(crate) client: Client,
    /// The number of programs that run at the same time.
    pub(crate) programs: usize,
    size: SpanSize,
    threads: u64,
    shape: Shape,
}

/// The client that a program traces with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Client {
    Go,
    /// The Go client with a queue as long as the library's. The default queue holds 100 spans, and
    /// drops most of a burst before the client sends it.
    GoQueue,
    Debug,
    Release,
}

/// The rate of each program.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Rate { per_second: u64, seconds: u64 },
    Burst(u64),
}

impl Cell {
    /// Returns all cells. Those that may share a backend follow each other.
    pub(crate) fn all(seconds: u64) -> Vec<Self> {
        let rate = |per_second| Shape::Rate {
            per_second,
            seconds,
        };
        let alone: Vec<_> = RATES
            .map(rate)
            .into_iter()
            .chain(BURSTS.map(Shape::Burst))
            .collect();
        let beside = [rate(500), rate(1_000), Shape::Burst(1_000)];
        let mut cells = Vec::new();
        for version in Version::ALL {
            for size in SpanSize::ALL {
                for client in Client::ALL {
                    let mut add = |programs, threads, shapes: &[Shape]| {
                        cells.extend(shapes.iter().map(|&shape| Self {
                            version,
                            client,
                            programs,
                            size,
                            threads,
                            shape,
                        }));
                    };
                    add(1, 1, &alone);
                    add(1, 8, &alone);
                    add(4, 1, &beside);
                }
            }
        }
        cells
    }

    /// Returns the name, made of the words that choose the cell.
    pub(crate) fn name(&self) -> String {
        let version = match self.version {
            Version::V1 => "v1",
            _ => "v2",
        };
        let client = match self.client {
            Client::Go => "go",
            Client::GoQueue => "go-queue",
            Client::Debug => "debug",
            Client::Release => "release",
        };
        let shape = match self.shape {
            Shape::Rate { per_second, .. } => format!("{per_second}/s"),
            Shape::Burst(spans) => format!("burst-{spans}"),
        };
        let (size, threads) = (self.size.bytes(), self.threads);
        let programs = self.programs;
        format!("{version} {client} {size} {shape} {threads}-thread {programs}-program")
    }

    /// Returns whether each of `words` matches the name; commas divide a word into alternatives.
    pub(crate) fn is_chosen(&self, words: &[String]) -> bool {
        let name = self.name();
        let is_in_name = |word: &str| name.split(' ').any(|it| it == word);
        words.iter().all(|word| word.split(',').any(is_in_name))
    }

    /// Returns the group of the cell. Cells of one group share a backend.
    pub(crate) fn group(&self) -> (Version, u64, Client, u64, usize) {
        let size = self.size.bytes();
        (self.version, size, self.client, self.threads, self.programs)
    }

    /// Returns the load of each program.
    pub(crate) fn load(&self, service: &str, agent: SocketAddr) -> Load {
        let mut load = Load::new(service, agent, self.size).threads(self.threads);
        if self.client == Client::GoQueue {
            load.queue = Some(16_384);
        }
        match self.shape {
            Shape::Rate {
                per_second,
                seconds,
            } => load.rate(per_second, seconds),
            Shape::Burst(spans) => load.burst(spans),
        }
    }
}

impl Client {
    const ALL: [Self; 4] = [Self::Go, Self::GoQueue, Self::Debug, Self::Release];
}

const RATES: [u64; 5] = [500, 1_000, 2_000, 5_000, 20_000];
const BURSTS: [u64; 3] = [1_000, 5_000, 20_000];
