//! Traces that come in with B3 headers.

use tracehound::JaegerTracer;
use tracehound::prelude::*;
use tracehound::propagation::B3Codec;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::ConstSampler;

use super::DEBUG;
use crate::propagation::{Headers, owned};

fn tracer(keep: bool, codec: B3Codec) -> JaegerTracer {
    JaegerTracer::builder("test")
        .sampler(ConstSampler::new(keep))
        .reporter(InMemoryReporter::new())
        .text_map_codec(codec)
        .build()
        .expect("named")
}

#[test]
fn the_receiver_decides_where_the_headers_do_not() {
    let ids = [("x-b3-traceid", "1"), ("x-b3-spanid", "2")];
    for keep in [true, false] {
        let tracer = tracer(keep, B3Codec::multiple_headers());
        for (state, is_sampled) in [
            (&[][..], keep),
            (&[("x-b3-sampled", "1")], true),
            (&[("x-b3-sampled", "0")], false),
        ] {
            let parent = tracer.extract(&owned(&[&ids[..], state].concat()));
            let parent = parent.unwrap().expect("ids");
            let span = tracer.build_span("s").child_of(&parent).start();
            assert_eq!(span.context().trace_id(), parent.trace_id());
            assert_eq!(span.context().is_sampled(), is_sampled, "{keep} {state:?}");
            // What was decided goes on.
            let mut headers = Headers::new();
            tracer.inject(&span.context(), &mut headers);
            let sent = headers.iter().find(|(name, _)| name == "x-b3-sampled");
            let sent = sent.map(|(_, value)| &**value);
            assert_eq!(sent, Some(if is_sampled { "1" } else { "0" }));
        }
    }
}

#[test]
fn a_state_alone_decides_on_the_next_root() {
    for keep in [true, false] {
        let tracer = tracer(keep, B3Codec::single_header());
        for (state, flags) in [("0", 0), ("1", 1), ("d", DEBUG)] {
            let parent = tracer.extract(&owned(&[("b3", state)])).unwrap();
            let parent = parent.expect("a state");
            let root = tracer.build_span("s").child_of(&parent).start();
            assert_eq!(root.context().parent_id(), None);
            assert_eq!(root.context().flags().bits(), flags, "{keep} {state}");
        }
    }
}
