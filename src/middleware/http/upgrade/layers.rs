use crate::middleware::{ClientLayer, ServerLayer, Sessions};

impl ServerLayer {
    /// Sets that the connections of upgraded requests get spans: see [sessions](crate::middleware#what-becomes-of-an-upgraded-connection).
    ///
    /// The handler changes nothing to be measured. To work with the span active, it runs its task by
    /// [`SessionSpan::run`](crate::middleware::SessionSpan::run). The request's span ends when the connection is
    /// there, or when it fails to come.
    ///
    /// Needs a runtime of tokio, where it spawns a task for each upgrade. Code that takes a connection apart
    /// (`hyper::upgrade::Upgraded::downcast`) finds another type inside.
    ///
    /// Defaults to none: a connection is not measured.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{ServerLayer, Sessions};
    ///
    /// let layer = ServerLayer::new(NoopTracer).sessions(Sessions::new());
    /// ```
    #[must_use]
    pub fn sessions(mut self, sessions: Sessions) -> Self {
        self.hooks_mut().sessions = Some(sessions);
        self
    }
}

impl ClientLayer {
    /// Sets that the connections of upgraded requests get spans: see [sessions](crate::middleware#what-becomes-of-an-upgraded-connection).
    ///
    /// The client of hyper-util yields them by `hyper::upgrade::on(response)`. The extensions of the response hold a
    /// [`SessionSpan`](crate::middleware::SessionSpan). The remarks on [`ServerLayer::sessions`] apply.
    ///
    /// Defaults to none: a connection is not measured.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{ClientLayer, Sessions};
    ///
    /// let layer = ClientLayer::new(NoopTracer).sessions(Sessions::new());
    /// ```
    #[must_use]
    pub fn sessions(mut self, sessions: Sessions) -> Self {
        self.hooks_mut().sessions = Some(sessions);
        self
    }
}
