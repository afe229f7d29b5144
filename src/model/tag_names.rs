use std::fmt;

/// The vocabulary in which the middleware names the tags of HTTP requests and of calls to databases.
///
/// | names | a request has | a call to a database has |
/// |---|---|---|
/// | [`OpenTracing`](Self::OpenTracing), the default | `http.method`, `http.url` | `db.type`, `db.statement` |
/// | [`OpenTelemetry`](Self::OpenTelemetry) | `http.request.method`, `url.full` | `db.system.name`, `db.query.text` |
/// | [`Both`](Self::Both) | all four | all four |
///
/// The page on [names](crate::middleware#which-names-do-tags-have) has the whole table. One setting holds for all layers of a
/// tracer: [`TracerBuilder::tag_names`](crate::tracer::TracerBuilder::tag_names),
/// [`Config::tag_names`](crate::Config::tag_names) or the variable `TRACEHOUND_TAG_NAMES`.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::model::TagNames;
///
/// let tracer = JaegerTracer::builder("shop").tag_names(TagNames::Both).build()?;
/// # drop(tracer);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TagNames {
    /// The names of the OpenTracing semantic conventions, which Jaeger's clients set.
    #[default]
    OpenTracing,
    /// The stable names of OpenTelemetry's semantic conventions 1.33 and later. Spans are named by their rules, too:
    /// `GET` for a request without a route, `SELECT users` for a statement.
    OpenTelemetry,
    /// The tags of both, for the time of a move from one to the other. Spans are named as with `OpenTracing`.
    Both,
}

impl TagNames {
    /// Returns whether tags have the names of OpenTracing.
    pub(crate) const fn has_opentracing(self) -> bool {
        !matches!(self, Self::OpenTelemetry)
    }

    /// Returns whether tags have the names of OpenTelemetry.
    pub(crate) const fn has_opentelemetry(self) -> bool {
        !matches!(self, Self::OpenTracing)
    }

    /// Returns whether spans are named by the rules of OpenTelemetry.
    pub(crate) const fn name_spans(self) -> bool {
        matches!(self, Self::OpenTelemetry)
    }

    /// Returns the names that a word stands for, which may be in any case.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        let all = [Self::OpenTracing, Self::OpenTelemetry, Self::Both];
        all.into_iter()
            .find(|names| names.word().eq_ignore_ascii_case(word))
    }

    const fn word(self) -> &'static str {
        match self {
            Self::OpenTracing => "opentracing",
            Self::OpenTelemetry => "opentelemetry",
            Self::Both => "both",
        }
    }
}

impl fmt::Display for TagNames {
    /// Writes `opentracing`, `opentelemetry` or `both`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
