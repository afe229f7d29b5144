use crate::propagation::Key;
use crate::propagation::carrier::HeaderSet;
use crate::propagation::carrier::header_set::{Place, Places};
use crate::propagation::{ExtractCarrier, ReadFrom, TextMapReader};

/// One pass over the headers of a carrier, which keeps those of a [`HeaderSet`]. See [`TextMapReader::scan`].
///
/// ```
/// use std::collections::BTreeMap;
/// use tracehound::propagation::{HeaderScan, HeaderSet, Key, TextMapReader};
///
/// /// Headers that are looked up by their names, which are in lower case.
/// struct Table(BTreeMap<String, Vec<u8>>);
///
/// impl TextMapReader for Table {
///     fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
///         for name in scan.set().names() {
///             if let Some((name, value)) = self.0.get_key_value(name) {
///                 scan.offer(name, value);
///             }
///         }
///     }
/// }
///
/// let table = Table(BTreeMap::from([("x-tenant".to_owned(), b"eu-1".to_vec())]));
/// let set = HeaderSet::new([Key::new("X-Tenant")?], []);
/// assert_eq!(table.find(&set).len(), 1);
/// # Ok::<(), tracehound::propagation::InvalidKey>(())
/// ```
#[derive(Debug)]
pub struct HeaderScan<'c, 's> {
    set: &'s HeaderSet,
    found: &'s mut FoundHeaders<'c>,
}

impl<'c, 's> HeaderScan<'c, 's> {
    #[inline]
    pub(super) fn new(set: &'s HeaderSet, found: &'s mut FoundHeaders<'c>) -> Self {
        Self { set, found }
    }

    /// Takes a header of the carrier, with its name in any case. One that is not looked for is passed over.
    #[inline]
    pub fn offer(&mut self, name: &'c str, value: &'c [u8]) {
        if self.set.rules_out(name) {
            return;
        }
        if let Some(place) = self.set.place_of(name) {
            self.push(place, name, value);
        }
    }

    /// Keeps a header of the set.
    #[inline]
    pub(super) fn push(&mut self, place: Place, name: &'c str, value: &'c [u8]) {
        self.found.push(place, (name, value), self.set);
    }

    /// Returns the headers that are looked for, for a carrier that can find one by its name.
    pub fn set(&self) -> &'s HeaderSet {
        self.set
    }
}

/// The headers of a [`HeaderSet`] that one pass over a carrier has found, in the order of the carrier.
///
/// It borrows names and values from the carrier. It is a carrier itself, so a codec can be asked to read from it: that
/// is how a [`CompositeCodec`](crate::propagation::CompositeCodec) reads all its formats in one pass.
///
/// A stranger decides how many headers there are, so at most 128 headers with a name of the set are kept, and 64 for
/// each of its prefixes.
///
/// ```
/// use tracehound::propagation::{HeaderSet, Key, TextMapReader};
///
/// let tenant = Key::new("x-tenant")?;
/// let set = HeaderSet::new([tenant.clone()], []);
/// let headers = [("Accept", "*/*"), ("X-Tenant", "eu-1")];
/// let found = headers.find(&set);
/// assert_eq!(found.values(&tenant).last(), Some(&b"eu-1"[..]));
/// # Ok::<(), tracehound::propagation::InvalidKey>(())
/// ```
#[derive(Clone, Debug)]
pub struct FoundHeaders<'c> {
    /// Nearly every request has few of them, so none is allocated for.
    first: [Header<'c>; 4],
    first_count: usize,
    more: Vec<Header<'c>>,
    prefixed: usize,
    /// The places of the headers in the set.
    places: Places,
    skipped: u64,
}

/// A name and a value.
type Header<'c> = (&'c str, &'c [u8]);

/// The most headers with a name of the set that are kept.
const MAX_NAMED: usize = 128;

/// The most headers that are kept for each prefix of the set: as many as there may be baggage items.
const MAX_PREFIXED: usize = crate::model::Baggage::MAX_ITEMS;

impl Default for FoundHeaders<'_> {
    #[inline]
    fn default() -> Self {
        Self {
            first: [("", &[]); 4],
            first_count: 0,
            more: Vec::new(),
            prefixed: 0,
            places: Places::default(),
            skipped: 0,
        }
    }
}

impl<'c> FoundHeaders<'c> {
    /// Returns whether no header was found.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.first_count == 0
    }

    /// Returns the number of headers.
    #[inline]
    pub fn len(&self) -> usize {
        self.first_count + self.more.len()
    }

    /// Returns each header, with its name in any case.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (&'c str, &'c [u8])> {
        let first = self.first.iter().take(self.first_count);
        first.chain(&self.more).copied()
    }

    /// Returns the values of one header.
    pub fn values(&self, name: &Key) -> impl Iterator<Item = &'c [u8]> {
        self.iter()
            .filter_map(|(found, value)| name.matches(found).then_some(value))
    }

    /// Returns each header whose name begins with `prefix`: the rest of the name, in any case, and the value.
    ///
    /// ```
    /// use tracehound::propagation::{HeaderSet, Key, TextMapReader};
    ///
    /// let prefix = Key::new("x-ctx-")?;
    /// let set = HeaderSet::new([], [prefix.clone()]);
    /// let headers = [("X-Ctx-User", "42"), ("accept", "*/*")];
    /// let found = headers.find(&set);
    /// assert_eq!(found.with_prefix(&prefix).next(), Some(("User", &b"42"[..])));
    /// assert_eq!(found.iter().next(), Some(("X-Ctx-User", &b"42"[..])));
    /// assert_eq!((found.len(), found.is_empty(), found.skipped()), (1, false, 0));
    /// # Ok::<(), tracehound::propagation::InvalidKey>(())
    /// ```
    pub fn with_prefix(&self, prefix: &Key) -> impl Iterator<Item = (&'c str, &'c [u8])> {
        self.iter()
            .filter_map(|(name, value)| Some((prefix.rest_of(name)?, value)))
    }

    /// Returns the number of headers that were left out because there are too many.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Returns the places in the set of those headers that were found.
    #[inline]
    pub(in crate::propagation) fn places(&self) -> Places {
        self.places
    }

    /// Adds the headers of `set` that `carrier` has: the same as [`TextMapReader::find`], but in place.
    ///
    /// A found list has 184 bytes. Where every request makes one, it is not returned but filled, which saves its copy
    /// and a call.
    #[inline]
    pub(in crate::propagation) fn fill(&mut self, carrier: &'c dyn TextMapReader, set: &HeaderSet) {
        carrier.scan(&mut HeaderScan::new(set, self));
    }

    /// Returns the only header that was found.
    #[inline]
    pub(in crate::propagation) fn only(&self) -> Option<(&'c str, &'c [u8])> {
        (self.first_count == 1).then_some(self.first[0])
    }

    #[inline]
    fn push(&mut self, place: Place, header: Header<'c>, set: &HeaderSet) {
        let is_full = if place.is_prefix {
            // Formats that write the same items with a prefix each must not crowd each other out.
            self.prefixed >= MAX_PREFIXED * set.prefix_count()
        } else {
            self.len() - self.prefixed == MAX_NAMED
        };
        if is_full {
            self.skipped += 1;
            return;
        }
        self.prefixed += usize::from(place.is_prefix);
        self.places.add(place.index);
        match self.first.get_mut(self.first_count) {
            Some(place) => {
                *place = header;
                self.first_count += 1;
            }
            None => self.push_more(header, MAX_NAMED + MAX_PREFIXED * set.prefix_count()),
        }
    }

    /// Keeps a header beyond the first ones. The list has room for at most `most` of them.
    #[cold]
    fn push_more(&mut self, header: Header<'c>, most: usize) {
        let len = self.more.len();
        if len == self.more.capacity() {
            let room = (2 * len).clamp(FEW, most.max(FEW));
            self.more.reserve_exact(room - len);
        }
        self.more.push(header);
    }
}

/// The number of headers beyond the first ones for which there is room at once: as many as a large request has.
const FEW: usize = 28;

impl TextMapReader for FoundHeaders<'_> {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        for (name, value) in self.iter() {
            scan.offer(name, value);
        }
    }
}

impl ExtractCarrier for FoundHeaders<'_> {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::HttpHeaders(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new(name).expect("legal")
    }

    #[test]
    fn a_scan_keeps_the_order_and_the_limits() {
        let set = HeaderSet::new([key("a")], [key("p-")]);
        let names: Vec<String> = (0..100).map(|n| format!("P-{n}")).collect();
        let mut found = FoundHeaders::default();
        let mut scan = HeaderScan::new(&set, &mut found);
        for name in &names {
            scan.offer(name, b"v");
            scan.offer("A", name.as_bytes());
            scan.offer("a", b"");
            scan.offer("p", b"no match");
        }
        assert_eq!(found.values(&key("a")).count(), MAX_NAMED);
        let rests: Vec<_> = found.with_prefix(&key("p-")).collect();
        assert_eq!(rests.len(), MAX_PREFIXED);
        assert_eq!(rests[63], ("63", &b"v"[..]));
        assert_eq!(found.len(), MAX_NAMED + MAX_PREFIXED);
        assert_eq!(found.skipped(), 400 - 100 - found.len() as u64);
        assert_eq!(found.find(&set).len(), found.len());
    }
}
