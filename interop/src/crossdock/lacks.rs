use std::fmt;

use crate::crossdock::{Alphabet, Format, Setup};

/// A call from one service to the next.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Hop<'a> {
    /// The settings of the services.
    pub setup: Setup,
    /// The languages that the trace went through, first that of S1 and last that of the caller.
    pub path: &'a [&'static str],
    /// The language of the called service.
    pub callee: &'static str,
    /// Whether S1 was asked to sample.
    pub was_sampled: bool,
    /// Whether the caller saw the trace as sampled.
    pub is_sampled: bool,
    /// The baggage that the caller saw.
    pub baggage: &'a str,
}

impl Hop<'_> {
    /// Returns the language of the calling service.
    pub fn caller(&self) -> &'static str {
        self.path.last().copied().unwrap_or_default()
    }
}

impl fmt::Display for Hop<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_sampled = if self.is_sampled {
            "sampled"
        } else {
            "not sampled"
        };
        let (path, callee) = (self.path.join(" -> "), self.callee);
        write!(f, "{path} => {callee}, {}, {is_sampled}", self.setup)
    }
}

/// What of a trace is the same before and after a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Aspect {
    /// The trace id, compared as a number of 128 bits.
    TraceId,
    /// The sampling decision.
    Sampled,
    /// The baggage item.
    Baggage,
}

impl Aspect {
    /// All aspects.
    pub const ALL: [Self; 3] = [Self::TraceId, Self::Sampled, Self::Baggage];
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TraceId => "trace id",
            Self::Sampled => "sampling decision",
            Self::Baggage => "baggage",
        })
    }
}

/// An entry of the table: an aspect that is lost on some hops, because of a client that is not ours to change.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Lack {
    /// The formats that the entry is about.
    pub formats: &'static [Format],
    /// The alphabets of baggage that the entry is about.
    pub alphabets: &'static [Alphabet],
    /// The lost aspect.
    pub aspect: Aspect,
    /// The hops on which it is lost, every time.
    pub hops: fn(&Hop<'_>) -> bool,
    /// The reason, in one line.
    pub reason: &'static str,
}

impl Lack {
    /// Returns whether the entry says that `aspect` is lost on `hop`.
    pub fn covers(&self, hop: &Hop<'_>, aspect: Aspect) -> bool {
        self.aspect == aspect && self.is_about(hop.setup) && (self.hops)(hop)
    }

    /// Returns whether the entry is about matrices of this setup: some hop of each of them must need it.
    pub fn is_about(&self, setup: Setup) -> bool {
        self.formats.contains(&setup.format) && self.alphabets.contains(&setup.alphabet)
    }
}

/// What the published clients lack. Nothing else may be lost on any hop, and what is listed here must be lost.
///
/// The first entry that covers a loss is counted.
pub const LACKS: &[Lack] = &[
    Lack {
        formats: &[Format::Jaeger],
        alphabets: &[Alphabet::Ascii],
        aspect: Aspect::Baggage,
        hops: |hop| {
            ["go", "java"].contains(&hop.caller()) && ["node", "python"].contains(&hop.callee)
        },
        reason: "Go and Java write a space in baggage as a plus sign, which Node and Python leave as it is",
    },
    Lack {
        formats: &[Format::W3c],
        alphabets: &Alphabet::ALL,
        aspect: Aspect::Baggage,
        hops: |hop| hop.is_with("java"),
        reason: "the W3C codec of jaeger-client for Java carries no baggage",
    },
    Lack {
        formats: &[Format::B3],
        alphabets: &Alphabet::ALL,
        aspect: Aspect::Baggage,
        hops: |hop| hop.is_with("python"),
        reason: "the B3 codec of jaeger-client for Python carries no baggage",
    },
    Lack {
        formats: &[Format::B3],
        alphabets: &Alphabet::ALL,
        aspect: Aspect::Baggage,
        hops: |hop| (hop.caller() == "node") != (hop.callee == "node"),
        reason: "the B3 codec of jaeger-client for Node has the prefix uberctx- for baggage, others baggage-",
    },
    Lack {
        formats: &[Format::B3],
        alphabets: &[Alphabet::Unicode],
        aspect: Aspect::Baggage,
        hops: |hop| hop.is_with("java") && !hop.baggage.is_ascii(),
        reason: "the B3 codecs do not encode baggage, and HTTP for Java has no headers beyond Latin-1",
    },
    Lack {
        formats: &[Format::B3],
        alphabets: &[Alphabet::Percent, Alphabet::Unicode],
        aspect: Aspect::Baggage,
        hops: |hop| {
            let is_encoded = hop.caller() == "rust" && !is_plain(hop.baggage);
            let is_decoded = hop.callee == "rust" && hop.baggage.contains('%');
            hop.caller() != hop.callee && (is_encoded || is_decoded)
        },
        reason: "Rust encodes what B3 headers cannot carry as it is, and Go and Java neither encode nor decode",
    },
    Lack {
        formats: &[Format::B3],
        alphabets: &Alphabet::ALL,
        aspect: Aspect::Sampled,
        hops: |hop| {
            let sends_flags_alone = ["node", "python"].contains(&hop.caller());
            let needs_sampled = ["go", "java", "python"].contains(&hop.callee);
            has_debug(hop) && hop.is_sampled && sends_flags_alone && needs_sampled
        },
        reason: "Node and Python send X-B3-Flags without X-B3-Sampled, which Go, Java and Python read as not sampled",
    },
    Lack {
        formats: &[Format::B3],
        alphabets: &Alphabet::ALL,
        aspect: Aspect::Sampled,
        hops: |hop| {
            let needs_sampled = ["java", "python"].contains(&hop.caller());
            let needs_flags = ["node", "rust"].contains(&hop.callee);
            has_debug(hop) && !hop.is_sampled && needs_sampled && needs_flags
        },
        reason: "Java and Python send on what they read as debug but not sampled, and the debug flag wins in Node and Rust",
    },
];

impl Hop<'_> {
    /// Returns whether the language is on either side of the call.
    fn is_with(&self, language: &str) -> bool {
        self.caller() == language || self.callee == language
    }
}

/// Returns whether this library writes the value into B3 headers as it is.
fn is_plain(baggage: &str) -> bool {
    baggage.is_ascii() && !baggage.contains('%')
}

/// Returns whether the caller has the debug flag of `sampling.priority`, which some clients drop from B3 headers.
fn has_debug(hop: &Hop<'_>) -> bool {
    const KEEP_IT: [&str; 4] = ["java", "node", "python", "rust"];
    hop.was_sampled && hop.path.iter().all(|language| KEEP_IT.contains(language))
}
