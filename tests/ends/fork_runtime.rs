//! Forks of a program whose worker is a task of a tokio runtime.

use std::time::Duration;

use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::UdpSender;

use crate::fork::Agent;
use crate::process::in_child;
use crate::support::{LONG, builder};

pub(super) fn a_forked_child_of_a_runtime_has_a_worker_thread() {
    let mut agent = Agent::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let tracer = builder(RemoteReporter::new(UdpSender::new(agent.address())))
        .flush_interval(Duration::from_millis(5))
        .worker_on(runtime.handle().clone())
        .build()
        .expect("named");
    runtime.block_on(async {
        tracer.start_span("before the fork").finish();
        assert_eq!(tracer.flush_async(LONG).await.sent, 1);
        // The child goes on with a copy of the runtime, whose task must leave it alone.
        in_child(|| {
            tracer.start_span("flushed in the child").finish();
            let report = tracer.flush(LONG);
            assert!(report.is_complete(), "{report}");
            tracer.start_span("closed in the child").finish();
            let report = tracer.close(LONG);
            assert!(report.is_complete(), "{report}");
            assert_eq!(report.sent, 2, "{report}");
        });
        tracer.start_span("behind the fork").finish();
        assert_eq!(tracer.close_async(LONG).await.sent, 2);
    });
    for text in [
        "before the fork",
        "flushed in the child",
        "closed in the child",
        "behind the fork",
    ] {
        agent.wait_for(text);
    }
}
