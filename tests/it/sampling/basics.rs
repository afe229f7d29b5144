//! Each sampler by itself.

use std::time::Duration;

use tracehound::clock::ManualClock;
use tracehound::model::{TagValue, TraceId};
use tracehound::sampler::{
    ConstSampler, GuaranteedThroughputSampler, OperationStrategies, PerOperationSampler, Sampler,
    SamplingDecision, SamplingRate, SpanView, TracesPerSecond,
};

use super::{any_root, kept, limiting, probabilistic, root};

#[test]
fn a_probability_is_met_within_four_standard_deviations() {
    const IDS: u32 = 2_000_000;
    for rate in [0.001, 0.01, 0.25, 0.5, 0.9] {
        let sampler = probabilistic(rate);
        // SplitMix64 from a fixed seed.
        let mut state = 0x9e37_79b9_u64;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let count = (0..IDS)
            .filter_map(|_| TraceId::new(0, next()))
            .filter(|id| kept(&sampler, &root(*id)).is_some())
            .count();
        let expected = f64::from(IDS) * rate;
        let deviation = (f64::from(IDS) * rate * (1.0 - rate)).sqrt();
        assert!(
            (count as f64 - expected).abs() <= 4.0 * deviation,
            "{rate}: {count}"
        );
    }
}

#[test]
fn a_rate_of_zero_keeps_nothing_and_a_rate_of_one_everything() {
    for low in [1, u64::MAX >> 1, 1 << 63, u64::MAX] {
        let span = root(TraceId::new(7, low).unwrap());
        assert!(kept(&probabilistic(0.0), &span).is_none(), "{low:x}");
        assert!(kept(&probabilistic(1.0), &span).is_some(), "{low:x}");
    }
    let span = root(TraceId::new(7, 0).unwrap());
    assert!(kept(&probabilistic(0.0), &span).is_none());
    let clock = ManualClock::default();
    let never = limiting(0.0).clock(clock.clone());
    for _ in 0..100 {
        assert!(kept(&never, &span).is_none());
        clock.advance(Duration::from_secs(1_000));
    }
}

#[test]
fn samplers_tag_what_they_keep_with_their_type_and_parameter() {
    let span = any_root();
    let tags = kept(&ConstSampler::new(true), &span).unwrap();
    assert_eq!(
        (tags.kind(), tags.param()),
        ("const", &TagValue::Bool(true))
    );
    let tags = kept(&probabilistic(1.0), &span).unwrap();
    assert_eq!(
        (tags.kind(), tags.param()),
        ("probabilistic", &TagValue::Double(1.0))
    );
    let tags = kept(&limiting(2.5), &span).unwrap();
    assert_eq!(
        (tags.kind(), tags.param()),
        ("ratelimiting", &TagValue::Double(2.5))
    );
    assert!(kept(&ConstSampler::new(false), &span).is_none());
}

#[test]
fn a_sampler_describes_itself_in_the_words_of_the_configuration() {
    struct Mine;
    impl Sampler for Mine {
        fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
            SamplingDecision::Drop
        }
    }
    let one = TracesPerSecond::from(1);
    let quarter = SamplingRate::new(0.25).unwrap();
    let strategies = OperationStrategies::new(SamplingRate::DEFAULT, one);
    let rows: [(Box<dyn Sampler>, &str); 7] = [
        (
            Box::new(GuaranteedThroughputSampler::new(quarter, one)),
            "probabilistic 0.25, lowerbound 1/s",
        ),
        (
            Box::new(PerOperationSampler::new(
                strategies.operation("pay", quarter),
            )),
            "per operation, 1 listed, else probabilistic 0.001, lowerbound 1/s",
        ),
        (Box::new(ConstSampler::new(true)), "const 1"),
        (Box::new(ConstSampler::new(false)), "const 0"),
        (Box::new(probabilistic(0.25)), "probabilistic 0.25"),
        (Box::new(limiting(2.5)), "ratelimiting 2.5"),
        (Box::new(Mine), "Mine"),
    ];
    for (sampler, description) in rows {
        assert_eq!(sampler.description(), description);
        let boxed: Box<dyn Sampler> = Box::new(sampler);
        assert_eq!(boxed.description(), description);
    }
}

#[test]
fn a_span_that_is_no_local_root_is_left_undecided_and_costs_nothing() {
    let child = SpanView::new(TraceId::new(0, 1).unwrap(), "pay", false);
    let rate_limiting = limiting(1.0).clock(ManualClock::default());
    let one = TracesPerSecond::from(1);
    let guaranteed = GuaranteedThroughputSampler::new(SamplingRate::ZERO, one);
    let by_operation = PerOperationSampler::new(OperationStrategies::new(SamplingRate::ZERO, one));
    let samplers: [&dyn Sampler; 6] = [
        &guaranteed,
        &by_operation,
        &ConstSampler::new(true),
        &ConstSampler::new(false),
        &probabilistic(1.0),
        &rate_limiting,
    ];
    for sampler in samplers {
        for _ in 0..3 {
            assert!(matches!(
                sampler.on_create_span(&child),
                SamplingDecision::Delay
            ));
            assert!(matches!(
                sampler.on_set_operation_name(&child),
                SamplingDecision::Delay
            ));
            assert!(matches!(
                sampler.on_finish_span(&child),
                SamplingDecision::Delay
            ));
        }
    }
    assert!(kept(&rate_limiting, &any_root()).is_some());
    assert!(kept(&guaranteed, &any_root()).is_some());
    assert!(kept(&by_operation, &any_root()).is_some());
}

#[test]
fn a_rename_spends_no_credit() {
    let sampler = limiting(2.0).clock(ManualClock::default());
    assert!(kept(&sampler, &any_root()).is_some());
    assert!(matches!(
        sampler.on_set_operation_name(&any_root()),
        SamplingDecision::Delay
    ));
    assert!(kept(&sampler, &any_root()).is_some());
    assert!(kept(&sampler, &any_root()).is_none());
}

#[test]
fn a_negative_or_infinite_rate_is_refused() {
    for rate in [
        -1.0,
        -f64::MIN_POSITIVE,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ] {
        assert!(TracesPerSecond::new(rate).is_err(), "{rate}");
    }
    assert_eq!(
        TracesPerSecond::new(f64::NAN).unwrap_err().to_string(),
        "expected a number of traces a second, 0 or more, found NaN"
    );
}
