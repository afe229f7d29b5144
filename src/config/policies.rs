//! The policies that only code can give: no variable of a Jaeger client names one.

use crate::config::explanation::ExplainedSetting;
use crate::config::setting::Source;
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
    source: Source,
}

impl<P: ?Sized> Policy<P> {
    /// Says that the policy comes from a file.
    #[cfg(all(feature = "serde", feature = "remote-sampler"))]
    pub(super) fn of_file(mut self, key: &'static str) -> Self {
        self.source = Source::File(key);
        self
    }
}

impl Policy<dyn Throttler> {
    pub(super) fn throttler<T: Throttler + 'static>(throttler: T) -> Self {
        Self {
            policy: Box::new(throttler),
            name: short_type_name::<T>(),
            source: Source::Code,
        }
    }
}

impl Policy<dyn BaggageRestrictions> {
    pub(super) fn restrictions<R: BaggageRestrictions + 'static>(restrictions: R) -> Self {
        Self {
            policy: Box::new(restrictions),
            name: short_type_name::<R>(),
            source: Source::Code,
        }
    }
}

impl Policies {
    /// Returns the settings that are set, with the types of their policies.
    pub(super) fn explain(&self) -> impl Iterator<Item = ExplainedSetting> {
        let row = |name, (policy, source): (&str, Source)| {
            ExplainedSetting::new(name, policy.to_owned(), source)
        };
        let throttler = self.throttler.as_ref().map(|it| (it.name, it.source));
        let restrictions = self.baggage_restrictions.as_ref();
        let restrictions = restrictions.map(|it| (it.name, it.source));
        let throttler = throttler.map(|it| row("throttler", it));
        let restrictions = restrictions.map(|it| row("baggage_restrictions", it));
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
