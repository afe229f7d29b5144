mod reporter;
mod sampler;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::dev::error::DevError;
use crate::dev::options::DevOptions;
use crate::dev::server::{DevServer, WeakServer};
use crate::dev::tracer::reporter::DevReporter;
use crate::dev::tracer::sampler::DevSampler;
use crate::diagnostics::Diagnostics;
use crate::reporter::RemoteReporter;
use crate::reporter::sender::UdpSender;
use crate::tracer::{BuildError, JaegerTracer, TracerBuilder};

impl DevServer {
    /// A tracer whose spans travel to this server by UDP, all of them, and which holds it: with the last of its
    /// tracers and handles the server is gone, and has printed what was left.
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
    /// When the service name is empty or blank.
    pub fn tracer(&self, service_name: impl Into<String>) -> Result<JaegerTracer, BuildError> {
        self.tracer_builder(service_name).build()
    }

    /// The same before it is built: add tags, codecs or limits. Another sampler or reporter takes the place of
    /// what ties it to this server.
    pub fn tracer_builder(&self, service_name: impl Into<String>) -> TracerBuilder {
        let service_name = service_name.into();
        let to_agent = RemoteReporter::new(UdpSender::new(self.agent_address()));
        JaegerTracer::builder(service_name.clone())
            .sampler(DevSampler::new(self.state().clone(), service_name))
            .reporter(DevReporter::new(to_agent, self.clone()))
            .flush_interval(FLUSH_INTERVAL)
    }
}

/// A tracer on the server that all callers of this function share; `options` are for the one that has to start
/// it. Tracing must not keep a program from running: what goes wrong is told, and the tracer is off.
pub(crate) fn tracer(service_name: String, options: impl FnOnce() -> DevOptions) -> JaegerTracer {
    let server = match running(options) {
        Ok(server) => server,
        Err(error) => return off(&error),
    };
    match server.tracer(service_name) {
        Ok(tracer) => tracer,
        Err(error) => off(&error),
    }
}

fn running(options: impl FnOnce() -> DevOptions) -> Result<DevServer, DevError> {
    static RUNNING: Mutex<WeakServer> = Mutex::new(WeakServer::new());
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = running.upgrade() {
        return Ok(server);
    }
    let server = DevServer::start(options())?;
    *running = server.downgrade();
    Ok(server)
}

fn off(error: &dyn std::error::Error) -> JaegerTracer {
    Diagnostics::default().say(&format!("nothing is traced: {error}"));
    JaegerTracer::disabled()
}

/// Short: whoever has just made a trace looks at it.
const FLUSH_INTERVAL: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::options::Waterfall;
    use crate::tracer::{Tracer, TracerExt};

    #[test]
    fn tracers_share_one_server_as_long_as_one_of_them_lives() {
        let options = || DevOptions::new().any_ports().waterfall(Waterfall::Never);
        let never = || -> DevOptions { panic!("a server is running") };
        let shop = tracer("shop".to_owned(), options);
        let pay = tracer("pay".to_owned(), never);
        let server = running(never).expect("it runs");
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
        let server = running(options).expect("another one starts");
        assert_ne!(server.agent_address(), first);
        assert_eq!(server.totals().received, 0);
    }
}
