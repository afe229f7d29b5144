use std::io::{Read, Write};
use std::net::TcpStream;

/// A connection to a [`MockCollector`](crate::testkit::MockCollector), plain or encrypted.
///
/// ```
/// use std::net::TcpStream;
/// use tracehound::testkit::Connection;
///
/// fn plain(connection: TcpStream) -> Box<dyn Connection> {
///     Box::new(connection)
/// }
/// ```
pub trait Connection: Read + Write + Send {}

impl<T: Read + Write + Send> Connection for T {}

/// Makes a connection of a socket.
pub(super) type Wrap = dyn Fn(TcpStream) -> Option<Box<dyn Connection>> + Send + Sync;
