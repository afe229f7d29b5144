//! The header `tracestate`.

use tracehound::metrics::Counter;

use super::{Counted, PARENT, sampled, trace_state};

#[test]
fn extract_reads_tracestate_with_a_traceparent() {
    let longest = format!("{}={}", "k".repeat(256), "v".repeat(256));
    let full: Vec<_> = (0..32).map(|n| format!("k{n}=v")).collect();
    let full = full.join(",");
    for (headers, expected) in [
        (&[][..], ""),
        (&[""], ""),
        (&["a=1"], "a=1"),
        (&["a=1,b=2"], "a=1,b=2"),
        (&["a=1", "b=2"], "a=1,b=2"),
        (&["a=1 , b=2", "\tc=3\t"], "a=1,b=2,c=3"),
        (&["a=1,,b=2,"], "a=1,b=2"),
        (&[" , ", ""], ""),
        (&["0a/b-c_d*e@f=x"], "0a/b-c_d*e@f=x"),
        (
            &["a= !\"#$%&'()*+-./:;<>?@[\\]^_`{|}~"],
            "a= !\"#$%&'()*+-./:;<>?@[\\]^_`{|}~",
        ),
        (&["a=1 "], "a=1"),
        (&["a=1,a=2"], "a=1"),
        (&["a=1,b=2", "a=3"], "a=1,b=2"),
        (&[&longest], &longest),
        (&[&full], &full),
    ] {
        let mut pairs = vec![("traceparent", PARENT)];
        pairs.extend(headers.iter().map(|value| ("tracestate", *value)));
        let counted = Counted::new();
        let read = counted.read(&pairs);
        assert_eq!(trace_state(&read), expected, "{headers:?}");
        assert_eq!(counted.count(Counter::DecodingErrors), 0, "{headers:?}");
        pairs.rotate_left(1);
        pairs.iter_mut().for_each(|pair| {
            if pair.0 == "tracestate" {
                pair.0 = "TraceState";
            }
        });
        assert_eq!(trace_state(&counted.read(&pairs)), expected, "{pairs:?}");

        pairs.retain(|(name, _)| *name != "traceparent");
        assert_eq!(counted.extract(&pairs), Ok(None), "{pairs:?}");
    }
}

#[test]
fn a_malformed_tracestate_is_counted_and_the_trace_goes_on() {
    let many = "a0=1,".repeat(33);
    let long = "x".repeat(257);
    for value in [
        "a",
        "=1",
        "a=",
        "a=1=2",
        "A=1",
        "a b=1",
        "a =1",
        "_a=1",
        "@a=1",
        "a.b=1",
        "a=1\t2",
        "a=é",
        "é=1",
        "a=\u{7f}",
        "a=1;b=2",
        &many,
        &format!("{long}=1"),
        &format!("a={long}"),
    ] {
        let counted = Counted::new();
        let headers = [
            ("traceparent", PARENT),
            ("tracestate", "ok=1"),
            ("tracestate", value),
        ];
        let read = counted.read(&headers);
        assert_eq!(read, sampled());
        assert_eq!(read.trace_state(), None, "{value:?}");
        assert_eq!(counted.count(Counter::DecodingErrors), 1, "{value:?}");
    }
}

#[test]
fn inject_writes_at_most_512_characters_of_tracestate() {
    let member = |key: &str, len: usize| format!("{key}={}", "v".repeat(len - 2));
    let (long, short) = (member("l", 129), member("s", 128));
    for (received, expected) in [
        (vec![&*short; 1], vec![&*short; 1]),
        (vec![&long, "a=1", "b=2"], vec![&long, "a=1", "b=2"]),
    ] {
        let received = received.join(",");
        let counted = Counted::new();
        let read = counted.read(&[("traceparent", PARENT), ("tracestate", &received)]);
        let written = counted.inject(&read);
        assert_eq!(written[1], ("tracestate".to_owned(), expected.join(",")));
    }
    let keys = ["a", "b", "c", "d"];
    let members: Vec<_> = keys.iter().map(|key| member(key, 127)).collect();
    let received = format!("{},{long},z=1", members.join(","));
    let counted = Counted::new();
    let read = counted.read(&[("traceparent", PARENT), ("tracestate", &received)]);
    assert_eq!(trace_state(&read), received);
    // Without the long member 515 characters are left.
    let written = counted.inject(&read);
    assert_eq!(written[1].1, members.join(","));
    assert_eq!(written[1].1.len(), 511);
}
