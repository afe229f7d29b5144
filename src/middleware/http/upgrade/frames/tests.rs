use super::*;

/// The events that were seen, in words.
fn read(frames: &mut Frames, bytes: &[u8]) -> Vec<String> {
    let mut seen = Vec::new();
    frames.read(bytes, |what| {
        seen.push(match what {
            Seen::MessageBegins { is_text: true } => "text".to_owned(),
            Seen::MessageBegins { is_text: false } => "binary".to_owned(),
            Seen::MessageEnds { bytes } => format!("end {bytes}"),
            Seen::Ping => "ping".to_owned(),
            Seen::Pong => "pong".to_owned(),
            Seen::Close { code, reason } => {
                format!("close {code:?} {}", String::from_utf8_lossy(reason))
            }
            Seen::Nonsense => "nonsense".to_owned(),
        });
    });
    seen
}

fn payload_of(bytes: usize) -> Vec<u8> {
    let header = match bytes {
        0..126 => vec![bytes as u8],
        126..0x1_0000 => [&[126][..], &(bytes as u16).to_be_bytes()].concat(),
        _ => [&[127][..], &(bytes as u64).to_be_bytes()].concat(),
    };
    [header, vec![b'x'; bytes]].concat()
}

#[test]
fn frames_are_seen_wherever_their_bytes_are_split() {
    let rows: [(&str, Vec<u8>, &[&str]); 10] = [
        ("empty", vec![0x81, 0], &["text", "end 0"]),
        ("short", vec![0x82, 2, 1, 2], &["binary", "end 2"]),
        (
            "masked",
            vec![0x81, 0x82, 9, 9, 9, 9, 1, 2],
            &["text", "end 2"],
        ),
        (
            "16 bits of length",
            [vec![0x81], payload_of(300)].concat(),
            &["text", "end 300"],
        ),
        (
            "a ping between two fragments",
            vec![0x01, 1, b'a', 0x89, 1, b'?', 0x80, 1, b'b'],
            &["text", "ping", "end 2"],
        ),
        ("a pong", vec![0x8a, 0, 0x8a, 1, b'!'], &["pong", "pong"]),
        (
            "a close frame without a code",
            vec![0x88, 0],
            &["close None "],
        ),
        (
            "a close frame with a code that is not allowed",
            vec![0x88, 2, b'x', b'x'],
            &["close Some(30840) "],
        ),
        (
            "a masked close frame",
            vec![
                0x88,
                0x84,
                1,
                2,
                3,
                4,
                0x03 ^ 1,
                0xe8 ^ 2,
                b'o' ^ 3,
                b'k' ^ 4,
            ],
            &["close Some(1000) ok"],
        ),
        // `permessage-deflate` sets the first reserved bit.
        ("compressed", vec![0xc1, 1, 0], &["text", "end 1"]),
    ];
    for (name, bytes, expected) in rows {
        for split in 0..=bytes.len() {
            let mut frames = Frames::new();
            let (first, second) = bytes.split_at(split);
            let mut seen = read(&mut frames, first);
            seen.extend(read(&mut frames, second));
            assert_eq!(seen, expected, "{name} at {split}");
            // The next frame is found.
            assert_eq!(read(&mut frames, &[0x8a, 0]), ["pong"], "{name} at {split}");
        }
        let mut frames = Frames::new();
        let one_by_one: Vec<_> = bytes
            .iter()
            .flat_map(|byte| read(&mut frames, &[*byte]))
            .collect();
        assert_eq!(one_by_one, expected, "{name}");
    }
}

#[test]
fn a_length_of_64_bits_is_read() {
    let bytes = [vec![0x82], payload_of(70_000)].concat();
    let seen = read(&mut Frames::new(), &bytes);
    assert_eq!(seen, ["binary", "end 70000"]);
}

#[test]
fn an_illegal_frame_ends_the_reading() {
    let rows: [(&str, &[u8]); 8] = [
        ("a reserved opcode", &[0x83, 0]),
        ("a reserved control opcode", &[0x8b, 0]),
        ("a continuation of nothing", &[0x80, 0]),
        ("a message within a message", &[0x01, 0, 0x81, 0]),
        ("a fragmented ping", &[0x09, 0]),
        ("a long ping", &[0x89, 126, 0, 126]),
        ("a long close frame", &[0x88, 126, 0, 200]),
        (
            "a length with its highest bit set",
            &[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0],
        ),
    ];
    for (name, bytes) in rows {
        let mut frames = Frames::new();
        let seen = read(&mut frames, bytes);
        assert_eq!(seen.last().map(String::as_str), Some("nonsense"), "{name}");
        assert!(read(&mut frames, &[0x81, 0]).is_empty(), "{name}");
    }
}

#[test]
fn hostile_lengths_only_make_the_reader_wait() {
    let mut frames = Frames::new();
    let longest = [0x02, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255];
    assert_eq!(read(&mut frames, &longest), ["binary"]);
    for _ in 0..100 {
        assert!(read(&mut frames, &[0; 10_000]).is_empty());
    }
    // Sizes that add up to more than 64 bits.
    let mut frames = Frames::new();
    frames.message = Some(u64::MAX - 1);
    assert_eq!(
        read(&mut frames, &[0x80, 2, 0, 0]),
        [format!("end {}", u64::MAX)]
    );
}

#[cfg(feature = "tungstenite")]
mod with_tungstenite {
    use std::io::{self, Read, Write};

    use proptest::collection::vec;
    use proptest::prelude::*;
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
    use tokio_tungstenite::tungstenite::{Message, WebSocket};

    use super::{Frames, read};

    /// A stream of bytes that answers go into the void of.
    struct Stream<'a>(&'a [u8]);

    impl Read for Stream<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Stream<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the messages that tungstenite reads until the first error or close frame.
    fn tungstenite(bytes: &[u8], is_masked: bool) -> Vec<String> {
        let role = match is_masked {
            true => Role::Server,
            false => Role::Client,
        };
        let config = WebSocketConfig::default();
        let mut socket = WebSocket::from_raw_socket(Stream(bytes), role, Some(config));
        let mut seen = Vec::new();
        loop {
            seen.push(match socket.read() {
                Ok(Message::Text(text)) => format!("end {}", text.len()),
                Ok(Message::Binary(bytes)) => format!("end {}", bytes.len()),
                Ok(Message::Ping(_)) => "ping".to_owned(),
                Ok(Message::Pong(_)) => "pong".to_owned(),
                // It puts an error in the place of a code that no peer may send.
                Ok(Message::Close(Some(frame)))
                    if frame.reason.as_str() == "Protocol violation" =>
                {
                    return seen;
                }
                Ok(Message::Close(frame)) => {
                    let code = frame.as_ref().map(|frame| u16::from(frame.code));
                    let reason = frame.as_ref().map_or("", |frame| frame.reason.as_str());
                    seen.push(format!("close {code:?} {reason}"));
                    return seen;
                }
                Ok(Message::Frame(_)) | Err(_) => return seen,
            });
        }
    }

    /// A frame, or the fragments of a message.
    fn frames() -> impl Strategy<Value = Vec<Frame>> {
        let size = prop_oneof![
            4 => 0..5_usize,
            2 => 120..130_usize,
            1 => 65_530..65_540_usize,
        ];
        prop_oneof![
            4 => (any::<bool>(), vec(size, 1..4)).prop_map(|(is_text, sizes)| {
                let last = sizes.len() - 1;
                let first = if is_text { Data::Text } else { Data::Binary };
                let opcode = |n| OpCode::Data(if n == 0 { first } else { Data::Continue });
                let sizes = sizes.into_iter().enumerate();
                sizes
                    .map(|(n, size)| Frame::message(vec![b'x'; size], opcode(n), n == last))
                    .collect()
            }),
            1 => Just(vec![Frame::ping(vec![b'c'; 3])]),
            1 => Just(vec![Frame::pong(vec![b'c'; 3])]),
        ]
    }

    fn bytes_of(frames: Vec<Frame>, mask: Option<[u8; 4]>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for mut frame in frames {
            frame.header_mut().mask = mask;
            frame.format(&mut bytes).expect("written into memory");
        }
        bytes
    }

    /// Reads in pieces, and leaves out what tungstenite does not tell.
    fn ours(bytes: &[u8], cuts: &[usize]) -> Vec<String> {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut frames = Frames::new();
        let pieces = cuts.windows(2);
        pieces
            .flat_map(|cut| read(&mut frames, &bytes[cut[0]..cut[1]]))
            .filter(|seen| !["text", "binary"].contains(&&**seen))
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn legal_frames_are_read_as_tungstenite_does(
            sent in vec(frames(), 0..6),
            code in 3000..5000_u16,
            mask in any::<Option<[u8; 4]>>(),
            cuts in vec(any::<usize>(), 0..8),
        ) {
            let mut sent = sent.concat();
            let code = code.into();
            let reason = "done".into();
            sent.push(Frame::close(Some(
                tokio_tungstenite::tungstenite::protocol::CloseFrame { code, reason },
            )));
            let bytes = bytes_of(sent, mask);
            prop_assert_eq!(ours(&bytes, &cuts), tungstenite(&bytes, mask.is_some()));
        }

        #[test]
        fn whatever_tungstenite_reads_of_damaged_frames_is_seen(
            sent in vec(frames(), 1..6),
            mask in any::<Option<[u8; 4]>>(),
            damage in vec((0..64_usize, any::<u8>()), 0..4),
            cuts in vec(any::<usize>(), 0..8),
        ) {
            let mut bytes = bytes_of(sent.concat(), mask);
            for (place, byte) in damage {
                if let Some(damaged) = bytes.get_mut(place) {
                    *damaged = byte;
                }
            }
            let (ours, theirs) = (ours(&bytes, &cuts), tungstenite(&bytes, mask.is_some()));
            prop_assert!(ours.starts_with(&theirs), "{ours:?} {theirs:?}");
        }

        #[test]
        fn bytes_at_random_never_panic(bytes in vec(any::<u8>(), 0..300)) {
            ours(&bytes, &[]);
        }
    }
}
