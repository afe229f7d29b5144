use crate::record;

/// Makes every thread draw new ids from now on. Call it in a process that was restored from a snapshot.
///
/// Copies of one snapshot (AWS Lambda SnapStart, Firecracker, CRIU) go on with the same random numbers, and so their
/// traces would have the same ids. Call this in the hook that runs after the restore, before the first request: each
/// thread then takes new random bytes of the system for the next span that it starts. It costs that span some
/// microseconds, and others nothing. A forked child does this by itself.
///
/// It does not change an [`id_source`](crate::tracer::TracerBuilder::id_source) of your own, and spans that were open
/// in the snapshot keep their ids. The process tag `client-uuid` stays that of the snapshot; build the tracer after the
/// restore if an agent should tell the copies apart.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::prelude::*;
///
/// let tracer = JaegerTracer::builder("shop").build()?;
/// // … the process is frozen, copied and restored
/// tracehound::reseed();
/// tracer.start_span("checkout").finish(); // has an id that no copy has
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
pub fn reseed() {
    record::reseed();
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;
    use crate::model::SpanId;
    use crate::record::set_state;
    use crate::sampler::{ConstSampler, RateLimitingSampler, TracesPerSecond};
    use crate::tracer::{JaegerTracer, TracerExt as _};

    /// The generator's state in the snapshot.
    const SNAPSHOT: [u64; 2] = [1, 2];

    fn id_of_next_span(tracer: &JaegerTracer, is_child: bool) -> Option<SpanId> {
        let parent = is_child.then(|| tracer.start_span("parent"));
        let _scope = parent.as_ref().map(|parent| parent.activate());
        set_state(SNAPSHOT);
        tracer.start_span("s").context().span_id()
    }

    #[test]
    fn every_thread_draws_new_ids_once_after_a_call() {
        let always = JaegerTracer::builder("test").sampler(ConstSampler::new(true));
        let asking = RateLimitingSampler::new(TracesPerSecond::from(1_000_000));
        let asking = JaegerTracer::builder("test").sampler(asking);
        let tracers = [
            always.build().expect("named"),
            JaegerTracer::builder("test").build().expect("named"),
            asking.trace_id_128bit(true).build().expect("named"),
        ];
        for tracer in &tracers {
            for is_child in [false, true] {
                let (before, after) = (Barrier::new(3), Barrier::new(3));
                let ids = || {
                    // A span that finds no vacant slot is not on the fast path.
                    drop([(); 4].map(|()| tracer.start_span("slot")));
                    let copied = id_of_next_span(tracer, is_child);
                    assert_eq!(id_of_next_span(tracer, is_child), copied, "a copy");
                    let parent = is_child.then(|| tracer.start_span("parent"));
                    let _scope = parent.as_ref().map(|parent| parent.activate());
                    set_state(SNAPSHOT);
                    before.wait();
                    after.wait();
                    let renewed = tracer.start_span("s").context().span_id();
                    assert_ne!(renewed, copied, "child: {is_child}");
                    assert_eq!(id_of_next_span(tracer, is_child), copied, "once");
                    renewed
                };
                let renewed = thread::scope(|scope| {
                    let threads = [scope.spawn(ids), scope.spawn(ids)];
                    before.wait();
                    reseed();
                    after.wait();
                    threads.map(|thread| thread.join().expect("no panic"))
                });
                assert_ne!(renewed[0], renewed[1]);
            }
        }
    }
}
