//! What is not equal, as footnotes.

use crate::library::{Library, Side};

pub struct Note {
    is_about: fn(Side, Library) -> bool,
    pub text: &'static str,
}

pub const NOTES: [Note; 8] = [
    Note {
        is_about: |side, library| side != Side::GrpcClient && library == Library::Tracehound,
        text: "More work: a span covers the body, not only the head; it has the URL without credentials and values of \
            the query, and the sizes that are known.",
    },
    Note {
        is_about: |_, library| library == Library::TraceLayer,
        text: "By hand: a closure reads the header and makes a span with five attributes, and another one records the \
            status. The span covers the body.",
    },
    Note {
        is_about: |_, library| matches!(library, Library::AxumOtel | Library::TonicOtel),
        text: "More work: the span has the name of the client's program and the address of the server. Less work: it \
            ends with the head of the answer.",
    },
    Note {
        is_about: |side, library| side == Side::Axum && library == Library::FastraceAxum,
        text: "Less work: the span ends with the head of the answer, and has method, path, route and status as text.",
    },
    Note {
        is_about: |_, library| library == Library::FastraceTower,
        text: "Less work: a span with the method as its name and no attributes; it ends with the head of the answer.",
    },
    Note {
        is_about: |side, library| side == Side::GrpcServer && library == Library::FastraceTonic,
        text: "Less work: a span with the path as its name and no attributes, not even the status; it ends with the \
            head of the answer.",
    },
    Note {
        is_about: |side, library| {
            library == Library::FastraceReqwest
                || (side == Side::GrpcClient && library == Library::FastraceTonic)
        },
        text: "Less work: no span; the context of the active one goes into the header.",
    },
    Note {
        is_about: |_, library| library == Library::ReqwestTracing,
        text: "With opentelemetry 0.32, the newest that it knows, and with `SpanBackendWithUrl`. Less work: the span ends with \
            the head of the answer.",
    },
];

/// Returns the numbers of the notes about a row, as a superscript.
pub fn marks(side: Side, library: Library) -> String {
    let marks = (1..)
        .zip(&NOTES)
        .filter(|(_, note)| (note.is_about)(side, library));
    let marks: Vec<String> = marks.map(|(number, _)| number.to_string()).collect();
    if marks.is_empty() {
        String::new()
    } else {
        format!(" <sup>{}</sup>", marks.join(","))
    }
}
