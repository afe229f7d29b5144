//! A RabbitMQ on ports of its own.

use std::{
    env,
    fs::{self, File},
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tracehound_interop::{is_required, poll, skipped};

use crate::Result;

/// A RabbitMQ of the Debian package `rabbitmq-server`, empty at first. It is killed when this value is dropped.
pub(crate) struct RabbitMqServer {
    /// Tells Erlang's programs the ports of others. Every RabbitMQ needs one, and would start one that outlives it.
    _epmd: Running,
    broker: Running,
    port: u16,
    dir: TempDir,
}

impl RabbitMqServer {
    /// Starts a server. Returns `None` if there is no RabbitMQ on the machine and the test is skipped.
    pub(crate) fn start() -> Result<Option<Self>> {
        match Path::new(PROGRAM).exists() {
            // Another program may have taken one of its ports meanwhile.
            true => Self::start_now().or_else(|_| Self::start_now()).map(Some),
            false if is_required() => Err(format!("no {PROGRAM}").into()),
            false => {
                skipped(format!("no {PROGRAM}"));
                Ok(None)
            }
        }
    }

    fn start_now() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let [names, nodes, port] = free_ports()?;
        let [names, nodes] = [names, nodes].map(|port| port.to_string());
        let at = |name: &str| dir.path().join(name);
        fs::write(
            at("rabbitmq.conf"),
            format!("listeners.tcp.default = 127.0.0.1:{port}\n"),
        )?;
        fs::write(at("plugins"), "[].\n")?;
        let log = File::create(at(LOG))?;
        let command = |program: &str| {
            let mut command = Command::new(program);
            command
                .env_clear()
                .envs(env::var_os("PATH").map(|path| ("PATH", path)))
                .env("HOME", dir.path())
                .env("ERL_EPMD_ADDRESS", "127.0.0.1")
                .env("ERL_EPMD_PORT", &names)
                .current_dir(dir.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null());
            command
        };
        let epmd = Running(command("epmd").stderr(Stdio::null()).spawn()?);
        poll(WITHIN, EVERY, || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, names.parse().unwrap_or_default()))
        })?;
        let broker = command(PROGRAM)
            // The script then becomes the broker, so the child's id is that of the broker.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env("RABBITMQ_NODENAME", "tracehound@localhost")
            .env("RABBITMQ_DIST_PORT", &nodes)
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", LOOPBACK)
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_CONFIG_FILE", at("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", at("plugins"))
            .env("RABBITMQ_MNESIA_BASE", at("store"))
            .env("RABBITMQ_LOG_BASE", dir.path())
            .env("RABBITMQ_LOGS", "-")
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut server = Self {
            _epmd: epmd,
            broker: Running(broker),
            port,
            dir,
        };
        server.wait()?;
        Ok(server)
    }

    fn wait(&mut self) -> Result {
        let log = self.dir.path().join(LOG);
        let broker = &mut self.broker.0;
        let started = poll(WITHIN, EVERY, || match broker.try_wait() {
            Ok(Some(status)) => Ok(Err(format!("ended with {status}"))),
            _ => TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).map(Ok),
        });
        let reason = match started {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(ended)) => ended,
            Err(error) => error.to_string(),
        };
        let lines = fs::read_to_string(log).unwrap_or_default();
        Err(format!("RabbitMQ: {reason}: {lines}").into())
    }

    pub(crate) fn url(&self) -> String {
        format!("amqp://127.0.0.1:{}", self.port)
    }

    /// Kills the broker.
    pub(crate) fn end(&mut self) {
        self.broker.end();
    }
}

/// A process that is killed when this value is dropped.
struct Running(Child);

impl Running {
    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Returns ports that differ. Another program may bind one before it is used.
fn free_ports() -> io::Result<[u16; 3]> {
    let held = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let mut ports = [0; 3];
    for (port, held) in ports.iter_mut().zip(&held) {
        *port = match held {
            Ok(held) => held.local_addr()?.port(),
            Err(error) => return Err(error.kind().into()),
        };
    }
    Ok(ports)
}

/// The script behind Debian's `rabbitmq-server`, which changes the user and takes no ports.
const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const LOOPBACK: &str = "-kernel inet_dist_use_interface {127,0,0,1}";
const LOG: &str = "broker.log";
/// A busy machine has taken 17 s.
const WITHIN: Duration = Duration::from_secs(120);
const EVERY: Duration = Duration::from_millis(50);
