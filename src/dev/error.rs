use std::fmt;
use std::io;

/// The error of an embedded agent that cannot start.
///
/// ```
/// use tracehound::dev::{DevError, DevOptions, DevServer, Waterfall};
///
/// match DevServer::start(DevOptions::new().any_ports().waterfall(Waterfall::Never)) {
///     Ok(server) => println!("traces at http://{}", server.query_address()),
///     Err(error @ DevError::Socket(_)) => eprintln!("no loopback interface? {error}"),
///     Err(error) => eprintln!("{error}"),
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum DevError {
    /// A socket on the loopback interface could not be opened.
    Socket(io::Error),
    /// A thread could not be started.
    Thread(io::Error),
}

impl fmt::Display for DevError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(error) => write!(f, "no socket on the loopback interface: {error}"),
            Self::Thread(error) => write!(f, "no thread for the embedded agent: {error}"),
        }
    }
}

impl std::error::Error for DevError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Socket(error) | Self::Thread(error) => Some(error),
        }
    }
}
