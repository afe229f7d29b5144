//! The parts of gRPC-Web that differ from gRPC.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::middleware::grpc::frames::Framing;

/// Returns the framing that a content type stands for, or `None` if it is not gRPC's.
pub(crate) fn framing(headers: &HeaderMap) -> Option<Framing> {
    let content_type = headers.get(header::CONTENT_TYPE)?.as_bytes();
    let rest = content_type.strip_prefix(b"application/grpc")?;
    let (framing, rest) = match rest.strip_prefix(b"-web") {
        None => (Framing::Grpc, rest),
        Some(rest) => match rest.strip_prefix(b"-text") {
            None => (Framing::Web, rest),
            Some(rest) => (Framing::WebText, rest),
        },
    };
    matches!(rest.first(), None | Some(b'+' | b';')).then_some(framing)
}

/// Reads the trailers in the body of gRPC-Web, which are lines as in HTTP/1. Lines that are no header are left out.
pub(crate) fn trailers(bytes: &[u8]) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let name = HeaderName::from_bytes(name.trim_ascii());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            trailers.append(name, value);
        }
    }
    trailers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_type_tells_the_framing() {
        let rows = [
            ("application/grpc", Some(Framing::Grpc)),
            ("application/grpc+proto", Some(Framing::Grpc)),
            ("application/grpc;x=y", Some(Framing::Grpc)),
            ("application/grpc-web", Some(Framing::Web)),
            ("application/grpc-web+proto", Some(Framing::Web)),
            ("application/grpc-web-text", Some(Framing::WebText)),
            ("application/grpc-web-text+proto", Some(Framing::WebText)),
            ("application/grpc-webby", None),
            ("application/grpcs", None),
            ("application/json", None),
        ];
        for (content_type, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_static(content_type));
            assert_eq!(framing(&headers), expected, "{content_type}");
        }
        assert_eq!(framing(&HeaderMap::new()), None);
    }

    #[test]
    fn trailers_are_lines() {
        let read = trailers(b"grpc-status:5\r\nGrpc-Message: no such\r\n\r\nnonsense\r\na b:c\n");
        assert_eq!(read["grpc-status"], "5");
        assert_eq!(read["grpc-message"], "no such");
        assert_eq!(read.len(), 2);
    }
}
