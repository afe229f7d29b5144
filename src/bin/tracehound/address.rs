//! Addresses as the program prints them.

use std::borrow::Cow;

/// Returns an address without a user name and a password.
pub(crate) fn shown(address: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.into();
    };
    // Everything up to the last `@`: a password may hold any sign.
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{host}").into(),
        None => address.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        for (address, expected) in [
            ("http://u:canary@shop:4318/v1", "http://shop:4318/v1"),
            ("http://u:can/ary@shop", "http://shop"),
            ("http://shop:4318", "http://shop:4318"),
            ("localhost:6831", "localhost:6831"),
        ] {
            assert_eq!(shown(address), expected);
        }
    }
}
