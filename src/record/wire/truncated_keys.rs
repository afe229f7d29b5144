use crate::model::{TagRef, tags};
use crate::record::wire::encode::write_tag;
use crate::record::wire::truncate::cut;

/// The keys of binary values that were cut, which do not show it as text does by its `…`.
///
/// They are written as one tag or field, `tracehound.truncated_binary="body, signature"`.
#[derive(Clone, Debug, Default)]
pub(crate) struct TruncatedKeys(Vec<String>);

impl TruncatedKeys {
    pub(crate) fn insert(&mut self, key: &str) {
        if !self.contains(key) {
            self.0.push(key.to_owned());
        }
    }

    /// Adds those that such a tag lists.
    pub(crate) fn read(&mut self, text: &str) {
        text.split(SEPARATOR).for_each(|key| self.insert(key));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.0.iter().any(|known| known == key)
    }

    /// Appends the tag; says how many there are of it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> u32 {
        if self.is_empty() {
            return 0;
        }
        let all = self.0.join(SEPARATOR);
        let text = cut(&all, MOST_BYTES).unwrap_or(all);
        write_tag(out, tags::TRUNCATED_BINARY, TagRef::String(&text));
        1
    }
}

const SEPARATOR: &str = ", ";

/// The longest list of keys.
const MOST_BYTES: usize = 1_024;
