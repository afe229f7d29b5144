mod following;
mod reporter;
mod sampler;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::dev::error::DevError;
use crate::dev::options::{DevOptions, Waterfall};
use crate::dev::server::peer::Peer;
use crate::dev::server::{DevServer, Found, WeakServer};
use crate::dev::tracer::following::{following_own, following_peer, keep_everything};
use crate::dev::tracer::reporter::DevReporter;
use crate::dev::tracer::sampler::DevSampler;
use crate::diagnostics::Diagnostics;
use crate::reporter::sender::UdpSender;
use crate::reporter::{RemoteReporter, Reporter};
use crate::sampler::Sampler;
use crate::sync::PerProcess;
use crate::tracer::{BuildError, JaegerTracer, TracerBuilder};
use crate::watch::OpenSpans;

impl DevServer {
    /// Returns a tracer that keeps every trace and sends it to this server by UDP.
    ///
    /// With a [`DevOptions::strategies_file`] it keeps the traces that the file says, and asks for changes twice a
    /// second.
    ///
    /// The tracer keeps the server running. When the last of its tracers and handles is dropped, the server prints the
    /// remaining traces and ends.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::dev::{DevOptions, DevServer, Waterfall};
    /// use tracehound::prelude::*;
    ///
    /// let server = DevServer::start(DevOptions::new().any_ports().waterfall(Waterfall::Never))?;
    /// let tracer = server.tracer("shop")?;
    /// tracer.start_span("checkout").finish();
    /// tracer.flush(Duration::from_secs(5));
    /// assert_eq!(server.traces()[0].spans[0].span.operation_name, "checkout");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the service name is empty or blank.
    pub fn tracer(&self, service_name: impl Into<String>) -> Result<JaegerTracer, BuildError> {
        self.tracer_builder(service_name).build()
    }

    /// Returns the builder of such a tracer, to add tags, codecs or limits. If you set another sampler or reporter, it
    /// replaces the one that ties the tracer to this server.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use std::time::Duration;
    /// use tracehound::dev::{DevOptions, DevServer, Waterfall};
    /// use tracehound::prelude::*;
    ///
    /// let server = DevServer::start(DevOptions::new().any_ports().waterfall(Waterfall::Never))?;
    /// let tracer = server.tracer_builder("shop").tag("zone", "eu-1").build()?;
    /// let checkout = tracer.start_span("checkout");
    /// let trace_id = checkout.context().trace_id().expect("it has one");
    /// checkout.finish();
    /// tracer.flush(Duration::from_secs(5));
    /// assert!(server.wait_until_read(Duration::from_secs(5)));
    /// assert_eq!(server.trace(trace_id).expect("it has come").spans.len(), 1);
    /// assert_eq!(server.totals().received, 1);
    ///
    /// // Where other programs send to, if the system has chosen the ports.
    /// let addresses = [
    ///     server.agent_address(),
    ///     server.binary_agent_address(),
    ///     server.collector_address(),
    ///     server.sampling_address(),
    ///     server.query_address(),
    /// ];
    /// assert!(addresses.iter().all(|address| address.ip() == Ipv4Addr::LOCALHOST));
    /// assert!(server.otlp_address().is_none() && server.zipkin_address().is_none());
    ///
    /// server.print_waterfalls_to(std::io::stderr());
    /// assert!(server.wait_until_printed(Duration::from_secs(30)));
    /// server.clear();
    /// assert!(server.traces().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tracer_builder(&self, service_name: impl Into<String>) -> TracerBuilder {
        let service_name = service_name.into();
        self.parts(service_name.clone()).builder(service_name)
    }

    fn parts(&self, service_name: String) -> Parts {
        let agent = self.agent_address();
        let to_agent = RemoteReporter::new(UdpSender::new(agent));
        let sampler = match self.strategies() {
            Some(served) => following_own(served, self.sampling_address(), &service_name),
            None => keep_everything(),
        };
        let state = self.state().clone();
        Parts {
            sampler: Box::new(DevSampler::new(sampler, state, service_name)),
            reporter: Box::new(DevReporter::new(to_agent, self.clone())),
            open_spans: Some(self.state().open_spans.clone()),
            destination: format!("the embedded agent at {agent}"),
        }
    }
}

impl DevOptions {
    /// Returns a tracer like [`tracehound::dev`](crate::dev()), but with these options.
    ///
    /// The options take effect only if this call starts the embedded agent. If one runs already, in this program or
    /// another, the tracer sends its spans there.
    ///
    /// ```
    /// use tracehound::dev::{DevOptions, Waterfall};
    /// use tracehound::prelude::*;
    ///
    /// let options = DevOptions::new().any_ports().waterfall(Waterfall::Always).columns(120);
    /// let tracer = options.tracer("shop");
    /// tracer.start_span("checkout").finish();
    /// ```
    pub fn tracer(self, service_name: impl Into<String>) -> JaegerTracer {
        tracer(service_name.into(), || self)
    }
}

/// Returns a tracer on the embedded agent; `options` are for an agent that has to be started. Tracing must not keep a
/// program from running: if the agent cannot start, a line says so and the tracer is off.
pub(crate) fn tracer(service_name: String, options: impl FnOnce() -> DevOptions) -> JaegerTracer {
    let parts = match parts(service_name.clone(), options) {
        Ok(parts) => parts,
        Err(error) => return off(&error),
    };
    match parts.builder(service_name).build() {
        Ok(tracer) => tracer,
        Err(error) => off(&error),
    }
}

/// The parts that tie a tracer to the embedded agent.
pub(crate) struct Parts {
    pub(crate) sampler: Box<dyn Sampler>,
    pub(crate) reporter: Box<dyn Reporter>,
    /// The list of this program's open spans, which its own agent shows.
    pub(crate) open_spans: Option<OpenSpans>,
    /// The place that spans go to, for a line of text.
    pub(crate) destination: String,
}

impl Parts {
    fn of_peer(peer: &Peer) -> Self {
        Self {
            sampler: match peer.sampling {
                Some(address) => following_peer(address),
                None => keep_everything(),
            },
            reporter: Box::new(RemoteReporter::new(UdpSender::new(peer.agent))),
            open_spans: None,
            destination: format!("the embedded agent at {}", peer.agent),
        }
    }

    fn builder(self, service_name: String) -> TracerBuilder {
        let builder = JaegerTracer::builder(service_name)
            .sampler(self.sampler)
            .reporter(self.reporter)
            .flush_interval(FLUSH_INTERVAL);
        match self.open_spans {
            Some(open_spans) => builder.observer(open_spans),
            None => builder,
        }
    }
}

/// Returns the parts for a tracer on the embedded agent, which is started with `options` if none runs.
pub(crate) fn parts(
    service_name: String,
    options: impl FnOnce() -> DevOptions,
) -> Result<Parts, DevError> {
    Ok(match agent(options)? {
        Found::Own(server) => server.parts(service_name),
        Found::Peer(peer) => Parts::of_peer(&peer),
    })
}

/// The embedded agent that this program uses, and the one that a line has told of.
struct Known {
    server: WeakServer,
    /// The agent that a line has told of.
    peer: Option<Peer>,
}

impl Known {
    const fn new() -> Self {
        Self {
            server: WeakServer::new(),
            peer: None,
        }
    }
}

/// Finds the embedded agent: the one that runs in this program, or one that runs in another, or a new one.
fn agent(options: impl FnOnce() -> DevOptions) -> Result<Found, DevError> {
    // A forked child finds the agent of its parent as that of another program.
    static KNOWN: PerProcess<Mutex<Known>> = PerProcess::of_first(Mutex::new(Known::new()));
    let known = KNOWN.get(|_| Mutex::new(Known::new()));
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = known.server.upgrade() {
        return Ok(Found::Own(server));
    }
    let options = options();
    let (waterfall, diagnostics) = (options.waterfall, options.diagnostics.clone());
    let (found, lines) = DevServer::start_or_find(options)?;
    let line = match &found {
        Found::Own(server) => {
            known.server = server.downgrade();
            Some(start_line(server, waterfall))
        }
        Found::Peer(peer) if known.peer.as_ref() != Some(peer) => {
            let Peer {
                version, viewer, ..
            } = peer;
            let line = format!(
                "an embedded agent runs already (tracehound {version}), and gets the spans of this program: \
                 look at http://{viewer}/"
            );
            known.peer = Some(peer.clone());
            Some(line)
        }
        Found::Peer(_) => None,
    };
    // A handler may itself ask for a tracer of the embedded agent.
    drop(known);
    for line in lines.into_iter().chain(line) {
        diagnostics.say(&line);
    }
    Ok(found)
}

fn start_line(server: &DevServer, waterfall: Waterfall) -> String {
    let viewer = server.query_address();
    match waterfall {
        _ if server.is_printing() => {
            format!("traces are drawn here when they are complete; all of them: http://{viewer}/")
        }
        Waterfall::OnTerminal => format!("no terminal: no pictures, look at http://{viewer}/"),
        Waterfall::Always | Waterfall::Never => format!("traces: look at http://{viewer}/"),
    }
}

fn off(error: &dyn std::error::Error) -> JaegerTracer {
    Diagnostics::default().say(&format!("nothing is traced: {error}"));
    JaegerTracer::disabled()
}

/// How long a finished span waits: a developer looks at the trace right after the request.
pub(crate) const FLUSH_INTERVAL: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{deadline_after, instant_now};
    use crate::tracer::{Tracer, TracerExt};

    #[test]
    fn tracers_share_one_server_as_long_as_one_of_them_lives() {
        let options = || DevOptions::new().any_ports().waterfall(Waterfall::Never);
        let never = || -> DevOptions { panic!("a server is running") };
        let shop = tracer("shop".to_owned(), options);
        let pay = tracer("pay".to_owned(), never);
        let own = |found| match found {
            Ok(Found::Own(server)) => server,
            other => panic!("{other:?}"),
        };
        let server = own(agent(never));
        let checkout = shop.start_span("checkout");
        pay.build_span("charge")
            .child_of(&checkout)
            .start()
            .finish();
        checkout.finish();
        shop.flush(Duration::from_secs(5));
        pay.flush(Duration::from_secs(5));
        assert_eq!(server.traces().len(), 1);
        assert_eq!(server.traces()[0].spans.len(), 2);
        assert!(tracer(String::new(), never).is_noop());

        let first = server.agent_address();
        drop(server);
        shop.close(Duration::from_secs(5));
        pay.close(Duration::from_secs(5));
        let server = own(agent(options));
        assert_ne!(server.agent_address(), first);
        assert_eq!(server.totals().received, 0);
    }
    #[test]
    fn the_tracer_of_another_program_follows_the_strategies_of_the_agent() {
        let path = std::env::temp_dir().join(format!("tracehound-peer-{}", std::process::id()));
        let write = |rate: u8| {
            let text =
                format!(r#"{{"default_strategy":{{"type":"probabilistic","param":{rate}}}}}"#);
            std::fs::write(&path, text).expect("a file of our own");
        };
        write(0);
        let options = DevOptions::new().any_ports().waterfall(Waterfall::Never);
        let server = DevServer::start(options.strategies_file(&path)).expect("ports");
        let peer = Peer::ask(server.query_address()).expect("it runs");
        let shop = Parts::of_peer(&peer).builder("shop".to_owned()).build();
        let shop = shop.expect("a name");
        let is_kept = || shop.start_span("checkout").context().is_sampled();
        let wait_until = |wanted: bool| {
            let deadline = deadline_after(Duration::from_secs(20));
            while is_kept() != wanted {
                assert!(instant_now() < deadline, "the tracer does not follow");
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        wait_until(false);
        write(1);
        wait_until(true);
        std::fs::remove_file(&path).expect("it is there");
        shop.close(Duration::from_secs(5));
    }
}
