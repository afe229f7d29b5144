//! Contexts on byte streams, for protocols of one's own: see [`ContextFrames`].

#[cfg(feature = "tokio")]
mod tokio_io;

use std::error::Error;
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use crate::span::{SpanContext, ToSpanContext};
use crate::tracer::Tracer;

/// A writer and reader of frames that carry a context, for a protocol of your own over TCP or another stream of bytes.
///
/// The client writes a frame before each of its messages; the server reads it before it reads the message, and starts
/// its span as a child:
///
/// ```
/// use std::io::{Cursor, Read, Write};
/// use tracehound::middleware::ContextFrames;
/// use tracehound::prelude::*;
/// use tracehound::propagation::Trust;
/// use tracehound::reporter::NullReporter;
///
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let frames = ContextFrames::new(tracer.clone());
///
/// // The client. `stream` is usually a `TcpStream`.
/// let mut stream = Vec::new();
/// let span = tracer.start_span("ask");
/// frames.write(&mut stream, &span)?;
/// stream.write_all(b"how many teapots?\n")?;
///
/// // The server.
/// let mut stream = Cursor::new(stream);
/// while let Some(caller) = frames.read(&mut stream)? {
///     let answer = tracer.build_span("answer").caller(&caller, Trust::full()).start();
///     assert_eq!(answer.context().parent_id(), span.context().span_id());
///     let mut question = String::new();
///     stream.read_to_string(&mut question)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # The frame
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 1 | version: 1 |
/// | 1 | 2 | length of the rest, big-endian |
/// | 3 | 0 to 65,535 | the context, as [`BinaryCodec`](crate::propagation::BinaryCodec) writes it; nothing if there is none |
///
/// With the usual context it has 40 bytes. A tracer that is off writes and reads frames as well, without contexts, so
/// both ends may switch tracing on and off as they like.
///
/// # What a stranger can send
///
/// A frame has at most 65,538 bytes. A malformed context in a frame is none: the tracer counts and logs it, and the
/// stream goes on behind the frame. Another version is an error, because where that frame ends is unknown.
#[derive(Clone)]
pub struct ContextFrames {
    tracer: Arc<dyn Tracer>,
}

impl ContextFrames {
    /// Makes frames with the binary codec of `tracer`.
    pub fn new(tracer: impl Tracer + 'static) -> Self {
        Self {
            tracer: Arc::new(tracer),
        }
    }

    /// Appends a frame to bytes that are sent later. Use it to send frame and message at once.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::ContextFrames;
    /// use tracehound::scope::active_span;
    ///
    /// let mut bytes = Vec::new();
    /// ContextFrames::new(NoopTracer).append(&mut bytes, &active_span());
    /// assert_eq!(bytes, [1, 0, 0]); // nothing is active
    /// ```
    pub fn append(&self, bytes: &mut Vec<u8>, context: &impl ToSpanContext) {
        let context = context.to_span_context();
        let mut body = Vec::new();
        if !context.is_empty() {
            self.tracer.inject(&context, &mut body);
        }
        // The limits of baggage leave far less than this.
        let length = u16::try_from(body.len()).unwrap_or_else(|_| {
            body.clear();
            0
        });
        bytes.push(VERSION);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&body);
    }

    /// Reads the frame at the start of bytes that have been received. Returns its context, which is empty if the frame
    /// has none, and its length. Returns `None` if the frame is not complete yet.
    ///
    /// It keeps nothing, so it suits event loops, and codecs that are asked again when there is more.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::ContextFrames;
    ///
    /// let frames = ContextFrames::new(NoopTracer);
    /// let received = [1, 0, 0, b'h', b'i'];
    /// assert!(frames.decode(&received[..2])?.is_none());
    /// let (context, length) = frames.decode(&received)?.expect("it is complete");
    /// assert!(context.is_empty());
    /// assert_eq!(&received[length..], b"hi");
    /// # Ok::<(), tracehound::middleware::UnknownFrame>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`UnknownFrame`] if the bytes begin with something else than a frame of version 1.
    pub fn decode(&self, bytes: &[u8]) -> Result<Option<(SpanContext, usize)>, UnknownFrame> {
        if let Some(version) = bytes.first() {
            check(*version)?;
        }
        let Some((head, rest)) = bytes.split_first_chunk() else {
            return Ok(None);
        };
        let length = body_length(*head)?;
        let body = rest.get(..length);
        Ok(body.map(|body| (self.context(body), HEAD + length)))
    }

    /// Writes a frame with one call of `write_all`.
    ///
    /// # Errors
    ///
    /// Those of `writer`.
    pub fn write(&self, writer: &mut impl Write, context: &impl ToSpanContext) -> io::Result<()> {
        writer.write_all(&self.frame(context))
    }

    /// Reads a frame. Returns its context, which is empty if the frame has none, or `None` if the stream ends before the
    /// frame begins.
    ///
    /// It reads no byte behind the frame. If it fails, a part of the frame may have been read, so a stream that does not
    /// block needs [`decode`](Self::decode).
    ///
    /// # Errors
    ///
    /// Those of `reader`; [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the stream ends inside of the frame;
    /// [`InvalidData`](io::ErrorKind::InvalidData) with an [`UnknownFrame`] if there is something else than a frame of
    /// version 1.
    pub fn read(&self, reader: &mut impl Read) -> io::Result<Option<SpanContext>> {
        let mut head = [0; HEAD];
        let (version, length) = head.split_at_mut(1);
        loop {
            match reader.read(version) {
                Ok(0) => return Ok(None),
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        check(version[0])?;
        reader.read_exact(length)?;
        // The length is only a claim, so it takes no memory before the bytes have come.
        let length = body_length(head)?;
        let mut body = Vec::new();
        reader.take(length as u64).read_to_end(&mut body)?;
        if body.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(self.context(&body)))
    }

    fn frame(&self, context: &impl ToSpanContext) -> Vec<u8> {
        let mut frame = Vec::with_capacity(64);
        self.append(&mut frame, context);
        frame
    }

    fn context(&self, body: &[u8]) -> SpanContext {
        let context = self.tracer.extract(&body).ok().flatten();
        context.unwrap_or_default()
    }
}

impl fmt::Debug for ContextFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextFrames").finish_non_exhaustive()
    }
}

const VERSION: u8 = 1;

/// The number of bytes before the context.
const HEAD: usize = 3;

fn body_length([version, high, low]: [u8; HEAD]) -> Result<usize, UnknownFrame> {
    check(version)?;
    Ok(u16::from_be_bytes([high, low]).into())
}

fn check(version: u8) -> Result<(), UnknownFrame> {
    match version {
        VERSION => Ok(()),
        found => Err(UnknownFrame { found }),
    }
}

/// An error of [`ContextFrames`]: a stream has something else than a frame of version 1, so it cannot be read on.
///
/// The peer may write no frames at all, or may have been read up to the wrong place before.
///
/// ```
/// use tracehound::NoopTracer;
/// use tracehound::middleware::ContextFrames;
///
/// let error = ContextFrames::new(NoopTracer).decode(b"GET / HTTP/1.1").expect_err("no frame");
/// assert_eq!(error.found, b'G');
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownFrame {
    /// The first byte, where the version should be.
    pub found: u8,
}

impl fmt::Display for UnknownFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found;
        write!(
            f,
            "expected a context frame of version 1, found {found:#04x}"
        )
    }
}

impl Error for UnknownFrame {}

impl From<UnknownFrame> for io::Error {
    fn from(error: UnknownFrame) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}
