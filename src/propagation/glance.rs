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
