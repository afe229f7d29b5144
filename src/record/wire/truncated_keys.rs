//! Lists the binary values of a span that were cut.

use crate::model::{TagRef, tags};
use crate::record::wire::encode::write_tag;
use crate::record::wire::truncate::cut;

/// The keys of binary values that were cut: unlike text with its `…`, such a value does not show the cut.
///
/// They become one tag or log field, such as `tracehound.truncated_binary="body, signature"`.
#[derive(Clone, Debug, Default)]
pub(crate) struct TruncatedKeys(Vec<String>);

impl TruncatedKeys {
    pub(crate) fn insert(&mut self, key: &str) {
        if !self.contains(key) {
            self.0.push(key.to_owned());
        }
    }

    /// Adds the keys that such a tag lists.
    pub(crate) fn read(&mut self, text: &str) {
        text.split(SEPARATOR).for_each(|key| self.insert(key));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.0.iter().any(|known| known == key)
    }

    /// Appends the tag, if there are keys. Returns the number of tags appended, 0 or 1.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> u32 {
        if self.is_empty() {
            return 0;
        }
        let all = self.0.join(SEPARATOR);
        let text = cut(&all, MAX_LIST_BYTES).unwrap_or(all);
        write_tag(out, tags::TRUNCATED_BINARY, TagRef::String(&text));
        1
    }
}

const SEPARATOR: &str = ", ";

/// The longest list of keys, in bytes. A longer one is cut.
const MAX_LIST_BYTES: usize = 1_024;
