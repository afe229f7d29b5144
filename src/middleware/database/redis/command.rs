use crate::middleware::database::redis::commands::{Keys, known};
use crate::redact::sql::holds_secret;

/// A command of Redis, as far as a span tells of it. Its arguments are data.
#[derive(Clone)]
pub(super) struct Command<I> {
    /// The name in upper case, or [`OTHER`].
    pub(super) name: &'static str,
    keys: Keys,
    /// The arguments without the name.
    args: I,
}

/// The name of a command that is not known. A caller's text must not become a name.
pub(super) const OTHER: &str = "Command";

impl<'c, I> Command<I>
where
    I: Iterator<Item = &'c [u8]> + Clone,
{
    pub(super) fn new(mut parts: I) -> Self {
        let name = parts.next().unwrap_or_default();
        // A name may come with a subcommand: `CONFIG GET`.
        let word = name.split(|byte| *byte == b' ').next().unwrap_or_default();
        let (name, keys) = known(word).unwrap_or((OTHER, Keys::Unknown));
        Self {
            name,
            keys,
            args: parts,
        }
    }

    /// Returns how many keys the command names, if that is known.
    pub(super) fn keys(&self) -> Option<usize> {
        let count = || self.args.clone().count();
        let announced = |at: usize| {
            let number = self.args.clone().nth(at)?;
            let number: usize = str::from_utf8(number).ok()?.parse().ok()?;
            Some(number.min(count()))
        };
        Some(match self.keys {
            Keys::Unknown | Keys::Secret => return None,
            Keys::First => count().min(1),
            Keys::FirstTwo => count().min(2),
            Keys::All => count(),
            Keys::AllButFirst | Keys::AllButLast => count().saturating_sub(1),
            Keys::Pairs => count() / 2,
            Keys::Counted(at) => announced(at - 1)?,
            Keys::CountedAndTarget => announced(1)? + 1,
            Keys::Streams => {
                let mut args = self.args.clone();
                args.find(|arg| arg.eq_ignore_ascii_case(b"STREAMS"))?;
                args.count() / 2
            }
        })
    }

    /// Whether the arguments may hold a password or a token.
    pub(super) fn is_secret(&self) -> bool {
        self.keys == Keys::Secret
            || self.name == OTHER
            || self
                .args
                .clone()
                .any(|arg| holds_secret(&String::from_utf8_lossy(arg)))
    }

    /// Returns the name and a `?` for each argument: `MGET ? ?`.
    pub(super) fn shape(&self) -> String {
        let mut shape = self.name.to_owned();
        let mut args = self.args.clone();
        for _ in args.by_ref().take(SHOWN_ARGS) {
            shape.push_str(" ?");
        }
        if args.next().is_some() {
            shape.push_str(" …");
        }
        shape
    }

    /// Returns the name and the arguments, of which the first `max_bytes` are enough.
    pub(super) fn text(&self, max_bytes: usize) -> String {
        let mut text = self.name.to_owned();
        for arg in self.args.clone() {
            if text.len() > max_bytes {
                break;
            }
            let arg = &arg[..arg.len().min(MAX_ARG)];
            text.push(' ');
            match str::from_utf8(arg) {
                Ok(word) if !word.is_empty() && word.chars().all(is_plain) => text.push_str(word),
                _ => {
                    text.push('"');
                    text.extend(arg.escape_ascii().map(char::from));
                    text.push('"');
                }
            }
        }
        text
    }
}

/// The number of arguments that a shape shows.
const SHOWN_ARGS: usize = 8;

/// The number of bytes of an argument that are read.
const MAX_ARG: usize = 64 * 1_024;

fn is_plain(c: char) -> bool {
    !c.is_control() && !c.is_whitespace() && !matches!(c, '"' | '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> Command<impl Iterator<Item = &[u8]> + Clone> {
        Command::new(line.split(' ').map(str::as_bytes))
    }

    #[test]
    fn keys_are_counted_by_the_form_of_the_command() {
        for (line, keys) in [
            ("GET a", Some(1)),
            ("get", Some(0)),
            ("MGET a b c", Some(3)),
            ("MSET a 1 b 2", Some(2)),
            ("RENAME a b", Some(2)),
            ("BLPOP a b 0", Some(2)),
            ("BITOP AND a b c", Some(3)),
            ("EVAL script 2 a b x", Some(2)),
            ("EVAL script 9999999 a", Some(3)),
            ("EVAL script x a", None),
            ("ZUNIONSTORE z 2 a b", Some(3)),
            ("XREAD COUNT 2 STREAMS a b 0 0", Some(2)),
            ("XREAD", None),
            ("PING", None),
            ("AUTH a b", None),
            ("canary a b", None),
        ] {
            assert_eq!(command(line).keys(), keys, "{line}");
        }
    }

    #[test]
    fn shapes_show_no_argument_and_texts_show_all() {
        for (line, name, shape, text) in [
            ("set a b", "SET", "SET ? ?", "SET a b"),
            ("PING", "PING", "PING", "PING"),
            (
                "DEL 1 2 3 4 5 6 7 8 9",
                "DEL",
                "DEL ? ? ? ? ? ? ? ? …",
                "DEL 1 2 3 4 5 6 7 8 9",
            ),
            ("canary x", "Command", "Command ?", "Command x"),
            ("SET a\n \"b", "SET", "SET ? ?", r#"SET "a\n" "\"b""#),
            ("SET é ", "SET", "SET ? ?", r#"SET é """#),
        ] {
            let command = command(line);
            assert_eq!(command.name, name);
            assert_eq!(command.shape(), shape);
            assert_eq!(command.text(1_000), text);
        }
    }

    #[test]
    fn commands_that_take_passwords_are_secret() {
        for (line, is_secret) in [
            ("AUTH x", true),
            ("HELLO 3 AUTH u x", true),
            ("CONFIG SET requirepass x", true),
            ("SET session-token x", true),
            ("canary x", true),
            ("SET user x", false),
        ] {
            assert_eq!(command(line).is_secret(), is_secret, "{line}");
        }
    }
}
