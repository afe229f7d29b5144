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
    /// Returns the format that a scraper asks for: OpenMetrics if its `accept` header names that and prefers no other
    /// text, else Prometheus'.
    ///
    /// ```
    /// use tracehound::metrics::TextFormat;
    ///
    /// let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4";
    /// assert_eq!(TextFormat::of_accept(accept), TextFormat::OpenMetrics);
    /// assert_eq!(TextFormat::of_accept("*/*"), TextFormat::Prometheus);
    /// ```
    pub fn of_accept(accept: &str) -> Self {
        let open_metrics = weight(accept, "application/openmetrics-text").unwrap_or(0.0);
        // The most specific range counts (RFC 9110, 12.5.1).
        let text = ["text/plain", "text/*", "*/*"];
        let text = text.into_iter().find_map(|range| weight(accept, range));
        if open_metrics > 0.0 && open_metrics >= text.unwrap_or(0.0) {
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

/// Returns the highest weight of a media type in an `accept` header, `None` if it is not there.
fn weight(accept: &str, wanted: &str) -> Option<f64> {
    let ranges = accept.split(',').map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| {
            part.strip_prefix(['q', 'Q'])?
                .trim_start()
                .strip_prefix('=')
        });
        let weight = weight.map_or(1.0, |weight| weight.trim().parse().unwrap_or(1.0));
        (media_type, weight)
    });
    ranges
        .filter(|(media_type, _)| media_type.eq_ignore_ascii_case(wanted))
        .map(|(_, weight)| weight)
        .reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scraper_gets_the_format_that_it_prefers() {
        // The header of Prometheus 3.
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
            text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        let lists_text_first = "text/plain;version=0.0.4;q=0.5,application/openmetrics-text;q=0.9";
        let openmetrics = [
            prometheus,
            lists_text_first,
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; version=1.0.0; charset=utf-8",
            "application/openmetrics-text,text/plain",
            "application/openmetrics-text;q=high",
            "application/openmetrics-text;q=0.5, text/plain;q=0.1, */*",
            "*/*, text/*;q=0.2, application/openmetrics-text;q=0.5",
        ];
        let text = [
            "",
            "*/*",
            "text/html",
            "text/plain;version=0.0.4;q=1,application/openmetrics-text;q=0.1",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text; Q = 0.0, */*",
            "application/openmetrics-text;q=0.5,text/*",
            "*/*;q=0.1, text/*, application/openmetrics-text;q=0.5",
            "application/openmetrics-text-2",
        ];
        for (headers, expected) in [
            (&openmetrics[..], TextFormat::OpenMetrics),
            (&text, TextFormat::Prometheus),
        ] {
            for accept in headers {
                assert_eq!(TextFormat::of_accept(accept), expected, "{accept}");
            }
        }
    }
}
