//! Frames with contexts on a stream: read as a slow and simple reader reads them, from whole bytes and from a stream
//! that comes in pieces; no byte behind a frame is touched, and what is written is read again.

#![no_main]

use std::io::{self, Cursor, ErrorKind, Read};
use std::sync::LazyLock;

use allocation_counter::measure;
use libfuzzer_sys::fuzz_target;
use tracehound::JaegerTracer;
use tracehound::middleware::ContextFrames;
use tracehound::propagation::BinaryCodec;
use tracehound::span::SpanContext;
use tracehound_fuzz::facts::Facts;

static TRACER: LazyLock<JaegerTracer> = LazyLock::new(|| tracehound_fuzz::speaking([]));

fuzz_target!(|input: &[u8]| {
    let Some((&piece, bytes)) = input.split_first() else {
        return;
    };
    let frames = ContextFrames::new(TRACER.clone());
    let expected = read(bytes);

    let mut decoded = Ok(None);
    let used = measure(|| decoded = frames.decode(bytes));
    assert!(used.bytes_max <= 8 * bytes.len() as u64 + 2_048, "{used:?}");
    match (&expected, decoded) {
        (Slow::Complete(context, length), Ok(Some((found, end)))) => {
            assert_eq!((Facts::of(&found), end), (Facts::of(context), *length));
        }
        (Slow::Empty | Slow::Cut, Ok(None)) => {}
        (Slow::Unknown, Err(_)) => {}
        (expected, decoded) => panic!("{expected:?}, but {decoded:?}"),
    }

    let mut stream = Pieces {
        bytes: Cursor::new(bytes),
        piece: usize::from(piece % 8) + 1,
        interrupts: piece >= 128,
    };
    let mut found = Ok(None);
    // A length that nobody has sent takes no memory.
    let used = measure(|| found = frames.read(&mut stream));
    assert!(used.bytes_max <= 8 * bytes.len() as u64 + 2_048, "{used:?}");
    match (&expected, found.map_err(|error| error.kind())) {
        (Slow::Complete(context, length), Ok(Some(found))) => {
            assert_eq!(Facts::of(&found), Facts::of(context));
            assert_eq!(stream.bytes.position(), *length as u64);
        }
        (Slow::Empty, Ok(None)) => {}
        (Slow::Cut, Err(ErrorKind::UnexpectedEof)) => {}
        (Slow::Unknown, Err(ErrorKind::InvalidData)) => assert_eq!(stream.bytes.position(), 1),
        (expected, found) => panic!("{expected:?}, but {found:?}"),
    }

    let Slow::Complete(context, _) = expected else {
        return;
    };
    let mut written = vec![7];
    frames.append(&mut written, &context);
    let (frame, rest) = (&written[1..], b"behind");
    let (again, length) = frames
        .decode(&[frame, rest].concat())
        .expect("ours")
        .expect("whole");
    assert_eq!(
        (&Facts::of(&again), length),
        (&Facts::of(&context), frame.len())
    );
    for end in 0..frame.len() {
        assert!(matches!(frames.decode(&frame[..end]), Ok(None)), "{end}");
    }
});

/// The outcome of a reader that is as slow and as simple as it can be.
#[derive(Debug)]
enum Slow {
    Empty,
    Cut,
    Unknown,
    Complete(SpanContext, usize),
}

fn read(bytes: &[u8]) -> Slow {
    match *bytes {
        [] => Slow::Empty,
        [1, high, low, ref rest @ ..] => {
            let length = usize::from(high) * 256 + usize::from(low);
            if rest.len() < length {
                return Slow::Cut;
            }
            let context = BinaryCodec::default().extract(&rest[..length]);
            Slow::Complete(context.ok().flatten().unwrap_or_default(), 3 + length)
        }
        [1, ..] => Slow::Cut,
        _ => Slow::Unknown,
    }
}

/// A stream whose reads give a few bytes, or are interrupted.
struct Pieces<'b> {
    bytes: Cursor<&'b [u8]>,
    piece: usize,
    interrupts: bool,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupts = !self.interrupts;
        if self.interrupts {
            return Err(ErrorKind::Interrupted.into());
        }
        let most = buffer.len().min(self.piece);
        self.bytes.read(&mut buffer[..most])
    }
}
