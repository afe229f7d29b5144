//! Commands in the bytes that go to a server: `*2\r\n$3\r\nGET\r\n$1\r\na\r\n`.

/// Takes the first command from bytes. Returns its parts: the name and the arguments.
pub(super) fn take_command<'b>(bytes: &mut &'b [u8]) -> Option<Parts<'b>> {
    let (left, rest) = number(bytes, b'*')?;
    let parts = Parts { bytes: rest, left };
    let mut end = parts.clone();
    // A command that breaks off ends the commands.
    *bytes = match end.by_ref().count() == left {
        true => end.bytes,
        false => &[],
    };
    Some(parts)
}

/// The parts of a command.
#[derive(Clone, Default)]
pub(super) struct Parts<'b> {
    bytes: &'b [u8],
    left: usize,
}

impl<'b> Iterator for Parts<'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (length, rest) = number(self.bytes, b'$')?;
        let (part, rest) = rest.split_at_checked(length)?;
        self.bytes = rest.strip_prefix(b"\r\n")?;
        Some(part)
    }
}

/// Reads a number between a mark and the end of the line.
fn number(bytes: &[u8], mark: u8) -> Option<(usize, &[u8])> {
    let bytes = bytes.strip_prefix(&[mark])?;
    // No number of a command is longer.
    let end = bytes.iter().take(20).position(|byte| *byte == b'\r')?;
    let number = str::from_utf8(&bytes[..end]).ok()?.parse().ok()?;
    Some((number, bytes[end..].strip_prefix(b"\r\n")?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(mut bytes: &[u8]) -> Vec<Vec<&[u8]>> {
        let mut commands = Vec::new();
        while let Some(parts) = take_command(&mut bytes) {
            commands.push(parts.collect());
        }
        commands
    }

    #[test]
    fn commands_that_break_off_end_the_commands() {
        let whole: &[u8] = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\n";
        assert_eq!(parts(whole), [vec![&b"GET"[..], b"a"], vec![b"PING"]]);
        for end in 0..whole.len() {
            assert!(parts(&whole[..end]).len() <= 2);
        }
        for odd in [
            "",
            "*",
            "*x\r\n",
            "*2\r\n",
            "*99999999999999999999\r\n",
            "PING\r\n",
        ] {
            assert!(parts(odd.as_bytes()).iter().all(Vec::is_empty), "{odd}");
        }
        assert_eq!(parts(b"*1\r\n$99\r\nx\r\n"), [Vec::<&[u8]>::new()]);
    }

    proptest! {
        #[test]
        fn packed_commands_are_read_back(
            commands in proptest::collection::vec(
                proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..4), 1..4), 0..4)
        ) {
            let packed: Vec<u8> = commands.iter().flat_map(|args| redis::pack_command(args)).collect();
            prop_assert_eq!(parts(&packed), commands);
        }

        #[test]
        fn no_bytes_cause_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            parts(&bytes);
        }
    }
}
