//! What users set on a layer. A hook that panics never breaks the request: it is as if it were not set.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, StatusCode};

use crate::middleware::grpc::KnownMethods;
use crate::middleware::http::redact;
use crate::panics::caught;
use crate::span::Span;
use crate::tracer::Tracer;

/// When the span of a request ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpanEnd {
    /// When the body of the response has come to its end, has failed or is dropped.
    #[default]
    Body,
    /// When the head of the response is there: for bodies that stay open for hours. A gRPC call, whose status comes last,
    /// is not affected.
    Head,
}

/// What a layer was told.
pub(super) struct Settings<Req, Res> {
    pub(super) tracer: Arc<dyn Tracer>,
    /// The gRPC methods that a server is known to have.
    pub(super) methods: Arc<KnownMethods>,
    pub(super) hooks: Hooks<Req, Res>,
}

impl<Req, Res> Settings<Req, Res> {
    pub(super) fn new(tracer: impl Tracer + 'static) -> Self {
        Self {
            tracer: Arc::new(tracer),
            methods: Arc::default(),
            hooks: Hooks::DEFAULT,
        }
    }
}

impl<Req, Res> Clone for Settings<Req, Res> {
    fn clone(&self) -> Self {
        Self {
            tracer: self.tracer.clone(),
            methods: self.methods.clone(),
            hooks: self.hooks.clone(),
        }
    }
}

/// The hooks of a layer, for its types of requests and of responses.
pub(super) struct Hooks<Req, Res> {
    pub(super) operation_name: Option<NameHook<Req>>,
    pub(super) filter: Option<FilterHook<Req>>,
    pub(super) url: Option<UrlHook<Req>>,
    pub(super) component: Option<Cow<'static, str>>,
    pub(super) peer_address: Option<Cow<'static, str>>,
    pub(super) request_headers: Headers,
    pub(super) response_headers: Headers,
    pub(super) error_status: Option<StatusHook>,
    pub(super) decorate: Vec<SpanHook<Req>>,
    pub(super) decorate_response: Vec<SpanHook<Res>>,
    pub(super) ends_at: SpanEnd,
    pub(super) injects: bool,
}

pub(super) type NameHook<Req> = Arc<dyn Fn(&Req) -> Cow<'static, str> + Send + Sync>;
pub(super) type FilterHook<Req> = Arc<dyn Fn(&Req) -> bool + Send + Sync>;
pub(super) type UrlHook<Req> = Arc<dyn Fn(&Req) -> Option<String> + Send + Sync>;
pub(super) type StatusHook = Arc<dyn Fn(StatusCode) -> bool + Send + Sync>;
pub(super) type SpanHook<T> = Arc<dyn Fn(&Span, &T) + Send + Sync>;

impl<Req, Res> Hooks<Req, Res> {
    pub(super) const DEFAULT: Self = Self {
        operation_name: None,
        filter: None,
        url: None,
        component: None,
        peer_address: None,
        request_headers: Headers(Vec::new()),
        response_headers: Headers(Vec::new()),
        error_status: None,
        decorate: Vec::new(),
        decorate_response: Vec::new(),
        ends_at: SpanEnd::Body,
        injects: true,
    };

    /// Whether the request is to have a span.
    pub(super) fn wants(&self, request: &Req) -> bool {
        let filter = self.filter.as_ref();
        filter
            .and_then(|keep| caught(|| keep(request)))
            .unwrap_or(true)
    }

    /// The name that the user gives the span.
    pub(super) fn name(&self, request: &Req) -> Option<Cow<'static, str>> {
        let name = self.operation_name.as_ref()?;
        caught(|| name(request))
    }

    /// The URL to show, made by `default` unless the user makes it.
    pub(super) fn url(
        &self,
        request: &Req,
        default: impl FnOnce(&Req) -> String,
    ) -> Option<String> {
        match &self.url {
            Some(url) => caught(|| url(request)).flatten(),
            None => Some(default(request)),
        }
    }

    pub(super) fn component(&self, default: &'static str) -> &str {
        self.component.as_deref().unwrap_or(default)
    }

    /// Whether a status is an error. From 500 by default, as in the Go client.
    pub(super) fn is_error(&self, status: StatusCode) -> bool {
        let is_error = self.error_status.as_ref();
        is_error
            .and_then(|is_error| caught(|| is_error(status)))
            .unwrap_or_else(|| status.as_u16() >= 500)
    }

    pub(super) fn decorate(&self, span: &Span, request: &Req) {
        for decorate in &self.decorate {
            caught(|| decorate(span, request));
        }
    }

    pub(super) fn decorate_response(&self, span: &Span, response: &Res) {
        for decorate in &self.decorate_response {
            caught(|| decorate(span, response));
        }
    }
}

impl<Req, Res> Clone for Hooks<Req, Res> {
    fn clone(&self) -> Self {
        Self {
            operation_name: self.operation_name.clone(),
            filter: self.filter.clone(),
            url: self.url.clone(),
            component: self.component.clone(),
            peer_address: self.peer_address.clone(),
            request_headers: self.request_headers.clone(),
            response_headers: self.response_headers.clone(),
            error_status: self.error_status.clone(),
            decorate: self.decorate.clone(),
            decorate_response: self.decorate_response.clone(),
            ends_at: self.ends_at,
            injects: self.injects,
        }
    }
}

/// Headers to record, each with the key of its tag.
#[derive(Clone)]
pub(super) struct Headers(Vec<(HeaderName, String)>);

impl Headers {
    pub(super) fn add(&mut self, prefix: &str, names: impl IntoIterator<Item = HeaderName>) {
        self.0.extend(names.into_iter().map(|name| {
            let key = format!("{prefix}{name}");
            (name, key)
        }));
    }

    pub(super) fn record(&self, span: &Span, headers: &HeaderMap) {
        for (name, key) in &self.0 {
            let mut values = headers
                .get_all(name)
                .iter()
                .filter_map(|value| redact::header(name, value));
            let Some(mut text) = values.next() else {
                continue;
            };
            for value in values {
                text += ", ";
                text += value;
            }
            span.set_tag(key, &text);
        }
    }
}

/// The setters that all layers share, for a type with a field `settings: Arc<Settings<..>>`.
macro_rules! setters {
    ($request:ty, $response:ty) => {
        /// Names the spans. A name stands for a class of requests: no ids, no paths as they came.
        ///
        /// Defaults to the route where the router has told it (`GET /users/{id}`), to `HTTP GET` where it has not, and to
        /// `/package.Service/Method` for a gRPC method that is [known](crate::middleware).
        #[must_use]
        pub fn operation_name(
            mut self,
            name: impl Fn(&$request) -> std::borrow::Cow<'static, str> + Send + Sync + 'static,
        ) -> Self {
            self.hooks_mut().operation_name = Some(std::sync::Arc::new(name));
            self
        }

        /// Decides which requests get a span. One that gets none is passed on as it is: a client injects nothing into it. On a
        /// server the context of the caller is active in the handler all the same.
        ///
        /// Defaults to all.
        #[must_use]
        pub fn filter(mut self, keep: impl Fn(&$request) -> bool + Send + Sync + 'static) -> Self {
            self.hooks_mut().filter = Some(std::sync::Arc::new(keep));
            self
        }

        /// Makes the text of the `http.url` tag; `None` leaves the tag out.
        ///
        /// Defaults to the URL without user name and password and without the values of its parameters:
        /// `http://shop/cart?id=`.
        #[must_use]
        pub fn url(
            mut self,
            url: impl Fn(&$request) -> Option<String> + Send + Sync + 'static,
        ) -> Self {
            self.hooks_mut().url = Some(std::sync::Arc::new(url));
            self
        }

        /// The value of the `component` tag.
        ///
        /// Defaults to the name of the library that is traced: `tower`, `hyper`, `reqwest`, `gRPC`.
        #[must_use]
        pub fn component(mut self, component: impl Into<std::borrow::Cow<'static, str>>) -> Self {
            self.hooks_mut().component = Some(component.into());
            self
        }

        /// Records these headers of requests, as `http.header.{name}`. The values of one that comes several times are
        /// joined by `, `.
        ///
        /// Those that hold secrets are left out all the same: `authorization`, `proxy-authorization`, `cookie`,
        /// `set-cookie`, `x-api-key`, names that end in `-token` or `-secret`, and values marked as sensitive.
        ///
        /// Defaults to none.
        #[must_use]
        pub fn request_headers(
            mut self,
            names: impl IntoIterator<Item = http::HeaderName>,
        ) -> Self {
            let headers = &mut self.hooks_mut().request_headers;
            headers.add("http.header.", names);
            self
        }

        /// Records these headers of responses, as `http.response.header.{name}`, with the same exceptions as
        /// [`request_headers`](Self::request_headers). Defaults to none.
        #[must_use]
        pub fn response_headers(
            mut self,
            names: impl IntoIterator<Item = http::HeaderName>,
        ) -> Self {
            let headers = &mut self.hooks_mut().response_headers;
            headers.add("http.response.header.", names);
            self
        }

        /// Says which HTTP status is an error.
        ///
        /// Defaults to those from 500, as in the Go client. A Jaeger v2 backend marks the 4xx of a client as errors by itself. The
        /// status of gRPC has its own rules.
        #[must_use]
        pub fn error_status(
            mut self,
            is_error: impl Fn(http::StatusCode) -> bool + Send + Sync + 'static,
        ) -> Self {
            self.hooks_mut().error_status = Some(std::sync::Arc::new(is_error));
            self
        }

        /// Runs on each span once it has its own tags, and before anything is injected. May be set several times.
        #[must_use]
        pub fn decorate(
            mut self,
            tag: impl Fn(&$crate::Span, &$request) + Send + Sync + 'static,
        ) -> Self {
            self.hooks_mut().decorate.push(std::sync::Arc::new(tag));
            self
        }

        /// Runs when the head of the response is there. May be set several times.
        #[must_use]
        pub fn decorate_response(
            mut self,
            tag: impl Fn(&$crate::Span, &$response) + Send + Sync + 'static,
        ) -> Self {
            let hooks = &mut self.hooks_mut().decorate_response;
            hooks.push(std::sync::Arc::new(tag));
            self
        }

        /// When the span ends. Defaults to [`SpanEnd::Body`](crate::middleware::SpanEnd::Body).
        #[must_use]
        pub fn ends_at(mut self, end: $crate::middleware::SpanEnd) -> Self {
            self.hooks_mut().ends_at = end;
            self
        }

        fn hooks_mut(
            &mut self,
        ) -> &mut $crate::middleware::http::hooks::Hooks<$request, $response> {
            &mut std::sync::Arc::make_mut(&mut self.settings).hooks
        }
    };
}
pub(super) use setters;
