use std::{fmt, net::SocketAddr, str::FromStr};

/// The task of a program under load: the kind, number and rate of its spans.
///
/// It is passed as command line arguments, which the example `load` and the Go program both read.
///
/// ```
/// use tracehound_interop::{Load, SpanSize};
///
/// let load = Load::new("shop", ([127, 0, 0, 1], 6831).into(), SpanSize::Large).rate(500, 2);
/// assert_eq!(load.spans, 1_000);
/// assert_eq!(Load::parse(load.arguments())?, load);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// The name of the service. Lower case, digits and `-`: Jaeger's metrics change other characters.
    pub service: String,
    /// The address at which the agent takes Thrift compact.
    pub agent: SocketAddr,
    /// The approximate size of each span on the wire.
    pub size: SpanSize,
    /// Spans a second of all threads together; 0 makes all of them at once.
    pub rate: u64,
    /// The number of all spans.
    pub spans: u64,
    /// The number of threads that make them.
    pub threads: u64,
    /// The size of the Go client's queue of finished spans; `None` leaves the default. Tracehound
    /// ignores it.
    pub queue: Option<u64>,
}

/// A kind of span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpanSize {
    /// About 200 bytes: a step within a program, with three short tags.
    Small,
    /// About 600 bytes: a request as the server middleware writes it, with ten tags and a log.
    Large,
}

impl Load {
    /// Returns a burst of 1,000 spans by one thread; the methods below change that.
    pub fn new(service: impl Into<String>, agent: SocketAddr, size: SpanSize) -> Self {
        Self {
            service: service.into(),
            agent,
            size,
            rate: 0,
            spans: 1_000,
            threads: 1,
            queue: None,
        }
    }

    /// Makes `rate` spans a second for `seconds`.
    #[must_use]
    pub const fn rate(mut self, rate: u64, seconds: u64) -> Self {
        self.rate = rate;
        self.spans = rate * seconds;
        self
    }

    /// Makes this many spans as fast as possible.
    #[must_use]
    pub const fn burst(mut self, spans: u64) -> Self {
        self.rate = 0;
        self.spans = spans;
        self
    }

    /// Makes the spans on this many threads.
    #[must_use]
    pub const fn threads(mut self, threads: u64) -> Self {
        self.threads = threads;
        self
    }

    /// Returns the command line arguments.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("-service={}", self.service),
            format!("-agent={}", self.agent),
            format!("-bytes={}", self.size.bytes()),
            format!("-rate={}", self.rate),
            format!("-spans={}", self.spans),
            format!("-threads={}", self.threads),
        ];
        arguments.extend(self.queue.map(|spans| format!("-queue={spans}")));
        arguments
    }

    /// Reads a command line. Missing arguments are as in [`new`](Self::new). `-seconds` may replace
    /// `-spans`.
    ///
    /// # Errors
    ///
    /// Names the argument that is unknown or has an invalid value.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let default = SocketAddr::from(([127, 0, 0, 1], 6831));
        let mut load = Self::new("load", default, SpanSize::Large);
        let mut seconds = None;
        for argument in arguments {
            let (name, value) = argument
                .split_once('=')
                .ok_or_else(|| format!("{argument}: expected -name=value"))?;
            let read = |error: &dyn fmt::Display| format!("{argument}: {error}");
            let number = || value.parse::<u64>().map_err(|error| read(&error));
            match name {
                "-service" => value.clone_into(&mut load.service),
                "-agent" => load.agent = value.parse().map_err(|error| read(&error))?,
                "-bytes" => load.size = value.parse().map_err(|error: String| read(&error))?,
                "-rate" => load.rate = number()?,
                "-spans" => load.spans = number()?,
                "-seconds" => seconds = Some(number()?),
                "-threads" => load.threads = number()?.max(1),
                "-queue" => load.queue = Some(number()?),
                _ => return Err(format!("{argument}: no such argument")),
            }
        }
        Ok(match seconds {
            Some(seconds) => {
                let rate = load.rate;
                load.rate(rate, seconds)
            }
            None => load,
        })
    }
}

impl SpanSize {
    /// Both sizes, smallest first.
    pub const ALL: [Self; 2] = [Self::Small, Self::Large];

    /// Returns the approximate bytes of a span in a datagram.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Small => 200,
            Self::Large => 600,
        }
    }
}

impl FromStr for SpanSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL
            .into_iter()
            .find(|size| size.bytes().to_string() == text);
        found.ok_or_else(|| format!("expected 200 or 600, found {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_spans_at_the_rate() {
        let arguments = ["-seconds=4", "-rate=500"].map(str::to_owned);
        assert_eq!(Load::parse(arguments).map(|load| load.spans), Ok(2_000));
    }

    #[test]
    fn an_unknown_argument_is_named() {
        for argument in [
            "-bytes=300",
            "-rate=fast",
            "-agent=nowhere",
            "-colour=red",
            "600",
        ] {
            let error = Load::parse([argument.to_owned()]).expect_err(argument);
            assert!(error.starts_with(argument), "{error}");
        }
    }
}
