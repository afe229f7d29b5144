use crate::propagation::{HeaderSet, InvalidKey, Key};

/// The names of Jaeger's four headers.
///
/// They match in any case and are written in lower case.
///
/// | header | default name |
/// |---|---|
/// | trace | `uber-trace-id` |
/// | one baggage item | `uberctx-` and its key |
/// | debug id | `jaeger-debug-id` |
/// | several baggage items, written by hand | `jaeger-baggage` |
///
/// ```
/// use tracehound::propagation::{HeaderNames, JaegerCodec};
///
/// let names = HeaderNames::default()
///     .trace_id("X-Shop-Trace")?
///     .baggage_prefix("X-Shop-Ctx-")?;
/// let codec = JaegerCodec::http_headers().header_names(names);
/// # Ok::<(), tracehound::propagation::InvalidKey>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderNames {
    trace_id: Key,
    baggage_prefix: Key,
    debug_id: Key,
    baggage: Key,
    /// All of them.
    set: HeaderSet,
}

impl Default for HeaderNames {
    fn default() -> Self {
        Self::new(
            Key::from_static("uber-trace-id"),
            Key::from_static("uberctx-"),
            Key::from_static("jaeger-debug-id"),
            Key::from_static("jaeger-baggage"),
        )
    }
}

impl HeaderNames {
    /// Sets the name of the trace header. Defaults to `uber-trace-id`.
    ///
    /// # Errors
    ///
    /// Fails if `name` is not a header name.
    pub fn trace_id(self, name: &str) -> Result<Self, InvalidKey> {
        let trace_id = Key::new(name)?;
        Ok(Self { trace_id, ..self }.with_set())
    }

    /// Sets the prefix of the headers that hold one baggage item each. Defaults to `uberctx-`.
    ///
    /// # Errors
    ///
    /// Fails if `prefix` is empty or no header name can begin with it.
    pub fn baggage_prefix(self, prefix: &str) -> Result<Self, InvalidKey> {
        let baggage_prefix = Key::new(prefix)?;
        Ok(Self {
            baggage_prefix,
            ..self
        }
        .with_set())
    }

    /// Sets the name of the header by which a caller asks for a debug trace. Defaults to `jaeger-debug-id`.
    ///
    /// # Errors
    ///
    /// Fails if `name` is not a header name.
    pub fn debug_id(self, name: &str) -> Result<Self, InvalidKey> {
        let debug_id = Key::new(name)?;
        Ok(Self { debug_id, ..self }.with_set())
    }

    /// Sets the name of the header in which a caller writes baggage by hand, as in `jaeger-baggage: user=42, cart=7`.
    /// Defaults to `jaeger-baggage`.
    ///
    /// # Errors
    ///
    /// Fails if `name` is not a header name.
    ///
    /// ```
    /// use tracehound::propagation::{HeaderNames, JaegerCodec};
    ///
    /// let names = HeaderNames::default().debug_id("x-debug")?.baggage("x-baggage")?;
    /// let codec = JaegerCodec::http_headers().header_names(names);
    /// # drop(codec);
    /// # Ok::<(), tracehound::propagation::InvalidKey>(())
    /// ```
    pub fn baggage(self, name: &str) -> Result<Self, InvalidKey> {
        let baggage = Key::new(name)?;
        Ok(Self { baggage, ..self }.with_set())
    }

    pub(super) fn set(&self) -> &HeaderSet {
        &self.set
    }

    pub(super) fn trace_id_key(&self) -> &Key {
        &self.trace_id
    }

    pub(super) fn prefix(&self) -> &Key {
        &self.baggage_prefix
    }

    pub(super) fn debug_id_key(&self) -> &Key {
        &self.debug_id
    }

    pub(super) fn baggage_key(&self) -> &Key {
        &self.baggage
    }

    /// Returns whether the prefix and `key` together are one of the other three headers, and so no baggage item.
    pub(super) fn is_reserved(&self, key: &str) -> bool {
        [&self.trace_id, &self.debug_id, &self.baggage]
            .into_iter()
            .filter_map(|own| self.baggage_prefix.rest_of(own.as_str()))
            .any(|rest| rest.eq_ignore_ascii_case(key))
    }

    fn new(trace_id: Key, baggage_prefix: Key, debug_id: Key, baggage: Key) -> Self {
        let names = [trace_id.clone(), debug_id.clone(), baggage.clone()];
        Self {
            set: HeaderSet::new(names, [baggage_prefix.clone()]),
            trace_id,
            baggage_prefix,
            debug_id,
            baggage,
        }
    }

    fn with_set(self) -> Self {
        Self::new(
            self.trace_id,
            self.baggage_prefix,
            self.debug_id,
            self.baggage,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_lower_case_and_illegal_ones_are_refused() {
        let names = HeaderNames::default().trace_id("My-Trace").expect("legal");
        assert_eq!(names.trace_id.as_str(), "my-trace");
        for illegal in ["", "a b", "a:b", "é", "a\n", "a\0", "(a)"] {
            let names = HeaderNames::default;
            assert!(names().trace_id(illegal).is_err(), "{illegal:?}");
            assert!(names().baggage_prefix(illegal).is_err(), "{illegal:?}");
            assert!(names().debug_id(illegal).is_err(), "{illegal:?}");
            assert!(names().baggage(illegal).is_err(), "{illegal:?}");
        }
    }

    #[test]
    fn a_header_that_the_prefix_fits_is_no_baggage() {
        let names = HeaderNames::default()
            .baggage_prefix("uber-")
            .expect("legal");
        assert!(names.is_reserved("Trace-Id"));
        assert!(!names.is_reserved("trace"));
        assert!(!HeaderNames::default().is_reserved("trace-id"));
    }
}
