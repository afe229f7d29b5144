//! Whom an encrypted connection trusts, and who it says it is.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{ClientCert, PrivateKey, TlsConfig};

use crate::http_client::InvalidCertificates;
use crate::http_client::roots::{certificates, with_roots};

/// The settings of encrypted connections, as PEM texts that were checked.
///
/// By default a connection trusts Mozilla's root certificates and has no certificate of its own.
#[derive(Clone, Default)]
pub(crate) struct TlsSettings {
    roots: Option<Arc<[u8]>>,
    identity: Option<Identity>,
}

/// A certificate, perhaps with those that lead to a root, and its private key.
#[derive(Clone)]
struct Identity {
    chain: Arc<[u8]>,
    key: Arc<[u8]>,
}

impl TlsSettings {
    /// Trusts these certificates, and no others.
    ///
    /// # Errors
    ///
    /// Fails if the text is not PEM or holds no certificate.
    pub(crate) fn set_roots(&mut self, pem: &[u8]) -> Result<(), InvalidCertificates> {
        certificates(pem)?;
        self.roots = Some(pem.into());
        Ok(())
    }

    /// Shows this certificate to the server. Further certificates of the text lead from it to a root.
    ///
    /// # Errors
    ///
    /// Fails if the first text holds no certificate, or the second one no private key that belongs to it.
    pub(crate) fn set_identity(
        &mut self,
        pem: &[u8],
        key: &[u8],
    ) -> Result<(), InvalidCertificates> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let chain = chain.map_err(|_| InvalidCertificates::new())?;
        if chain.is_empty() {
            return Err(InvalidCertificates::new());
        }
        let private =
            PrivateKeyDer::from_pem_slice(key).map_err(|_| InvalidCertificates::no_key())?;
        // The connection would panic with a key that does not belong to the certificate.
        let provider = rustls::crypto::ring::default_provider();
        CertifiedKey::from_der(chain, private, &provider)
            .map_err(|_| InvalidCertificates::no_key())?;
        self.identity = Some(Identity {
            chain: pem.into(),
            key: key.into(),
        });
        Ok(())
    }

    /// Returns the settings for tonic.
    #[cfg(all(feature = "grpc", any(feature = "collector", feature = "otlp")))]
    pub(crate) fn tonic_config(&self) -> tonic::transport::ClientTlsConfig {
        use tonic::transport::{Certificate, ClientTlsConfig, Identity};

        let mut config = match &self.roots {
            Some(roots) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(roots)),
            None => ClientTlsConfig::new().with_webpki_roots(),
        };
        if let Some(identity) = &self.identity {
            config = config.identity(Identity::from_pem(&identity.chain, &identity.key));
        }
        config
    }

    /// Returns the settings for ureq.
    pub(crate) fn config(&self) -> TlsConfig {
        let mut builder = TlsConfig::builder();
        if let Some(roots) = &self.roots {
            builder = with_roots(builder, certificates(roots).unwrap_or_default());
        }
        let identity = self.identity.as_ref().and_then(|Identity { chain, key }| {
            let chain = certificates(chain).ok()?;
            Some(ClientCert::new_with_certs(
                &chain,
                PrivateKey::from_pem(key).ok()?,
            ))
        });
        builder.client_cert(identity).build()
    }
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsSettings")
    }
}
