use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::sampler::SamplingRate;
use crate::sampler::remote::reply::{self, KeptReply};
use crate::sampler::remote::strategy::Strategy;

/// A file that holds the last good strategy of a service.
///
/// ```json
/// {"service":"shop","strategy":{"probabilisticSampling":{"samplingRate":0.5}}}
/// ```
#[derive(Debug)]
pub(super) struct StrategyFile {
    path: PathBuf,
    service: String,
}

impl StrategyFile {
    pub(super) fn new(path: PathBuf, service: String) -> Self {
        Self { path, service }
    }

    pub(super) fn path(&self) -> String {
        self.path.display().to_string()
    }

    /// Returns the strategy of the file, checked like a reply. Returns `None` if there is no file.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, is about another service, or holds no strategy.
    pub(super) fn read(&self) -> Result<Option<Strategy>, String> {
        let bytes = match self.read_bytes() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        if bytes.len() > MAX_BYTES {
            return Err(format!("it has more than {MAX_BYTES} bytes"));
        }
        let Ok(KeptReply { service, strategy }) = reply::read_kept(&bytes) else {
            return Err("it is no strategy that this library has kept".to_owned());
        };
        if service.as_deref() != Some(&*self.service) {
            return Err("it is about another service".to_owned());
        }
        let strategy = Strategy::from_reply(strategy.unwrap_or_default());
        strategy.map(Some).map_err(|error| error.to_string())
    }

    fn read_bytes(&self) -> io::Result<Vec<u8>> {
        // Opening a named pipe would wait for its writer.
        if !fs::metadata(&self.path)?.is_file() {
            return Err(not_regular());
        }
        let mut bytes = Vec::new();
        let file = File::open(&self.path)?;
        file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Replaces the file in one step: a reader sees the old strategy or the new one. A link stays, and the file that it
    /// leads to is replaced.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written. Nothing but a regular file is replaced: a program of root's could otherwise
    /// turn `/dev/null` into a file.
    pub(super) fn write(&self, strategy: &Strategy) -> io::Result<()> {
        let text = kept(&self.service, strategy).to_string();
        let path = self.target()?;
        let mut name = OsString::from(path.as_os_str());
        // Random: another tracer may write this file now, also in another container, where process ids are the same.
        let random = RandomState::new().build_hasher().finish();
        name.push(format!(".{random:016x}.tmp"));
        let new = PathBuf::from(name);
        let written = write_new(&new, text.as_bytes()).and_then(|()| fs::rename(&new, &path));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }

    /// Returns the path of the file behind all links.
    fn target(&self) -> io::Result<PathBuf> {
        match fs::metadata(&self.path) {
            Ok(file) if file.is_file() => fs::canonicalize(&self.path),
            Ok(_) => Err(not_regular()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match fs::symlink_metadata(&self.path) {
                    Ok(_) => Err(io::Error::other("it is a link that leads to nothing")),
                    Err(_) => Ok(self.path.clone()),
                }
            }
            Err(error) => Err(error),
        }
    }
}

#[cold]
fn not_regular() -> io::Error {
    io::Error::other("it is not a regular file")
}

/// Returns the content of the file.
fn kept(service: &str, strategy: &Strategy) -> Value {
    let strategy = match strategy {
        Strategy::Probabilistic(rate) => {
            json!({"probabilisticSampling": {"samplingRate": rate.get()}})
        }
        Strategy::RateLimiting(limit) => {
            json!({"rateLimitingSampling": {"maxTracesPerSecond": limit.get()}})
        }
        Strategy::PerOperation(strategies) => {
            let operation = |(name, rate): (&str, SamplingRate)| json!({"operation": name, "probabilisticSampling": {"samplingRate": rate.get()}});
            json!({"operationSampling": {
                "defaultSamplingProbability": strategies.default_rate().get(),
                "defaultLowerBoundTracesPerSecond": strategies.default_lower_bound().get(),
                "perOperationStrategies": strategies.operations().map(operation).collect::<Vec<_>>(),
            }})
        }
    };
    json!({"service": service, "strategy": strategy})
}

fn write_new(path: &PathBuf, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    // A link that another user has put there is not followed.
    let mut file = options.write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The largest file that is read. Escapes in names make it larger than the reply was.
const MAX_BYTES: usize = 8 * Strategy::MAX_JSON_BYTES;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::{OperationStrategies, TracesPerSecond};

    /// A folder of one test, which goes with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let name = format!("tracehound-{}-{test}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }

        fn file(&self, service: &str) -> StrategyFile {
            StrategyFile::new(self.0.join("strategy.json"), service.to_owned())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_strategy_comes_back_as_it_was_written() {
        let folder = Folder::new("round-trip");
        let file = folder.file("caf\u{e9} \"shop\"");
        assert_eq!(file.read(), Ok(None), "no file yet");
        let rate = |rate| SamplingRate::new(rate).expect("a rate");
        let limit = |limit| TracesPerSecond::new(limit).expect("a limit");
        for strategy in [
            Strategy::Probabilistic(rate(0.100_000_000_000_000_02)),
            Strategy::RateLimiting(limit(2.5)),
            Strategy::PerOperation(
                OperationStrategies::new(rate(0.001), limit(1.0 / 60.0))
                    .operation("GET /\"a\"\n", rate(1e-5))
                    .operation("b", rate(1.0)),
            ),
        ] {
            file.write(&strategy).expect("a file");
            assert_eq!(file.read(), Ok(Some(strategy)));
        }
        let files = fs::read_dir(&folder.0).expect("a folder").count();
        assert_eq!(files, 1, "nothing else is left behind");
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let folder = Folder::new("large");
        let file = folder.file("shop");
        for (bytes, why) in [
            (MAX_BYTES, "it is no strategy that this library has kept"),
            (MAX_BYTES + 1, "it has more than 8388608 bytes"),
            (MAX_BYTES + 2, "it has more than 8388608 bytes"),
        ] {
            fs::write(&file.path, vec![b' '; bytes]).expect("a file");
            assert_eq!(file.read(), Err(why.to_owned()), "{bytes}");
        }
    }

    #[test]
    fn two_tracers_that_write_one_file_do_not_get_in_each_others_way() {
        let folder = Folder::new("two");
        std::thread::scope(|scope| {
            for rate in [0.25, 0.5, 0.75] {
                let file = folder.file("shop");
                scope.spawn(move || {
                    let rate = SamplingRate::new(rate).expect("a rate");
                    for _ in 0..200 {
                        file.write(&Strategy::Probabilistic(rate)).expect("a file");
                        let read = file.read().expect("a whole strategy");
                        assert!(matches!(read, Some(Strategy::Probabilistic(_))));
                    }
                });
            }
        });
        let files = fs::read_dir(&folder.0).expect("a folder").count();
        assert_eq!(files, 1, "nothing else is left behind");
    }

    #[test]
    fn a_file_of_someone_else_is_refused_with_a_reason() {
        let folder = Folder::new("foreign");
        let file = folder.file("shop");
        folder
            .file("other")
            .write(&Strategy::Probabilistic(SamplingRate::ONE))
            .expect("a file");
        assert_eq!(file.read(), Err("it is about another service".to_owned()));
        for text in [
            "",
            "# a file of another program",
            r#"{"service":"shop","strategy":{"probabilisticSampling":{"samplingRate":2}}}"#,
            r#"{"service":"shop","strategy":{"probabilisticSampling":{"samplingRate":0.5}}"#,
            r#"{"service":"shop"}"#,
            r#"{"service":"shop","strategy":{}}"#,
            r#"{"probabilisticSampling":{"samplingRate":0.5}}"#,
        ] {
            fs::write(&file.path, text).expect("a file");
            file.read().expect_err(text);
        }
        let large = vec![b' '; MAX_BYTES + 1];
        fs::write(&file.path, large).expect("a file");
        file.read().expect_err("too large");
        fs::remove_file(&file.path).expect("a file");
        fs::create_dir(&file.path).expect("a folder in its place");
        file.read().expect_err("no regular file");
        let strategy = Strategy::Probabilistic(SamplingRate::ONE);
        file.write(&strategy).expect_err("not over a folder");
        assert_eq!(fs::read_dir(&folder.0).expect("a folder").count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_nothing_but_a_regular_file_is_replaced() {
        use std::os::unix::fs::{FileTypeExt as _, symlink};
        use std::os::unix::net::UnixListener;

        let folder = Folder::new("links");
        let file = folder.file("shop");
        let strategy = Strategy::Probabilistic(SamplingRate::ONE);
        let is_link = || fs::symlink_metadata(&file.path).is_ok_and(|it| it.is_symlink());
        let target = folder.0.join("target.json");
        symlink(&target, &file.path).expect("a link");
        file.write(&strategy).expect_err("a link to nothing");
        assert!(is_link() && !target.exists());
        fs::write(&target, "").expect("a file");
        file.write(&strategy).expect("a file behind a link");
        assert!(is_link());
        assert_eq!(file.read(), Ok(Some(strategy.clone())));

        fs::remove_file(&target).expect("a file");
        let _socket = UnixListener::bind(&target).expect("a socket");
        for path in [&file.path, &target] {
            let file = StrategyFile::new(path.clone(), "shop".to_owned());
            let error = file.write(&strategy).expect_err("no regular file");
            assert_eq!(error.to_string(), "it is not a regular file");
        }
        let kind = fs::metadata(&target).expect("it is there").file_type();
        assert!(kind.is_socket() && is_link());
    }
}
