//! Files of traces in Jaeger's JSON: no panic, memory in proportion to their size, and what is written of a trace that
//! was read is read as that trace.

#![no_main]

use allocation_counter::measure;
use libfuzzer_sys::fuzz_target;
use tracehound::view::Trace;
use tracehound_fuzz::agent::check_page;

fuzz_target!(|input: &str| {
    let mut read = Trace::from_json("");
    let used = measure(|| read = Trace::from_json(input));
    let allowed = 1_024 * input.len() as u64 + 8_192;
    assert!(used.bytes_max <= allowed, "{used:?} for {}", input.len());
    let traces = match read {
        Ok(traces) => traces,
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 1_024 + 8 * input.len(), "{text}");
            return;
        }
    };
    for trace in traces {
        let json = trace.json();
        let again = Trace::from_json(&json).expect("our own JSON");
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].trace_id, trace.trace_id);
        assert_eq!(again[0].json(), json);
        let lines = trace.waterfall(80);
        assert!(!lines.contains('\x1b'), "{lines:?}");
        check_page(&trace.html());
        check_page(&trace.svg());
    }
});
