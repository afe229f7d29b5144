//! The frames on streams of tokio.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::ready;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::middleware::frame::{ContextFrames, HEAD, body_length, check};
use crate::span::{SpanContext, ToSpanContext};

impl ContextFrames {
    /// Writes a frame to a stream of tokio.
    ///
    /// It is not cancel-safe: if the future is dropped before its end, a part of the frame may have been written, and
    /// the stream is of no more use. [`append`](Self::append) makes the bytes for a writer of your own.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::ContextFrames;
    /// use tracehound::scope::active_span;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let frames = ContextFrames::new(NoopTracer);
    /// let (mut near, mut far) = tokio::io::duplex(64);
    /// frames.write_async(&mut near, &active_span()).await?;
    /// assert!(frames.read_async(&mut far).await?.expect("written above").is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `writer`.
    pub async fn write_async<W: AsyncWrite + Unpin + ?Sized>(
        &self,
        writer: &mut W,
        context: &impl ToSpanContext,
    ) -> io::Result<()> {
        let frame = self.frame(context);
        let mut rest = &frame[..];
        poll_fn(|cx| {
            while !rest.is_empty() {
                let written = ready!(Pin::new(&mut *writer).poll_write(cx, rest))?;
                if written == 0 {
                    return Err(io::ErrorKind::WriteZero.into()).into();
                }
                rest = rest.get(written..).unwrap_or_default();
            }
            Ok(()).into()
        })
        .await
    }

    /// Reads a frame from a stream of tokio, as [`read`](Self::read) does.
    ///
    /// It is not cancel-safe: if the future is dropped before its end, a part of the frame may have been read. In a
    /// `select!`, read into a buffer of your own and use [`decode`](Self::decode).
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub async fn read_async<R: AsyncRead + Unpin + ?Sized>(
        &self,
        reader: &mut R,
    ) -> io::Result<Option<SpanContext>> {
        let mut head = [0; HEAD];
        let (version, length) = head.split_at_mut(1);
        if fill(reader, version).await? == 0 {
            return Ok(None);
        }
        check(version[0])?;
        fill_all(reader, length).await?;
        // The length is only a claim, so most of it takes no memory before the bytes have come.
        let length = body_length(head)?;
        let mut body = Vec::new();
        while body.len() < length {
            let start = body.len();
            body.resize(length.min(start + PIECE), 0);
            fill_all(reader, body.get_mut(start..).unwrap_or_default()).await?;
        }
        Ok(Some(self.context(&body)))
    }
}

async fn fill_all<R: AsyncRead + Unpin + ?Sized>(
    reader: &mut R,
    into: &mut [u8],
) -> io::Result<()> {
    match fill(reader, into).await? == into.len() {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Reads until the end of a buffer or of the stream. Returns the number of bytes.
async fn fill<R: AsyncRead + Unpin + ?Sized>(reader: &mut R, into: &mut [u8]) -> io::Result<usize> {
    let mut buffer = ReadBuf::new(into);
    poll_fn(|cx| {
        while buffer.remaining() > 0 {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut *reader).poll_read(cx, &mut buffer))?;
            if buffer.filled().len() == before {
                break;
            }
        }
        Ok(buffer.filled().len()).into()
    })
    .await
}

/// The bytes of a frame that are waited for at a time. Nearly every frame is shorter.
const PIECE: usize = 1_024;
