use std::io::Write;
use std::process::Stdio;

use crate::support::{Ended, program, run};

#[test]
fn each_part_of_a_header_is_explained() {
    let rows: [(&[&str], &[&[&str]]); 11] = [
        (
            &["TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            &[&["version", "current"], &["decision", "sampled"]],
        ),
        (
            &["baggage: user=ada"],
            &[&["trace id", "none"], &["decision", "open"]],
        ),
        (
            &["uber-trace-id: 7f3c:1:0:3"],
            &[
                &["trace id", "7f3c", "64 bits"],
                &["parent id", "root"],
                &["flags", "3", "sampled", "debug"],
                &["decision", "debug"],
            ],
        ),
        (
            &["7f3c%3A1%3a2%3A0"],
            &[&["percent-encoded"], &["decision", "not sampled"]],
        ),
        (
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"],
            &[
                &["version", "current"],
                &["128 bits"],
                &["flags", "03", "random"],
                &["decision", "sampled"],
            ],
        ),
        (
            &[
                "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "tracestate: ot=th:c;rv:0123456789abcd,shop=7",
                "baggage: user=J%C3%BCrgen;ttl=1",
            ],
            &[
                &["ot th", "0.25"],
                &["ot rv", "random value"],
                &["user", "Jürgen", "ttl=1"],
                &["baggage user", "Jürgen"],
            ],
        ),
        (
            &["b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-d"],
            &[&["sampled", "d", "debug"], &["decision", "debug"]],
        ),
        (
            &[
                "x-b3-traceid: 80f198ee56343ba8",
                "X-B3-SpanId: e457b5a2e4d86bd1",
            ],
            &[&["span id", "e457b5a2e4d86bd1"], &["decision", "open"]],
        ),
        (
            &["uberctx-user: a%20b", "uber-trace-id: 1:2:0:1"],
            &[&["user", "a%20b", "a b"], &["baggage user", "a b"]],
        ),
        (
            &["baggage-user: a%20b", "b3: 1-2-1"],
            &[&["user", "a%20b", "a b"], &["baggage user", "a b"]],
        ),
        (
            &[
                "--binary",
                "AAAAAAAAAAAAAAAAAAAAAQAAAAAAAAACAAAAAAAAAAABAAAAAA==",
            ],
            &[
                &["37 bytes"],
                &["span id", "0000000000000002"],
                &["decision", "sampled"],
            ],
        ),
    ];
    for (headers, lines) in rows {
        let ended = run(&[&["decode"], headers].concat());
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        for words in lines {
            ended.assert_line(words);
        }
    }
}

#[test]
fn a_header_that_no_receiver_takes_fails_and_says_why() {
    let rows: [(&[&str], &[&str]); 4] = [
        (&["uber-trace-id: 7f3c:1"], &["2 parts", "four"]),
        (&["uber-trace-id: xyz:1:0:1"], &["'x'", "no hex digit"]),
        (
            &["traceparent: ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            &["forbidden"],
        ),
        (&["--binary", "0102"], &["cut short"]),
    ];
    for (headers, words) in rows {
        let ended = run(&[&["decode"], headers].concat());
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        ended.assert_line(words);
        ended.assert_line(&["starts a trace of its own"]);
        assert_eq!(ended.errors, "");
    }
}

#[test]
fn headers_are_found_in_a_dump_of_a_request() {
    let mut child = program(&["decode", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let dump = b"> GET / HTTP/1.1\r\n> Host: shop\r\n> uber-trace-id: 7f3c:1:0:1\r\n> Authorization: secret\r\n\xff\xfe\r\n";
    let mut input = child.stdin.take().expect("an input");
    input.write_all(dump).expect("the program reads");
    drop(input);
    let ended = Ended::new(&child.wait_with_output().expect("the program ends"));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.assert_line(&["trace id", "7f3c"]);
    assert!(!ended.output.contains("secret"), "{ended:#?}");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    for header in [
        "baggage: user=a\u{1b}[2Jb",
        "uberctx-a\u{1b}[2Jb: user",
        "x\u{1b}[2Jb: 1",
    ] {
        let ended = run(&["decode", header]);
        assert!(!ended.output.contains('\u{1b}'), "{ended:#?}");
        assert!(!ended.errors.contains('\u{1b}'), "{ended:#?}");
    }
}
