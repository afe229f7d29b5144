/// Settings of a layer: the facts that it records beside fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) has_events: bool,
    pub(super) has_event_targets: bool,
    pub(super) has_span_levels: bool,
    pub(super) has_span_targets: bool,
    pub(super) has_locations: bool,
    pub(super) has_threads: bool,
    pub(super) errors_fail_spans: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            has_events: true,
            has_event_targets: true,
            has_span_levels: false,
            has_span_targets: false,
            has_locations: false,
            has_threads: false,
            errors_fail_spans: true,
        }
    }
}
