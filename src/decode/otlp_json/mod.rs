mod schema;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize as _, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::decode::json::{Json, whole};
use crate::decode::otlp_json::schema::{Field, REQUEST, STRING_VALUE, Type};
use crate::decode::{Reason, ReceivedBatch, otlp_request};

/// Reads an `ExportTraceServiceRequest` in JSON, by way of its protobuf, in one pass.
///
/// Ids are in hex, as OTLP has them, or in base64, as JSON of protobuf has all bytes. Numbers of 64 bits may be text,
/// and large ones may have an exponent. Scopes may have the names that they had before version 0.15 of OTLP. Unknown
/// members, and members that are null, count as absent.
pub(crate) fn otlp_json_request(bytes: &[u8]) -> Result<Vec<ReceivedBatch>, Reason> {
    let text = String::from_utf8_lossy(bytes);
    let mut message = Vec::new();
    let request = Message {
        out: &mut message,
        fields: &REQUEST,
        depth: MAX_DEPTH,
    };
    let mut json = serde_json::Deserializer::from_str(&text);
    let read = request.deserialize(&mut json).and_then(|()| json.end());
    read.map_err(|error| error.to_string())?;
    otlp_request(&message)
}

/// Writes the members of an object. A value is at most `depth` levels deep.
struct Message<'o> {
    out: &'o mut Vec<u8>,
    fields: &'static [Field],
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Message<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Message<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or_else(|| A::Error::custom("it is nested too deep"))?;
        while let Some(name) = members.next_key::<String>()? {
            let is_it = |(known, ..): &&Field| is_named(&name, known);
            let Some(&(known, number, kind)) = self.fields.iter().find(is_it) else {
                members.next_value::<IgnoredAny>()?;
                continue;
            };
            let member = Member {
                out: &mut *self.out,
                number,
                kind,
                depth,
            };
            let within = |why| A::Error::custom(format_args!("{known}: {why}"));
            members.next_value_seed(member).map_err(within)?;
        }
        Ok(())
    }
}

/// Writes the value of a member.
struct Member<'o> {
    out: &'o mut Vec<u8>,
    number: u32,
    kind: Type,
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        let Self {
            out,
            number,
            kind,
            depth,
        } = self;
        match kind {
            Type::Message(fields) => write_sized(out, number, |out| {
                Message { out, fields, depth }.deserialize(json)
            }),
            Type::List(fields) => json.deserialize_any(List {
                out,
                number,
                fields,
                depth,
            }),
            _ => {
                let raw = <&RawValue>::deserialize(json)?;
                if raw.get() == "null" {
                    return Ok(());
                }
                write_field(out, number, kind, raw).map_err(D::Error::custom)
            }
        }
    }
}

/// Writes the items of a list, which are messages.
struct List<'o> {
    out: &'o mut Vec<u8>,
    number: u32,
    fields: &'static [Field],
    depth: u8,
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let (fields, depth) = (self.fields, self.depth);
        loop {
            let start = self.out.len();
            let item = write_sized(self.out, self.number, |out| {
                items.next_element_seed(Message { out, fields, depth })
            });
            if item?.is_none() {
                self.out.truncate(start);
                return Ok(());
            }
        }
    }
}

/// Returns whether a member has this name, in camelCase or in snake_case.
fn is_named(name: &str, known: &str) -> bool {
    let mut letters = name.chars().filter(|&letter| letter != '_');
    let is_alike = known.chars().all(|letter| {
        letters
            .next()
            .is_some_and(|it| it.eq_ignore_ascii_case(&letter))
    });
    is_alike && letters.next().is_none()
}

/// Writes a value that is no message and no list.
fn write_field(out: &mut Vec<u8>, number: u32, kind: Type, raw: &RawValue) -> Result<(), Reason> {
    let json = Json::of(raw)?;
    match kind {
        Type::Text => {
            let text = text(&json).ok_or_else(|| wrong("text", &json))?;
            write_bytes(out, number, text.as_bytes());
        }
        Type::Id => {
            let id = text(&json).and_then(|text| {
                // No text is an id in both: 22 letters of base64 may be hex digits, but those of 11 bytes.
                let is_id = |bytes: &Vec<u8>| [16, 8].contains(&bytes.len());
                let hex = unhex(text);
                let base64 = || unbase64(text).filter(is_id);
                hex.clone().filter(is_id).or_else(base64).or(hex)
            });
            write_bytes(out, number, &id.ok_or_else(|| wrong("hex digits", &json))?);
        }
        Type::Bytes => {
            let bytes = text(&json).and_then(unbase64);
            write_bytes(out, number, &bytes.ok_or_else(|| wrong("base64", &json))?);
        }
        Type::Bool => {
            let Json::Plain(Value::Bool(value)) = json else {
                return Err(wrong("true or false", &json));
            };
            write_varint(out, u64::from(number) << 3);
            write_varint(out, value.into());
        }
        Type::Int | Type::Enum(..) => {
            let value = match kind {
                Type::Enum(prefix, names) => named(&json, prefix, names).or_else(|| integer(&json)),
                _ => integer(&json),
            };
            let value = value.ok_or_else(|| wrong("a whole number", &json))?;
            match i64::try_from(value) {
                Ok(value) => {
                    write_varint(out, u64::from(number) << 3);
                    write_varint(out, value.cast_unsigned());
                }
                // Programs in JavaScript have such numbers. Another number in its place would be wrong.
                Err(_) if matches!(kind, Type::Int) => {
                    write_bytes(out, STRING_VALUE, value.to_string().as_bytes());
                }
                Err(_) => return Err(wrong("a number of an enumeration", &json)),
            }
        }
        Type::Fixed64 => {
            let value = number_of(&json).and_then(|(value, _)| u64::try_from(value).ok());
            write_varint(out, u64::from(number) << 3 | 1);
            let value = value.ok_or_else(|| wrong("a time in nanoseconds", &json))?;
            out.extend_from_slice(&value.to_le_bytes());
        }
        Type::Fixed32 => {
            let value = integer(&json).and_then(|value| u32::try_from(value).ok());
            write_varint(out, u64::from(number) << 3 | 5);
            let value = value.ok_or_else(|| wrong("a number of 32 bits", &json))?;
            out.extend_from_slice(&value.to_le_bytes());
        }
        Type::Double => {
            let value = double(&json).ok_or_else(|| wrong("a number", &json))?;
            write_varint(out, u64::from(number) << 3 | 1);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Type::Message(_) | Type::List(_) => {}
    }
    Ok(())
}

/// Writes a message of a length that is known once it is written.
fn write_sized<R, E>(
    out: &mut Vec<u8>,
    number: u32,
    write: impl FnOnce(&mut Vec<u8>) -> Result<R, E>,
) -> Result<R, E> {
    write_varint(out, u64::from(number) << 3 | 2);
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    let result = write(out)?;
    let length = out.len().saturating_sub(start + LENGTH_BYTES);
    for (place, byte) in out.iter_mut().skip(start).take(LENGTH_BYTES).enumerate() {
        let more = u8::from(place + 1 < LENGTH_BYTES) << 7;
        *byte = (length >> (7 * place)) as u8 & 0x7f | more;
    }
    Ok(result)
}

fn write_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    write_varint(out, u64::from(number) << 3 | 2);
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a whole number.
fn integer(json: &Json<'_>) -> Option<i128> {
    let (number, is_whole) = number_of(json)?;
    is_whole.then_some(number)
}

fn number_of(json: &Json<'_>) -> Option<(i128, bool)> {
    match json {
        Json::Plain(value) => whole(value),
        _ => None,
    }
}

fn double(json: &Json<'_>) -> Option<f64> {
    match json {
        Json::Plain(Value::Number(number)) => number.as_f64(),
        json => match text(json)? {
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => text.parse().ok(),
        },
    }
}

fn text<'j>(json: &'j Json<'_>) -> Option<&'j str> {
    match json {
        Json::Plain(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// Reads the name of a value of an enumeration.
fn named(json: &Json<'_>, prefix: &str, names: &[&str]) -> Option<i128> {
    let name = text(json)?.strip_prefix(prefix)?;
    let place = names.iter().position(|known| *known == name)?;
    i128::try_from(place).ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |letter: u8| char::from(letter).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| match *pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    };
    pairs.map(byte).collect()
}

/// Reads base64, also with the letters for addresses.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let decoded = BASE64.decode(text).or_else(|_| URL_SAFE.decode(text));
    decoded.ok()
}

fn wrong(wanted: &str, json: &Json<'_>) -> Reason {
    format!("expected {wanted}, found {}", json.kind())
}

/// The levels of the deepest message: those of a request down to a value, and those that a value may have.
const MAX_DEPTH: u8 = 48;
/// The bytes of a length, enough for 256 MiB: a body is much shorter.
const LENGTH_BYTES: usize = 4;
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);
const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
