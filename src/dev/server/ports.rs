use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use crate::dev::error::DevError;

/// Opens sockets, and remembers which ports were taken.
#[derive(Default)]
pub(crate) struct Ports {
    taken: Vec<String>,
}

impl Ports {
    /// A UDP socket on loopback: that port, or any when it is taken.
    pub(crate) fn udp(&mut self, what: &str, port: u16) -> Result<UdpSocket, DevError> {
        self.open(what, port, UdpSocket::bind, UdpSocket::local_addr)
    }

    /// The same for TCP.
    pub(crate) fn tcp(&mut self, what: &str, port: u16) -> Result<TcpListener, DevError> {
        self.open(what, port, TcpListener::bind, TcpListener::local_addr)
    }

    fn open<S>(
        &mut self,
        what: &str,
        port: u16,
        bind: impl Fn((Ipv4Addr, u16)) -> io::Result<S>,
        address: impl Fn(&S) -> io::Result<SocketAddr>,
    ) -> Result<S, DevError> {
        match bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(socket) => Ok(socket),
            Err(error) if port == 0 => Err(DevError::Socket(error)),
            Err(_) => {
                let socket = bind((Ipv4Addr::LOCALHOST, 0)).map_err(DevError::Socket)?;
                let address = address(&socket).map_err(DevError::Socket)?;
                self.taken
                    .push(format!("{what} {port}, now {}", address.port()));
                Ok(socket)
            }
        }
    }

    /// What to say of ports that were taken, if any was.
    pub(crate) fn taken(&self) -> Option<String> {
        (!self.taken.is_empty()).then(|| {
            format!(
                "ports that are taken, likely by a real Jaeger, and what the embedded one uses: {}",
                self.taken.join("; ")
            )
        })
    }
}
