//! Tests of the frames that carry a context in a protocol of one's own.

use std::io::{self, Cursor, ErrorKind, Read, Write};

use futures_util::FutureExt;
use tracehound::metrics::Counter;
use tracehound::middleware::{ContextFrames, UnknownFrame};
use tracehound::model::tags::SPAN_KIND;
use tracehound::model::{Flags, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::scope::FinishOnce;
use tracehound::{NoopTracer, SpanContext};

use crate::middleware::ways::{Way, check, ending, work};
use crate::support::recording_tracer;

fn context() -> SpanContext {
    let (trace, span) = (TraceId::new(1, 2).unwrap(), SpanId::new(3).unwrap());
    let context = SpanContext::new(trace, span, SpanId::new(4), Flags::SAMPLED);
    context.with_baggage_item("tenant", "Zoë")
}

/// Returns frames, and the tracer that counts what is wrong with them.
fn frames() -> (ContextFrames, JaegerTracer) {
    let (tracer, _) = recording_tracer();
    (ContextFrames::new(tracer.clone()), tracer)
}

fn frame_of(context: &SpanContext) -> Vec<u8> {
    let mut bytes = Vec::new();
    frames().0.write(&mut bytes, context).unwrap();
    bytes
}

/// A stream that gives and takes one byte a call, and is interrupted before each.
struct Dripping<S> {
    stream: S,
    is_ready: bool,
}

impl<S> Dripping<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            is_ready: false,
        }
    }

    fn wait(&mut self) -> io::Result<()> {
        self.is_ready = !self.is_ready;
        match self.is_ready {
            true => Err(ErrorKind::Interrupted.into()),
            false => Ok(()),
        }
    }
}

impl<S: Read> Read for Dripping<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.wait()?;
        let end = into.len().min(1);
        self.stream.read(&mut into[..end])
    }
}

impl<S: Write> Write for Dripping<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait()?;
        self.stream.write(&bytes[..bytes.len().min(1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[test]
fn a_frame_has_a_version_a_length_and_the_context() {
    let mut expected = vec![1, 0, 37 + 4 + 6 + 4 + 4];
    let trace_and_span = [1_u64, 2, 3, 4].map(u64::to_be_bytes);
    expected.extend(trace_and_span.as_flattened());
    expected.extend(b"\x01\x00\x00\x00\x01\x00\x00\x00\x06tenant\x00\x00\x00\x04Zo\xc3\xab");
    assert_eq!(frame_of(&context()), expected);
}

#[test]
fn a_context_arrives_and_the_message_behind_it_is_not_touched() {
    let (frames, _) = frames();
    let mut bytes = Dripping::new(Vec::new());
    frames.write(&mut bytes, &context()).unwrap();
    frames.write(&mut bytes, &SpanContext::default()).unwrap();
    let mut bytes = bytes.stream;
    bytes.extend(b"message");
    for drips in [true, false] {
        let mut whole = Cursor::new(bytes.clone());
        let mut dripping = Dripping::new(Cursor::new(bytes.clone()));
        let read = |into: &mut dyn Read| {
            let mut stream = into;
            let first = frames.read(&mut stream).unwrap().unwrap();
            assert_eq!(first, context());
            assert!(frames.read(&mut stream).unwrap().unwrap().is_empty());
            let mut rest = String::new();
            stream.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "message");
            assert!(frames.read(&mut stream).unwrap().is_none());
        };
        match drips {
            true => read(&mut dripping),
            false => read(&mut whole),
        }
    }
}

#[test]
fn a_frame_that_is_cut_off_is_not_taken_for_one() {
    let bytes = frame_of(&context());
    let (frames, tracer) = frames();
    for end in 0..bytes.len() {
        assert_eq!(frames.decode(&bytes[..end]), Ok(None), "{end}");
        match frames.read(&mut Cursor::new(&bytes[..end])) {
            Ok(None) => assert_eq!(end, 0),
            Ok(found) => panic!("{end}: {found:?}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{end}"),
        }
    }
    let decoded = frames.decode(&bytes).unwrap();
    assert_eq!(decoded, Some((context(), bytes.len())));
    assert_eq!(tracer.metrics().get(Counter::DecodingErrors), 0);
}

#[test]
fn another_version_is_an_error_at_its_first_byte() {
    let (frames, _) = frames();
    for found in (0..=255).filter(|version| *version != 1) {
        let bytes = [found, 0, 0];
        for end in 1..=3 {
            let error = frames.decode(&bytes[..end]).unwrap_err();
            assert_eq!(error.found, found);
        }
        let error = frames.read(&mut Cursor::new(&bytes[..1])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let inner = error.get_ref().and_then(|error| error.downcast_ref());
        assert_eq!(inner, frames.decode(&bytes).err().as_ref());
    }
    let error: UnknownFrame = frames.decode(b"GET /").unwrap_err();
    let text = "expected a context frame of version 1, found 0x47";
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_malformed_context_is_counted_and_the_stream_goes_on() {
    let (frames, tracer) = frames();
    let whole = frame_of(&context());
    // Each has the right length for what is in it.
    let bodies: [&[u8]; 5] = [
        &[0],
        &[0; 36],
        &whole[3..whole.len() - 1],
        &[0xff; 41],
        &[0xff; 65_535],
    ];
    for (count, body) in bodies.into_iter().enumerate() {
        let mut bytes = vec![1];
        bytes.extend((body.len() as u16).to_be_bytes());
        bytes.extend(body);
        let frame = bytes.len();
        bytes.extend(&whole);
        let mut stream = Cursor::new(&bytes);
        assert!(frames.read(&mut stream).unwrap().unwrap().is_empty());
        assert_eq!(frames.read(&mut stream).unwrap(), Some(context()));
        let (context, length) = frames.decode(&bytes).unwrap().unwrap();
        assert!(context.is_empty());
        assert_eq!(length, frame);
        let errors = tracer.metrics().get(Counter::DecodingErrors);
        assert_eq!(errors, 2 * (count as u64 + 1));
    }
}

#[test]
fn the_largest_context_fits() {
    let (frames, _) = frames();
    let mut large = context();
    for n in 0..63 {
        large = large.with_baggage_item(&format!("k{n:02}"), &"v".repeat(120));
    }
    assert_eq!(large.baggage().iter().count(), 64);
    let bytes = frame_of(&large);
    assert_eq!(frames.decode(&bytes), Ok(Some((large, bytes.len()))));
}

#[test]
fn a_tracer_that_is_off_speaks_the_protocol() {
    let off = ContextFrames::new(NoopTracer);
    let mut bytes = frame_of(&context());
    off.append(&mut bytes, &context());
    let (found, length) = off.decode(&bytes).unwrap().unwrap();
    assert!(found.is_empty());
    assert_eq!(bytes[length..], [1, 0, 0]);
}

/// Returns a span of a kind, in which a program reads or writes a frame.
fn span_of(tracer: &JaegerTracer, kind: &'static str) -> Span {
    tracer.build_span(kind).tag(SPAN_KIND, kind).start()
}

/// A blocking stream that ends in a way when it is used. Nobody can give up a call that blocks, so it is cut off by the
/// other end then.
struct Blocking<'a>(Way, &'a [u8]);

impl Blocking<'_> {
    fn wait(&mut self) -> io::Result<()> {
        work(self.0).now_or_never().unwrap_or(Ok(()))
    }
}

impl Read for Blocking<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.wait()?;
        self.1.read(into)
    }
}

impl Write for Blocking<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait()?;
        Ok(if self.0 == Way::Cancel {
            0
        } else {
            bytes.len()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_frame_on_a_blocking_stream_is_written_and_read_in_each_way() {
    let rows = [
        (Way::Done, "client; server"),
        (
            Way::Error,
            "client error=true error; server error=true error",
        ),
        (
            Way::Cancel,
            "client error=true error; server error=true error",
        ),
        (Way::Drop, "client cancelled; server cancelled"),
        (
            Way::Panic,
            "client error=true panic; server error=true panic",
        ),
        (
            Way::Timeout,
            "client error=true error; server error=true error",
        ),
    ];
    check(rows, |way, tracer| {
        let frames = ContextFrames::new(tracer.clone());
        // What a program hands to a thread of its own, and drops if there is none.
        let asks = FinishOnce::new(span_of(tracer, "client")).wrap(|| {
            let written = frames.write(&mut Blocking(way, &[]), &active_span());
            written.inspect_err(|error| active_span().log_error(error))
        });
        let bytes = frame_of(&context());
        let end = match way {
            Way::Cancel => bytes.len() - 1,
            _ => bytes.len(),
        };
        let answers = FinishOnce::new(span_of(tracer, "server")).wrap(|| {
            let read = frames.read(&mut Blocking(way, &bytes[..end]));
            read.inspect_err(|error| active_span().log_error(error))
        });
        if way != Way::Drop {
            let written = ending(way, asks);
            assert_eq!(matches!(written, Some(Ok(()))), way == Way::Done);
            let read = ending(way, answers).and_then(Result::ok).flatten();
            assert_eq!(read, (way == Way::Done).then(context), "{way:?}");
        }
        assert_eq!(tracer.metrics().get(Counter::DecodingErrors), 0);
    });
}

#[cfg(feature = "tokio")]
mod with_tokio {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::middleware::ways::drive;
    use crate::middleware::ways::stream::Ends;

    #[tokio::test]
    async fn a_context_arrives_over_a_stream_of_tokio() {
        let (frames, _) = frames();
        // A pipe of two bytes: both sides have to wait again and again.
        let (mut near, mut far) = duplex(2);
        let writer = frames.clone();
        let writing = tokio::spawn(async move {
            writer.write_async(&mut near, &context()).await.unwrap();
            writer
                .write_async(&mut near, &SpanContext::default())
                .await
                .unwrap();
            near.write_all(b"message").await.unwrap();
        });
        let first = frames.read_async(&mut far).await.unwrap();
        assert_eq!(first, Some(context()));
        let second = frames.read_async(&mut far).await.unwrap();
        assert!(second.unwrap().is_empty());
        let mut rest = String::new();
        far.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "message");
        assert_eq!(frames.read_async(&mut far).await.unwrap(), None);
        writing.await.unwrap();
    }

    #[test]
    pub(in crate::middleware) fn a_frame_is_written_and_read_in_each_way() {
        // The program logs the error by itself, which does not tell a timeout from others.
        let rows = [
            (Way::Done, "client; server"),
            (
                Way::Error,
                "client error=true error; server error=true error",
            ),
            (Way::Cancel, "client cancelled; server cancelled"),
            (Way::Drop, "client cancelled; server cancelled"),
            (
                Way::Panic,
                "client error=true panic; server error=true panic",
            ),
            (
                Way::Timeout,
                "client error=true error; server error=true error",
            ),
        ];
        check(rows, |way, tracer| {
            let frames = ContextFrames::new(tracer.clone());
            let asks = async {
                let (mut stream, span) = (Ends::new(way, &[]), active_span());
                let written = frames.write_async(&mut stream, &span).await;
                written.inspect_err(|error| active_span().log_error(error))
            };
            let written = drive(way, asks.in_span(span_of(tracer, "client")));
            assert_eq!(matches!(written, Some(Ok(()))), way == Way::Done);
            let bytes = frame_of(&context());
            let answers = async {
                let read = frames.read_async(&mut Ends::new(way, &bytes)).await;
                read.inspect_err(|error| active_span().log_error(error))
            };
            let read = drive(way, answers.in_span(span_of(tracer, "server")));
            let caller = read.and_then(Result::ok).flatten();
            let expected = (way == Way::Done).then(context);
            assert_eq!(caller, expected, "{way:?}");
            assert_eq!(tracer.metrics().get(Counter::DecodingErrors), 0);
        });
    }

    #[tokio::test]
    async fn a_cut_or_unknown_frame_is_an_error() {
        let (frames, _) = frames();
        let bytes = frame_of(&context());
        for end in 1..bytes.len() {
            let error = frames.read_async(&mut &bytes[..end]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{end}");
        }
        let error = frames.read_async(&mut &b"GET /"[..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let (mut near, far) = duplex(2);
        drop(far);
        let error = frames.write_async(&mut near, &context()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
}
