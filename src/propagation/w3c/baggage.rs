//! The value of the header `baggage`: `{key}={value};{properties},…`.

use crate::model::{Baggage, BaggageBuilder, BaggageLimit};
use crate::propagation::carrier::is_token;
use crate::propagation::coding::{EscapedValue, push_percent_encoded, trim};

/// The baggage of one request, within the limits.
#[derive(Default)]
pub(super) struct ReceivedMembers {
    baggage: BaggageBuilder,
    /// The well-formed members that were read. Equal keys count, because replacing an item has a cost.
    seen: usize,
    skipped: u64,
}

impl ReceivedMembers {
    /// Allocates at once what these headers need, within the limits.
    pub(super) fn reserve(&mut self, headers: &[&[u8]]) {
        let bytes = headers.iter().map(|header| header.len()).sum();
        self.baggage.reserve(bytes);
    }

    /// Adds the members of one header. Of several with one key the last one counts.
    pub(super) fn read(&mut self, header: &[u8]) {
        let mut rest = header;
        loop {
            (_, rest) = split_run(rest, |byte| matches!(byte, b' ' | b'\t' | b','));
            if rest.is_empty() {
                return;
            }
            let member;
            (member, rest) = Member::split_off(rest);
            let is_kept = member.and_then(|member| self.add(&member)).is_some();
            self.skipped += u64::from(!is_kept);
        }
    }

    /// Returns the items, and the number of members that were left out.
    pub(super) fn build(self) -> (Baggage, u64) {
        (self.baggage.build(), self.skipped)
    }

    /// Adds a member, or returns `None` if it breaks a limit.
    fn add(&mut self, member: &Member<'_>) -> Option<()> {
        if self.seen == Baggage::MAX_ITEMS {
            return None;
        }
        self.seen += 1;
        let value = EscapedValue::new(member.value);
        let mut set = |properties| {
            let decode = |text: &mut Vec<u8>| value.decode_into(text);
            let least = value.decoded_len();
            self.baggage.set_with(member.key, least, decode, properties)
        };
        match set(member.properties) {
            Err(BaggageLimit::Properties) => set(b"").ok(),
            set => set.ok(),
        }
    }
}

/// A well-formed member of a list. The key is a token of HTTP; the value is still encoded.
struct Member<'h> {
    key: &'h [u8],
    value: &'h [u8],
    properties: &'h [u8],
}

impl<'h> Member<'h> {
    /// Splits off the first member of a list, which begins with neither a comma nor a blank. Returns it, or `None` if
    /// it is malformed, and the rest of the list. Looks at each byte of a well-formed member once.
    fn split_off(list: &'h [u8]) -> (Option<Self>, &'h [u8]) {
        let is_in_member = |byte| byte != b',';
        let (key, rest) = split_run(list, is_token);
        let (_, rest) = split_run(rest, |byte| matches!(byte, b' ' | b'\t'));
        let [b'=', rest @ ..] = rest else {
            return (None, split_run(list, is_in_member).1);
        };
        if key.is_empty() {
            return (None, split_run(list, is_in_member).1);
        }
        let (value, rest) = split_run(rest, |byte| !matches!(byte, b',' | b';'));
        let (properties, rest) = match rest {
            [b';', rest @ ..] => split_run(rest, is_in_member),
            _ => (&[][..], rest),
        };
        let member = Self {
            key,
            value: trim(value),
            properties: trim(properties),
        };
        (Some(member), rest)
    }
}

/// Returns the value of the header, and the number of items that are not in it.
///
/// An item is left out if its key cannot stand in the header. If the header would be too long with an item, that one
/// and all after it are left out.
pub(super) fn print(baggage: &Baggage) -> (Vec<u8>, u64) {
    let most = 3 * baggage.text_bytes() + SEPARATORS * baggage.len();
    let mut header = Vec::with_capacity(most.min(Baggage::MAX_BYTES));
    let mut skipped = 0;
    let mut items = baggage.iter_with_properties();
    for (key, value, properties) in items.by_ref() {
        if key.is_empty() || !key.bytes().all(is_token) {
            skipped += 1;
            continue;
        }
        let end = header.len();
        if end > 0 {
            header.push(b',');
        }
        header.extend_from_slice(key.as_bytes());
        header.push(b'=');
        push_percent_encoded(&mut header, value);
        // A header loses the blanks at its end on the way.
        let properties = properties.trim_matches([' ', '\t']);
        if !properties.is_empty() {
            header.push(b';');
            header.extend_from_slice(properties.as_bytes());
        }
        if header.len() > Baggage::MAX_BYTES {
            header.truncate(end);
            skipped += 1;
            break;
        }
    }
    (header, skipped + items.count() as u64)
}

/// The comma, the equals sign and the semicolon of an item.
const SEPARATORS: usize = 3;

/// Splits `text` behind the bytes at its front that are as `is` says.
#[inline]
fn split_run(text: &[u8], is: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !is(*byte));
    text.split_at(end.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Items<'i> = Vec<(&'i str, &'i str, &'i str)>;

    fn received(headers: &[&[u8]]) -> (Baggage, u64) {
        let mut received = ReceivedMembers::default();
        for header in headers {
            received.read(header);
        }
        received.build()
    }

    fn items(baggage: &Baggage) -> Items<'_> {
        baggage.iter_with_properties().collect()
    }

    #[test]
    fn members_are_read_with_their_properties() {
        let rows: [(&str, Items<'_>, u64); 29] = [
            ("", vec![], 0),
            (" , ,", vec![], 0),
            ("k=v", vec![("k", "v", "")], 0),
            ("a=1,b=2", vec![("a", "1", ""), ("b", "2", "")], 0),
            ("a = 1\t, b=2 ", vec![("a", "1", ""), ("b", "2", "")], 0),
            ("K=1,k=2", vec![("K", "1", ""), ("k", "2", "")], 0),
            ("k=1,l=2,k=3;p", vec![("k", "3", "p"), ("l", "2", "")], 0),
            ("k=1;p,k=2", vec![("k", "2", "")], 0),
            ("k=", vec![("k", "", "")], 0),
            ("k=a=b==", vec![("k", "a=b==", "")], 0),
            ("k=v;p", vec![("k", "v", "p")], 0),
            ("k=v ; p = 1 ;q ", vec![("k", "v", "p = 1 ;q")], 0),
            ("k=v;", vec![("k", "v", "")], 0),
            ("k=v;é,l=w", vec![("k", "v", ""), ("l", "w", "")], 0),
            ("k=%20a%2Cb%3b%25", vec![("k", " a,b;%", "")], 0),
            ("k=v%20;p=%20", vec![("k", "v ", "p=%20")], 0),
            ("k=caf%c3%A9", vec![("k", "café", "")], 0),
            ("k=café", vec![("k", "café", "")], 0),
            ("k=%FFa", vec![("k", "\u{fffd}a", "")], 0),
            ("k=a+b", vec![("k", "a+b", "")], 0),
            ("k=100%,l=%2", vec![("k", "100%", ""), ("l", "%2", "")], 0),
            ("!#$%&'*+-.^_`|~=v", vec![("!#$%&'*+-.^_`|~", "v", "")], 0),
            ("k=\"a\\b\" c", vec![("k", "\"a\\b\" c", "")], 0),
            ("k", vec![], 1),
            ("=v", vec![], 1),
            (";p=1,k=v", vec![("k", "v", "")], 1),
            ("a b=v,k=v", vec![("k", "v", "")], 1),
            ("clé=v,a(b)=v,\"k\"=v,a@b=v,k=v", vec![("k", "v", "")], 4),
            ("k;p=v", vec![], 1),
        ];
        for (header, expected, skipped) in rows {
            let (baggage, left_out) = received(&[header.as_bytes()]);
            assert_eq!(
                (items(&baggage), left_out),
                (expected, skipped),
                "{header:?}"
            );
        }
        let (baggage, _) = received(&[b"a=1,b=2", b"", b"a=3,c=\xff"]);
        let expected = vec![("a", "3", ""), ("b", "2", ""), ("c", "\u{fffd}", "")];
        assert_eq!(items(&baggage), expected);
    }

    #[test]
    fn items_are_written_with_their_properties() {
        let rows: [(Items<'_>, &str, u64); 10] = [
            (vec![], "", 0),
            (vec![("k", "v", "")], "k=v", 0),
            (vec![("k", "", "p;q=1"), ("l", "w", "")], "k=;p;q=1,l=w", 0),
            (vec![("k", "v", " p "), ("l", "w", "\t")], "k=v;p,l=w", 0),
            (
                vec![("k", "a b+c,d;e=f\"\\%", "")],
                "k=a%20b%2Bc%2Cd%3Be%3Df%22%5C%25",
                0,
            ),
            (vec![("k", "é🚀\n", "")], "k=%C3%A9%F0%9F%9A%80%0A", 0),
            (vec![("K!~", "-._~", "")], "K!~=-._~", 0),
            (vec![("", "v", ""), ("k", "v", "")], "k=v", 1),
            (
                vec![("a b", "v", ""), ("k", "v", ""), ("é", "", "")],
                "k=v",
                2,
            ),
            (
                vec![("a=b", "v", ""), ("a,b", "v", ""), ("a;b", "v", "")],
                "",
                3,
            ),
        ];
        for (items, expected, left_out) in rows {
            let baggage =
                items
                    .iter()
                    .fold(Baggage::default(), |list, (key, value, properties)| {
                        list.with_properties(key, value, properties).expect("short")
                    });
            let (header, skipped) = print(&baggage);
            let header = String::from_utf8(header).expect("ASCII");
            assert_eq!((&*header, skipped), (expected, left_out), "{items:?}");
        }
    }

    #[test]
    fn a_list_of_64_members_and_8_192_bytes_is_passed_on_whole() {
        let member = |n: usize, bytes: usize| format!("k{n:02}={}", "v".repeat(bytes - 4));
        let list = |members: usize, bytes: usize| {
            let mut list: Vec<_> = (0..members).map(|n| member(n, 8)).collect();
            let rest = bytes - 9 * (members - 1);
            list[members / 2] = member(members / 2, rest);
            list.join(",")
        };
        for members in [1, 2, 63, 64] {
            let header = list(members, Baggage::MAX_BYTES);
            assert_eq!(header.len(), Baggage::MAX_BYTES);
            let (baggage, skipped) = received(&[header.as_bytes()]);
            assert_eq!((baggage.len(), skipped), (members, 0));
            assert_eq!(print(&baggage), (header.into_bytes(), 0));
        }
        let header = list(65, 1_000);
        let (baggage, skipped) = received(&[header.as_bytes()]);
        assert_eq!((baggage.len(), skipped), (64, 1));
        assert_eq!(print(&baggage).0, header.as_bytes()[..header.len() - 9]);
    }

    #[test]
    fn items_that_do_not_fit_are_left_out_from_the_end() {
        // Without separators, as `Baggage` counts, these are 8,192 bytes.
        let value = "v".repeat(Baggage::MAX_BYTES / 4 - 1);
        let baggage = ["a", "b", "c", "d"]
            .iter()
            .fold(Baggage::default(), |list, key| {
                list.with(key, &value).expect("within the limit")
            });
        let (header, skipped) = print(&baggage);
        assert_eq!(skipped, 1);
        assert_eq!(received(&[&header]).0, baggage.without("d"));
    }

    #[test]
    fn a_hostile_header_costs_nothing_but_itself() {
        let escapes = format!("huge={},k=v", "%".repeat(65_536));
        let long_key = format!("{}=v,k=v", "k".repeat(65_536));
        let properties = format!("huge=v;{},k=v", "p".repeat(65_536));
        for header in [&escapes, &long_key, &properties] {
            let (baggage, skipped) = received(&[header.as_bytes()]);
            assert_eq!((items(&baggage), skipped), (vec![("k", "v", "")], 1));
        }
        let commas = ",".repeat(65_536);
        let (baggage, skipped) = received(&[commas.as_bytes()]);
        assert_eq!((baggage.len(), skipped), (0, 0));
        let (baggage, skipped) = received(&["k,".repeat(1_000).as_bytes(), b"k=v"]);
        assert_eq!((baggage.len(), skipped), (1, 1_000));
        let (baggage, skipped) = received(&["k=v,".repeat(1_000).as_bytes(), b"l=v"]);
        assert_eq!((baggage.len(), skipped), (1, 1_001 - 64));
    }
}
