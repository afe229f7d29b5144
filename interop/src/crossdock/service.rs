use std::{
    fs::File,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    process::{self, Child, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::{
    Endpoints, Error,
    crossdock::{Peer, Setup, Transport},
    http::{Answer, Client},
    log, poll,
    ready::wait_until_ready,
};

/// A running service of the crossdock, at an address of its own.
///
/// [`stop`](Self::stop) ends it as an operator would. A value that is dropped before, because a test failed, kills the
/// process.
#[derive(Debug)]
pub struct Service {
    peer: Peer,
    address: SocketAddr,
    grpc_port: u16,
    child: Child,
    dir: TempDir,
    http: Client,
}

impl Service {
    /// Starts the service of `peer` and waits until it answers. It sends its spans to the backend at
    /// `jaeger`.
    ///
    /// # Errors
    ///
    /// Those of [`Peer::command`]; [`Error::Service`] if it ends on its own or does not answer
    /// within a minute.
    pub fn start(peer: Peer, setup: Setup, jaeger: &Endpoints) -> Result<Self, Error> {
        Self::start_with(peer, setup, jaeger, &[])
    }

    /// Like [`start`](Self::start), with further flags. A program passes over those that it does not know.
    ///
    /// # Errors
    ///
    /// Like [`start`](Self::start).
    pub fn start_with(
        peer: Peer,
        setup: Setup,
        jaeger: &Endpoints,
        flags: &[(&str, &str)],
    ) -> Result<Self, Error> {
        Self::start_at(free_address(None)?, peer, setup, jaeger, flags)
    }

    /// Starts the service of `peer`, which must have gRPC, with it and with further flags.
    ///
    /// # Errors
    ///
    /// Like [`start`](Self::start).
    pub fn start_with_grpc(
        peer: Peer,
        setup: Setup,
        jaeger: &Endpoints,
        flags: &[(&str, &str)],
    ) -> Result<Self, Error> {
        let address = free_address(None)?;
        // Nobody else has this address.
        let grpc_port = free_port(address.ip(), address.port())?;
        let port = grpc_port.to_string();
        let flags = [&[("--grpc-port", port.as_str())], flags].concat();
        let mut service = Self::start_at(address, peer, setup, jaeger, &flags)?;
        service.grpc_port = grpc_port;
        Ok(service)
    }

    /// Starts services that listen on one port, each at an address of its own. Published drivers call all services on
    /// the same port.
    ///
    /// # Errors
    ///
    /// Like [`start`](Self::start).
    pub fn start_on_one_port(
        peers: &[Peer],
        setup: Setup,
        jaeger: &Endpoints,
    ) -> Result<Vec<Self>, Error> {
        let mut port = None;
        let services = peers.iter().map(|peer| {
            let address = free_address(port)?;
            port = Some(address.port());
            Self::start_at(address, *peer, setup, jaeger, &[])
        });
        services.collect()
    }

    fn start_at(
        address: SocketAddr,
        peer: Peer,
        setup: Setup,
        jaeger: &Endpoints,
        further: &[(&str, &str)],
    ) -> Result<Self, Error> {
        let starting = || format!("starting the service of {}", peer.name);
        let dir = tempfile::tempdir().map_err(Error::io(starting()))?;
        let out = File::create(dir.path().join(LOG)).map_err(Error::io(starting()))?;
        let err = out.try_clone().map_err(Error::io(starting()))?;
        let mut command = peer.command()?;
        // Without a format of the fleet the service says that it lacks it.
        let format = peer.speaks(setup.format).unwrap_or(setup.format);
        for (flag, value) in [
            ("--host", address.ip().to_string()),
            ("--port", address.port().to_string()),
            ("--service", peer.service_name()),
            ("--format", format.name().to_owned()),
            ("--trace-id-bits", setup.trace_id_bits.to_string()),
            ("--agent-compact", jaeger.compact.to_string()),
            ("--agent-binary", jaeger.binary.to_string()),
            ("--otlp", format!("http://{}", jaeger.otlp_http)),
            (
                "--sampling",
                format!("http://{}/sampling", jaeger.sampling_http),
            ),
        ] {
            command.arg(flag).arg(value);
        }
        for (flag, value) in further {
            command.arg(flag).arg(value);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(Error::io(starting()))?;
        let mut service = Self {
            peer,
            address,
            grpc_port: 0,
            child,
            dir,
            http: Client::new(),
        };
        service.wait_ready()?;
        Ok(service)
    }

    /// Returns the language.
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Returns the address of the service.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the port at which the service is called by `transport`.
    pub(crate) const fn port(&self, transport: Transport) -> u16 {
        match transport {
            Transport::Grpc => self.grpc_port,
            _ => self.address.port(),
        }
    }

    /// Posts `body` with further `headers` and returns the body of the answer, which must have the status 200.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] with the other answer and the end of the log of this service. The service that failed may be
    /// one that it called.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Json, Error> {
        let headers = [&[("content-type", "application/json")], headers].concat();
        let address = self.address;
        self.read(
            self.http
                .post_with(address, path, &headers, body.as_bytes()),
        )
    }

    /// Requests `path` and returns the body of the answer.
    ///
    /// # Errors
    ///
    /// Like [`post`](Self::post).
    pub fn get(&self, path: &str) -> Result<Json, Error> {
        self.read(self.http.get(self.address, path))
    }

    /// Ends the service by SIGTERM; it sends its spans before it ends.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] if it does not end within 10 s, or with another code than 0.
    pub fn stop(mut self) -> Result<(), Error> {
        let ending = || "ending a service".to_owned();
        let signalled = kill_process(Pid::from_child(&self.child), Signal::TERM);
        signalled.map_err(|error| Error::io(ending())(error.into()))?;
        let ended = poll(STOP_WITHIN, POLL, || match self.child.try_wait() {
            Ok(None) => Err("does not end after SIGTERM".to_owned()),
            Ok(Some(status)) => Ok(Ok(status)),
            Err(error) => Ok(Err(error)),
        });
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(self.failed(format!("ends with {status}"))),
            Ok(Err(error)) => Err(Error::io(ending())(error)),
            Err(reason) => Err(self.failed(reason)),
        }
    }

    /// Makes an error of this service.
    pub(crate) fn failed(&self, reason: String) -> Error {
        Error::Service {
            name: self.peer.name.to_owned(),
            reason,
            tail: log::tail(&self.dir.path().join(LOG)),
        }
    }

    /// Reads an answer; one without a body is null.
    fn read(&self, answered: Result<Answer, Error>) -> Result<Json, Error> {
        let text = answered
            .and_then(Answer::success)
            .map_err(|error| self.failed(error.to_string()))?;
        if text.is_empty() {
            return Ok(Json::Null);
        }
        let read = serde_json::from_str(&text);
        read.map_err(|error| self.failed(format!("answers {text:?}: {error}")))
    }

    fn wait_ready(&mut self) -> Result<(), Error> {
        let (http, address) = (&self.http, self.address);
        wait_until_ready(&mut self.child, START_WITHIN, POLL, || {
            let answer = http.get(address, "/").and_then(Answer::success);
            answer.map(drop).map_err(|error| error.to_string())
        })
        .map_err(|reason| self.failed(reason))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended, and then both fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns an address that no other service listens on.
///
/// Every service of every running test program has an IP address of its own, so nobody takes a port that was just found
/// free. Systems that have 127.0.0.1 alone get that one.
pub(crate) fn free_address(port: Option<u16>) -> Result<SocketAddr, Error> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // 127.16.0.0 to 127.255.255.255: the number of a process has 22 bits at most.
    let [.., high, low] = process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, 16 + (number % 240) as u8, high, low.max(1));
    let find = |ip: Ipv4Addr| -> io::Result<SocketAddr> {
        TcpListener::bind((IpAddr::V4(ip), port.unwrap_or(0)))?.local_addr()
    };
    let found = find(own).or_else(|_| find(Ipv4Addr::LOCALHOST));
    found.map_err(Error::io("looking for a free address"))
}

/// Returns a port of the address that is free, and not `taken`.
fn free_port(ip: IpAddr, taken: u16) -> Result<u16, Error> {
    let find = || -> io::Result<u16> {
        // Kept while the other one is chosen, if it is still free.
        let _taken = TcpListener::bind((ip, taken));
        Ok(TcpListener::bind((ip, 0))?.local_addr()?.port())
    };
    find().map_err(Error::io("looking for a free port"))
}

const LOG: &str = "service.log";
/// A virtual machine on a busy computer takes its time.
const START_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
