//! Helpers of the readers of headers, written for simplicity alone.

/// The text without blanks and tabs at its ends.
pub fn trim(text: &[u8]) -> &[u8] {
    let blank = |byte: &&u8| matches!(**byte, b' ' | b'\t');
    let start = text.iter().take_while(blank).count();
    let end = text[start..].iter().rev().take_while(blank).count();
    &text[start..text.len() - end]
}

/// The pieces between commas, without blanks at their ends.
pub fn pieces(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b',').map(trim)
}

/// The parts before and after the first `separator`.
pub fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == separator)?;
    Some((&text[..at], &text[at + 1..]))
}

/// A number of 1 to `most` hex digits of either case.
pub fn hex(digits: &[u8], most: usize) -> Option<u128> {
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    let is_number = is_hex && (1..=most).contains(&digits.len());
    let text = std::str::from_utf8(digits).ok()?;
    is_number.then(|| u128::from_str_radix(text, 16).ok())?
}

/// `%XX` decoded; `None` where an escape is malformed.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        decoded.push(hex(digits, 2)? as u8);
        rest = after;
    }
    Some(decoded)
}

/// `%XX` decoded; a text with a malformed escape as it is.
pub fn percent_decoded(text: &[u8]) -> String {
    let decoded = decode(text).unwrap_or_else(|| text.to_vec());
    String::from_utf8_lossy(&decoded).into_owned()
}

/// `%XX` and `+` decoded; a text with a malformed escape as it is.
pub fn form_decoded(text: &[u8]) -> String {
    let spaced = text.iter().map(|byte| match byte {
        b'+' => b' ',
        other => *other,
    });
    let spaced: Vec<_> = spaced.collect();
    match decode(&spaced) {
        Some(decoded) => String::from_utf8_lossy(&decoded).into_owned(),
        None => String::from_utf8_lossy(text).into_owned(),
    }
}

/// Whether a text is an HTTP token, which a header name is.
pub fn is_token(text: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_legal)
}
