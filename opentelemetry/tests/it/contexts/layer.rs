//! Spans of the crate `tracing`, which our own layer starts late, between those of a library.

use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
use tracehound::bridge::TracingLayer;
use tracehound::prelude::*;
use tracing::{info, info_span};
use tracing_subscriber::prelude::*;

use crate::support::both;

#[test]
fn spans_of_three_apis_nest_in_each_other() {
    let both = both();
    let layer = TracingLayer::new(both.tracer.clone());
    let _default = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    info_span!("tracing").in_scope(|| {
        both.library.in_span("library", |cx| {
            info!("an event on the library's span");
            info_span!("tracing in library").in_scope(|| {
                info!("an event");
                both.tracer.start_span("ours").finish();
                both.library.in_span("library again", |_| ());
            });
            // Never asked for before its end.
            info_span!("late").in_scope(|| ());
            cx.span().update_name("renamed");
        });
        both.tracer.start_span("after").finish();
    });
    assert_eq!(
        both.spans.tree(),
        "tracing\n  renamed\n    tracing in library\n      ours\n      library again\n    late\n  after"
    );
    assert_eq!(both.span("renamed").logs.len(), 1);
    assert_eq!(both.span("tracing in library").logs.len(), 1);
}
