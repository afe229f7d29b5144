/// A text format for a page of metrics.
///
/// ```
/// use tracehound::metrics::TextFormat;
///
/// assert!(TextFormat::Prometheus.content_type().starts_with("text/plain"));
/// assert!(TextFormat::OpenMetrics.content_type().starts_with("application/openmetrics-text"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextFormat {
    /// Prometheus' text format, version 0.0.4, which every scraper reads. It has no exemplars.
    Prometheus,
    /// OpenMetrics, version 1.0.0. Prometheus asks for it by its `accept` header.
    OpenMetrics,
}

impl TextFormat {
    /// Returns the format that a scraper asks for: OpenMetrics if its `accept` header names that, else Prometheus'.
    ///
    /// ```
    /// use tracehound::metrics::TextFormat;
    ///
    /// let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4";
    /// assert_eq!(TextFormat::of_accept(accept), TextFormat::OpenMetrics);
    /// assert_eq!(TextFormat::of_accept("*/*"), TextFormat::Prometheus);
    /// ```
    pub fn of_accept(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Returns the value of the `content-type` header for a page in this format.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}
