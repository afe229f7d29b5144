//! The names by which secrets are known.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Whether a name says that its value is a secret, or a longer text holds such a name: `password`, `X-Api-Key`,
/// `accessToken`, `db.pass`.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let mut name = Cow::Borrowed(name);
    for _ in 0..MOST_CODINGS {
        if !name.contains('%') {
            break;
        }
        let decoded = percent_decode_str(&name).decode_utf8_lossy().into_owned();
        name = Cow::Owned(decoded);
    }
    let name = unescaped(&name);
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    let letters: String = letters.flat_map(char::to_lowercase).collect();
    PARTS.iter().any(|secret| letters.contains(secret)) || has_secret_word(&name)
}

/// Replaces `\u0070` and the like, by which JSON can write any name.
pub(crate) fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split("\\u");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.get(..4);
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match code.and_then(char::from_u32) {
            Some(c) => {
                plain.push(c);
                plain.push_str(&part[4..]);
            }
            None => plain.push_str(part),
        }
    }
    Cow::Owned(plain)
}

/// Whether one of the words of a name is a secret by itself: `db_pass`, `userPin`.
fn has_secret_word(name: &str) -> bool {
    let mut word = String::new();
    let mut was_lower = false;
    // The last sign ends the last word.
    for c in name.chars().chain([' ']) {
        let begins_word = c.is_uppercase() && was_lower;
        if (begins_word || !c.is_alphanumeric()) && !word.is_empty() {
            if WORDS.contains(&&*word) {
                return true;
            }
            word.clear();
        }
        was_lower = c.is_lowercase();
        // A longer word is none of ours.
        if c.is_alphanumeric() && word.len() <= LONGEST_WORD {
            word.extend(c.to_lowercase());
        }
    }
    false
}

/// Parts of the names of secrets, without what is no letter or digit.
const PARTS: [&str; 26] = [
    "passw",
    "passphrase",
    "passcode",
    "passkey",
    "pwd",
    "secret",
    "token",
    "credential",
    "identified",
    "privatekey",
    "apikey",
    "accesskey",
    "accountkey",
    "subscriptionkey",
    "masterkey",
    "signingkey",
    "sharedkey",
    "sshkey",
    "authorization",
    "encryption",
    "cookie",
    "session",
    "signature",
    "bearer",
    "jwt",
    "connectionstring",
];

/// Words that name a secret only if they are a whole word: `bypass` and `author` are none.
const WORDS: [&str; 8] = ["pass", "auth", "pin", "otp", "cvv", "cvc", "sig", "sid"];
const LONGEST_WORD: usize = 4;

/// A name may be encoded several times.
const MOST_CODINGS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_secret_is_known_in_every_notation() {
        for name in [
            "password",
            "X-Api-Key",
            "accessToken",
            "db_pass",
            "DB_PASS",
            "userPin",
            "user.otp",
            "cardCvv",
            "x-auth",
            "pass\\u0077ord",
            "pass%77ord",
            "pass%2577ord",
            "AccountKey",
            "Ocp-Apim-Subscription-Key",
            "user[pass]",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "",
            "user",
            "bypass",
            "compassion",
            "author",
            "spin",
            "pinned",
            "significant",
            "inside",
            "key",
            "%",
            "100%",
            "\\u00",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
