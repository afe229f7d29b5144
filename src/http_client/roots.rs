//! Whom an encrypted connection trusts.

use std::fmt;

#[cfg(feature = "remote-sampler")]
use ureq::tls::TlsConfig;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfigBuilder, parse_pem};

/// Returns settings that trust the certificates of a PEM text, and no others.
///
/// # Errors
///
/// Fails if the text is not PEM or holds no certificate.
#[cfg(feature = "remote-sampler")]
pub(crate) fn trusting(pem: &[u8]) -> Result<TlsConfig, InvalidCertificates> {
    Ok(with_roots(TlsConfig::builder(), certificates(pem)?).build())
}

pub(super) fn with_roots(
    builder: TlsConfigBuilder,
    roots: Vec<Certificate<'static>>,
) -> TlsConfigBuilder {
    builder.root_certs(RootCerts::from(roots))
}

/// Returns the certificates of a PEM text, at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, InvalidCertificates> {
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
    Ok(roots)
}

/// The error of a text that should hold certificates or a private key in PEM, and does not.
///
/// ```
/// # #[cfg(feature = "remote-sampler")] {
/// use tracehound::sampler::remote::HttpStrategyFetcher;
///
/// let fetcher = HttpStrategyFetcher::new("https://jaeger.example/sampling").expect("a URL");
/// let error = fetcher.root_certificates("not PEM").expect_err("no certificate");
/// println!("{error}");
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCertificates(&'static str);

impl InvalidCertificates {
    #[cold]
    pub(crate) fn new() -> Self {
        Self("expected certificates in PEM, which begin with -----BEGIN CERTIFICATE-----")
    }

    #[cfg(feature = "_upload")]
    #[cold]
    pub(super) fn no_key() -> Self {
        Self("expected the certificate's private key in PEM")
    }
}

impl fmt::Display for InvalidCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidCertificates {}
