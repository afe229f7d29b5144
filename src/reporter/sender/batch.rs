use crate::record::{FinishedSpan, Frames};

/// An encoded batch of spans.
///
/// ```
/// use tracehound::reporter::sender::Batch;
///
/// let batch = Batch::new(b"[]", 0); // to try a sender out by hand
/// assert_eq!((batch.bytes.len(), batch.span_count), (2, 0));
/// assert_eq!(batch.spans().count(), 0);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Batch<'a> {
    /// The message.
    pub bytes: &'a [u8],
    /// The number of spans in it.
    pub span_count: u64,
    frames: Option<Frames<'a>>,
}

impl<'a> Batch<'a> {
    /// Joins the bytes and their number of spans.
    pub fn new(bytes: &'a [u8], span_count: u64) -> Self {
        Self {
            bytes,
            span_count,
            frames: None,
        }
    }

    /// Adds frames, of which the first ones are those of the spans.
    pub(crate) fn with_frames(mut self, frames: Frames<'a>) -> Self {
        self.frames = Some(frames);
        self
    }

    /// Returns the spans, for a sender that [reads](super::Sender::reads_spans) them; none for another one.
    ///
    /// They are as they finished, even if one was made smaller for the message.
    pub fn spans(&self) -> impl Iterator<Item = FinishedSpan<'a>> + use<'a> {
        let count = usize::try_from(self.span_count).unwrap_or(usize::MAX);
        self.frames.clone().into_iter().flatten().take(count)
    }
}
