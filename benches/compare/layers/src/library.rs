//! The libraries, the kinds of request that each has a layer for, and what the caller has decided.

/// A library, or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Library {
    Nothing,
    Tracehound,
    TraceLayer,
    AxumOtel,
    FastraceAxum,
    FastraceTower,
    ReqwestTracing,
    FastraceReqwest,
    TonicOtel,
    FastraceTonic,
}

impl Library {
    pub const ALL: [Self; 10] = [
        Self::Nothing,
        Self::Tracehound,
        Self::TraceLayer,
        Self::AxumOtel,
        Self::FastraceAxum,
        Self::FastraceTower,
        Self::ReqwestTracing,
        Self::FastraceReqwest,
        Self::TonicOtel,
        Self::FastraceTonic,
    ];

    /// Returns a word for the command line.
    pub fn key(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Tracehound => "tracehound",
            Self::TraceLayer => "tower-http",
            Self::AxumOtel => "axum-tracing-opentelemetry",
            Self::FastraceAxum => "fastrace-axum",
            Self::FastraceTower => "fastrace-tower",
            Self::ReqwestTracing => "reqwest-tracing",
            Self::FastraceReqwest => "fastrace-reqwest",
            Self::TonicOtel => "tonic-tracing-opentelemetry",
            Self::FastraceTonic => "fastrace-tonic",
        }
    }

    pub fn parse(key: &str) -> Self {
        let library = Self::ALL.into_iter().find(|library| library.key() == key);
        library.unwrap_or_else(|| panic!("no library {key:?}"))
    }

    /// Returns the name of its row, with the versions that the lock file has.
    pub fn title(self) -> String {
        let version = |name: &str| format!("{name} {}", version(name));
        match self {
            Self::Nothing => "*nothing*".to_owned(),
            Self::Tracehound => "tracehound".to_owned(),
            Self::TraceLayer => format!(
                "`TraceLayer` of {}, {}",
                version("tower-http"),
                version("tracing-opentelemetry")
            ),
            other => version(other.key()),
        }
    }
}

/// Returns the newest version of a crate in the lock file.
fn version(name: &str) -> String {
    let lines: Vec<&str> = LOCK.lines().collect();
    let name = format!("name = {name:?}");
    let versions = lines.windows(2).filter(|pair| pair[0] == name);
    let version = versions.last().expect("it is in the lock file")[1];
    let version = version.strip_prefix("version = \"").expect("a version");
    version.trim_end_matches('"').to_owned()
}

const LOCK: &str = include_str!("../../Cargo.lock");

/// A kind of request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Axum,
    Reqwest,
    GrpcServer,
    GrpcClient,
}

impl Side {
    pub const ALL: [Self; 4] = [
        Self::Axum,
        Self::Reqwest,
        Self::GrpcServer,
        Self::GrpcClient,
    ];

    pub fn key(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::Reqwest => "reqwest",
            Self::GrpcServer => "gRPC server",
            Self::GrpcClient => "gRPC client",
        }
    }

    pub fn parse(key: &str) -> Self {
        let side = Self::ALL.into_iter().find(|side| side.key() == key);
        side.unwrap_or_else(|| panic!("no kind of request {key:?}"))
    }

    /// Returns the libraries with a layer for it.
    pub fn libraries(self) -> &'static [Library] {
        match self {
            Self::Axum => &[
                Library::Tracehound,
                Library::TraceLayer,
                Library::AxumOtel,
                Library::FastraceAxum,
                Library::FastraceTower,
            ],
            Self::Reqwest => &[
                Library::Tracehound,
                Library::ReqwestTracing,
                Library::FastraceReqwest,
            ],
            Self::GrpcServer | Self::GrpcClient => &[
                Library::Tracehound,
                Library::TonicOtel,
                Library::FastraceTonic,
            ],
        }
    }

    /// Whether the library makes no span of such a request, and only passes the context on.
    pub fn has_no_span(self, library: Library) -> bool {
        match self {
            Self::Axum | Self::GrpcServer => library == Library::Nothing,
            Self::Reqwest => matches!(library, Library::Nothing | Library::FastraceReqwest),
            Self::GrpcClient => matches!(library, Library::Nothing | Library::FastraceTonic),
        }
    }
}

/// The decision of the caller, or a library that is off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Sampled,
    Unsampled,
    Off,
}

impl Mode {
    pub const ALL: [Self; 3] = [Self::Sampled, Self::Unsampled, Self::Off];

    pub fn key(self) -> &'static str {
        match self {
            Self::Sampled => "sampled",
            Self::Unsampled => "unsampled",
            Self::Off => "off",
        }
    }

    pub fn parse(key: &str) -> Self {
        let mode = Self::ALL.into_iter().find(|mode| mode.key() == key);
        mode.unwrap_or_else(|| panic!("no mode {key:?}"))
    }

    /// Returns the header of the caller.
    pub fn traceparent(self) -> &'static str {
        match self {
            Self::Sampled | Self::Off => "00-6309ab92c95468edea0dc1a9772ae2dc-409423a204bc17a8-01",
            Self::Unsampled => "00-6309ab92c95468edea0dc1a9772ae2dc-409423a204bc17a8-00",
        }
    }
}
