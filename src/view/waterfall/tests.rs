use std::time::Duration;

use proptest::prelude::*;

use super::style::ROWS;
use super::*;
use crate::view::fixtures::{SpanFixture, open, span, trace};

fn shop() -> Vec<SpanFixture> {
    vec![
        span("shop", "checkout", 1, 0, 182_400),
        span("shop", "GET /cart", 2, 1_000, 32_000).child_of(1),
        span("cart", "GET /cart", 3, 3_000, 30_200).child_of(2),
        span("shop", "charge", 4, 35_000, 175_900)
            .child_of(1)
            .tag("error", true),
        span("pay", "Charge/Do", 5, 40_000, 160_100)
            .child_of(4)
            .tag("error", true)
            .log("message", "declined"),
    ]
}

fn plain(spans: impl IntoIterator<Item = SpanFixture>) -> String {
    draw(&trace(spans), &Style::plain(100))
}

fn lines(lines: &[&str]) -> String {
    lines.join("\n") + "\n"
}

#[test]
fn a_small_trace_is_drawn_in_ascii() {
    assert_eq!(
        plain(shop()),
        lines(&[
            r"checkout  trace 7f3c..a91e   182.4ms   3 services  depth 3  5 spans  2 errors",
            r"shop  checkout       |---------==---------------------------------------------==| 182.4ms",
            r"shop   \ GET /cart   |--------=| 31.0ms",
            r"cart    \ GET /cart  |========| 27.2ms",
            r"shop   \ charge                 |==--------------------------------------=====| ! 140.9ms",
            r"pay     \ Charge/Do               |======================================| ! 120.1ms declined",
        ])
    );
}

#[test]
fn a_terminal_gets_lines_colours_and_a_bold_critical_path() {
    let spans = || {
        [
            span("shop", "GET /cart", 1, 0, 1_000),
            span("cart", "read", 2, 0, 500)
                .child_of(1)
                .tag("error", true),
        ]
    };
    let terminal = |color| draw(&trace(spans()), &Style::terminal(40, color));
    assert_eq!(
        terminal(true),
        lines(&[
            "\x1b[1mGET /cart  trace 7f3c…a91e   1.0ms   2 …\x1b[0m",
            "\x1b[36mshop\x1b[0m  \x1b[1mGET /cart\x1b[0m  \
             \x1b[36m├──────\x1b[0m\x1b[1;36m━━━━━━━┥\x1b[0m 1.0ms",
            "\x1b[33mcart\x1b[0m  \x1b[1m └ read\x1b[0m    \
             \x1b[1;33m┝━━━━━━┥\x1b[0m \x1b[31m! 500µs\x1b[0m",
        ])
    );
    let picture = terminal(false);
    assert!(picture.contains("\x1b[1m") && !picture.contains(";36m") && !picture.contains("[3"));
}

#[test]
fn the_critical_path_has_a_character_of_its_own_on_every_surface() {
    let trace = trace([
        span("shop", "checkout", 1, 0, 1_000),
        span("cart", "read", 2, 200, 500).child_of(1),
        span("cart", "look", 3, 600, 601).child_of(1),
        span("mail", "send", 4, 300, 900).follows(1),
    ]);
    let page = Style {
        bold: false,
        ..Style::terminal(60, false)
    };
    let rows = |style: &Style| {
        let picture = draw(&trace, style);
        let (_, rows) = picture.split_once('\n').expect("a first line");
        rows.to_owned()
    };
    assert_eq!(
        rows(&page),
        lines(&[
            "shop  checkout  ┝━━━━━━━───────────━━━━━━━━━━━━━━━━━━┥ 1.0ms",
            "cart   └ read          ┝━━━━━━━━━━┥ 300µs",
            "mail   → send              ├──────────────────────┤ 600µs",
            "cart   └ look                         ━ 1µs",
        ])
    );
    assert_eq!(
        rows(&Style::plain(60)),
        lines(&[
            r"shop  checkout  |=======-----------==================| 1.0ms",
            r"cart   \ read          |==========| 300us",
            r"mail   > send              |----------------------| 600us",
            r"cart   \ look                         = 1us",
        ])
    );
}

#[test]
fn spans_that_follow_are_open_or_lack_their_parent_are_marked() {
    let mut trace = trace([
        span("shop", "reserve", 2, 1_000, 3_000).child_of(1),
        span("mail", "send", 3, 4_000, 9_000).follows(2),
        span("mail", "render", 4, 5_000, 6_000).child_of(99),
    ]);
    trace.open.push(open("shop", "checkout", 1, 0));
    assert_eq!(
        draw(&trace, &Style::plain(70)),
        lines(&[
            r"checkout  trace 7f3c..a91e   9.0ms   2 services  depth 3  4 spans  1..",
            r"shop  checkout    |=====---------==============================~ open",
            r"shop   \ reserve       |=========| 2.0ms",
            r"mail    > send                        |------------------------| 5.0ms",
            r"mail  ? render                             |----| 1.0ms",
        ])
    );
}

#[test]
fn the_first_line_tells_of_open_spans_and_missing_parents() {
    let mut trace = trace([span("mail", "render", 4, 5_000, 6_000).child_of(99)]);
    trace.open.push(open("shop", "checkout", 1, 0));
    let picture = draw(&trace, &Style::plain(100));
    let head = picture.lines().next().expect("a first line");
    assert_eq!(
        head,
        "checkout  trace 7f3c..a91e   6.0ms   2 services  depth 1  2 spans  1 open  incomplete"
    );
}

#[test]
fn a_circle_of_parents_is_cut_open_at_its_earliest_span() {
    let picture = plain([
        span("a", "one", 1, 0, 10_000).child_of(3),
        span("a", "two", 2, 1_000, 9_000).child_of(1),
        span("a", "three", 3, 2_000, 8_000).child_of(2),
        span("a", "self", 4, 3_000, 4_000).child_of(4),
    ]);
    let names: Vec<_> = picture
        .lines()
        .map(|line| line.split('|').next().expect("one"))
        .collect();
    assert_eq!(
        names,
        [
            "one  trace 7f3c..a91e   10.0ms   1 service  depth 3  4 spans  incomplete",
            "a  ? self                            ",
            "a  ? one      ",
            r"a   \ two            ",
            r"a    \ three                 ",
        ]
    );
}

#[test]
fn a_large_trace_is_drawn_with_its_errors_and_critical_path() {
    let children = (2..=1_000).map(|id| {
        let child = span("shop", &format!("call {id}"), id, id as i64, id as i64 + 1);
        let child = child.child_of(1);
        match id {
            900 => child.tag("error", "true"),
            _ => child,
        }
    });
    let root = span("shop", "checkout", 1, 0, 2_000);
    let picture = plain([root].into_iter().chain(children));
    let lines: Vec<_> = picture.lines().collect();
    assert_eq!(lines.len(), ROWS + 2);
    assert_eq!(
        lines[0],
        "checkout  trace 7f3c..a91e   2.0ms   1 service  depth 2  1000 spans  1 error"
    );
    assert_eq!(
        lines[1..3],
        [
            "shop  checkout     |------------------------------------\
             =====================================| 2.0ms",
            r"shop   \ call 2    = 1us",
        ]
    );
    let is_error = |line: &&str| line.contains("call 900") && line.ends_with("= ! 1us");
    assert_eq!(lines.iter().filter(|line| is_error(line)).count(), 1);
    assert_eq!(lines[ROWS + 1], "(940 more spans)");
}

#[test]
fn a_chain_of_fifty_thousand_spans_is_drawn() {
    let chain = (1..=50_000).map(|id| {
        let span = span("shop", "call", id, 0, 1_000);
        if id == 1 { span } else { span.child_of(id - 1) }
    });
    let picture = plain(chain);
    assert!(
        picture.starts_with("call  trace 7f3c..a91e   1.0ms   1 service  depth 50000  50000 spans")
    );
    assert!(picture.lines().all(|line| line.len() <= 100), "{picture}");
}

#[test]
fn many_spans_with_one_id_are_drawn() {
    let spans = (0..100_000).map(|at| span("shop", "call", 1, at, at + 1).child_of(1));
    let picture = plain(spans);
    assert!(picture.ends_with("(99940 more spans)\n"), "{picture}");
}

#[test]
fn a_server_that_shares_the_id_of_its_client_is_drawn_below_it() {
    let picture = plain([
        span("pay", "Charge", 2, 2, 8)
            .child_of(1)
            .tag("span.kind", "server"),
        span("shop", "checkout", 1, 0, 10).tag("span.kind", "client"),
        span("pay", "Charge", 1, 1, 9).tag("span.kind", "server"),
    ]);
    let rows: Vec<_> = picture
        .lines()
        .skip(1)
        .map(|line| line.split('|').next().expect("one").trim_end())
        .collect();
    assert_eq!(
        rows,
        ["shop  checkout", r"pay    \ Charge", r"pay     \ Charge"]
    );
}

#[test]
fn durations_have_three_or_four_digits() {
    for (micros, text) in [
        (0, "0us"),
        (950, "950us"),
        (999_999, "999.9ms"),
        (31_049, "31.0ms"),
        (1_000_000, "1.00s"),
        (59_999_999, "59.99s"),
        (123_000_000, "2m03s"),
        (7_260_000_000, "2h01m"),
    ] {
        assert_eq!(duration_text(Duration::from_micros(micros), false), text);
    }
}

fn any_span() -> impl Strategy<Value = SpanFixture> {
    (
        prop_oneof!["[a-e]", any::<String>()],
        1u64..30,
        prop_oneof![0..10_000i64, any::<i64>().prop_map(|time| time / 4)],
        0..10_000i64,
        proptest::option::of(1u64..30),
        any::<bool>(),
        any::<String>(),
    )
        .prop_map(|(name, id, from, length, parent, follows, message)| {
            let service = ["shop", "cart", "\x1b]0;pay\x07", "日本"][id as usize % 4];
            let mut span = span(service, &name, id, from, from + length);
            span = match parent {
                Some(parent) if follows => span.follows(parent),
                Some(parent) => span.child_of(parent),
                None => span,
            };
            span.tag("error", follows).log("message", message)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_of_a_span_can_control_a_terminal(
        spans in proptest::collection::vec(any_span(), 0..40),
        width in 0usize..200,
    ) {
        let count = spans.len();
        let trace = trace(spans);
        let plain = draw(&trace, &Style::plain(width));
        prop_assert!(plain.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
        prop_assert_eq!(plain.lines().count(), count + 1);
        for line in plain.lines() {
            prop_assert!(columns(line) <= width.max(40), "{line}");
        }

        let colored = draw(&trace, &Style::terminal(width, true));
        let mut rest = colored.as_str();
        while let Some(at) = rest.find('\x1b') {
            let code = rest[at..].split_inclusive('m').next().expect("one");
            let inner = code.strip_prefix("\x1b[").and_then(|code| code.strip_suffix('m'));
            let inner = inner.expect("a colour and nothing else");
            prop_assert!(inner.split(';').all(|part| part.parse::<u8>().is_ok()), "{code:?}");
            rest = &rest[at + code.len()..];
        }
        let shown = colored.replace('\x1b', "");
        prop_assert!(!shown.chars().any(|c| c != '\n' && c.is_control()));
    }
}

#[test]
fn a_picture_of_any_width_has_room() {
    let trace = trace([span("shop", "checkout", 1, 0, 1_000)]);
    for width in [0, usize::MAX / 7, usize::MAX] {
        let picture = draw(&trace, &Style::plain(width));
        assert!(picture.len() < 50_000, "{width}");
    }
}

#[test]
fn details_are_wrapped_and_a_span_with_many_logs_shows_some() {
    let mut sample = span("shop", "checkout", 1, 0, 1_000)
        .tag("card", "visa gold")
        .tag("url", "x".repeat(300))
        .tag("evil", "\x1b[31m")
        .log("n", 1i64);
    for _ in 0..24 {
        sample = sample.log("n", 2i64);
    }
    let style = Style {
        details: true,
        ..Style::plain(60)
    };
    let picture = draw(&trace([sample]), &style);
    let rows: Vec<&str> = picture.lines().skip(2).collect();
    assert_eq!(rows[0], "        card=\"visa gold\"");
    assert!(rows[1].starts_with("        url=xxx") && rows[1].ends_with(".."));
    assert_eq!(rows[2], "        evil=?[31m");
    assert_eq!(rows[3], "        +0us event=error n=1");
    assert_eq!(rows.last(), Some(&"        (5 more logs)"));
    assert_eq!(rows.len(), 3 + 20 + 1);
    assert!(picture.lines().all(|line| line.len() <= 60), "{picture}");
}
