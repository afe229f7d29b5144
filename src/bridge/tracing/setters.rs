use crate::bridge::tracing::layer::TracingLayer;

/// Settings, each for a layer that is not installed yet.
impl TracingLayer {
    /// Sets whether events become log records of the span in which they happen. Defaults to true.
    ///
    /// With false an event at level `ERROR` still marks its span: see [`error_events`](Self::error_events).
    pub fn events(self, are_logged: bool) -> Self {
        self.set(|settings| settings.has_events = are_logged)
    }

    /// Sets whether an event at level `ERROR` marks its span with the tag `error=true`. Defaults to true.
    pub fn error_events(self, mark_spans: bool) -> Self {
        self.set(|settings| settings.errors_fail_spans = mark_spans)
    }

    /// Sets whether log records have the field `target`, by default the path of the module that logged. Defaults to
    /// true.
    pub fn event_targets(self, are_logged: bool) -> Self {
        self.set(|settings| settings.has_event_targets = are_logged)
    }

    /// Sets whether spans have the tag `level`, such as `INFO`. Defaults to false.
    pub fn span_levels(self, are_set: bool) -> Self {
        self.set(|settings| settings.has_span_levels = are_set)
    }

    /// Sets whether spans have the tag `target`, by default the path of the module that made the span. Defaults to
    /// false.
    pub fn span_targets(self, are_set: bool) -> Self {
        self.set(|settings| settings.has_span_targets = are_set)
    }

    /// Sets whether spans and log records say where in the source they are made: `code.filepath`, `code.lineno` and
    /// `code.namespace`, the path of the module. Defaults to false.
    pub fn locations(self, are_set: bool) -> Self {
        self.set(|settings| settings.has_locations = are_set)
    }

    /// Sets whether spans have the tag `thread.name` of the thread that made them, if it has a name. Defaults to false.
    pub fn threads(self, are_set: bool) -> Self {
        self.set(|settings| settings.has_threads = are_set)
    }
}
