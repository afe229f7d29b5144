//! Standard output and standard error, which may be gone before the program has written all.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Write};
use std::process;

/// Writes a line to standard output, as `print` does.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::print(&format!("{}\n", format_args!($($text)*)))
    };
}
pub(crate) use say;

/// Writes a text to standard output.
///
/// If the reader has gone, as `head` does when it has seen enough, the program ends well. If the text cannot be written
/// for another reason, it ends with an error.
pub(crate) fn print(text: &str) {
    let mut output = io::stdout().lock();
    let written = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => process::exit(0),
        Err(error) => {
            complain(&format!("standard output: {error}"));
            process::exit(2);
        }
    }
}

/// Writes a line to standard error, if that is still there.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "tracehound: {}", shown(text));
}

/// Returns a text that may go to a terminal: other control characters than the ends of lines are shown as escapes.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    let is_hidden = |c: char| c.is_control() && c != '\n';
    if !text.contains(is_hidden) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_control_a_terminal() {
        assert_eq!(shown("a\n\u{e9}"), "a\n\u{e9}");
        assert_eq!(shown("\x1b[31m\r\u{9b}x"), r"\u{1b}[31m\r\u{9b}x");
    }
}
