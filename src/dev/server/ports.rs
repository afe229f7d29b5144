use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use crate::dev::error::DevError;
use crate::dev::server::peer::Peer;

/// Opens sockets and records which ports were taken.
#[derive(Default)]
pub(crate) struct Ports {
    taken: Vec<String>,
    peer: Option<Peer>,
}

impl Ports {
    /// Opens the viewer's port, or any if it is taken, and then asks the owner of the port who it is.
    ///
    /// Programs that start at the same time must agree which of them is the agent, so this is the first port to open.
    pub(crate) fn viewer(&mut self, port: u16) -> Result<TcpListener, DevError> {
        let listener = self.tcp("viewer", port)?;
        if !self.taken.is_empty() {
            self.peer = Peer::ask((Ipv4Addr::LOCALHOST, port).into());
        }
        Ok(listener)
    }

    /// Returns the embedded agent that has the viewer's port.
    pub(crate) fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    /// Opens a UDP socket on loopback: at that port, or at any if it is taken.
    pub(crate) fn udp(&mut self, what: &str, port: u16) -> Result<UdpSocket, DevError> {
        self.open(what, port, UdpSocket::bind, UdpSocket::local_addr)
    }

    /// Opens a TCP listener on loopback: at that port, or at any if it is taken.
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
                    .push(format!("{what} {} instead of {port}", address.port()));
                Ok(socket)
            }
        }
    }

    /// Returns a line about the ports that were taken, if any was.
    pub(crate) fn taken(&self) -> Option<String> {
        let owner = match &self.peer {
            None => "likely by a real Jaeger".to_owned(),
            Some(peer) => format!("by the embedded agent at http://{}/", peer.viewer),
        };
        (!self.taken.is_empty()).then(|| {
            let taken = self.taken.join("; ");
            format!("ports are taken, {owner}, so this embedded agent uses others: {taken}")
        })
    }
}
