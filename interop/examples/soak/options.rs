use std::str::FromStr;

use tracehound_interop::Load;

/// The load, the way of its spans, and what happens at its end.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) way: Way,
    pub(crate) trouble: Trouble,
    /// The time between two troubles, in seconds.
    pub(crate) change: u64,
    pub(crate) load: Load,
}

/// A way for spans to leave the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Udp,
    Thrift,
    Otlp,
}

/// A state of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    Away,
    Changing,
}

impl Options {
    /// Reads a command line. Arguments that are not named on the example's page are those of a [`Load`].
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let (mut way, mut trouble, mut change) = (Way::Otlp, Trouble::None, 30);
        let mut rest = vec!["-rate=20000".to_owned()];
        for argument in arguments {
            let read = |error: String| format!("{argument}: {error}");
            match argument.split_once('=') {
                Some(("-way", value)) => way = value.parse().map_err(read)?,
                Some(("-trouble", value)) => trouble = value.parse().map_err(read)?,
                Some(("-change", value)) => {
                    let seconds: u64 = value.parse().map_err(|_| read("seconds".to_owned()))?;
                    change = seconds.max(1);
                }
                _ => rest.push(argument),
            }
        }
        let has_length = |argument: &String| {
            argument.starts_with("-seconds=") || argument.starts_with("-spans=")
        };
        if !rest.iter().any(has_length) {
            rest.push("-seconds=600".to_owned());
        }
        Ok(Self {
            way,
            trouble,
            change,
            load: Load::parse(rest)?,
        })
    }

    /// Returns the command line.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = self.load.arguments();
        arguments.push(format!("-way={}", self.way.word()));
        arguments
    }

    /// Returns how long spans are made.
    pub(crate) fn seconds(&self) -> u64 {
        self.load.spans / self.load.rate.max(1)
    }
}

impl Way {
    fn word(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Thrift => "thrift",
            Self::Otlp => "otlp",
        }
    }
}

impl FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut ways = [Self::Udp, Self::Thrift, Self::Otlp].into_iter();
        let found = ways.find(|way| way.word() == text);
        found.ok_or_else(|| "expected udp, thrift or otlp".to_owned())
    }
}

impl FromStr for Trouble {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "away" => Ok(Self::Away),
            "changing" => Ok(Self::Changing),
            _ => Err("expected none, away or changing".to_owned()),
        }
    }
}
