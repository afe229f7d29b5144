//! Hostile names in what is shown in a terminal: nothing steers it, every line is within its columns, and no name
//! makes a line of its own.
//!
//! An input whose first byte is odd is a datagram in the compact protocol; other inputs are spans.

#![no_main]

use std::sync::{Arc, Mutex};

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use tracehound::fuzzing::{Received, Surface, decode_datagram, pictures};
use tracehound::reporter::sender::AgentProtocol;
use tracehound::reporter::{LoggingReporter, Reporter};
use tracehound_fuzz::spans;

fuzz_target!(|input: &[u8]| {
    let Some((&first, rest)) = input.split_first() else {
        return;
    };
    let (Some((&columns, rest)), is_datagram) = (rest.split_first(), first & 1 == 1) else {
        return;
    };
    let received = match is_datagram {
        true => decode_datagram(AgentProtocol::Compact, rest).ok(),
        false => some_spans(&mut Unstructured::new(rest)).ok(),
    };
    let Some(received) = received else { return };
    let columns = usize::from(columns);
    for surface in [
        Surface::File,
        Surface::Terminal { color: false },
        Surface::Terminal { color: true },
    ] {
        let is_open = |span: &_| is_open(first, span);
        for picture in pictures(&received, is_open, columns, surface) {
            check(&picture, columns, surface);
        }
    }
    check_lines(&received);
});

fn some_spans(u: &mut Unstructured<'_>) -> Result<Received> {
    Ok(Received {
        process: Arc::new(spans::process(u)?),
        spans: spans::spans(u, 80)?,
        seq_no: None,
    })
}

fn is_open(first: u8, span: &tracehound::reporter::OwnedSpan) -> bool {
    first & 2 != 0 && span.span_id.get() % 4 == 1
}

fn check(picture: &str, columns: usize, surface: Surface) {
    assert!(picture.ends_with('\n'));
    let lines = picture.lines().count();
    // A head, 60 rows at most, and a line about the others.
    assert!((1..=62).contains(&lines), "{picture:?}");
    let shown = match surface {
        Surface::File => picture.to_owned(),
        Surface::Terminal { .. } => without_styles(picture),
    };
    for line in shown.lines() {
        if surface == Surface::File {
            assert!(line.is_ascii(), "{line:?}");
        }
        assert!(!line.chars().any(steers), "{line:?} in {picture:?}");
        let width = line.chars().count();
        assert!(
            width <= columns.max(NARROWEST),
            "{width} in {columns}: {line:?}"
        );
    }
}

/// A picture is not drawn in less.
const NARROWEST: usize = 40;

/// The text without the escape sequences that style it. One that sets anything else stays, and is found.
fn without_styles(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |shown, piece| {
        let end = piece.find('m');
        let codes = end.map_or("", |end| &piece[..end]);
        let is_style = !codes.is_empty()
            && codes.split(';').all(|code| {
                let is_color = ["3", "9"].iter().any(|tens| {
                    let one = code.strip_prefix(tens);
                    one.is_some_and(|one| one.len() == 1 && ("0"..="7").contains(&one))
                });
                is_color || code == "0" || code == "1"
            });
        match end {
            Some(end) if is_style => shown + &piece[end + 1..],
            _ => shown + "\x1b[" + piece,
        }
    })
}

/// Control characters, line breaks of Unicode, and what turns the direction of writing.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// A line of the logging reporter for each span.
fn check_lines(received: &Received) {
    let count = Arc::new(Mutex::new(0));
    let seen = count.clone();
    let mut reporter = LoggingReporter::with_handler(move |line| {
        *seen.lock().expect("not poisoned") += 1;
        assert!(!line.chars().any(char::is_control), "{line:?}");
    });
    for span in &received.spans {
        span.view(|span| reporter.report(span));
    }
    assert_eq!(*count.lock().expect("not poisoned"), received.spans.len());
}
