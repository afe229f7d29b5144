use std::fmt;
use std::sync::Arc;

use http::HeaderValue;

use crate::span::SpanContext;

/// The address of a trace in a user interface, made from a template.
///
/// It can be sent in a header of every response, by [`AnswerHeaders::link`](crate::middleware::AnswerHeaders::link), or
/// be shown on an error page:
///
/// ```
/// use tracehound::middleware::{RequestSpan, TraceLink};
///
/// fn error_page(span: &RequestSpan, link: &TraceLink) -> String {
///     match link.of(&span.context()) {
///         Some(url) => format!("Something went wrong. For our support: {url}"),
///         None => "Something went wrong.".to_owned(),
///     }
/// }
///
/// let link = TraceLink::new("http://jaeger:16686/trace/{trace_id}?uiFind={span_id}")?;
/// # assert_eq!(error_page(&RequestSpan::default(), &link), "Something went wrong.");
/// # Ok::<(), tracehound::middleware::InvalidTraceLink>(())
/// ```
#[derive(Clone)]
pub struct TraceLink {
    parts: Arc<[Part]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    TraceId,
    SpanId,
}

impl TraceLink {
    /// Reads a template, in which `{trace_id}` stands for the id of the trace and `{span_id}` for that of the span.
    ///
    /// Both are written in hex. A trace id has 16 digits or, if it has 128 bits, 32.
    ///
    /// # Errors
    ///
    /// Returns an [`InvalidTraceLink`] if `{trace_id}` is missing, if another name is in braces, or if the text cannot
    /// be the value of a header.
    ///
    /// ```
    /// use tracehound::SpanContext;
    /// use tracehound::middleware::TraceLink;
    ///
    /// let link = TraceLink::new("http://jaeger:16686/trace/{trace_id}")?;
    /// assert_eq!(link.of(&SpanContext::default()), None);
    ///
    /// let error = TraceLink::new("http://jaeger:16686/trace/{id}").unwrap_err();
    /// let text = "expected a header value with {trace_id} and at most {span_id} besides: \
    ///     \"http://jaeger:16686/trace/{id}\"";
    /// assert_eq!(error.to_string(), text);
    /// # Ok::<(), tracehound::middleware::InvalidTraceLink>(())
    /// ```
    pub fn new(template: impl AsRef<str>) -> Result<Self, InvalidTraceLink> {
        let template = template.as_ref();
        let parts = parts(template).ok_or_else(|| InvalidTraceLink {
            template: template.to_owned(),
        })?;
        let parts = parts.into();
        Ok(Self { parts })
    }

    /// Returns the link of a span, or `None` if the context has no trace.
    pub fn of(&self, context: &SpanContext) -> Option<String> {
        if !context.has_trace() {
            return None;
        }
        let mut link = String::new();
        for part in &*self.parts {
            match part {
                Part::Text(text) => link.push_str(text),
                Part::TraceId => link.push_str(&context.to_trace_id()),
                Part::SpanId => link.push_str(&context.to_span_id()),
            }
        }
        Some(link)
    }
}

/// Splits a template, or returns `None` if it breaks a rule.
fn parts(template: &str) -> Option<Vec<Part>> {
    HeaderValue::from_str(template).ok()?;
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        parts.push(Part::Text(text.into()));
        parts.push(match name {
            "trace_id" => Part::TraceId,
            "span_id" => Part::SpanId,
            _ => return None,
        });
        rest = after;
    }
    if rest.contains('}') || !parts.contains(&Part::TraceId) {
        return None;
    }
    parts.push(Part::Text(rest.into()));
    Some(parts)
}

impl fmt::Debug for TraceLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TraceLink").field(&self.parts).finish()
    }
}

/// The error of [`TraceLink::new`]: a template cannot name a trace.
///
/// ```
/// use tracehound::middleware::TraceLink;
///
/// let error = TraceLink::new("http://jaeger:16686/search").expect_err("no id in it");
/// println!("{error}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTraceLink {
    template: String,
}

impl fmt::Display for InvalidTraceLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected a header value with {{trace_id}} and at most {{span_id}} besides: {:?}",
            self.template
        )
    }
}

impl std::error::Error for InvalidTraceLink {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Flags, SpanId, TraceId};

    #[test]
    fn a_link_names_the_trace_and_the_span() {
        let trace_id = TraceId::new(0, 0xabc).expect("not zero");
        let span_id = SpanId::new(0x12).expect("not zero");
        let context = SpanContext::new(trace_id, span_id, None, Flags::SAMPLED);
        let rows = [
            ("{trace_id}", "0000000000000abc"),
            (
                "a{trace_id}{span_id}b",
                "a0000000000000abc0000000000000012b",
            ),
            (
                "<http://ui/{trace_id}>; rel=\"trace\"",
                "<http://ui/0000000000000abc>; rel=\"trace\"",
            ),
        ];
        for (template, expected) in rows {
            let link = TraceLink::new(template).expect("a template");
            assert_eq!(link.of(&context).as_deref(), Some(expected), "{template}");
        }
    }

    #[test]
    fn a_template_that_names_no_trace_is_refused() {
        let templates = [
            "",
            "http://ui/trace",
            "{span_id}",
            "{trace_id",
            "trace_id}",
            "{trace_id}}",
            "{{trace_id}}",
            "{trace_id}/{user}",
            "{trace_id}\r\nset-cookie: a=b",
        ];
        for template in templates {
            assert!(TraceLink::new(template).is_err(), "{template}");
        }
    }
}
