//! Servers with certificates that are good, expired or of another host.

use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::loopback_server::Wire;

/// A certificate and its private key.
pub(crate) struct Identity(&'static [u8], &'static [u8]);

pub(crate) const LOCALHOST: Identity = Identity(
    include_bytes!("tls/localhost.der"),
    include_bytes!("tls/localhost.key.der"),
);
pub(crate) const EXPIRED: Identity = Identity(
    include_bytes!("tls/expired.der"),
    include_bytes!("tls/expired.key.der"),
);
pub(crate) const OTHER_HOST: Identity = Identity(
    include_bytes!("tls/other_host.der"),
    include_bytes!("tls/other_host.key.der"),
);
/// The authority of all these certificates.
pub(crate) const ROOT: &[u8] = include_bytes!("tls/root.pem");

/// Returns what makes an encrypted connection of a plain one, as a server with this certificate.
pub(crate) fn server_of(
    identity: &Identity,
) -> impl Fn(TcpStream) -> Option<Box<dyn Wire>> + Send + Sync + 'static {
    server(identity, false)
}

/// Like [`server_of`], but the client must show a certificate of the same authority.
pub(crate) fn strict_server_of(
    identity: &Identity,
) -> impl Fn(TcpStream) -> Option<Box<dyn Wire>> + Send + Sync + 'static {
    server(identity, true)
}

fn server(
    identity: &Identity,
    is_strict: bool,
) -> impl Fn(TcpStream) -> Option<Box<dyn Wire>> + Send + Sync + 'static {
    let Identity(certificate, key) = identity;
    let certificate = CertificateDer::from(certificate.to_vec());
    let key = PrivateKeyDer::try_from(key.to_vec()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(ROOT).expect("a certificate");
    roots.add(root).expect("a root");
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let verifier = match is_strict {
        true => verifier.build().expect("a root"),
        false => WebPkiClientVerifier::no_client_auth(),
    };
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate], key)
        .expect("they fit");
    let config = Arc::new(config);
    move |stream| {
        let connection = ServerConnection::new(config.clone()).ok()?;
        Some(Box::new(StreamOwned::new(connection, stream)) as Box<dyn Wire>)
    }
}
