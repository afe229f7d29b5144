use crate::propagation::carrier::HeaderSet;
use crate::propagation::carrier::header_set::HeaderKind;

/// The result of one pass over the header names of a carrier.
///
/// Nearly every request holds either no header of ours or the trace header alone. Codecs need not search such a carrier
/// key by key.
#[derive(Debug)]
pub enum HeaderScan<'c> {
    /// The carrier holds no header of ours.
    Nothing,
    /// The carrier holds one trace header, with this value, and no other header of ours.
    TraceOnly(&'c [u8]),
    /// The carrier holds other headers of ours, or was not scanned.
    Unknown,
}

impl<'c> HeaderScan<'c> {
    /// Scans all headers of a carrier, in any order and with names in any case.
    #[inline]
    pub(super) fn of(items: impl Iterator<Item = (&'c str, &'c [u8])>, set: &HeaderSet) -> Self {
        let mut trace = None;
        for (name, value) in items.filter(|(name, _)| !set.rules_out(name)) {
            match set.kind_of(name) {
                HeaderKind::Unrelated => {}
                HeaderKind::Trace if trace.is_none() => trace = Some(value),
                HeaderKind::Trace | HeaderKind::Other => return Self::Unknown,
            }
        }
        trace.map_or(Self::Nothing, Self::TraceOnly)
    }
}
