//! Microseconds in the JSON of Jaeger, as several programs write them.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// A number of microseconds.
///
/// Programs in Python and JavaScript write fractions and exponents, stores write text. A Jaeger 1 writes a number below
/// zero as one of 64 bits without a sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Micros(pub(super) i64);

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MicrosVisitor)
    }
}

struct MicrosVisitor;

impl Visitor<'_> for MicrosVisitor {
    type Value = Micros;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of microseconds")
    }

    fn visit_i64<E>(self, micros: i64) -> Result<Micros, E> {
        Ok(Micros(micros))
    }

    fn visit_u64<E>(self, micros: u64) -> Result<Micros, E> {
        Ok(Micros(micros.cast_signed()))
    }

    fn visit_f64<E>(self, micros: f64) -> Result<Micros, E> {
        Ok(Micros(micros.floor() as i64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Micros, E> {
        let micros = text.parse::<i64>();
        micros
            .map(Micros)
            .map_err(|_| E::custom(format_args!("{text:?} is no number of microseconds")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_programs_write_them() {
        for (json, expected) in [
            ("5", 5),
            ("-5", -5),
            ("1.7e15", 1_700_000_000_000_000),
            ("1700000000000000.75", 1_700_000_000_000_000),
            ("18446744073709551611", -5),
            ("1e300", i64::MAX),
            (r#""1700000000000000""#, 1_700_000_000_000_000),
        ] {
            let read: Micros = serde_json::from_str(json).expect(json);
            assert_eq!(read, Micros(expected), "{json}");
        }
        for json in ["null", "true", "[]", "{}", r#""""#, r#""soon""#] {
            assert!(serde_json::from_str::<Micros>(json).is_err(), "{json}");
        }
    }
}
