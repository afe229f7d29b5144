//! The most memory that an extract takes for what a stranger sends.

use tracehound::model::Baggage;
use tracehound::propagation::BinaryCodec;

/// A stranger chooses every length in the carrier. The list of items and their text are bounded all the same.
#[test]
fn a_binary_carrier_takes_no_more_memory_than_the_limits_allow() {
    let number = |n: u32| n.to_be_bytes().to_vec();
    let carrier = |count: u32, items: &[u8]| [&[1; 33][..], &number(count), items].concat();
    let item = |key: &str, value: &[u8]| {
        let (key_bytes, value_bytes) = (number(key.len() as u32), number(value.len() as u32));
        [&key_bytes, key.as_bytes(), &value_bytes, value].concat()
    };
    let mega = vec![b'v'; 1 << 20];
    let small: Vec<u8> = (0..180).flat_map(|n| item(&n.to_string(), b"v")).collect();
    let large: Vec<u8> = (0..180)
        .flat_map(|n| item(&n.to_string(), &mega[..9_000]))
        .collect();
    let fitting: Vec<u8> = (0..180)
        .flat_map(|n| item(&format!("{n:03}"), &mega[..125]))
        .collect();
    // A text that doubles, and a list of three lengths an item.
    let bound = 2 * Baggage::MAX_BYTES as u64;
    let codec = BinaryCodec::default();
    for (name, bytes, is_malformed) in [
        ("a huge count", carrier(u32::MAX, &[]), true),
        ("181 items", carrier(181, &small), true),
        (
            "a huge key",
            carrier(1, &[number(u32::MAX), mega.clone()].concat()),
            true,
        ),
        ("a huge value", carrier(1, &item("k", &mega)), false),
        ("180 small items", carrier(180, &small), false),
        ("180 large items", carrier(180, &large), false),
        ("180 items of 128 bytes", carrier(180, &fitting), false),
    ] {
        let mut outcome = None;
        let memory = allocation_counter::measure(|| outcome = Some(codec.extract(&bytes)));
        assert_eq!(outcome.expect("set").is_err(), is_malformed, "{name}");
        let most = if is_malformed { 0 } else { bound };
        println!(
            "{name}: {} bytes at most, {} in all",
            memory.bytes_max, memory.bytes_total
        );
        assert!(memory.bytes_max <= most, "{name}: {memory:?}");
        assert!(memory.bytes_total <= 2 * most, "{name}: {memory:?}");
    }
}

/// A stranger chooses how many headers there are, and all that is in them.
#[test]
fn headers_of_w3c_take_no_more_memory_than_the_limits_allow() {
    use tracehound::propagation::{Extractor, W3cCodec};

    let parent = "00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01";
    let mega = 1 << 20;
    let member = |n: usize| format!("k{n:03}{}={}", "k".repeat(252), "v".repeat(256));
    let state = (0..32).map(member).collect::<Vec<_>>().join(", ");
    let list = |value: &str| {
        let members: Vec<_> = (0..180).map(|n| format!("k{n}={value}")).collect();
        members.join(",")
    };
    let many = |name: &'static str, value: &str| vec![(name, value.to_owned()); 1_000];
    // The places of 128 headers, 2,048 bytes of `tracestate`, and baggage with its lengths.
    let bound = 2 * Baggage::MAX_BYTES as u64;
    let codec = W3cCodec::new();
    for (name, headers) in [
        (
            "the largest tracestate",
            vec![("tracestate", state.clone())],
        ),
        ("tracestates", many("tracestate", &state)),
        (
            "a long member",
            vec![("tracestate", format!("k={}", "v".repeat(mega)))],
        ),
        (
            "commas",
            vec![
                ("tracestate", ",".repeat(mega)),
                ("baggage", ",".repeat(mega)),
            ],
        ),
        ("180 small items", vec![("baggage", list("v"))]),
        (
            "180 large items",
            vec![("baggage", list(&"v".repeat(9_000)))],
        ),
        (
            "180 items of 128 bytes",
            vec![("baggage", list(&"v".repeat(124)))],
        ),
        ("escapes", vec![("baggage", list(&"%20".repeat(42)))]),
        ("percent signs", vec![("baggage", list(&"%".repeat(9_000)))]),
        (
            "invalid UTF-8",
            vec![("baggage", list(&"%FF".repeat(2_700)))],
        ),
        (
            "a long key",
            vec![("baggage", format!("{}=v", "k".repeat(mega)))],
        ),
        (
            "long properties",
            vec![("baggage", format!("k=v;{}", "p".repeat(mega)))],
        ),
        ("headers", many("baggage", &list("v"))),
        (
            "both",
            vec![
                ("tracestate", state.clone()),
                ("baggage", list(&"v".repeat(124))),
            ],
        ),
    ] {
        let headers = [vec![("traceparent", parent.to_owned())], headers].concat();
        let mut outcome = None;
        let memory = allocation_counter::measure(|| outcome = Some(codec.extract(&headers)));
        let context = outcome
            .expect("set")
            .expect("well-formed")
            .expect("a trace");
        println!(
            "{name}: {} bytes at most, {} in all",
            memory.bytes_max, memory.bytes_total
        );
        assert!(memory.bytes_max <= bound, "{name}: {memory:?}");
        assert!(memory.bytes_total <= 2 * bound, "{name}: {memory:?}");
        assert!(context.baggage().len() <= Baggage::MAX_ITEMS);
    }
}

/// A stranger chooses the headers. What a codec allocates for them is bounded all the same.
#[test]
fn headers_take_no_more_memory_than_the_limits_allow() {
    use tracehound::propagation::{Codec, CompositeCodec, Extractor, MessageHeaders, Propagation};

    type Headers = Vec<(String, Vec<u8>)>;

    const FORMATS: [Propagation; 4] = [
        Propagation::Jaeger,
        Propagation::W3c,
        Propagation::B3,
        Propagation::B3Single,
    ];

    /// Returns many headers with one name, or with names that begin alike.
    fn many(count: usize, name: &str, value: &str) -> Headers {
        let name = |n: usize| match name.strip_suffix('*') {
            Some(prefix) => format!("{prefix}{n:03}"),
            None => name.to_owned(),
        };
        let header = |n| (name(n), value.replace('#', &format!("{n:03}")).into_bytes());
        (0..count).map(header).collect()
    }

    let all: CompositeCodec = FORMATS.iter().fold(CompositeCodec::new(), |codec, format| {
        codec.member(format.http_headers_codec())
    });
    let names: Vec<String> = {
        let headers = all.headers();
        let prefixed = headers.prefixes().map(|prefix| format!("{prefix}k"));
        headers.names().map(str::to_owned).chain(prefixed).collect()
    };
    let trace: Headers = [
        ("uber-trace-id", "1:2:0:1"),
        (
            "traceparent",
            "00-00000000000000000000000000000001-0000000000000002-01",
        ),
        ("b3", "1-2-1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.into()))
    .to_vec();
    let (v125, v8000) = ("v".repeat(124), "v".repeat(8_000));
    let state = format!("k#={}", "v".repeat(256));
    let mut inputs = vec![
        ("full uberctx-", many(64, "uberctx-*", &v125)),
        ("full baggage-", many(64, "baggage-*", &v125)),
        ("full baggage", many(64, "baggage", &format!("k#={v125}"))),
        (
            "one large baggage",
            many(1, "baggage", &format!("k={v8000}")),
        ),
        ("one large uberctx-", many(1, "uberctx-*", &v8000)),
        (
            "full jaeger-baggage",
            many(1, "jaeger-baggage", &format!("k={v8000}")),
        ),
        ("full tracestate", many(32, "tracestate", &state)),
        ("many uberctx-", many(10_000, "uberctx-*", "v")),
        ("many baggage", many(10_000, "baggage", "k#=v")),
        ("many tracestate", many(10_000, "tracestate", "k#=v")),
        ("many b3", many(10_000, "b3", "1-2-1")),
        (
            "many uber-trace-id",
            many(10_000, "uber-trace-id", "1:2:0:1"),
        ),
    ];
    let together = [0, 1, 2, 6].map(|n| inputs[n].1.clone()).concat();
    let most = [together.clone(), many(40, "b3", "1-2-1")].concat();
    inputs.push(("full in all formats", together));
    inputs.push(("as many headers as are kept", most));
    for text in ["a", "%", "%41", ",", "k=v,", "\u{e9}", "k=%ff", ";"] {
        let huge = text.repeat(65_536 / text.len());
        for name in &names {
            inputs.push(("huge", vec![(name.clone(), huge.clone().into_bytes())]));
        }
    }

    let mut codecs: Vec<(String, Box<dyn Codec>)> = FORMATS
        .iter()
        .map(|format| (format.to_string(), format.http_headers_codec()))
        .collect();
    codecs.push(("text map".to_owned(), Propagation::Jaeger.text_map_codec()));
    codecs.push(("all".to_owned(), Box::new(all)));
    for (format, codec) in &codecs {
        // A codec of several formats holds the baggage of two of them at a time, and the places of all headers.
        let bound = match format.as_str() {
            "all" => 4 * Baggage::MAX_BYTES,
            _ => 2 * Baggage::MAX_BYTES,
        } as u64;
        for (kind, headers) in &inputs {
            for has_trace in [false, true] {
                let trace = if has_trace { &trace[..] } else { &[] };
                let headers = [trace, &headers[..]].concat();
                let mut read = None;
                let memory = allocation_counter::measure(|| {
                    read = Some(codec.extract(&MessageHeaders(&headers[..])));
                });
                let (most, kept) = (memory.bytes_max, memory.bytes_current);
                println!("{format}, {kind}: {most} at most, {kept} kept");
                assert!(most <= bound, "{format}, {kind}: {memory:?}");
                let largest_context = 3 * Baggage::MAX_BYTES as i64 / 2;
                assert!(kept <= largest_context, "{format}, {kind}: {memory:?}");
                drop(read);
            }
        }
    }
}
