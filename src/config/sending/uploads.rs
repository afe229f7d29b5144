//! The effect of a configuration's settings on each kind of sender.

use std::time::Duration;

#[cfg(all(feature = "otlp", feature = "tls"))]
use crate::reporter::sender::InvalidCertificates;
#[cfg(any(feature = "collector", feature = "otlp"))]
use crate::reporter::sender::InvalidHeader;
use crate::reporter::sender::{InvalidEndpoint, Sender};

/// A sender of requests. Its setters have the same names.
pub(super) trait Uploads: Sender + Sized + 'static {
    fn at(endpoint: &str) -> Result<Self, InvalidEndpoint>;
    fn within(self, timeout: Duration) -> Self;

    #[cfg(any(feature = "collector", feature = "otlp"))]
    fn with_header(self, name: &str, value: &str) -> Result<Self, InvalidHeader>;

    #[cfg(feature = "collector")]
    fn with_user(self, user: &str, password: &str) -> Result<Self, InvalidHeader>;
    #[cfg(feature = "collector")]
    fn with_token(self, token: &str) -> Result<Self, InvalidHeader>;

    #[cfg(all(feature = "otlp", feature = "tls"))]
    fn trusting(self, pem: &[u8]) -> Result<Self, InvalidCertificates>;
    #[cfg(all(feature = "otlp", feature = "tls"))]
    fn showing(self, pem: &[u8], key: &[u8]) -> Result<Self, InvalidCertificates>;
}

macro_rules! uploads {
    ($sender:ident) => {
        impl Uploads for $crate::reporter::sender::$sender {
            fn at(endpoint: &str) -> Result<Self, InvalidEndpoint> {
                Self::new(endpoint)
            }

            fn within(self, timeout: Duration) -> Self {
                self.timeout(timeout)
            }

            #[cfg(any(feature = "collector", feature = "otlp"))]
            fn with_header(self, name: &str, value: &str) -> Result<Self, InvalidHeader> {
                self.header(name, value)
            }

            #[cfg(feature = "collector")]
            fn with_user(self, user: &str, password: &str) -> Result<Self, InvalidHeader> {
                self.basic_auth(user, password)
            }

            #[cfg(feature = "collector")]
            fn with_token(self, token: &str) -> Result<Self, InvalidHeader> {
                self.bearer_token(token)
            }

            #[cfg(all(feature = "otlp", feature = "tls"))]
            fn trusting(self, pem: &[u8]) -> Result<Self, InvalidCertificates> {
                self.root_certificates(pem)
            }

            #[cfg(all(feature = "otlp", feature = "tls"))]
            fn showing(self, pem: &[u8], key: &[u8]) -> Result<Self, InvalidCertificates> {
                self.client_certificate(pem, key)
            }
        }
    };
}

#[cfg(feature = "collector")]
uploads!(HttpSender);
#[cfg(feature = "otlp")]
uploads!(OtlpSender);
#[cfg(feature = "zipkin")]
uploads!(ZipkinSender);
#[cfg(all(feature = "collector", feature = "grpc"))]
uploads!(GrpcSender);
#[cfg(all(feature = "otlp", feature = "grpc"))]
uploads!(OtlpGrpcSender);
