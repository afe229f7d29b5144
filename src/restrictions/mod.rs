//! Baggage restrictions: which items a program may set.
//!
//! Each request that a trace makes carries all of its baggage, so one careless item is paid for by every service
//! downstream. Restrictions say which keys may be set, and how long their values may be:
//!
//! ```
//! use tracehound::JaegerTracer;
//! use tracehound::prelude::*;
//! use tracehound::reporter::NullReporter;
//! use tracehound::restrictions::AllowedKeys;
//!
//! let tracer = JaegerTracer::builder("shop")
//!     .baggage_restrictions(AllowedKeys::new().key("user-id", 8).key("tenant", 32))
//!     .reporter(NullReporter::new())
//!     .build()?;
//! let span = tracer.start_span("checkout");
//! span.set_baggage_item("user-id", "4711-0815-42").set_baggage_item("cart", "…");
//! assert_eq!(span.baggage_item("user-id").as_deref(), Some("4711-081"));
//! assert_eq!(span.baggage_item("cart"), None);
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! # Which ones do I want?
//!
//! | restrictions | allow | suit |
//! |---|---|---|
//! | none, the default | every key, up to the limits of [`Baggage`](crate::model::Baggage) | most services |
//! | [`AllowedKeys`] | the keys on a list, each up to a length of its own | fleets that agree on their keys |
//! | `RemoteRestrictions`, with the feature `remote-sampler` | the keys on a list that an agent keeps | agents of your own: no open Jaeger backend serves such a list |
//!
//! # When are they asked?
//!
//! In [`Span::set_baggage_item`](crate::Span::set_baggage_item), and nowhere else, as in the other Jaeger clients.
//! Baggage that a caller sends is not asked about: whether it is believed is up to
//! [`Trust`](crate::propagation::Trust). Nor is what the program puts into a [`SpanContext`](crate::SpanContext) by
//! hand.
//!
//! # What becomes of an item?
//!
//! | item | set | counted as | log record, in this order |
//! |---|---|---|---|
//! | is allowed | yes | [`BaggageUpdatesOk`](crate::metrics::Counter::BaggageUpdatesOk) | `event=baggage`, `key`, `value`, `override=true` if it replaces a value that is not empty |
//! | is longer than allowed | up to the last whole character that fits | the same, and [`BaggageTruncations`](crate::metrics::Counter::BaggageTruncations) | the same with the value that was set, then `truncated=true` |
//! | is denied, breaks a limit of [`Baggage`](crate::model::Baggage), or nothing of it would be left | no; an earlier value stays | [`BaggageUpdatesErr`](crate::metrics::Counter::BaggageUpdatesErr) | `event=baggage`, `key`, the `value` that was given, `invalid=true` |
//!
//! The record is written if the span is sampled or its trace is still undecided.

mod allowed_keys;
#[cfg(feature = "remote-sampler")]
mod remote;

pub use self::allowed_keys::AllowedKeys;
#[cfg(feature = "remote-sampler")]
pub use self::remote::RemoteRestrictions;

use crate::services::Services;

/// A policy that decides which baggage items may be set.
///
/// The tracer calls it on the program's threads and holds no lock meanwhile. A panic is caught and counted, and the
/// item is denied. After a hundred panics the policy is not called any more, and every item is denied.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::prelude::*;
/// use tracehound::restrictions::{BaggageRestrictions, Restriction};
///
/// /// Allows the keys of one team.
/// struct OfTeam(&'static str);
///
/// impl BaggageRestrictions for OfTeam {
///     fn restriction(&self, key: &str) -> Restriction {
///         match key.starts_with(self.0) {
///             true => Restriction::Allowed { max_value_bytes: 64 },
///             false => Restriction::Denied,
///         }
///     }
/// }
///
/// let tracer = JaegerTracer::builder("shop").baggage_restrictions(OfTeam("cart-")).build()?;
/// let span = tracer.start_span("checkout");
/// span.set_baggage_item("cart-id", "7").set_baggage_item("stock-id", "8");
/// assert_eq!(span.context().baggage().len(), 1);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
pub trait BaggageRestrictions: Send + Sync {
    /// Takes the tracer's services: where to count and to warn, what time it is. The tracer's builder calls it once,
    /// before anything else. By default does nothing.
    ///
    /// A forked child shares the policy with its parent: see [`Services::generation`].
    ///
    /// ```
    /// use tracehound::diagnostics::Diagnostics;
    /// use tracehound::restrictions::{BaggageRestrictions, Restriction};
    /// use tracehound::services::Services;
    ///
    /// /// Denies everything, and tells what.
    /// #[derive(Default)]
    /// struct Nothing(Option<Diagnostics>);
    ///
    /// impl BaggageRestrictions for Nothing {
    ///     fn attach(&mut self, services: &Services) {
    ///         self.0 = Some(services.diagnostics().clone());
    ///     }
    ///
    ///     fn restriction(&self, key: &str) -> Restriction {
    ///         if let Some(diagnostics) = &self.0 {
    ///             let key = key.escape_debug();
    ///             diagnostics.warn("no_baggage", || format!("baggage {key} is denied"));
    ///         }
    ///         Restriction::Denied
    ///     }
    ///
    ///     fn close(&self) {
    ///         // here a policy that asks an agent stops to ask
    ///     }
    /// }
    ///
    /// assert_eq!(Nothing::default().restriction("user"), Restriction::Denied);
    /// ```
    fn attach(&mut self, _services: &Services) {}

    /// Returns what may be set for a key.
    fn restriction(&self, key: &str) -> Restriction;

    /// Takes note that the tracer closes. Called once; by default does nothing.
    fn close(&self) {}
}

impl BaggageRestrictions for Box<dyn BaggageRestrictions> {
    fn attach(&mut self, services: &Services) {
        (**self).attach(services);
    }

    fn restriction(&self, key: &str) -> Restriction {
        (**self).restriction(key)
    }

    fn close(&self) {
        (**self).close();
    }
}

/// The rule for one baggage key.
///
/// ```
/// use tracehound::restrictions::Restriction;
///
/// let short = Restriction::Allowed { max_value_bytes: 64 };
/// assert!(short != Restriction::NONE && short != Restriction::Denied);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Restriction {
    /// A value may be set. A longer one is truncated to the last whole character that fits.
    ///
    /// The limits of [`Baggage`](crate::model::Baggage) hold as well.
    Allowed {
        /// The most bytes of a value, as the program sets it and not as it is encoded for a header. 0 is the same as
        /// [`Denied`](Restriction::Denied).
        max_value_bytes: usize,
    },
    /// Nothing may be set.
    Denied,
}

impl Restriction {
    /// Allows what [`Baggage`](crate::model::Baggage) allows.
    pub const NONE: Self = Self::Allowed {
        max_value_bytes: usize::MAX,
    };

    /// Returns the most bytes that a value may have, or 0 if nothing may be set.
    pub(crate) const fn max_value_bytes(self) -> usize {
        match self {
            Self::Allowed { max_value_bytes } => max_value_bytes,
            Self::Denied => 0,
        }
    }
}
