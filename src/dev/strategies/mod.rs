//! The sampling strategies that the embedded agent serves: those of a file, read again when it changes, or such as
//! follow the traces that come.

mod adaptive;
mod document;

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::clock::instant_now;
use crate::decode::ReceivedBatch;
pub(crate) use crate::dev::strategies::adaptive::AdaptiveStrategies;
pub(crate) use crate::dev::strategies::document::Strategies;
use crate::diagnostics::Diagnostics;

/// The strategies that an agent serves.
#[derive(Debug)]
pub(crate) enum ServedStrategies {
    OfFile(StrategyFile),
    Adaptive(AdaptiveStrategies),
}

impl ServedStrategies {
    /// Returns the strategy of a service as JSON. Without strategies every trace is kept.
    pub(crate) fn answer_of(strategies: Option<&Self>, service: &str) -> Cow<'static, str> {
        match strategies {
            Some(strategies) => strategies.answer(service).into(),
            None => KEEP_EVERYTHING.into(),
        }
    }

    /// Returns the strategy of a service as JSON, as it is now.
    pub(crate) fn answer(&self, service: &str) -> String {
        match self {
            Self::OfFile(file) => file.answer(service),
            Self::Adaptive(strategies) => strategies.answer(service, instant_now()),
        }
    }

    /// Takes note of the traces that have come.
    pub(crate) fn record(&self, batch: &ReceivedBatch) {
        match self {
            Self::OfFile(_) => {}
            Self::Adaptive(strategies) => strategies.record(batch, instant_now()),
        }
    }

    /// Returns the place that the strategies come from, as text.
    pub(crate) fn origin(&self) -> String {
        match self {
            Self::OfFile(file) => format!("{:?}", file.path),
            Self::Adaptive(_) => "the traces that come".to_owned(),
        }
    }
}

/// A file of strategies, in the format of Jaeger's.
///
/// It is read at each request and parsed if it has other bytes than before: a few kilobytes, every few seconds. A file
/// that cannot be used leaves the last good strategies in effect, and until there are any, every trace is kept. A line
/// tells of each change.
#[derive(Debug)]
pub(crate) struct StrategyFile {
    path: PathBuf,
    diagnostics: Diagnostics,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The content that the last look found, usable or not; `None` before the first.
    seen: Option<Result<Vec<u8>, String>>,
    current: Strategies,
    /// `current` is of a file.
    is_of_file: bool,
}

impl StrategyFile {
    /// Reads the file. Also returns the line that tells of it.
    pub(crate) fn open(path: PathBuf, diagnostics: Diagnostics) -> (Self, Option<String>) {
        let mut state = State {
            seen: None,
            current: Strategies::keep_everything(),
            is_of_file: false,
        };
        let line = state.look(&path);
        let file = Self {
            path,
            diagnostics,
            state: Mutex::new(state),
        };
        (file, line)
    }

    /// Returns the strategy of a service as JSON, by the file as it is now.
    pub(crate) fn answer(&self, service: &str) -> String {
        let (answer, line) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let line = state.look(&self.path);
            (state.current.answer(service), line)
        };
        // After the lock: a handler is user code.
        if let Some(line) = line {
            self.diagnostics.say(&line);
        }
        answer
    }
}

impl State {
    /// Reads the file, and takes its strategies if it has changed. Returns a line about a change.
    fn look(&mut self, path: &Path) -> Option<String> {
        let seen = read(path).map_err(|error| error.to_string());
        if self.seen.as_ref() == Some(&seen) {
            return None;
        }
        let parsed = match &seen {
            Ok(text) => Strategies::parse(text).map_err(|error| error.to_string()),
            Err(error) => Err(error.clone()),
        };
        self.seen = Some(seen);
        Some(match parsed {
            Ok((strategies, notes)) => {
                let services = match strategies.services() {
                    1 => "1 service".to_owned(),
                    n => format!("{n} services"),
                };
                self.current = strategies;
                self.is_of_file = true;
                format!(
                    "sampling strategies of {path:?}, for {services} and a default, are in effect{notes}"
                )
            }
            Err(error) => {
                let instead = if self.is_of_file {
                    "the last ones stay"
                } else {
                    "every trace is kept"
                };
                format!("sampling strategies of {path:?} cannot be used, so {instead}: {error}")
            }
        })
    }
}

/// Reads a regular file that is not too large.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let mut text = Vec::new();
    File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_end(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("larger than 1 MiB"));
    }
    Ok(text)
}

const KEEP_EVERYTHING: &str =
    r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":1}}"#;
/// The longest file.
const MAX_BYTES: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_changed_file_is_read_and_a_broken_one_is_said_once() {
        let dir =
            std::env::temp_dir().join(format!("tracehound-strategies-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a folder of our own");
        let path = dir.join("strategies.json");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let diagnostics = Diagnostics::with_handler({
            let lines = lines.clone();
            move |line| lines.lock().expect("no panic").push(line.to_owned())
        });
        let probability = |rate: &str| {
            format!(r#"{{"default_strategy":{{"type":"probabilistic","param":{rate}}}}}"#)
        };
        let write = |text: &str| fs::write(&path, text).expect("a folder of our own");
        let said = || {
            lines
                .lock()
                .expect("no panic")
                .drain(..)
                .collect::<Vec<_>>()
        };

        let (file, line) = StrategyFile::open(path.clone(), diagnostics);
        let line = line.expect("there is no file");
        assert!(
            line.contains("cannot be used, so every trace is kept: "),
            "{line}"
        );
        assert!(file.answer("a").ends_with(r#"{"samplingRate":1.0}}"#));
        assert_eq!(said(), [""; 0]);

        write(&probability("0.5"));
        for _ in 0..3 {
            assert!(file.answer("a").contains("0.5"));
        }
        let effect =
            format!("sampling strategies of {path:?}, for 0 services and a default, are in effect");
        assert_eq!(said(), std::slice::from_ref(&effect));

        for (broken, why) in [
            ("{", "EOF while parsing an object at line 1 column 1"),
            (
                &*probability("7"),
                "default_strategy: expected a probability from 0 to 1, found 7",
            ),
            (&*" ".repeat(MAX_BYTES as usize + 1), "larger than 1 MiB"),
        ] {
            write(broken);
            for _ in 0..3 {
                assert!(file.answer("a").contains("0.5"));
            }
            let line = format!(
                "sampling strategies of {path:?} cannot be used, so the last ones stay: {why}"
            );
            assert_eq!(said(), [line]);
        }
        write(&probability("0.25"));
        assert!(file.answer("a").contains("0.25"));
        assert_eq!(said(), [effect]);

        fs::remove_file(&path).expect("it is there");
        assert!(file.answer("a").contains("0.25"));
        assert_eq!(said().len(), 1);
        fs::create_dir(&path).expect("a folder of our own");
        assert!(file.answer("a").contains("0.25"));
        assert!(said()[0].ends_with(": not a file"));
        fs::remove_dir_all(&dir).expect("a folder of our own");
    }
}
