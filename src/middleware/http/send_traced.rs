use std::future::Future;
use std::panic::Location;

use reqwest::{RequestBuilder, Response};

use crate::middleware::http::hooks::Hooks;
use crate::middleware::http::reqwest::{Observed, begin};
use crate::tracer::Tracer;

/// A request that can be sent with a span, without a middleware on the client. Every host gets trace headers and
/// baggage; [`TracingMiddleware::destinations`](crate::middleware::TracingMiddleware::destinations) can tell hosts apart.
///
/// ```
/// use tracehound::Tracer;
/// use tracehound::middleware::SendTraced;
///
/// async fn stock(http: &reqwest::Client, tracer: &impl Tracer) -> reqwest::Result<String> {
///     http.get("http://stock/items").send_traced(tracer).await?.text().await
/// }
/// ```
pub trait SendTraced {
    /// Sends the request like `send`, with a span like that of a [`TracingMiddleware`](crate::middleware::TracingMiddleware).
    ///
    /// # Errors
    ///
    /// Returns the errors of `send`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use tracehound::middleware::SendTraced;
    /// use tracehound::NoopTracer;
    ///
    /// # async fn get() -> reqwest::Result<()> {
    /// let client = reqwest::Client::new();
    /// let reply = client.get("http://shop/cart").send_traced(&NoopTracer).await?;
    /// # Ok(()) }
    /// ```
    fn send_traced<T: Tracer + ?Sized>(
        self,
        tracer: &T,
    ) -> impl Future<Output = reqwest::Result<Response>> + Send;
}

impl SendTraced for RequestBuilder {
    // No async function, which would not know its caller.
    #[track_caller]
    fn send_traced<T: Tracer + ?Sized>(
        self,
        tracer: &T,
    ) -> impl Future<Output = reqwest::Result<Response>> + Send {
        let place = Some(Location::caller());
        async move {
            let (client, request) = self.build_split();
            let mut request = request?;
            let hooks = &Hooks::DEFAULT;
            match begin(tracer, hooks, place, || None, &mut request) {
                Some((exchange, url)) => {
                    Observed::new(hooks, exchange, url, client.execute(request)).await
                }
                None => client.execute(request).await,
            }
        }
    }
}
