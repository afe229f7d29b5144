//! The settings that senders of requests have in common.

use std::cmp::Reverse;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

#[cfg(feature = "tls")]
use crate::http_client::TlsSettings;
use crate::http_client::{
    Endpoint, HttpProxy, InvalidEndpoint, InvalidHeader, RequestHeaders, one_line,
};

/// The settings of a sender that uploads.
///
/// `Debug` shows no secrets.
#[derive(Clone)]
pub(in crate::reporter::sender) struct UploadOptions {
    pub(in crate::reporter::sender) endpoint: Endpoint,
    pub(in crate::reporter::sender) headers: RequestHeaders,
    pub(in crate::reporter::sender) may_expose: bool,
    pub(in crate::reporter::sender) timeout: Duration,
    pub(in crate::reporter::sender) max_bytes: usize,
    pub(in crate::reporter::sender) gzip: bool,
    pub(in crate::reporter::sender) proxy: Option<HttpProxy>,
    #[cfg(feature = "tls")]
    pub(in crate::reporter::sender) tls: TlsSettings,
}

impl UploadOptions {
    /// Makes the defaults for an endpoint, whose user name and password become a header.
    pub(in crate::reporter::sender) fn new(endpoint: Endpoint) -> Self {
        let mut options = Self {
            headers: RequestHeaders::default(),
            may_expose: false,
            timeout: Duration::from_secs(5),
            max_bytes: 1024 * 1024,
            gzip: false,
            proxy: None,
            #[cfg(feature = "tls")]
            tls: TlsSettings::default(),
            endpoint,
        };
        if let Some((user, password)) = options.endpoint.credentials() {
            let basic = basic(&user, &password);
            // Base64 is a valid value, and the endpoint has no credentials that others could read.
            let _ = options.headers.set("authorization", &basic, true);
        }
        options
    }

    pub(in crate::reporter::sender) fn set_basic_auth(
        &mut self,
        user: &str,
        password: &str,
    ) -> Result<(), InvalidHeader> {
        self.set_header("authorization", &basic(user, password))
    }

    pub(in crate::reporter::sender) fn set_header(
        &mut self,
        name: &str,
        value: &str,
    ) -> Result<(), InvalidHeader> {
        let is_private = self.is_private(self.proxy.as_ref());
        self.headers.set(name, value, is_private)
    }

    pub(in crate::reporter::sender) fn set_proxy(
        &mut self,
        proxy: HttpProxy,
    ) -> Result<(), InvalidEndpoint> {
        if self.headers.hold_secret() && !self.is_private(Some(&proxy)) {
            return Err(InvalidEndpoint::ExposedCredentials);
        }
        self.proxy = Some(proxy);
        Ok(())
    }

    /// Returns what a server says as one short line, without the secrets of the request, which it may repeat.
    pub(in crate::reporter::sender) fn quoted(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.secrets() {
            if text.contains(&secret) {
                text = text.replace(&secret, "…");
            }
        }
        one_line(&text)
    }

    /// Returns the values of secret headers and the parts of them that a server may repeat alone, longest first.
    fn secrets(&self) -> Vec<String> {
        let mut secrets = Vec::new();
        for (_, value) in self.headers.iter().filter(|(_, it)| it.is_sensitive()) {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '=');
            let parts = value.split(ends).filter(|part| part.len() >= MIN_PART);
            secrets.extend(parts.map(str::to_owned));
            let basic = value.split_once(' ');
            let basic = basic.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(BASIC));
            let login = basic.and_then(|(_, login)| {
                STANDARD_NO_PAD
                    .decode(login.trim().trim_end_matches('='))
                    .ok()
            });
            if let Some(login) = login.and_then(|login| String::from_utf8(login).ok()) {
                let password = login.split_once(':').map(|(_, password)| password);
                secrets.extend(password.map(str::to_owned));
                secrets.push(login);
            }
            secrets.push(value);
        }
        secrets.retain(|secret| secret.len() >= MIN_SECRET);
        secrets.sort_by_key(|secret| Reverse(secret.len()));
        secrets
    }

    /// Returns whether nobody on the way can read a request, or the user allows it: the request is encrypted, or stays
    /// on this host. Behind a proxy of another host, `localhost` is the proxy's.
    fn is_private(&self, proxy: Option<&HttpProxy>) -> bool {
        self.may_expose
            || self.endpoint.is_encrypted()
            || (self.endpoint.is_on_this_host() && proxy.is_none_or(HttpProxy::is_on_this_host))
    }
}

impl fmt::Debug for UploadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadOptions")
            .field("endpoint", &self.endpoint)
            .field("headers", &self.headers)
            .field("timeout", &self.timeout)
            .field("max_bytes", &self.max_bytes)
            .field("gzip", &self.gzip)
            .finish_non_exhaustive()
    }
}

fn basic(user: &str, password: &str) -> String {
    let login = STANDARD.encode(format!("{user}:{password}"));
    format!("{BASIC} {login}")
}

const BASIC: &str = "Basic";

/// The length of a part of a header's value from which it may be the secret. Shorter ones are words such as `Bearer`.
const MIN_PART: usize = 8;

/// The length of a secret from which it is looked for. A shorter one is part of ordinary words.
const MIN_SECRET: usize = 4;
