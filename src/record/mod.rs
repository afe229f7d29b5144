//! How a span is stored: written once, in Thrift's compact protocol, by the thread that sets it.

pub(crate) mod encode;
mod frame;
mod local_trace;

pub use encode::{LogView, Logs, References, Tags};
pub use frame::{FinishedSpan, OwnedSpan};
pub(crate) use frame::{FrameBytes, FrameHeader, read_frame, write_frame};
pub(crate) use local_trace::{HeldSpans, Hold, LocalTrace};
