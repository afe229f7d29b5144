use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
};

use crate::Error;

/// The addresses of a backend, all on 127.0.0.1.
///
/// Every field has an address for both versions; its doc says if a version does not listen there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoints {
    /// Agent, Thrift compact over UDP (6831 elsewhere).
    pub compact: SocketAddr,
    /// Agent, Thrift binary over UDP (6832 elsewhere).
    pub binary: SocketAddr,
    /// Agent, the old Zipkin model over UDP (5775 elsewhere). v2 does not listen.
    pub zipkin_compact: SocketAddr,
    /// Sampling strategies over HTTP (5778 elsewhere).
    pub sampling_http: SocketAddr,
    /// Sampling strategies over gRPC (5779 elsewhere). v1 does not listen: it serves them on
    /// `collector_grpc`.
    pub sampling_grpc: SocketAddr,
    /// Collector, Thrift over HTTP (14268 elsewhere).
    pub collector_http: SocketAddr,
    /// Collector, Jaeger's gRPC (14250 elsewhere).
    pub collector_grpc: SocketAddr,
    /// OTLP over HTTP (4318 elsewhere).
    pub otlp_http: SocketAddr,
    /// OTLP over gRPC (4317 elsewhere).
    pub otlp_grpc: SocketAddr,
    /// Zipkin over HTTP (9411 elsewhere).
    pub zipkin: SocketAddr,
    /// The query API over HTTP, and the user interface (16686 elsewhere).
    pub query_http: SocketAddr,
    /// The query API over gRPC (16685 elsewhere).
    pub query_grpc: SocketAddr,
    /// Health (14269 in v1, 13133 in v2 elsewhere).
    pub health: SocketAddr,
    /// The backend's own metrics (8888 elsewhere). v1 does not listen: it serves them on `health`.
    pub metrics: SocketAddr,
}

impl Endpoints {
    /// Picks free ports.
    ///
    /// All ports are held until the last is picked, so they differ. Another program can still bind a
    /// port before the backend binds it.
    pub(crate) fn pick() -> Result<Self, Error> {
        let mut held = Held::default();
        let mut pick = || -> io::Result<Self> {
            Ok(Self {
                compact: held.udp()?,
                binary: held.udp()?,
                zipkin_compact: held.udp()?,
                sampling_http: held.tcp()?,
                sampling_grpc: held.tcp()?,
                collector_http: held.tcp()?,
                collector_grpc: held.tcp()?,
                otlp_http: held.tcp()?,
                otlp_grpc: held.tcp()?,
                zipkin: held.tcp()?,
                query_http: held.tcp()?,
                query_grpc: held.tcp()?,
                health: held.tcp()?,
                metrics: held.tcp()?,
            })
        };
        pick().map_err(Error::io("picking free ports"))
    }
}

#[derive(Default)]
struct Held {
    listeners: Vec<TcpListener>,
    sockets: Vec<UdpSocket>,
}

impl Held {
    fn tcp(&mut self) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        self.listeners.push(listener);
        Ok(address)
    }

    fn udp(&mut self) -> io::Result<SocketAddr> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = socket.local_addr()?;
        self.sockets.push(socket);
        Ok(address)
    }
}
