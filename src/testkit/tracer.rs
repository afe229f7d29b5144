use std::fmt;
use std::ops::Deref;

use crate::JaegerTracer;
use crate::reporter::{InMemoryReporter, OwnedSpan};
use crate::sampler::ConstSampler;
use crate::testkit::shape::{TraceShape, assert_trace};
use crate::tracer::TracerBuilder;

/// A tracer for one test: it keeps every trace, and its spans can be read as soon as they have finished.
///
/// It is no global, so tests may run side by side. It derefs to its [`JaegerTracer`]; code that takes an `&impl Tracer`
/// gets `&*tracer`.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::testkit::TestTracer;
///
/// fn check_out(tracer: &impl Tracer) {
///     let _span = tracer.start_active_span("checkout");
///     tracer.start_span("pay").set_tag("cents", 4_200);
/// }
///
/// let tracer = TestTracer::new("shop");
/// check_out(&*tracer);
/// tracer.assert_trace("checkout\n  pay");
/// let pay = tracer.find("pay").expect("paid");
/// assert_eq!(pay.tag_text("cents"), "4200");
/// ```
#[derive(Clone)]
pub struct TestTracer {
    tracer: JaegerTracer,
    spans: InMemoryReporter,
}

impl TestTracer {
    /// Makes a tracer of this service.
    ///
    /// # Panics
    ///
    /// If the name is empty.
    ///
    /// ```
    /// use tracehound::testkit::TestTracer;
    ///
    /// let tracer = TestTracer::new("shop");
    /// assert!(tracer.spans().is_empty());
    /// ```
    #[track_caller]
    pub fn new(service_name: impl Into<String>) -> Self {
        Self::with(service_name, |builder| builder)
    }

    /// Makes a tracer of this service that `change` can give a clock, a sampler, limits and all else but a reporter.
    ///
    /// # Panics
    ///
    /// If the name is empty.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::clock::ManualClock;
    /// use tracehound::prelude::*;
    /// use tracehound::testkit::TestTracer;
    ///
    /// let clock = ManualClock::at_micros(1_700_000_000_000_000);
    /// let tracer = TestTracer::with("kitchen", |builder| builder.clock(clock.clone()));
    /// let span = tracer.start_span("brew");
    /// clock.advance(Duration::from_secs(180));
    /// span.finish();
    /// assert_eq!(tracer.spans()[0].duration, Duration::from_secs(180));
    /// ```
    #[track_caller]
    pub fn with(
        service_name: impl Into<String>,
        change: impl FnOnce(TracerBuilder) -> TracerBuilder,
    ) -> Self {
        Self::reporting_to(InMemoryReporter::new(), service_name, change)
    }

    /// Makes a tracer of another service whose spans are kept together with those of this one, for traces that pass
    /// through several services.
    ///
    /// # Panics
    ///
    /// If the name is empty.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use tracehound::prelude::*;
    /// use tracehound::testkit::TestTracer;
    ///
    /// let shop = TestTracer::new("shop");
    /// let bank = shop.beside("bank");
    /// let checkout = shop.start_span("checkout");
    /// let mut headers = HashMap::new();
    /// shop.inject(&checkout.context(), &mut headers);
    /// let caller = bank.extract(&headers)?;
    /// bank.build_span("pay").child_of(&caller).start().finish();
    /// checkout.finish();
    /// assert_eq!(shop.tree(), "shop: checkout\n  bank: pay");
    /// # Ok::<(), tracehound::propagation::ExtractError>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn beside(&self, service_name: impl Into<String>) -> Self {
        Self::reporting_to(self.spans.clone(), service_name, |builder| builder)
    }

    #[track_caller]
    fn reporting_to(
        spans: InMemoryReporter,
        service_name: impl Into<String>,
        change: impl FnOnce(TracerBuilder) -> TracerBuilder,
    ) -> Self {
        let builder = JaegerTracer::builder(service_name).sampler(ConstSampler::new(true));
        let builder = change(builder).reporter(spans.clone());
        let tracer = builder.build().expect("the service has a name");
        Self { tracer, spans }
    }

    /// Returns the tracer itself.
    ///
    /// ```
    /// use tracehound::testkit::TestTracer;
    ///
    /// let tracer = TestTracer::new("shop").tracer().clone();
    /// # let _ = tracer;
    /// ```
    pub fn tracer(&self) -> &JaegerTracer {
        &self.tracer
    }

    /// Returns copies of the spans that have finished until now: see [`InMemoryReporter::spans`].
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::testkit::TestTracer;
    ///
    /// let tracer = TestTracer::new("shop");
    /// tracer.start_span("checkout").finish();
    /// assert_eq!(tracer.spans().len(), 1);
    /// ```
    pub fn spans(&self) -> Vec<OwnedSpan> {
        self.spans.spans()
    }

    /// Returns and removes the spans that have finished until now.
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::testkit::TestTracer;
    ///
    /// let tracer = TestTracer::new("shop");
    /// tracer.start_span("checkout").finish();
    /// assert_eq!(tracer.take().len(), 1);
    /// assert!(tracer.spans().is_empty());
    /// ```
    pub fn take(&self) -> Vec<OwnedSpan> {
        self.spans.take()
    }

    /// Returns the first finished span with this operation name.
    ///
    /// ```
    /// use tracehound::testkit::TestTracer;
    ///
    /// assert_eq!(TestTracer::new("shop").find("checkout"), None);
    /// ```
    pub fn find(&self, operation_name: &str) -> Option<OwnedSpan> {
        self.spans.find(operation_name)
    }

    /// Draws the spans that have finished until now as a tree: see [`InMemoryReporter::tree`].
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::testkit::TestTracer;
    ///
    /// let tracer = TestTracer::new("shop");
    /// tracer.start_span("checkout").set_tag("error", true);
    /// assert_eq!(tracer.tree(), "checkout !");
    /// ```
    pub fn tree(&self) -> String {
        self.spans.tree()
    }

    /// Checks the shape of the spans that have finished until now, as [`assert_trace`] does.
    ///
    /// # Panics
    ///
    /// If the shape differs.
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::testkit::{TestTracer, span};
    ///
    /// let tracer = TestTracer::new("shop");
    /// tracer.build_span("checkout").tag("items", 3).start().finish();
    /// tracer.assert_trace(span("checkout").tag("items", 3));
    /// ```
    #[track_caller]
    pub fn assert_trace(&self, shape: impl Into<TraceShape>) {
        assert_trace(&self.spans(), shape);
    }
}

impl Deref for TestTracer {
    type Target = JaegerTracer;

    fn deref(&self) -> &JaegerTracer {
        &self.tracer
    }
}

impl fmt::Debug for TestTracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestTracer({:?})", self.spans)
    }
}
