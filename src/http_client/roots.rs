//! Whom an encrypted connection trusts.

use std::fmt;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// Returns settings that trust the certificates of a PEM text, and no others.
///
/// # Errors
///
/// Fails if the text is not PEM or holds no certificate.
pub(crate) fn trusting(pem: &[u8]) -> Result<TlsConfig, InvalidCertificates> {
    let mut roots: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => roots.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(InvalidCertificates::new()),
        }
    }
    if roots.is_empty() {
        return Err(InvalidCertificates::new());
    }
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::from(roots))
        .build())
}

/// The error of a text that should hold certificates in PEM, and holds none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCertificates(());

impl InvalidCertificates {
    #[cold]
    pub(crate) fn new() -> Self {
        Self(())
    }
}

impl fmt::Display for InvalidCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected certificates in PEM, which begin with -----BEGIN CERTIFICATE-----")
    }
}

impl std::error::Error for InvalidCertificates {}
