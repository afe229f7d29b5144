//! Requests that are upgraded, and the sessions that follow on their connections.

#[cfg(feature = "axum")]
mod axum;
mod ending;
mod frames;
mod head_end;
mod io;
mod layers;
mod pending;
mod session;
mod session_span;
mod sessions;
mod substitute;
#[cfg(feature = "tungstenite")]
mod tap;
mod traffic;

pub use self::io::TracedIo;
pub(super) use self::pending::Upgrade;
pub use self::session_span::{InSession, SessionSpan};
pub use self::sessions::Sessions;
#[cfg(feature = "tungstenite")]
pub(super) use self::tap::Tap;
