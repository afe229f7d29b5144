//! The allocations of ids in log lines.

use std::io::{Write as _, sink};

use tracehound::bridge::WithTraceIds;
use tracehound::prelude::*;
use tracehound::scope::trace_ids;
use tracing::dispatcher::{Dispatch, with_default};
use tracing::info;
use tracing_subscriber::fmt;

use crate::{null_tracer, tenths_of_allocations};

#[test]
fn ids_in_log_lines_allocate_nothing() {
    let tracer = null_tracer(true);
    let _span = tracer.start_active_span("s");
    let n = tenths_of_allocations(|| write!(sink(), "{} paid", trace_ids()).expect("it takes all"));
    assert_eq!(n, 0);

    let text = || fmt().without_time().with_writer(sink);
    let json = || fmt().json().without_time().with_writer(sink);
    let pairs: [(Dispatch, Dispatch); 2] = [
        (
            text().finish().into(),
            text().map_event_format(WithTraceIds::text).finish().into(),
        ),
        (
            json().finish().into(),
            json().map_event_format(WithTraceIds::json).finish().into(),
        ),
    ];
    for (plain, with_ids) in pairs {
        let [plain, with_ids] = [plain, with_ids].map(|dispatch| {
            with_default(&dispatch, || {
                tenths_of_allocations(|| info!(items = 3, "paid"))
            })
        });
        assert_eq!(with_ids, plain);
    }
}
