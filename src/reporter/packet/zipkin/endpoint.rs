use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{TagRef, otel_tags, tags};
use crate::reporter::packet::zipkin::json::{write_key, write_number, write_shown, write_string};

/// A service and its address.
#[derive(Default, PartialEq)]
pub(super) struct Endpoint<'a> {
    service: Option<&'a str>,
    ipv4: Option<Ipv4Addr>,
    ipv6: Option<Ipv6Addr>,
    port: Option<u16>,
}

impl<'a> Endpoint<'a> {
    pub(super) fn of_service(name: &'a str) -> Self {
        Self {
            service: Some(name),
            ..Self::default()
        }
    }

    /// Reads an address. Returns false if the value is none.
    pub(super) fn read_ip(&mut self, value: TagRef<'_>) -> bool {
        let TagRef::String(text) = value else {
            return false;
        };
        match text.parse() {
            Ok(IpAddr::V4(address)) => self.ipv4 = Some(address),
            Ok(IpAddr::V6(address)) => self.ipv6 = Some(address),
            Err(_) => return false,
        }
        true
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let at = out.len();
        if let Some(service) = self.service {
            write_key(out, "serviceName");
            write_string(out, service);
        }
        if let Some(address) = self.ipv4 {
            write_key(out, "ipv4");
            write_shown(out, address);
        }
        if let Some(address) = self.ipv6 {
            write_key(out, "ipv6");
            write_shown(out, address);
        }
        if let Some(port) = self.port {
            write_key(out, "port");
            write_number(out, port);
        }
        match out.get_mut(at) {
            Some(comma) => *comma = b'{',
            None => out.push(b'{'),
        }
        out.push(b'}');
    }
}

/// The other side of a call, as the tags tell of it.
#[derive(Default)]
pub(super) struct Peer<'a> {
    endpoint: Endpoint<'a>,
    host_name: Option<&'a str>,
    address: Option<&'a str>,
    /// The port that a caller asks; to a server it is its own.
    asked_port: Option<u16>,
}

impl<'a> Peer<'a> {
    pub(super) fn read(&mut self, key: &str, value: TagRef<'a>) {
        let spaces = ["peer.", "server.", "network.peer."];
        if !spaces.iter().any(|space| key.starts_with(space)) {
            return;
        }
        match (key, value) {
            (tags::PEER_SERVICE, TagRef::String(name)) => self.endpoint.service = Some(name),
            (tags::PEER_HOSTNAME, TagRef::String(name)) => self.host_name = Some(name),
            (tags::PEER_ADDRESS, TagRef::String(name)) => self.address = Some(name),
            (tags::PEER_IPV4 | tags::PEER_IPV6 | otel_tags::NETWORK_PEER_ADDRESS, value) => {
                self.endpoint.read_ip(value);
            }
            (tags::PEER_PORT | otel_tags::NETWORK_PEER_PORT, port) => {
                self.endpoint.port = self::port(port);
            }
            (otel_tags::SERVER_ADDRESS, TagRef::String(name)) => self.host_name = Some(name),
            (otel_tags::SERVER_PORT, port) => self.asked_port = self::port(port),
            _ => {}
        }
    }

    pub(super) fn endpoint(mut self, is_caller: bool) -> Endpoint<'a> {
        if is_caller {
            let name = self.endpoint.service;
            self.endpoint.service = name.or(self.host_name).or(self.address);
            self.endpoint.port = self.endpoint.port.or(self.asked_port);
        }
        self.endpoint
    }
}

fn port(value: TagRef<'_>) -> Option<u16> {
    match value {
        TagRef::Long(port) => u16::try_from(port).ok(),
        TagRef::String(port) => port.parse().ok(),
        _ => None,
    }
}
