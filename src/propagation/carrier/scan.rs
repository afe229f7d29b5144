use crate::propagation::HeaderNames;
use crate::propagation::jaeger::Role;

/// What one quick look at all keys of a carrier shows.
///
/// Nearly every request has no header of ours, or the trace header alone; neither needs the carrier to be searched
/// key by key.
#[derive(Debug)]
pub enum Glance<'c> {
    /// Nothing of ours is there.
    Nothing,
    /// One trace header and nothing else of ours.
    TraceAlone(&'c [u8]),
    /// More is there, or nobody has looked.
    Unknown,
}

impl<'c> Glance<'c> {
    /// Looks at everything that a carrier holds, in any order and with keys in any case.
    #[inline]
    pub(super) fn at(
        items: impl Iterator<Item = (&'c str, &'c [u8])>,
        names: &HeaderNames,
    ) -> Self {
        let letters = names.letters();
        let mut trace = None;
        for (name, value) in items.filter(|(name, _)| !letters.differ(name.as_bytes())) {
            match names.role_of(name) {
                Role::Foreign => {}
                Role::Trace if trace.is_none() => trace = Some(value),
                Role::Trace | Role::Other => return Self::Unknown,
            }
        }
        trace.map_or(Self::Nothing, Self::TraceAlone)
    }
}
