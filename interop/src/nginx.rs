use std::{
    fs::{self, File},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::{Error, crossdock::free_address, environment, log, ready::wait_until_ready};

/// A running nginx that passes every request, and the WebSockets that it may become, on to one upstream.
///
/// The process is killed when this value is dropped.
#[derive(Debug)]
pub struct Nginx {
    addr: SocketAddr,
    child: Child,
    dir: TempDir,
}

impl Nginx {
    /// Starts the machine's nginx and waits until it accepts connections.
    ///
    /// It gives up a WebSocket on which no byte has passed for `read_timeout`.
    ///
    /// # Errors
    ///
    /// [`Error::NoTools`] if the machine has no nginx; [`Error::Service`] if it ends on its own or is not
    /// ready within 30 s.
    pub fn start(upstream: SocketAddr, read_timeout: Duration) -> Result<Self, Error> {
        let starting = || "starting nginx".to_owned();
        let is_there = Command::new(PROGRAM)
            .arg("-v")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !is_there {
            return Err(Error::NoTools {
                what: "a proxy".to_owned(),
                tool: format!("{PROGRAM} -v"),
            });
        }
        let addr = free_address(None)?;
        let dir = tempfile::tempdir().map_err(Error::io(starting()))?;
        let configuration = configuration(addr, upstream, read_timeout);
        fs::write(dir.path().join("nginx.conf"), configuration).map_err(Error::io(starting()))?;
        let output = File::create(dir.path().join(OUTPUT)).map_err(Error::io(starting()))?;
        let child = Command::new(PROGRAM)
            .arg("-p")
            .arg(dir.path())
            .args(["-c", "nginx.conf"])
            .env_clear()
            .envs(environment::passed_on())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .map_err(Error::io(starting()))?;
        let mut nginx = Self { addr, child, dir };
        let ready = wait_until_ready(
            &mut nginx.child,
            Duration::from_secs(30),
            Duration::from_millis(20),
            || match TcpStream::connect(addr) {
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            },
        );
        ready.map_err(|reason| Error::Service {
            name: PROGRAM.to_owned(),
            reason,
            tail: log::tail(&nginx.dir.path().join(OUTPUT)),
        })?;
        Ok(nginx)
    }

    /// Starts nginx, or says that the running test is skipped and returns `None` if the machine has none.
    ///
    /// # Errors
    ///
    /// Like [`start`](Self::start); [`Error::NoTools`] only if [`REQUIRED`](crate::REQUIRED) is `1`.
    pub fn start_or_skip(
        upstream: SocketAddr,
        read_timeout: Duration,
    ) -> Result<Option<Self>, Error> {
        match Self::start(upstream, read_timeout) {
            Err(error) if error.is_missing_tools() && !environment::is_required() => {
                environment::skipped(error.to_string());
                Ok(None)
            }
            started => started.map(Some),
        }
    }

    /// Returns the address at which nginx accepts connections.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns what nginx has complained of so far.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read.
    pub fn error_log(&self) -> Result<String, Error> {
        self.read("error.log")
    }

    /// Returns a line for each request that has ended: its status, `uber-trace-id` and the `x-trace-id` of the answer.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read.
    pub fn access_log(&self) -> Result<String, Error> {
        self.read("access.log")
    }

    fn read(&self, name: &str) -> Result<String, Error> {
        let path = self.dir.path().join(name);
        fs::read_to_string(&path).map_err(Error::io(format!("reading {}", path.display())))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(addr: SocketAddr, upstream: SocketAddr, read_timeout: Duration) -> String {
    let milliseconds = read_timeout.as_millis();
    format!(
        "daemon off; master_process off; pid nginx.pid; error_log error.log info;\n\
         events {{}}\n\
         http {{\n\
         map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}\n\
         log_format traced '$status uber-trace-id=$http_uber_trace_id trace=$upstream_http_x_trace_id';\n\
         access_log access.log traced;\n\
         client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
         uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
         server {{ listen {addr};\n\
         location / {{ proxy_pass http://{upstream}; proxy_http_version 1.1;\n\
         proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;\n\
         proxy_read_timeout {milliseconds}ms; }} }}\n\
         }}\n"
    )
}

const PROGRAM: &str = "nginx";
const OUTPUT: &str = "output.log";
