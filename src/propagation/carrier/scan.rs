use crate::propagation::HeaderNames;
use crate::propagation::jaeger::HeaderKind;

/// What one quick look at all keys of a carrier shows.
///
/// Nearly every request has no header of ours, or the trace header alone; neither needs the carrier to be searched
/// key by key.
#[derive(Debug)]
pub enum HeaderScan<'c> {
    /// Nothing of ours is there.
    Nothing,
    /// One trace header and nothing else of ours.
    TraceOnly(&'c [u8]),
    /// More is there, or nobody has looked.
    Unknown,
}

impl<'c> HeaderScan<'c> {
    /// Looks at everything that a carrier holds, in any order and with keys in any case.
    #[inline]
    pub(super) fn of(
        items: impl Iterator<Item = (&'c str, &'c [u8])>,
        names: &HeaderNames,
    ) -> Self {
        let letters = names.letters();
        let mut trace = None;
        for (name, value) in items.filter(|(name, _)| !letters.rule_out(name.as_bytes())) {
            match names.kind_of(name) {
                HeaderKind::Unrelated => {}
                HeaderKind::Trace if trace.is_none() => trace = Some(value),
                HeaderKind::Trace | HeaderKind::Other => return Self::Unknown,
            }
        }
        trace.map_or(Self::Nothing, Self::TraceOnly)
    }
}
