/// A decoder of base64 that comes in pieces. Each piece may end with padding and begin anew, as in gRPC-Web.
#[derive(Debug, Default)]
pub(super) struct Base64 {
    /// The bits of an unfinished group, in its low bits.
    bits: u32,
    /// The characters of the group so far, padding included.
    have: u8,
    padding: u8,
}

impl Base64 {
    /// Decodes text and hands the bytes on in small pieces. Returns false at a character that may not stand there.
    pub(super) fn decode(&mut self, text: &[u8], mut give: impl FnMut(&[u8])) -> bool {
        let mut decoded = [0; 3 * 256];
        let mut filled = 0;
        let mut is_base64 = true;
        for &character in text {
            if !self.push(character) {
                is_base64 = false;
                break;
            }
            if self.have == 4 {
                let [_, group @ ..] = self.bits.to_be_bytes();
                let bytes = 3 - usize::from(self.padding);
                decoded[filled..filled + bytes].copy_from_slice(&group[..bytes]);
                filled += bytes;
                *self = Self::default();
                if filled + 3 > decoded.len() {
                    give(&decoded[..filled]);
                    filled = 0;
                }
            }
        }
        give(&decoded[..filled]);
        is_base64
    }

    fn push(&mut self, character: u8) -> bool {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' if self.have >= 2 => {
                self.padding += 1;
                0
            }
            _ => return false,
        };
        if self.padding > 0 && character != b'=' {
            return false;
        }
        self.bits = self.bits << 6 | u32::from(value);
        self.have += 1;
        true
    }
}
