//! The policies that only code can give: no variable of a Jaeger client names one.

use std::fmt;

use crate::restrictions::BaggageRestrictions;
use crate::sampler::short_type_name;
use crate::throttler::Throttler;
use crate::tracer::TracerBuilder;

/// The policies of a configuration. By default there are none.
#[derive(Default)]
pub(super) struct Policies {
    pub(super) throttler: Option<Policy<dyn Throttler>>,
    pub(super) baggage_restrictions: Option<Policy<dyn BaggageRestrictions>>,
}

/// A policy, and the name of its type.
pub(super) struct Policy<P: ?Sized> {
    policy: Box<P>,
    name: &'static str,
}

impl Policy<dyn Throttler> {
    pub(super) fn throttler<T: Throttler + 'static>(throttler: T) -> Self {
        Self {
            policy: Box::new(throttler),
            name: short_type_name::<T>(),
        }
    }
}

impl Policy<dyn BaggageRestrictions> {
    pub(super) fn restrictions<R: BaggageRestrictions + 'static>(restrictions: R) -> Self {
        Self {
            policy: Box::new(restrictions),
            name: short_type_name::<R>(),
        }
    }
}

impl Policies {
    /// Returns the names of the settings that are set, and of the types of their policies.
    pub(super) fn names(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let throttler = self.throttler.as_ref().map(|it| ("throttler", it.name));
        let restrictions = self.baggage_restrictions.as_ref();
        let restrictions = restrictions.map(|it| ("baggage_restrictions", it.name));
        throttler.into_iter().chain(restrictions)
    }

    /// Gives the policies to a builder.
    pub(super) fn build_into(self, mut builder: TracerBuilder) -> TracerBuilder {
        if let Some(Policy { policy, .. }) = self.throttler {
            builder = builder.throttler(policy);
        }
        if let Some(Policy { policy, .. }) = self.baggage_restrictions {
            builder = builder.baggage_restrictions(policy);
        }
        builder
    }
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.names()).finish()
    }
}
