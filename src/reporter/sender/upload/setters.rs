//! The setters that senders of requests have in common, written once. A sender has them as inherent methods, so that
//! each stands on its page.

/// Writes the setters of a sender `$sender`, whose `self.0.options` are
/// [`UploadOptions`](super::options::UploadOptions). `$url` stands in examples.
macro_rules! upload_setters {
    ($sender:ident, $url:literal) => {
        impl $sender {
            /// Sends a user name and a password with each request, as basic authentication.
            ///
            /// Defaults to those of the endpoint, or none. Replaces a [token](Self::bearer_token).
            ///
            /// # Errors
            ///
            /// Fails if the endpoint is neither `https` nor on this host, as everyone on the way could read them. See
            /// [`cleartext_credentials`](Self::cleartext_credentials).
            ///
            /// ```
            #[doc = concat!("use tracehound::reporter::sender::", stringify!($sender), ";")]
            ///
            #[doc = concat!("let sender = ", stringify!($sender), "::new(\"", $url, "\")?;")]
            /// let sender = sender.basic_auth("me", "secret")?;
            /// assert!(!format!("{sender:?}").contains("secret"));
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn basic_auth(
                mut self,
                user: &str,
                password: &str,
            ) -> Result<Self, $crate::reporter::sender::InvalidHeader> {
                self.0.options.set_basic_auth(user, password)?;
                Ok(self)
            }

            /// Sends a token with each request, as `Authorization: Bearer …`.
            ///
            /// Defaults to none. Replaces a user name and a [password](Self::basic_auth).
            ///
            /// # Errors
            ///
            /// Fails if the endpoint is neither `https` nor on this host, or the token has a control character.
            ///
            /// ```
            #[doc = concat!("use tracehound::reporter::sender::{InvalidHeader, ", stringify!($sender), "};")]
            ///
            #[doc = concat!("let sender = ", stringify!($sender), "::new(\"http://collector\")?;")]
            /// let exposed = sender.bearer_token("t0ken").err();
            /// assert_eq!(exposed, Some(InvalidHeader::ExposedCredentials));
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn bearer_token(
                mut self,
                token: &str,
            ) -> Result<Self, $crate::reporter::sender::InvalidHeader> {
                let value = format!("Bearer {token}");
                self.0.options.set_header("authorization", &value)?;
                Ok(self)
            }

            /// Sends a header with each request, such as a tenant's name. A later value replaces an earlier one.
            ///
            /// # Errors
            ///
            /// Fails if the name or the value is not one of HTTP, or the request sets this header itself. Fails if the
            /// endpoint is neither `https` nor on this host and the header holds a secret: `authorization`,
            /// `proxy-authorization`, `cookie`, names that end in `-key`, `-token`, `-secret` or `-password`, and some
            /// that vendors use, such as `x-honeycomb-team`.
            ///
            /// ```
            #[doc = concat!("use tracehound::reporter::sender::", stringify!($sender), ";")]
            ///
            #[doc = concat!("let sender = ", stringify!($sender), "::new(\"", $url, "\")?;")]
            /// let sender = sender.header("x-scope-orgid", "shop")?;
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn header(
                mut self,
                name: &str,
                value: &str,
            ) -> Result<Self, $crate::reporter::sender::InvalidHeader> {
                self.0.options.set_header(name, value)?;
                Ok(self)
            }

            /// Sets whether passwords, tokens and other secrets may go over `http` to another host, where everyone on
            /// the way can read them. Counts for the setters that follow.
            ///
            /// Defaults to `false`.
            ///
            /// ```
            #[doc = concat!("use tracehound::reporter::sender::", stringify!($sender), ";")]
            ///
            #[doc = concat!("let sender = ", stringify!($sender), "::new(\"http://10.0.0.1:8080\")?;")]
            /// let sender = sender.cleartext_credentials(true).basic_auth("me", "secret")?;
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            #[must_use]
            pub fn cleartext_credentials(mut self, allowed: bool) -> Self {
                self.0.options.may_expose = allowed;
                self
            }

            /// Sets how long sending a batch may take in all: look-up, connection, request, reply and further tries.
            /// A pause that the collector asks for does not count.
            ///
            /// Defaults to five seconds.
            ///
            /// ```
            /// use std::time::Duration;
            #[doc = concat!("use tracehound::reporter::sender::", stringify!($sender), ";")]
            ///
            #[doc = concat!("let sender = ", stringify!($sender), "::new(\"", $url, "\")?;")]
            /// let sender = sender.timeout(Duration::from_secs(2));
            /// # Ok::<(), tracehound::reporter::sender::InvalidEndpoint>(())
            /// ```
            #[must_use]
            pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
                self.0.options.timeout = timeout;
                self
            }

            /// Sets up to how many bytes spans are packed into one batch, before compression. A span that is larger by
            /// itself is made smaller.
            ///
            /// Defaults to 1 MiB.
            ///
            /// ```
            #[doc = concat!("use tracehound::reporter::sender::{Sender, ", stringify!($sender), "};")]
            ///
            #[doc = concat!("let sender = ", stringify!($sender), "::new(\"", $url, "\")?;")]
            /// assert_eq!(Sender::max_bytes(&sender.max_bytes(100_000)), 100_000);
            /// # Ok::<(), tracehound::reporter::sender::InvalidEndpoint>(())
            /// ```
            #[must_use]
            pub fn max_bytes(mut self, bytes: usize) -> Self {
                self.0.options.max_bytes = bytes;
                self
            }

            /// Trusts these root certificates, in PEM, and no others: those of a company's own authority, for instance.
            ///
            /// Defaults to Mozilla's root certificates.
            ///
            /// # Errors
            ///
            /// Fails if the text holds no certificate.
            ///
            /// ```
            #[doc = concat!("use tracehound::reporter::sender::", stringify!($sender), ";")]
            ///
            #[doc = concat!("let sender = ", stringify!($sender), "::new(\"https://collector\")?;")]
            /// assert!(sender.root_certificates("no certificate").is_err());
            /// # Ok::<(), tracehound::reporter::sender::InvalidEndpoint>(())
            /// ```
            #[cfg(feature = "tls")]
            #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
            pub fn root_certificates(
                mut self,
                pem: impl AsRef<[u8]>,
            ) -> Result<Self, $crate::reporter::sender::InvalidCertificates> {
                self.0.options.tls.set_roots(pem.as_ref())?;
                Ok(self)
            }

            /// Shows this certificate, in PEM, to the server, and proves it by the private key. Further certificates of
            /// the text lead from it to a root.
            ///
            /// Defaults to none.
            ///
            /// # Errors
            ///
            /// Fails if the first text holds no certificate, or the second one no private key that belongs to it.
            ///
            /// ```
            #[doc = concat!("use tracehound::reporter::sender::", stringify!($sender), ";")]
            ///
            #[doc = concat!("let sender = ", stringify!($sender), "::new(\"https://collector\")?;")]
            /// assert!(sender.client_certificate("no certificate", "no key").is_err());
            /// # Ok::<(), tracehound::reporter::sender::InvalidEndpoint>(())
            /// ```
            #[cfg(feature = "tls")]
            #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
            pub fn client_certificate(
                mut self,
                pem: impl AsRef<[u8]>,
                key: impl AsRef<[u8]>,
            ) -> Result<Self, $crate::reporter::sender::InvalidCertificates> {
                self.0.options.tls.set_identity(pem.as_ref(), key.as_ref())?;
                Ok(self)
            }
        }
    };
}

/// Writes the setter of compression.
#[cfg(any(feature = "otlp", feature = "zipkin"))]
macro_rules! gzip_setter {
    ($sender:ident, $url:literal) => {
        impl $sender {
            /// Sets whether batches are compressed by gzip, which takes a fraction of their size and some time of the
            /// upload's thread.
            ///
            /// Defaults to `false`, because some receivers refuse it.
            ///
            /// ```
            #[doc = concat!("use tracehound::reporter::sender::", stringify!($sender), ";")]
            ///
            #[doc = concat!("let sender = ", stringify!($sender), "::new(\"", $url, "\")?.gzip(true);")]
            /// # Ok::<(), tracehound::reporter::sender::InvalidEndpoint>(())
            /// ```
            #[must_use]
            pub fn gzip(mut self, wanted: bool) -> Self {
                self.0.options.gzip = wanted;
                self
            }
        }
    };
}

#[cfg(any(feature = "otlp", feature = "zipkin"))]
pub(in crate::reporter::sender) use gzip_setter;
pub(in crate::reporter::sender) use upload_setters;
