//! Reads the texts of variables. Each function takes trimmed text that is not empty, and fails with what it expected.

use std::borrow::Cow;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::clock::nanos_with_units;
use crate::model::{Recording, TagNames};
#[cfg(any(feature = "udp", feature = "remote-sampler"))]
use crate::reporter::sender::AgentAddress;
use crate::sampler::SamplingRate;

/// What a function expected in place of a text that it cannot read.
pub(super) type Expected = &'static str;

/// Reads what Go's `ParseBool` takes, and `yes`, `no`, `on`, `off`, in any case.
pub(super) fn boolean(text: &str) -> Result<bool, Expected> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "yes" | "on" => Ok(true),
        "0" | "f" | "false" | "no" | "off" => Ok(false),
        _ => Err("true or false (or 1, t, yes, on, 0, f, no, off)"),
    }
}

/// Reads OpenTelemetry's form: `true` or `false`, in any case.
pub(super) fn otel_boolean(text: &str) -> Result<bool, Expected> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("true or false"),
    }
}

/// Reads a duration above zero. A whole number means milliseconds, as in the Java, Node and C++ clients. Else it has
/// Go's form: one or more numbers, with fractions or without, each followed by `ns`, `us`, `ms`, `s`, `m` or `h`.
pub(super) fn duration(text: &str) -> Result<Duration, Expected> {
    const EXPECTED: Expected =
        "a duration above zero, as milliseconds or with a unit such as 500ms, 1.5s, 1m30s";
    let nanos = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse::<u64>()
            .ok()
            .map(|millis| u128::from(millis) * 1_000_000)
    } else {
        nanos_with_units(text)
    };
    nanos
        .and_then(|nanos| u64::try_from(nanos).ok())
        .filter(|nanos| *nanos > 0)
        .map(Duration::from_nanos)
        .ok_or(EXPECTED)
}

/// Reads a whole number above zero.
pub(super) fn count(text: &str) -> Result<usize, Expected> {
    text.parse()
        .ok()
        .filter(|n| *n > 0)
        .ok_or("a whole number above 0")
}

/// Reads the word for how much data spans show.
pub(super) fn recording(text: &str) -> Result<Recording, Expected> {
    Recording::from_word(text).ok_or("metadata, statements or everything")
}

/// Reads the word for the vocabulary of tags.
pub(super) fn tag_names(text: &str) -> Result<TagNames, Expected> {
    TagNames::from_word(text).ok_or("opentracing, opentelemetry or both")
}

/// Reads OpenTelemetry's list of areas that move to stable names, such as `http,database/dup`. Here the two areas move
/// together; others have one vocabulary only.
pub(super) fn otel_tag_names(text: &str) -> Result<TagNames, Expected> {
    let area = |area: &str| {
        let words = text.split(',').map(str::trim);
        let steps = words.filter_map(|word| word.strip_prefix(area));
        let steps = steps.filter_map(|step| match step {
            "" => Some(TagNames::OpenTelemetry),
            "/dup" => Some(TagNames::Both),
            _ => None,
        });
        // Both names win if a list has the area twice.
        steps.max_by_key(|names| names.has_opentracing())
    };
    match (area("http"), area("database")) {
        (None, None) => Ok(TagNames::OpenTracing),
        (Some(http), Some(database)) if http == database => Ok(http),
        _ => Err("http and database together, both with /dup or both without"),
    }
}

/// Reads a probability.
pub(super) fn probability(text: &str) -> Result<SamplingRate, Expected> {
    let rate = text
        .parse()
        .ok()
        .and_then(|rate| SamplingRate::new(rate).ok());
    rate.ok_or("a probability from 0 to 1")
}

/// Reads a port.
#[cfg(any(feature = "udp", feature = "remote-sampler"))]
pub(super) fn port(text: &str) -> Result<u16, Expected> {
    AgentAddress::read_port(text).ok_or(EXPECTED_PORT)
}

#[cfg(any(feature = "udp", feature = "remote-sampler"))]
pub(super) const EXPECTED_PORT: Expected = "a port from 1 to 65535";

/// Reads a host name or an address without a port. Removes brackets around an IPv6 address.
#[cfg(any(feature = "udp", feature = "remote-sampler"))]
pub(super) fn host(text: &str) -> Result<String, Expected> {
    AgentAddress::read_host(text).ok_or("a host name or an IP address, without a scheme or a port")
}

/// Reads any text.
pub(super) fn text(text: &str) -> Result<String, Expected> {
    Ok(text.to_owned())
}

/// Decodes percent-encoding. Returns `None` if two hex digits do not follow a `%`, or the bytes are not UTF-8.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_escape) {
        return None;
    }
    percent_decode_str(text)
        .decode_utf8()
        .ok()
        .map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_the_words_of_go_and_four_more() {
        for text in [
            "1", "t", "T", "TRUE", "true", "True", "tRuE", "yes", "YES", "on", "On",
        ] {
            assert_eq!(boolean(text), Ok(true), "{text}");
        }
        for text in [
            "0", "f", "F", "FALSE", "false", "False", "no", "NO", "off", "OFF",
        ] {
            assert_eq!(boolean(text), Ok(false), "{text}");
        }
        for text in ["2", "y", "n", "truee", "enabled", "-1", "t rue", "ja", "01"] {
            assert!(boolean(text).is_err(), "{text}");
        }
        for text in ["1", "yes", "t", "on"] {
            assert!(otel_boolean(text).is_err(), "{text}");
        }
        assert_eq!(otel_boolean("TRUE"), Ok(true));
    }

    #[test]
    fn durations_are_milliseconds_or_have_the_form_of_go() {
        let nanos = [
            ("500", 500_000_000),
            ("1", 1_000_000),
            ("0500", 500_000_000),
            ("500ms", 500_000_000),
            ("1s", 1_000_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1h0.5m", 3_630_000_000_000),
            ("2us", 2_000),
            ("2µs", 2_000),
            ("2μs", 2_000),
            ("7ns", 7),
            ("0s7ns", 7),
            ("0.0000000011s", 1),
            ("1.00000000000000000000000000009s", 1_000_000_000),
            ("2562047h47m16.854775807s", i64::MAX as u64),
        ];
        for (text, nanos) in nanos {
            assert_eq!(duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        for text in [
            "0",
            "0s",
            "0.0000000001s",
            "-1",
            "-1s",
            "+1s",
            "1d",
            "1 s",
            "s",
            "ms",
            "1s2",
            "1.2.3s",
            ".s",
            ".",
            "1,5s",
            "1e3",
            "1S",
            "NaN",
            "inf",
            "99999999999999999999",
            "9999999999999999h",
            "184467440737h",
            "340282366920938463463374607431768211455h",
            "1s-",
            "۱s",
            "0x10",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_keep_their_bounds() {
        assert_eq!(count("1"), Ok(1));
        for text in [
            "0",
            "-1",
            "1.5",
            "1e3",
            "0x10",
            "ten",
            "18446744073709551616",
            "1_000",
        ] {
            assert!(count(text).is_err(), "{text}");
        }
    }
}
