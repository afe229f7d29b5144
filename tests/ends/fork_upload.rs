//! Uploads in a forked child.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::metrics::DropCause;
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::HttpSender;

use crate::process::in_child;
use crate::support::{LONG, builder, until};

/// A collector that keeps what it gets. A thread of the parent serves each connection.
struct Collector {
    address: SocketAddr,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Lets the answer to a batch with a span named [`HELD`] go.
    open: mpsc::Sender<()>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
        let address = listener.local_addr().expect("bound");
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let (open, opened) = mpsc::channel();
        let opened = Arc::new(Mutex::new(opened));
        let kept = bodies.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                let (kept, opened) = (kept.clone(), opened.clone());
                thread::spawn(move || serve(stream, &kept, &opened));
            }
        });
        Self {
            address,
            bodies,
            open,
        }
    }

    fn tracer(&self) -> JaegerTracer {
        let url = format!("http://{}", self.address);
        let sender = HttpSender::new(&url).expect("a URL").timeout(LONG);
        builder(RemoteReporter::new(sender)).build().expect("named")
    }

    /// Returns how many batches have a text. The texts of these scenes are in one span each.
    fn count(&self, text: &str) -> usize {
        let bodies = self.bodies.lock().expect("not poisoned");
        let has = |body: &&Vec<u8>| body.windows(text.len()).any(|part| part == text.as_bytes());
        bodies.iter().filter(has).count()
    }
}

fn serve(stream: TcpStream, kept: &Mutex<Vec<Vec<u8>>>, opened: &Mutex<mpsc::Receiver<()>>) {
    let mut writer = stream.try_clone().expect("a socket");
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(1..) if line == "\r\n" => break,
                Ok(1..) => {}
                _ => return,
            }
            let line = line.to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a number");
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a whole body");
        let waits = body.windows(HELD.len()).any(|part| part == HELD);
        kept.lock().expect("not poisoned").push(body);
        if waits {
            // The scene may be over.
            let _ = opened.lock().expect("not poisoned").recv();
        }
        let reply = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
        if writer.write_all(reply).is_err() {
            return;
        }
    }
}

fn send(tracer: &JaegerTracer, name: &'static str) {
    let before = tracer.report().sent;
    tracer.start_span(name).finish();
    let report = tracer.flush(LONG);
    assert_eq!(
        (report.sent, report.queued),
        (before + 1, 0),
        "{name}: {report}"
    );
}

pub(super) fn a_forked_child_uploads_by_a_thread_of_its_own() {
    let collector = Collector::start();
    let tracer = collector.tracer();
    send(&tracer, "of-the-parent");
    in_child(|| {
        send(&tracer, "of-the-child");
        in_child(|| {
            send(&tracer, "of-the-grandchild");
            tracer.close(LONG);
        });
        tracer.close(LONG);
    });
    send(&tracer, "of-the-parent-again");
    tracer.close(LONG);
    for name in ["of-the-parent-again", "of-the-child", "of-the-grandchild"] {
        assert_eq!(collector.count(name), 1, "{name}");
    }
}

pub(super) fn a_fork_during_an_upload_leaves_its_answer_to_the_parent() {
    let collector = Collector::start();
    let tracer = collector.tracer();
    tracer.start_span("held-by-the-collector").finish();
    let report = tracer.flush(Duration::ZERO);
    assert_eq!(report.sent, 0, "{report}");
    until("the request", || {
        collector.count("held-by-the-collector") == 1
    });
    in_child(|| {
        send(&tracer, "of-the-child");
        let report = tracer.close(LONG);
        assert_eq!(report.dropped.get(DropCause::Unknown), 0, "{report}");
    });
    collector.open.send(()).expect("the collector waits");
    let report = tracer.close(LONG);
    assert_eq!(report.sent, 1, "{report}");
    assert_eq!(collector.count("held-by-the-collector"), 1);
    assert_eq!(collector.count("of-the-child"), 1);
}

/// The name of a span whose batch is answered when the scene says so.
const HELD: &[u8] = b"held-by-the-collector";
