//! A panic that aborts the program: only the panic hook still runs.

use std::panic;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::model::field;
use tracehound::prelude::*;

use crate::fork::Agent;
use crate::process::fork;

pub(super) fn a_panic_hook_sends_the_span_whose_work_panics() {
    let mut agent = Agent::start();
    let child = fork(|_| {
        let tracer = agent.tracer(Duration::from_secs(3_600));
        send_spans_at_a_panic(tracer.clone());
        let request = tracer.start_active_span("request");
        request.set_tag("step", "half way");
        panic!("the reason");
    });
    child.wait();
    for text in ["request", "half way", "the reason"] {
        agent.wait_for(text);
    }
}

/// Like the recipe of the guide, but the process always ends with success, also if panics unwind.
fn send_spans_at_a_panic(tracer: JaegerTracer) {
    panic::set_hook(Box::new(move |panic| {
        let message = panic.to_string();
        let span = active_span();
        span.set_tag("error", true)
            .log([field("event", "panic"), field("message", &*message)]);
        span.finish();
        tracer.flush(Duration::from_secs(20));
        // SAFETY: the call ends the process.
        #[expect(unsafe_code, reason = "nothing may run after the hook")]
        unsafe {
            libc::_exit(0)
        }
    }));
}
