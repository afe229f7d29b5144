//! The value of the header `baggage`: `{key}={value};{properties},…`.

use crate::model::{Baggage, BaggageBuilder, BaggageLimit};
use crate::propagation::carrier::is_token;
use crate::propagation::coding::{
    percent_decoded_len, push_percent_decoded, push_percent_encoded, trim,
};

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
    pub(super) fn reserve<'h>(&mut self, headers: impl Iterator<Item = &'h [u8]>) {
        self.baggage.reserve(headers.map(<[u8]>::len).sum());
    }

    /// Adds the members of one header. Of several with one key the last one counts.
    pub(super) fn read(&mut self, header: &[u8]) {
        for member in header.split(|byte| *byte == b',').map(trim) {
            if member.is_empty() {
                continue;
            }
            let is_kept = self.read_member(member).is_some();
            self.skipped += u64::from(!is_kept);
        }
    }

    /// Returns the items, and the number of members that were left out.
    pub(super) fn build(self) -> (Baggage, u64) {
        (self.baggage.build(), self.skipped)
    }

    /// Adds a member, or returns `None` if it is malformed or breaks a limit.
    fn read_member(&mut self, member: &[u8]) -> Option<()> {
        let key_len = member.iter().take_while(|byte| is_token(**byte)).count();
        let (key, rest) = member.split_at(key_len);
        let [b'=', rest @ ..] = trim(rest) else {
            return None;
        };
        if key.is_empty() {
            return None;
        }
        let (value, properties) = split_at(rest, b';').unwrap_or((rest, b""));
        let (value, properties) = (trim(value), trim(properties));
        if self.seen == Baggage::MAX_ITEMS {
            return None;
        }
        self.seen += 1;
        let key = std::str::from_utf8(key).ok()?;
        let least = percent_decoded_len(value);
        let decode = |text: &mut Vec<u8>| push_percent_decoded(text, value);
        match self.baggage.set_with(key, least, decode, properties) {
            Err(BaggageLimit::Properties) => self.baggage.set_with(key, least, decode, b"").ok(),
            set => set.ok(),
        }
    }
}

/// Returns the value of the header, and the number of items that are not in it.
///
/// An item is left out if its key cannot stand in the header. If the header would be too long with an item, that one
/// and all after it are left out.
pub(super) fn print(baggage: &Baggage) -> (String, u64) {
    let len = |(key, value, properties): (&str, &str, &str)| {
        key.len() + value.len() + properties.len() + SEPARATORS
    };
    let mut header = String::with_capacity(baggage.iter_with_properties().map(len).sum());
    let mut skipped = 0;
    let mut items = baggage.iter_with_properties();
    for (key, value, properties) in items.by_ref() {
        if key.is_empty() || !key.bytes().all(is_token) {
            skipped += 1;
            continue;
        }
        let end = header.len();
        if end > 0 {
            header.push(',');
        }
        header.push_str(key);
        header.push('=');
        push_percent_encoded(&mut header, value);
        // A header loses the blanks at its end on the way.
        let properties = properties.trim_matches([' ', '\t']);
        if !properties.is_empty() {
            header.push(';');
            header.push_str(properties);
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

/// Splits `text` at the first `separator`.
fn split_at(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == separator)?;
    let (before, after) = text.split_at(at);
    Some((before, after.get(1..).unwrap_or_default()))
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
            assert_eq!(print(&baggage), (header, 0));
        }
        let header = list(65, 1_000);
        let (baggage, skipped) = received(&[header.as_bytes()]);
        assert_eq!((baggage.len(), skipped), (64, 1));
        assert_eq!(print(&baggage).0, header[..header.len() - 9]);
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
        assert_eq!(received(&[header.as_bytes()]).0, baggage.without("d"));
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
