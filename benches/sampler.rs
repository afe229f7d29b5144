//! Times the question to a sampler.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

use tracehound::model::TraceId;
use tracehound::sampler::{
    ConstSampler, ProbabilisticSampler, RateLimitingSampler, Sampler, SamplingDecision,
    SamplingRate, SpanView, TracesPerSecond,
};

fn samplers(c: &mut Criterion) {
    let mut group = c.benchmark_group("sampler");
    let half = SamplingRate::new(0.5).expect("a probability");
    let samplers: [(&str, Box<dyn Sampler>); 5] = [
        ("const, keeps", Box::new(ConstSampler::new(true))),
        ("const, drops", Box::new(ConstSampler::new(false))),
        ("probabilistic", Box::new(ProbabilisticSampler::new(half))),
        (
            "rate limiting, keeps",
            Box::new(RateLimitingSampler::new(
                TracesPerSecond::new(1e12).expect("a rate"),
            )),
        ),
        (
            "rate limiting, drops",
            Box::new(RateLimitingSampler::new(TracesPerSecond::from(0))),
        ),
    ];
    for (name, sampler) in samplers {
        assert_eq!(keeps(&*sampler, 1), !name.ends_with("drops"), "{name}");
        let mut id = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                id = id % (u64::MAX >> 1) + 1;
                keeps(black_box(&*sampler), black_box(id))
            });
        });
    }
    group.finish();
}

fn keeps(sampler: &dyn Sampler, id: u64) -> bool {
    let trace_id = TraceId::new(0, id).expect("not zero");
    let root = SpanView::new(trace_id, "get_account", true);
    matches!(sampler.on_create_span(&root), SamplingDecision::Sample(_))
}

criterion_group!(benches, samplers);
criterion_main!(benches);
