use crate::config::Config;
use crate::config::policies::Policy;
use crate::restrictions::BaggageRestrictions;
use crate::throttler::Throttler;

impl Config {
    /// Sets the throttler, which bounds how many debug traces callers may force.
    ///
    /// By default every one is allowed. No variable sets it.
    ///
    /// ```
    /// use tracehound::Config;
    /// use tracehound::throttler::DebugLimiter;
    ///
    /// let config = Config::new("shop").throttler(DebugLimiter::new());
    /// assert_eq!(config.explain().get("throttler").expect("set").value(), "DebugLimiter");
    /// ```
    pub fn throttler(mut self, throttler: impl Throttler + 'static) -> Self {
        self.policies.throttler = Some(Policy::throttler(throttler));
        self
    }

    /// Sets which baggage items the program may set.
    ///
    /// By default all are allowed, up to the limits of [`Baggage`](crate::model::Baggage). No variable sets it.
    ///
    /// ```
    /// use tracehound::Config;
    /// use tracehound::restrictions::AllowedKeys;
    ///
    /// let allowed = AllowedKeys::new().key("user-id", 36);
    /// let config = Config::new("shop").baggage_restrictions(allowed);
    /// assert_eq!(config.explain().get("baggage_restrictions").expect("set").value(), "AllowedKeys");
    /// ```
    pub fn baggage_restrictions(
        mut self,
        restrictions: impl BaggageRestrictions + 'static,
    ) -> Self {
        self.policies.baggage_restrictions = Some(Policy::restrictions(restrictions));
        self
    }
}
