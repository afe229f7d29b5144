//! Which pictures are printed, and when.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tracehound::dev::DevServer;

use super::{GOLDEN, GOLDEN_TRACE, PATIENCE, quiet, send, unhex};

/// A writer that collects its text.
#[derive(Clone, Default)]
pub(super) struct Paper(Arc<(Mutex<String>, Condvar)>);

impl Paper {
    pub(super) fn text(&self) -> String {
        self.0.0.lock().unwrap().clone()
    }

    /// Waits until the text contains `piece`, and returns it.
    fn wait_for(&self, piece: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut text = self.0.0.lock().unwrap();
        while !text.contains(piece) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{piece:?} is not printed, but {text:?}");
            text = self.0.1.wait_timeout(text, left).unwrap().0;
        }
        text.clone()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .0
            .lock()
            .unwrap()
            .push_str(std::str::from_utf8(bytes).unwrap());
        self.0.1.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const PICTURE: &str = "\
GET /  trace 0102..ffff   1.5ms   1 service  depth 1  1 span  incomplete
svc  ? GET /  |====================================================| 1.5ms
";

#[test]
fn a_trace_is_printed_when_it_has_come_to_rest() {
    let paper = Paper::default();
    let server = DevServer::start(quiet().columns(74).waterfall_to(paper.clone())).unwrap();
    send(&server, server.agent_address(), &unhex(GOLDEN));
    let text = paper.wait_for("dropped 0)\n\n");
    let foot = format!(
        "view: http://{}/trace/{GOLDEN_TRACE}   json: ...?format=jaeger   (received 1, dropped 0)\n\n",
        server.query_address(),
    );
    assert_eq!(text, format!("{PICTURE}{foot}"));
    drop(server);
    assert_eq!(paper.text(), text, "printed again at the end");
}

#[test]
fn a_program_can_wait_until_a_trace_is_printed() {
    let paper = Paper::default();
    let server = DevServer::start(quiet().columns(74).waterfall_to(paper.clone())).unwrap();
    assert!(
        server.wait_until_printed(Duration::ZERO),
        "nothing has come"
    );
    send(&server, server.agent_address(), &unhex(GOLDEN));
    assert!(server.wait_until_printed(PATIENCE));
    assert!(paper.text().starts_with(PICTURE), "{}", paper.text());

    let silent = DevServer::start(quiet()).unwrap();
    send(&silent, silent.agent_address(), &unhex(GOLDEN));
    assert!(silent.wait_until_printed(Duration::ZERO), "it never prints");
}

#[test]
fn a_trace_that_is_not_at_rest_is_printed_at_the_end() {
    let paper = Paper::default();
    let server = DevServer::start(quiet().columns(74).waterfall_to(paper.clone())).unwrap();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .send_to(&unhex(GOLDEN), server.agent_address())
        .unwrap();
    // The datagram may still be in the socket: the drop waits until it is read.
    drop(server);
    let text = paper.text();
    assert_eq!(text, format!("{PICTURE}(received 1, dropped 0)\n\n"));
}

#[test]
fn printing_that_begins_later_includes_earlier_traces() {
    let server = DevServer::start(quiet().columns(74)).unwrap();
    send(&server, server.agent_address(), &unhex(GOLDEN));
    let paper = Paper::default();
    server.print_waterfalls_to(paper.clone());
    drop(server);
    assert!(paper.text().starts_with(PICTURE), "{}", paper.text());
}

#[test]
fn the_end_prints_ten_traces_and_counts_the_others() {
    let paper = Paper::default();
    let server = DevServer::start(quiet().waterfall_to(paper.clone())).unwrap();
    let started = Instant::now();
    let golden = unhex(GOLDEN);
    let at = golden
        .windows(4)
        .position(|bytes| bytes == [0x19, 0x1c, 0x16, 0x01])
        .unwrap()
        + 3;
    for trace in 1..=100 {
        let mut datagram = golden.clone();
        datagram[at] = trace;
        send(&server, server.agent_address(), &datagram);
    }
    drop(server);
    let text = paper.text();
    let printed = text.matches("GET /  trace ").count() as u64;
    let skipped: u64 = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix('(')?
                .split_once(" more trace")?
                .0
                .parse::<u64>()
                .ok()
        })
        .sum();
    assert_eq!(printed + skipped, 100, "{text}");
    // Ten at the end. On a slow machine some may have come to rest before, and two a second were printed.
    let at_most = 10 + 2 * (started.elapsed().as_secs() + 1);
    assert!((10..=at_most).contains(&printed), "{text}");
}

#[test]
fn the_picture_shows_tags_and_logs_if_asked_to() {
    let paper = Paper::default();
    let options = quiet().columns(74).details(true);
    let server = DevServer::start(options.waterfall_to(paper.clone())).unwrap();
    send(&server, server.agent_address(), &unhex(GOLDEN));
    assert!(server.wait_until_printed(PATIENCE));
    let text = paper.text();
    assert!(
        text.contains("\n       s=v d=0.5 b=true f=false l=-3 y="),
        "{text}"
    );
    assert!(text.contains("\n       +1us event=e\n"), "{text}");
    let path = format!("/trace/{GOLDEN_TRACE}?details=on");
    let answer = super::get(server.query_address(), &path);
    assert!(
        answer.text().contains("\n       +1µs event=e\n"),
        "{}",
        answer.text()
    );
}
