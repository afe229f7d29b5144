//! Exact numbers of a service that keeps one trace in a thousand: a page for Prometheus, and one look at it.
//!
//! Learnt: `RedMetrics` counts every span, kept or not; a `MetricsPage` joins its counts with what the tracer counts
//! about itself, in the format that a scraper asks for.
//!
//! Run: `cargo run --example metrics`. With `-- stay` it goes on to serve the page: `curl` the address that it prints.
//!
//! Change: keep every trace, and `curl -H 'accept: application/openmetrics-text'`. Buckets then name a trace each.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use tracehound::metrics::{MetricsPage, TextFormat};
use tracehound::observer::RedMetrics;
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::sampler::{ProbabilisticSampler, SamplingRate};

fn main() -> Result<(), Box<dyn Error>> {
    let red = RedMetrics::new();
    let tracer = JaegerTracer::builder("shop")
        .sampler(ProbabilisticSampler::new(SamplingRate::new(0.001)?))
        .reporter(NullReporter::new())
        .observer(red.clone())
        .build()?;
    for n in 0..1_000 {
        let request = tracer.build_span("GET /cart").tag("span.kind", "server");
        let request = request.start();
        let query = tracer.build_span("query items").child_of(&request).start();
        query.finish();
        request.set_tag("error", n % 100 == 0);
    }

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    println!("http://{address}/metrics");
    let stays = std::env::args().any(|argument| argument == "stay");
    let looks = if stays { usize::MAX } else { 1 };
    let server = std::thread::spawn(move || {
        let page = |format| MetricsPage::new(format).with(&red).with(&tracer.metrics());
        let mut streams = listener.incoming().take(looks);
        streams.try_for_each(|stream| answer(&mut stream?, |format| page(format).finish()))
    });

    if !stays {
        let mut scrape = TcpStream::connect(address)?;
        write!(scrape, "GET /metrics HTTP/1.1\r\nhost: {address}\r\n\r\n")?;
        let mut page = String::new();
        scrape.read_to_string(&mut page)?;
        let pieces = ["seconds_count{", "errors_total{", "sampled=\"n\""];
        let is_shown = |line: &&str| pieces.iter().any(|piece| line.contains(piece));
        page.lines()
            .filter(is_shown)
            .for_each(|line| println!("{line}"));
    }
    server.join().map_err(|_| "the server panicked")??;
    Ok(())
}

/// Reads a request, and answers it with the page in the format that it asks for. Any web server will do.
fn answer(stream: &mut TcpStream, page: impl Fn(TextFormat) -> String) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let lines = BufReader::new(stream.take(16_384))
        .lines()
        .map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let format = TextFormat::of_accept(&head.concat());
    let (kind, body) = (format.content_type(), page(format));
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n"
    )?;
    write!(stream, "connection: close\r\n\r\n{body}")
}
