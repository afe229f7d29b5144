use std::io::IoSlice;

use bytes::Buf;

/// Hands on the bytes of a buffer, piece by piece, and consumes none. Returns false, without handing on any, if the
/// buffer does not show all of its bytes.
pub(crate) fn each_piece(data: &impl Buf, mut give: impl FnMut(&[u8])) -> bool {
    let first = data.chunk();
    if first.len() == data.remaining() {
        give(first);
        return true;
    }
    let mut pieces = [IoSlice::new(&[]); MOST];
    let count = data.chunks_vectored(&mut pieces);
    let pieces = &pieces[..count];
    let shown: usize = pieces.iter().map(|piece| piece.len()).sum();
    let is_all = shown == data.remaining();
    if is_all {
        pieces.iter().for_each(|piece| give(piece));
    }
    is_all
}

/// A chain of two buffers has two pieces; a list of buffers may have more than this.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    #[test]
    fn all_pieces_of_a_buffer_are_seen() {
        let mut seen = Vec::new();
        let chain = (&b"ab"[..]).chain(&b"c"[..]);
        assert!(each_piece(&chain, |piece| seen.extend_from_slice(piece)));
        assert_eq!(seen, b"abc");
        assert_eq!(chain.remaining(), 3);
    }

    #[test]
    fn a_buffer_that_hides_bytes_is_not_read() {
        let mut chain: Box<dyn Buf> = Box::new(VecDeque::from(*b"x"));
        for _ in 0..MOST {
            chain = Box::new(Buf::chain(chain, &b"y"[..]));
        }
        assert!(!each_piece(&chain, |_| panic!("not all are shown")));
    }
}
