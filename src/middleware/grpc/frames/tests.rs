use super::*;

/// Returns what a reader tells of bytes that come in pieces of `size` bytes, but for the beginnings of messages.
fn told(framing: Framing, bytes: &[u8], size: usize) -> (Vec<String>, bool) {
    let mut frames = Frames::new(framing);
    let mut told = Vec::new();
    for piece in bytes.chunks(size) {
        frames.read(piece, |seen| {
            if seen != Seen::MessageBegins {
                told.push(format!("{seen:?}"));
            }
        });
    }
    (told, frames.is_inside())
}

fn in_every_size(framing: Framing, bytes: &[u8], expected: &[Seen<'_>], is_inside: bool) {
    let expected: Vec<_> = expected.iter().map(|seen| format!("{seen:?}")).collect();
    for size in 1..=bytes.len().max(1) {
        let told = told(framing, bytes, size);
        assert_eq!(told, (expected.clone(), is_inside), "{bytes:?} by {size}");
    }
}

fn message(bytes: u32) -> Seen<'static> {
    Seen::MessageEnds { bytes }
}

#[test]
fn messages_are_found_however_their_bytes_come() {
    let rows: &[(&[u8], &[Seen<'_>], bool)] = &[
        (b"", &[], false),
        (b"\0", &[], true),
        (b"\0\0\0\0\0", &[message(0)], false),
        (b"\0\0\0\0\x02ab", &[message(2)], false),
        (b"\x01\0\0\0\x02ab", &[message(2)], false),
        (b"\0\0\0\0\x02a", &[], true),
        (
            b"\0\0\0\0\x02ab\0\0\0\0\0\x01\0\0\0\x03xyz\0",
            &[message(2), message(0), message(3)],
            true,
        ),
        (b"\0\xff\xff\xff\xffab", &[], true),
        (b"\x02\0\0\0\x01a\0\0\0\0\0", &[Seen::Nonsense], false),
        (b"\x80\0\0\0\x01a", &[Seen::Nonsense], false),
        (
            b"\0\0\0\0\x01aHTTP/1.1",
            &[message(1), Seen::Nonsense],
            false,
        ),
    ];
    for (bytes, expected, is_inside) in rows {
        in_every_size(Framing::Grpc, bytes, expected, *is_inside);
    }
}

#[test]
fn a_message_begins_with_the_last_byte_of_its_prefix() {
    let mut frames = Frames::new(Framing::Grpc);
    let bytes = b"\0\0\0\0\x02ab\0\0\0\0\0\0\0\0\0\x01";
    let mut told = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        frames.read(&[*byte], |seen| told.push((at, format!("{seen:?}"))));
    }
    let expected = [
        (4, Seen::MessageBegins),
        (6, message(2)),
        (11, Seen::MessageBegins),
        (11, message(0)),
        (16, Seen::MessageBegins),
    ];
    assert_eq!(told, expected.map(|(at, seen)| (at, format!("{seen:?}"))));
}

#[test]
fn the_trailers_of_grpc_web_are_no_message() {
    let rows: &[(&[u8], &[Seen<'_>], bool)] = &[
        (
            b"\0\0\0\0\x01a\x80\0\0\0\x03k:v",
            &[message(1), Seen::Trailers(b"k:v")],
            false,
        ),
        (b"\x80\0\0\0\0", &[Seen::Trailers(b"")], false),
        (b"\x80\0\0\0\x03k:", &[], true),
        (
            b"\x80\0\0\0\0\0\0\0\0\0",
            &[Seen::Trailers(b""), Seen::Nonsense],
            false,
        ),
        (b"\x40\0\0\0\0", &[Seen::Nonsense], false),
    ];
    for (bytes, expected, is_inside) in rows {
        in_every_size(Framing::Web, bytes, expected, *is_inside);
    }
}

#[test]
fn only_the_start_of_long_trailers_is_kept() {
    let mut frames = Frames::new(Framing::Web);
    frames.read(b"\x80\x7f\0\0\0", |seen| panic!("{seen:?}"));
    for _ in 0..100 {
        frames.read(&[b'x'; 1_000], |seen| panic!("{seen:?}"));
    }
    let State::Trailers { kept, .. } = &frames.state else {
        panic!("{frames:?}");
    };
    assert_eq!(kept.len(), LONGEST_TRAILERS);
}

#[test]
fn base64_of_grpc_web_may_be_padded_anywhere() {
    let rows: &[(&[u8], &[Seen<'_>], bool)] = &[
        // Two messages, each encoded by itself, and trailers.
        (
            b"AAAAAAFhAAAAAAA=gAAAAANrOnY=",
            &[message(1), message(0), Seen::Trailers(b"k:v")],
            false,
        ),
        (b"AA==AA==AA==AA==AQ==YQ==", &[message(1)], false),
        (b"AAAAAAFh", &[message(1)], false),
        (b"AAAAAA", &[], true),
        (b"AAAA?", &[Seen::Nonsense], false),
        (b"A=", &[Seen::Nonsense], false),
        (b"AA=A", &[Seen::Nonsense], false),
        (b"\xff", &[Seen::Nonsense], false),
    ];
    for (bytes, expected, is_inside) in rows {
        in_every_size(Framing::WebText, bytes, expected, *is_inside);
    }
}

#[test]
fn long_base64_is_decoded_in_pieces() {
    // A message of 3,000 zero bytes after its prefix.
    let mut text = b"AAAAC7gA".to_vec();
    text.extend([b'A'; 4 * 1_000 - 4]);
    text.extend(*b"AAA=");
    in_sizes(&text, &[1, 7, 4_000, text.len()]);
}

fn in_sizes(text: &[u8], sizes: &[usize]) {
    for &size in sizes {
        let told = told(Framing::WebText, text, size);
        assert_eq!(
            told,
            (vec![format!("{:?}", message(3_000))], false),
            "{size}"
        );
    }
}
