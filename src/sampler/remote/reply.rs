//! The JSON of a reply, leniently: unknown members are skipped, `null` is an absent member, and of a member that comes
//! twice the last one counts, as in all Jaeger clients.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// `SamplingStrategyResponse`, without its type.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) probabilistic_sampling: Option<Probabilistic>,
    pub(super) rate_limiting_sampling: Option<RateLimiting>,
    pub(super) operation_sampling: Option<PerOperation>,
}

/// A reply in a file, with the service that it is about.
#[derive(Debug, Default)]
pub(super) struct KeptReply {
    pub(super) service: Option<String>,
    pub(super) strategy: Option<Reply>,
}

#[derive(Debug, Default)]
pub(super) struct Probabilistic {
    pub(super) rate: Option<f64>,
}

#[derive(Debug, Default)]
pub(super) struct RateLimiting {
    pub(super) limit: Option<f64>,
}

#[derive(Debug, Default)]
pub(super) struct PerOperation {
    pub(super) default_rate: Option<f64>,
    pub(super) lower_bound: Option<f64>,
    /// The entries that have a probability. Memory for others would be many times the size of a hostile reply.
    pub(super) operations: Vec<Operation>,
}

#[derive(Debug, Default)]
pub(super) struct Operation {
    pub(super) name: Option<String>,
    pub(super) probabilistic_sampling: Option<Probabilistic>,
}

/// Reads a document whose size was checked.
///
/// The types above are four levels deep, and a value that is skipped takes no stack, so depth needs no limit.
pub(super) fn read(json: &[u8]) -> Result<Reply, serde_json::Error> {
    let reply: Option<Reply> = serde_json::from_slice(json)?;
    Ok(reply.unwrap_or_default())
}

/// Reads the text of a file whose size was checked.
pub(super) fn read_kept(json: &[u8]) -> Result<KeptReply, serde_json::Error> {
    serde_json::from_slice(json)
}

/// An object whose members are read one by one.
trait Members: Default {
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error>;
}

impl Members for Reply {
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "probabilisticSampling" => self.probabilistic_sampling = map.next_value()?,
            "rateLimitingSampling" => self.rate_limiting_sampling = map.next_value()?,
            "operationSampling" => self.operation_sampling = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl Members for KeptReply {
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "service" => self.service = map.next_value()?,
            "strategy" => self.strategy = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl Members for Probabilistic {
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "samplingRate" => self.rate = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl Members for RateLimiting {
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "maxTracesPerSecond" => self.limit = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl Members for PerOperation {
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "defaultSamplingProbability" => self.default_rate = map.next_value()?,
            "defaultLowerBoundTracesPerSecond" => self.lower_bound = map.next_value()?,
            "perOperationStrategies" => {
                let listed = map.next_value::<Option<Listed>>()?;
                self.operations = listed
                    .map(|Listed(operations)| operations)
                    .unwrap_or_default();
            }
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl Members for Operation {
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "operation" => self.name = map.next_value()?,
            "probabilisticSampling" => self.probabilistic_sampling = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(|_| ())
}

/// The entries of a list that have a probability.
struct Listed(Vec<Operation>);

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListedVisitor)
    }
}

struct ListedVisitor;

impl<'de> Visitor<'de> for ListedVisitor {
    type Value = Listed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Listed, A::Error> {
        let mut operations = Vec::new();
        while let Some(entry) = list.next_element::<Option<Operation>>()? {
            operations.extend(entry.filter(|entry| entry.probabilistic_sampling.is_some()));
        }
        Ok(Listed(operations))
    }
}

/// Reads an object into its members.
struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Members> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut object = T::default();
        while let Some(name) = map.next_key::<String>()? {
            object.read(&name, &mut map)?;
        }
        Ok(object)
    }
}

macro_rules! deserialize_objects {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_map(ObjectVisitor(PhantomData))
            }
        }
    )*};
}

deserialize_objects!(
    Reply,
    KeptReply,
    Probabilistic,
    RateLimiting,
    PerOperation,
    Operation
);
