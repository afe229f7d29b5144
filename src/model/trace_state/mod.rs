mod error;
mod members;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use error::TraceStateError;
pub(crate) use members::OT_KEY;
use members::{Members, check_key, check_value, has_key, members_of};

/// The list of keys and values that tracing systems keep in the header `tracestate` of W3C Trace Context.
///
/// Each system has one member, for its own use, and passes the members of the others on. The newest member stands
/// first:
///
/// ```text
/// tracestate: ot=th:8;rv:6e6d1a75832a2f,congo=t61rcWkgMzE
/// ```
///
/// The list does not change and is cheap to clone; setting a member makes a new list.
///
/// # What it accepts
///
/// | part | rule |
/// |---|---|
/// | list | at most [`TraceState::MAX_MEMBERS`] members with commas between them; blanks and empty members are skipped |
/// | key | 1 to 256 of `a` to `z`, digits and `_-*/@`, beginning with a letter or a digit |
/// | value | 1 to 256 printable ASCII characters without `,` and `=`, not ending in a space |
///
/// A list with one bad member is refused as a whole, as W3C Trace Context demands. Keys follow its level 2, which
/// allows more than level 1 did. Of members with equal keys the first one counts, and the others are left out. A list
/// has at most 16,447 bytes.
///
/// # Examples
///
/// ```
/// use tracehound::model::TraceState;
///
/// let received: TraceState = "congo=t61rcWkgMzE, rojo=00f067aa0ba902b7".parse()?;
/// assert_eq!(received.get("rojo"), Some("00f067aa0ba902b7"));
///
/// let sent = received.with("shop", "eu-1")?;
/// assert_eq!(sent.to_string(), "shop=eu-1,congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
/// # Ok::<(), tracehound::model::TraceStateError>(())
/// ```
#[derive(Clone, Default)]
pub struct TraceState {
    /// The members as `key=value` with commas between them and nothing else.
    text: Option<Arc<str>>,
    /// There is certainly no member [`OT_KEY`].
    lacks_ot: bool,
}

impl TraceState {
    /// The most members that a list may have.
    pub const MAX_MEMBERS: usize = members::MAX_MEMBERS;
    /// The most characters of a list that go into a header: as many as every system must pass on.
    pub const MAX_HEADER_CHARS: usize = 512;

    /// Reads the values of all `tracestate` headers of a request, in their order, as one list.
    ///
    /// ```
    /// use tracehound::model::TraceState;
    ///
    /// let state = TraceState::from_headers(["a=1,b=2", "c=3"])?;
    /// assert_eq!(state.to_string(), "a=1,b=2,c=3");
    /// # Ok::<(), tracehound::model::TraceStateError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if a member is malformed or there are too many, with the first broken rule.
    pub fn from_headers<'v, V>(
        values: impl IntoIterator<Item = &'v V>,
    ) -> Result<Self, TraceStateError>
    where
        V: AsRef<[u8]> + ?Sized + 'v,
    {
        Self::cut_from_headers(values, usize::MAX)
    }

    /// Like [`from_headers`](Self::from_headers), cut to four times what goes into a header: a stranger decides how
    /// much each request holds.
    pub(crate) fn received<'v>(
        values: impl IntoIterator<Item = &'v [u8]>,
    ) -> Result<Self, TraceStateError> {
        Self::cut_from_headers(values, 4 * Self::MAX_HEADER_CHARS)
    }

    fn cut_from_headers<'v, V>(
        values: impl IntoIterator<Item = &'v V>,
        max_bytes: usize,
    ) -> Result<Self, TraceStateError>
    where
        V: AsRef<[u8]> + ?Sized + 'v,
    {
        let mut members = Members::default();
        let mut only = Some("");
        for value in values {
            let value = std::str::from_utf8(value.as_ref()).map_err(|_| TraceStateError::Value)?;
            members.read(value)?;
            only = match only {
                Some("") => Some(value),
                only => only.filter(|_| value.is_empty()),
            };
        }
        members.cut(max_bytes);
        // Most systems send one header without blanks, which is copied only once.
        let bytes = members.text_bytes();
        let state = match only.filter(|header| header.len() == bytes) {
            Some(header) => Self::of_text(header),
            None => Self::of_text(&members.joined()),
        };
        Ok(Self {
            lacks_ot: !members.has_ot,
            ..state
        })
    }

    /// Returns this list with `key` set to `value`, as its first member. Another member of that key is left out, and so
    /// is the last member if there are [`TraceState::MAX_MEMBERS`] others.
    ///
    /// # Errors
    ///
    /// Fails if the key or the value breaks a rule.
    pub fn with(&self, key: &str, value: &str) -> Result<Self, TraceStateError> {
        check_key(key)?;
        check_value(value)?;
        let mut text = String::with_capacity(key.len() + value.len() + self.text().len() + 2);
        text.push_str(key);
        text.push('=');
        text.push_str(value);
        let others = self.members().filter(|member| !has_key(member, key));
        for member in others.take(Self::MAX_MEMBERS - 1) {
            text.push(',');
            text.push_str(member);
        }
        Ok(Self::of_text(&text))
    }

    /// Returns this list without the member of that key.
    ///
    /// ```
    /// use tracehound::model::TraceState;
    ///
    /// let state: TraceState = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7".parse()?;
    /// assert_eq!(state.iter().next(), Some(("congo", "t61rcWkgMzE")));
    /// assert!(state.len() <= TraceState::MAX_MEMBERS);
    /// assert!(state.to_header().len() <= TraceState::MAX_HEADER_CHARS);
    /// assert!(state.without("congo").without("rojo").is_empty());
    /// # Ok::<(), tracehound::model::TraceStateError>(())
    /// ```
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        if self.get(key).is_none() {
            return self.clone();
        }
        let mut members = Members::default();
        for member in self.members().filter(|member| !has_key(member, key)) {
            members.push(member);
        }
        Self::of_text(&members.joined())
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        if self.lacks_ot && key == OT_KEY {
            return None;
        }
        let member = self.members().find(|member| has_key(member, key))?;
        member.get(key.len() + 1..)
    }

    /// Returns the members, as key and value, the newest first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members().filter_map(|member| member.split_once('='))
    }

    /// Returns whether the list has no members.
    pub fn is_empty(&self) -> bool {
        self.text.is_none()
    }

    /// Returns how many members the list has.
    pub fn len(&self) -> usize {
        self.members().count()
    }

    /// Returns the value of the header `tracestate`: the list, cut to [`TraceState::MAX_HEADER_CHARS`].
    ///
    /// A list that is longer loses whole members until the rest fits: first those of more than 128 characters, then
    /// any, from the end in both cases. W3C Trace Context asks for this order. An empty list needs no header.
    ///
    /// ```
    /// use tracehound::model::TraceState;
    ///
    /// let long = format!("a=1,b={},c=3", "x".repeat(250));
    /// let state = TraceState::from_headers([&long])?.with("d", &"y".repeat(256))?;
    /// assert_eq!(state.len(), 4);
    /// assert_eq!(state.to_header(), format!("d={},a=1,c=3", "y".repeat(256)));
    /// # Ok::<(), tracehound::model::TraceStateError>(())
    /// ```
    pub fn to_header(&self) -> Cow<'_, str> {
        let text = self.text();
        if text.len() <= Self::MAX_HEADER_CHARS {
            return text.into();
        }
        let mut members = Members::default();
        for member in self.members() {
            members.push(member);
        }
        members.cut(Self::MAX_HEADER_CHARS);
        members.joined().into()
    }

    fn of_text(text: &str) -> Self {
        Self {
            text: (!text.is_empty()).then(|| text.into()),
            lacks_ot: false,
        }
    }

    fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    fn members(&self) -> impl Iterator<Item = &str> {
        members_of(self.text())
    }
}

impl PartialEq for TraceState {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for TraceState {}

impl FromStr for TraceState {
    type Err = TraceStateError;

    /// Reads the value of one header; see [`TraceState::from_headers`].
    fn from_str(text: &str) -> Result<Self, TraceStateError> {
        Self::from_headers([text])
    }
}

impl fmt::Display for TraceState {
    /// Writes the whole list in the form of the header; [`TraceState::to_header`] may be shorter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

impl fmt::Debug for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, TraceStateError> {
        text.parse().map(|state: TraceState| state.to_string())
    }

    fn list(members: usize) -> String {
        let members: Vec<_> = (0..members).map(|n| format!("k{n}=v")).collect();
        members.join(",")
    }

    #[test]
    fn blanks_and_empty_members_are_left_out() {
        for (text, expected) in [
            ("", ""),
            (" ", ""),
            (",", ""),
            (" ,\t, ", ""),
            ("a=1", "a=1"),
            ("a=1,b=2", "a=1,b=2"),
            (" a=1 ,\tb=2\t", "a=1,b=2"),
            ("a=1,,b=2,", "a=1,b=2"),
            (",a=1", "a=1"),
            ("a= 1", "a= 1"),
            ("a=  x y", "a=  x y"),
            ("a=!~+-:;<>\"\\", "a=!~+-:;<>\"\\"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(expected), "{text:?}");
        }
        let nothing: TraceState = " , ".parse().expect("well-formed");
        assert!(nothing.is_empty() && nothing.iter().next().is_none());
        assert_eq!(nothing.len(), 0);
        assert_eq!(nothing, TraceState::default());
        assert_eq!(nothing.to_header(), "");
    }

    #[test]
    fn a_malformed_member_spoils_the_list() {
        let long = "x".repeat(257);
        let [long_key, long_value] = [format!("{long}=1"), format!("a={long}")];
        for (member, error) in [
            ("a", TraceStateError::NoValue),
            ("a;b", TraceStateError::NoValue),
            ("=1", TraceStateError::Key),
            ("A=1", TraceStateError::Key),
            ("aB=1", TraceStateError::Key),
            ("a =1", TraceStateError::Key),
            ("_a=1", TraceStateError::Key),
            ("@a=1", TraceStateError::Key),
            ("-a=1", TraceStateError::Key),
            ("*a=1", TraceStateError::Key),
            ("/a=1", TraceStateError::Key),
            ("a.b=1", TraceStateError::Key),
            ("a\t=1", TraceStateError::Key),
            ("é=1", TraceStateError::Key),
            (&long_key, TraceStateError::Key),
            ("a=", TraceStateError::Value),
            ("a=1=2", TraceStateError::Value),
            ("a==1", TraceStateError::Value),
            ("a=1\t2", TraceStateError::Value),
            ("a=é", TraceStateError::Value),
            ("a=\u{7f}", TraceStateError::Value),
            ("a=\n1", TraceStateError::Value),
            (&long_value, TraceStateError::Value),
        ] {
            assert_eq!(parsed(member), Err(error), "{member:?}");
            for text in [format!("b=2,{member}"), format!("{member},b=2")] {
                assert_eq!(parsed(&text), Err(error), "{text:?}");
            }
        }
        let not_utf_8 = TraceState::from_headers([&b"a=\xff"[..]]);
        assert_eq!(not_utf_8, Err(TraceStateError::Value));
    }

    #[test]
    fn keys_follow_the_grammar_of_level_2() {
        let long = "k".repeat(256);
        for key in ["a", "0", "0a", "a@b", "a@b@c", "tenant/1@sys-tem_*", &long] {
            let text = format!("{key}=1");
            assert_eq!(parsed(&text).as_deref(), Ok(&*text));
        }
        let text = format!("a={}", "v".repeat(256));
        assert_eq!(parsed(&text).as_deref(), Ok(&*text));
    }

    #[test]
    fn the_thirty_third_member_spoils_the_list() {
        assert_eq!(parsed(&list(32)), Ok(list(32)));
        assert_eq!(parsed(&list(33)), Err(TraceStateError::Members));
        let two = [list(31), "x=1,x=2".to_owned()];
        assert_eq!(
            TraceState::from_headers(&two),
            Err(TraceStateError::Members)
        );
        // Empty members do not count.
        let text = list(32).replace(',', ", ,,");
        assert_eq!(parsed(&text), Ok(list(32)));
    }

    #[test]
    fn the_first_of_equal_keys_counts() {
        assert_eq!(
            parsed("a=1,ab=2,a=3,b=4,ab=5").as_deref(),
            Ok("a=1,ab=2,b=4")
        );
        let state = TraceState::from_headers(["a=1", "a=2"]).expect("well-formed");
        assert_eq!(state.to_string(), "a=1");
    }

    #[test]
    fn headers_join_in_their_order() {
        for (headers, expected) in [
            (&[][..], ""),
            (&["", "a=1"], "a=1"),
            (&["a=1", ""], "a=1"),
            (&["a=1", "b=2, c=3"], "a=1,b=2,c=3"),
            (&["b=2,", ",a=1"], "b=2,a=1"),
            (&["a=1,    ", "b=22"], "a=1,b=22"),
        ] {
            let state = TraceState::from_headers(headers.iter().copied()).expect("well-formed");
            assert_eq!(state.to_string(), expected, "{headers:?}");
        }
        let one_is_bad = TraceState::from_headers(["a=1", "b"]);
        assert_eq!(one_is_bad, Err(TraceStateError::NoValue));
    }

    #[test]
    fn a_member_that_is_set_stands_first() {
        let state: TraceState = "a=1,ab=2".parse().expect("well-formed");
        for (key, value, expected) in [
            ("c", "3", "c=3,a=1,ab=2"),
            ("a", "3", "a=3,ab=2"),
            ("ab", "3", "ab=3,a=1"),
        ] {
            let with = state.with(key, value).expect("legal");
            assert_eq!(with.to_string(), expected);
            assert_eq!(with.get(key), Some(value));
        }
        assert_eq!(state.to_string(), "a=1,ab=2");
        assert_eq!(state.with("A", "1"), Err(TraceStateError::Key));
        assert_eq!(state.with("", "1"), Err(TraceStateError::Key));
        assert_eq!(state.with("a", "1 "), Err(TraceStateError::Value));
        assert_eq!(state.with("a", ""), Err(TraceStateError::Value));
        assert_eq!(state.with("a", "1,b=2"), Err(TraceStateError::Value));
        let alone = TraceState::default().with("a", "1").expect("legal");
        assert_eq!(alone.to_string(), "a=1");
    }

    #[test]
    fn a_full_list_loses_its_last_member() {
        let full: TraceState = list(32).parse().expect("well-formed");
        let with = full.with("new", "1").expect("legal");
        assert_eq!(with.len(), 32);
        assert_eq!(with.to_string(), format!("new=1,{}", list(31)));
        let changed = full.with("k31", "1").expect("legal");
        assert_eq!(changed.to_string(), format!("k31=1,{}", list(31)));
    }

    #[test]
    fn the_member_of_opentelemetry_is_found_wherever_it_comes_from() {
        for (text, value) in [
            ("ot=th:8,a=1", Some("th:8")),
            ("a=1,ot=x", Some("x")),
            ("aot=1", None),
        ] {
            let state: TraceState = text.parse().expect("well-formed");
            assert_eq!(state.get("ot"), value, "{text}");
            assert_eq!(state.without("a").get("ot"), value, "{text}");
            let with = state.with("ot", "th:c").expect("legal");
            assert_eq!(with.get("ot"), Some("th:c"));
            assert_eq!(with.without("ot").get("ot"), None);
            assert_eq!(with.without("ot"), state.without("ot"));
        }
    }

    #[test]
    fn removal_leaves_the_others() {
        let state: TraceState = "a=1,ab=2,b=3".parse().expect("well-formed");
        assert_eq!(state.without("ab").to_string(), "a=1,b=3");
        assert_eq!(state.without("a").to_string(), "ab=2,b=3");
        assert_eq!(state.without("c"), state);
        let one: TraceState = "a=1".parse().expect("well-formed");
        assert!(one.without("a").is_empty());
    }

    #[test]
    fn a_header_has_at_most_512_characters() {
        let header_of = |sizes: &[usize]| {
            let members: Vec<_> = sizes
                .iter()
                .enumerate()
                .map(|(n, size)| format!("{:x<width$}=1", format!("k{n}"), width = size - 2))
                .collect();
            let state: TraceState = members.join(",").parse().expect("well-formed");
            let header = state.to_header();
            assert!(header.len() <= 512);
            let kept = header.split(',').map(|member| {
                let known = members.iter().position(|known| known == member);
                known.expect("a whole member")
            });
            kept.collect::<Vec<_>>()
        };
        assert_eq!(header_of(&[200, 200, 110]), [0, 1, 2]);
        assert_eq!(header_of(&[200, 200, 111]), [0, 2]);
        assert_eq!(header_of(&[128, 128, 128, 125]), [0, 1, 2, 3]);
        assert_eq!(header_of(&[128, 128, 128, 126]), [0, 1, 2]);
        assert_eq!(header_of(&[128, 129, 128, 128]), [0, 2, 3]);
        assert_eq!(header_of(&[100, 129, 100, 200, 100, 100]), [0, 2, 4, 5]);
        assert_eq!(header_of(&[258, 258]), [0]);
        assert_eq!(header_of(&[20; 32]), (0..24).collect::<Vec<_>>());
    }
}
