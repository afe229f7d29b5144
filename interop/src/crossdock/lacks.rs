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

/// A part of a trace that should be the same before and after a hop.
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
    /// The hops on which it is lost.
    pub hops: fn(&Hop<'_>) -> bool,
    /// Whether the loss depends on what no service reports, such as a span id. It is lost every time otherwise.
    pub is_by_chance: bool,
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

/// The losses that published clients cause. Nothing else may be lost on any hop, and each of these must be.
///
/// The first entry that covers a loss is counted.
pub const LACKS: &[Lack] = &[
    Lack {
        formats: &[Format::Mixed],
        alphabets: &Alphabet::ALL,
        aspect: Aspect::TraceId,
        hops: |hop| is_otel(hop.caller()) != is_otel(hop.callee) && !hop.is_with("rust"),
        is_by_chance: false,
        reason: "the clients of Jaeger speak Jaeger's headers alone, and the SDKs of OpenTelemetry those of W3C",
    },
    Lack {
        formats: &[Format::Jaeger],
        alphabets: &Alphabet::ALL,
        aspect: Aspect::Baggage,
        hops: |hop| hop.is_with("otel-go") && is_otel(hop.caller()) != is_otel(hop.callee),
        is_by_chance: false,
        reason: "in Jaeger's format, OpenTelemetry for Go carries baggage in the header of W3C alone",
    },
    Lack {
        formats: &[Format::Jaeger, Format::Mixed],
        alphabets: &[Alphabet::Ascii],
        aspect: Aspect::Baggage,
        hops: |hop| {
            let is_kept = ["node", "otel-node", "otel-python", "python"].contains(&hop.callee);
            ["go", "java"].contains(&hop.caller()) && is_kept
        },
        is_by_chance: false,
        reason: "Go and Java write a space in baggage as a plus sign, which Node and Python leave as it is",
    },
    Lack {
        formats: &[Format::W3c],
        alphabets: &Alphabet::ALL,
        aspect: Aspect::Baggage,
        hops: |hop| hop.is_with("java"),
        is_by_chance: false,
        reason: "the W3C codec of jaeger-client for Java carries no baggage",
    },
    Lack {
        formats: &[Format::B3],
        alphabets: &Alphabet::ALL,
        aspect: Aspect::TraceId,
        hops: |hop| {
            // Python fills ids up to the length of its own.
            let is_short = hop.caller() == "python" && hop.setup.trace_id_bits == 64;
            (hop.caller() == "node" || is_short) && is_otel(hop.callee)
        },
        is_by_chance: true,
        reason: "Node and Python write B3 ids without leading zeros, but OpenTelemetry wants 16 or 32 digits",
    },
    Lack {
        formats: &[Format::B3],
        alphabets: &Alphabet::ALL,
        aspect: Aspect::Baggage,
        hops: |hop| hop.is_with("python"),
        is_by_chance: false,
        reason: "the B3 codec of jaeger-client for Python carries no baggage",
    },
    Lack {
        formats: &[Format::B3],
        alphabets: &Alphabet::ALL,
        aspect: Aspect::Baggage,
        hops: |hop| is_otel(hop.caller()) != is_otel(hop.callee),
        is_by_chance: false,
        reason: "beside B3, OpenTelemetry carries baggage in the header of W3C, and Jaeger's clients in one for each item",
    },
    Lack {
        formats: &[Format::B3],
        alphabets: &Alphabet::ALL,
        aspect: Aspect::Baggage,
        hops: |hop| (hop.caller() == "node") != (hop.callee == "node"),
        is_by_chance: false,
        reason: "the B3 codec of jaeger-client for Node has the prefix uberctx- for baggage, others baggage-",
    },
    Lack {
        formats: &[Format::B3],
        alphabets: &[Alphabet::Unicode],
        aspect: Aspect::Baggage,
        hops: |hop| hop.is_with("java") && !hop.baggage.is_ascii(),
        is_by_chance: false,
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
        is_by_chance: false,
        reason: "Rust encodes what B3 headers cannot carry as it is, and Go and Java neither encode nor decode",
    },
    Lack {
        formats: &[Format::B3],
        alphabets: &Alphabet::ALL,
        aspect: Aspect::Sampled,
        hops: |hop| {
            let needs_sampled = ["go", "java", "python"].contains(&hop.callee);
            let sends_flags_alone = !["java", "rust"].contains(&hop.caller());
            has_debug(hop) && hop.is_sampled && sends_flags_alone && needs_sampled
        },
        is_by_chance: false,
        reason: "X-B3-Flags without X-B3-Sampled, as most write it, is not sampled for Go, Java and Python",
    },
    Lack {
        formats: &[Format::B3],
        alphabets: &Alphabet::ALL,
        aspect: Aspect::Sampled,
        hops: |hop| {
            let needs_sampled = ["java", "python"].contains(&hop.caller());
            has_debug(hop) && !hop.is_sampled && needs_sampled && trusts_flags(hop.callee)
        },
        is_by_chance: false,
        reason: "what Java and Python read as debug but not sampled they send on, and others read it as sampled",
    },
    Lack {
        formats: &[Format::B3],
        alphabets: &Alphabet::ALL,
        aspect: Aspect::Sampled,
        hops: |hop| {
            let is_new_trace = has_debug(hop) && !hop.is_sampled;
            is_new_trace && hop.caller() == "otel-go" && trusts_flags(hop.callee)
        },
        is_by_chance: true,
        reason: "OpenTelemetry for Go keeps the debug flag of headers whose ids it rejects",
    },
    Lack {
        formats: &[Format::B3, Format::W3c, Format::Mixed],
        alphabets: &[Alphabet::Percent],
        aspect: Aspect::Baggage,
        hops: |hop| {
            let is_decoded = is_otel(hop.callee) || hop.callee == "rust";
            hop.caller() == "otel-rust" && is_decoded && hop.baggage.contains('%')
        },
        is_by_chance: false,
        reason: "OpenTelemetry for Rust writes a percent sign in baggage as it is, which everyone decodes",
    },
    Lack {
        formats: &[Format::Jaeger, Format::B3, Format::W3c, Format::Mixed],
        alphabets: &[Alphabet::Ascii],
        aspect: Aspect::Baggage,
        hops: |hop| {
            let writes_plus = ["otel-go", "otel-rust"].contains(&hop.caller());
            writes_plus && hop.callee == "otel-python" && hop.baggage.contains('+')
        },
        is_by_chance: false,
        reason: "OpenTelemetry for Python reads a plus sign in baggage as a space, and Go and Rust write it as it is",
    },
    Lack {
        formats: &[Format::Jaeger, Format::B3, Format::W3c, Format::Mixed],
        alphabets: &[Alphabet::Ascii],
        aspect: Aspect::Baggage,
        hops: |hop| {
            let reads_w3c = is_otel(hop.callee) || hop.setup.format != Format::Jaeger;
            let is_kept = ["otel-go", "otel-node", "otel-rust", "rust"].contains(&hop.callee);
            hop.caller() == "otel-python" && reads_w3c && is_kept && hop.baggage.contains(' ')
        },
        is_by_chance: false,
        reason: "OpenTelemetry for Python writes a space in baggage as a plus sign, which others leave as it is",
    },
    Lack {
        formats: &[Format::B3, Format::W3c, Format::Mixed],
        alphabets: &[Alphabet::Ascii],
        aspect: Aspect::Baggage,
        hops: |hop| {
            hop.caller() == "otel-go" && hop.callee == "otel-rust" && hop.baggage.contains('=')
        },
        is_by_chance: false,
        reason: "OpenTelemetry for Rust reads baggage up to an equals sign, which Go writes as it is",
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

fn is_otel(language: &str) -> bool {
    language.starts_with("otel-")
}

/// Returns whether the language reads `X-B3-Flags: 1` as sampled even if `X-B3-Sampled` says `0`.
fn trusts_flags(language: &str) -> bool {
    ["node", "rust"].contains(&language) || is_otel(language)
}

/// Returns whether the caller has the debug flag of `sampling.priority`, which some clients drop from B3 headers.
fn has_debug(hop: &Hop<'_>) -> bool {
    const DROP_IT: [&str; 2] = ["go", "otel-python"];
    let starts_it = hop.path.first().is_some_and(|first| !is_otel(first));
    let keeps_it = |language| !DROP_IT.contains(language);
    hop.was_sampled && starts_it && hop.path.iter().all(keeps_it)
}
