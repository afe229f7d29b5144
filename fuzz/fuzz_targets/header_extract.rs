//! The headers of a request through a whole tracer that speaks several formats: every carrier tells the same, within
//! the limits; the formats together find what each finds alone; what is injected is extracted again; and a server
//! believes no more of it than it is told to.
//!
//! An input is a byte of options and then a header a line, `name:value`.

#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use allocation_counter::measure;
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use tracehound::model::Flags;
use tracehound::prelude::*;
use tracehound::propagation::{Codec, HttpHeaders, Propagation, Trust};
use tracehound::{JaegerTracer, SpanContext};
use tracehound_fuzz::baggage::assert_within_limits;
use tracehound_fuzz::carrier::Plain;
use tracehound_fuzz::facts::{Facts, Format, Found, merged};
use tracehound_fuzz::headers::{
    Headers, as_text, from_lines, header_map, plain, texts, written_by,
};
use tracehound_fuzz::{assert_short, speaking};

static SPEAKERS: LazyLock<[Speaker; 8]> = LazyLock::new(|| {
    use Propagation::{B3, B3Single, Baggage, Jaeger, TraceContext, W3c};
    [
        Speaker::new(&Propagation::DEFAULT),
        Speaker::new(&[Jaeger, B3, B3Single, W3c, TraceContext, Baggage]),
        Speaker::new(&[Baggage, TraceContext, W3c, B3Single, B3, Jaeger]),
        Speaker::new(&[W3c, Jaeger]),
        Speaker::new(&[B3Single, W3c, Jaeger]),
        Speaker::new(&[Baggage, TraceContext, B3]),
        Speaker::new(&[B3, Baggage, B3Single]),
        Speaker::new(&[Jaeger]),
    ]
});

/// A tracer and the formats that it speaks, in their order.
struct Speaker {
    formats: Vec<Propagation>,
    tracer: JaegerTracer,
}

fuzz_target!(|input: &[u8]| {
    let Some((&options, text)) = input.split_first() else {
        return;
    };
    let headers = from_lines(text);
    let speaker = &SPEAKERS[usize::from(options & 7)];
    if options & 8 == 0 {
        speaker.check_http(&headers, options >> 4);
        speaker.check_text(&headers);
    } else {
        let long = |(name, value): &(String, Vec<u8>)| (name.clone(), value.repeat(64));
        speaker.check_http(&headers.iter().map(long).collect(), options >> 4);
    }
});

/// The most memory that an extract takes at a time, however long the headers are.
const MOST_BYTES: u64 = 128 * 1_024;

/// A number of headers at which no limit of any format is reached.
const FEW: usize = 50;

impl Speaker {
    fn new(formats: &[Propagation]) -> Self {
        Self {
            formats: formats.to_vec(),
            tracer: speaking(formats.iter().copied()),
        }
    }

    fn check_http(&self, headers: &Headers, trust: u8) {
        let map = header_map(headers);
        let plain = plain(&map);
        let mut answer = Ok(None);
        let used = measure(|| answer = self.tracer.extract(&map));
        assert!(used.bytes_max <= MOST_BYTES, "{used:?} {map:?}");
        answer.as_ref().err().into_iter().for_each(assert_short);
        let found = Facts::found(answer.clone());
        assert_eq!(found, Facts::found(self.tracer.extract(&plain)), "{map:?}");
        if headers.len() <= FEW {
            self.check_members(&found, &plain, Propagation::http_headers_codec);
        }
        let Ok(Some(context)) = answer else { return };
        check_limits(&context);
        let expected = self.arriving(&Facts::of(&context), false);
        let mut carriers = vec![HeaderMap::new()];
        carriers.extend((headers.len() <= FEW).then_some(map));
        for mut carrier in carriers {
            self.tracer.inject(&context, &mut carrier);
            let arrived = Facts::found(self.tracer.extract(&carrier));
            assert_eq!(arrived, expected, "{carrier:?}");
        }
        let written = HttpHeaders(written_by(&self.tracer, &context));
        assert_eq!(
            Facts::found(self.tracer.extract(&written)),
            expected,
            "{written:?}"
        );
        self.check_trust(&context, trust);
    }

    fn check_text(&self, headers: &Headers) {
        let list = texts(headers);
        let map: BTreeMap<_, _> = list.iter().cloned().collect();
        let from_map = Facts::found(self.tracer.extract(&map));
        let sorted: Vec<_> = map.clone().into_iter().collect();
        assert_eq!(
            from_map,
            Facts::found(self.tracer.extract(&sorted)),
            "{map:?}"
        );
        let plain = Plain {
            headers: as_text(headers),
            is_http: false,
        };
        let answer = self.tracer.extract(&list);
        let found = Facts::found(answer.clone());
        assert_eq!(found, Facts::found(self.tracer.extract(&plain)), "{list:?}");
        if headers.len() > FEW {
            return;
        }
        self.check_members(&found, &plain, Propagation::text_map_codec);
        let Ok(Some(context)) = answer else { return };
        check_limits(&context);
        let expected = self.arriving(&Facts::of(&context), true);
        for mut carrier in [Vec::new(), list] {
            self.tracer.inject(&context, &mut carrier);
            let arrived = Facts::found(self.tracer.extract(&carrier));
            assert_eq!(arrived, expected, "{carrier:?}");
        }
    }

    /// The formats together find what each finds alone.
    fn check_members(
        &self,
        found: &Found,
        carrier: &Plain,
        codec: fn(Propagation) -> Box<dyn Codec>,
    ) {
        let codecs = self.formats.iter().map(|format| codec(*format));
        let members: Vec<_> = codecs
            .map(|codec| Facts::found(codec.extract(carrier)))
            .collect();
        assert_eq!(*found, merged(&members), "{carrier:?}");
    }

    /// What arrives of a context that this tracer injects and another like it extracts.
    fn arriving(&self, facts: &Facts, is_text: bool) -> Found {
        let speaks_single = self.formats.contains(&Propagation::B3Single);
        let members: Vec<_> = self
            .formats
            .iter()
            .map(|format| match format {
                Propagation::Jaeger if is_text => Format::JaegerText,
                // Both forms are read where one is, and the one header wins.
                Propagation::B3 if speaks_single => Format::Http(Propagation::B3Single),
                other => Format::Http(*other),
            })
            .map(|format| Ok(Some(facts.kept_by(format)).filter(|facts| !facts.is_empty())))
            .collect();
        merged(&members)
    }

    /// A server goes on with the parts of the caller's context that it believes, and passes on those.
    fn check_trust(&self, caller: &SpanContext, bits: u8) {
        let [ids, sampling, debug, baggage] = [0, 1, 2, 3].map(|bit| bits >> bit & 1 != 0);
        let trust = if ids { Trust::full() } else { Trust::restart() };
        let trust = trust.sampling(sampling).debug(debug).baggage(baggage);
        let span = self
            .tracer
            .build_span("server")
            .caller(caller, trust)
            .start();
        let child = span.context();
        let believed = trust.apply(caller.clone());
        for context in [&believed, &child] {
            let none = context.baggage().is_empty();
            assert!(if baggage {
                context.baggage() == caller.baggage()
            } else {
                none
            });
            assert!(
                debug || (!context.is_debug() && context.debug_id().is_none()),
                "{context:?}"
            );
            assert!(sampling || context.trace_state().is_none(), "{context:?}");
        }
        assert_eq!(believed.has_trace(), ids && caller.has_trace());
        if ids && caller.has_trace() {
            assert_eq!(child.trace_id(), caller.trace_id());
            assert_eq!(child.parent_id(), caller.span_id());
        } else {
            assert_ne!(child.trace_id(), caller.trace_id());
            assert_eq!(child.parent_id(), None);
        }
        let decision = match caller.has_trace() {
            true => caller.is_sampling_final().then(|| caller.flags()),
            false => caller.decision_without_trace(),
        };
        match decision.filter(|_| sampling) {
            _ if believed.debug_id().is_some() => assert!(child.is_sampled() && child.is_debug()),
            Some(flags) => assert_eq!(child.is_sampled(), flags.is_sampled()),
            None => assert!(child.is_sampled(), "the sampler of this tracer keeps all"),
        }
        if debug && believed.debug_id().is_none() {
            let is_debug = decision.is_some_and(Flags::is_debug);
            assert_eq!(child.is_debug(), is_debug, "{caller:?}");
        }
        // What is sent of `tracestate` depends on the decision.
        let without_list = |facts: Facts| Facts {
            trace_state: None,
            ..facts
        };
        let expected = self.arriving(&without_list(Facts::of(&child)), false);
        let written = HttpHeaders(written_by(&self.tracer, &child));
        let arrived = Facts::found(self.tracer.extract(&written));
        let arrived = arrived.map(|facts| facts.map(without_list));
        assert_eq!(arrived, expected, "{written:?}");
    }
}

/// The context is not empty, and its baggage and its debug id are not too large.
fn check_limits(context: &SpanContext) {
    assert_within_limits(context.baggage());
    let debug_id = context.debug_id().unwrap_or_default();
    assert!(debug_id.len() <= 4_096, "{debug_id}");
    assert!(!context.is_empty());
}
