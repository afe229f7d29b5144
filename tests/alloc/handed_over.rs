//! Handing work over allocates nothing, and neither does a child of each piece of work.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tracehound::NoopTracer;
use tracehound::prelude::*;
use tracehound::scope::{FinishOnce, Traced, capture, in_active_span};

use crate::{null_tracer, tenths_of_allocations};

fn poll<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing to wait for"),
    }
}

fn hand_over(tracer: &impl Tracer) {
    let captured = capture();
    assert_eq!(captured.run(|| black_box(1)), 1);
    assert_eq!(captured.wrap_fn(|n: u32| black_box(n))(2), 2);
    assert_eq!(in_active_span(|| black_box(3))(), 3);
    assert_eq!(poll(async { black_box(4) }.in_active_span()), 4);
    assert_eq!(poll(captured.wrap_future(async { black_box(5) })), 5);
    let (value, span) = Traced::new(6).receive(tracer, "handle");
    assert_eq!(value, 6);
    span.finish();
}

#[test]
fn handing_work_over_allocates_nothing_without_a_span_and_with_one() {
    assert_eq!(tenths_of_allocations(|| hand_over(&NoopTracer)), 0, "off");
    let off = || {
        let end = FinishOnce::new(Span::noop());
        end.wrap(|| ())();
        Span::noop().finish_with(|()| ())(());
    };
    assert_eq!(tenths_of_allocations(off), 0, "callbacks, off");

    let tracer = null_tracer(true);
    let _request = tracer.start_active_span("request");
    assert_eq!(tenths_of_allocations(|| hand_over(&tracer)), 0, "on");
    let work = capture().child(tracer.clone(), "work");
    let children = || {
        work.run(|| ());
        poll(work.wrap_future(async {}));
    };
    assert_eq!(tenths_of_allocations(children), 0, "children");
}

#[cfg(feature = "stream")]
#[test]
fn a_stream_and_a_sink_with_a_span_allocate_nothing() {
    use futures_util::{SinkExt, StreamExt, sink, stream};
    use tracehound::scope::{SinkInSpan, StreamInSpan};

    let tracer = null_tracer(true);
    let work = || {
        let rows = stream::iter([1, 2, 3]).stream_in_span(tracer.start_span("read"));
        assert_eq!(poll(rows.count()), 3);
        let mut rows = sink::drain().sink_in_span(tracer.start_span("write"));
        let sent = poll(async {
            rows.send(1).await?;
            rows.close().await
        });
        assert_eq!(sent, Ok(()));
    };
    assert_eq!(tenths_of_allocations(work), 0);
}
