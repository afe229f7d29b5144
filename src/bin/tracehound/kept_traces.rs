//! The file in which `tracehound dev` keeps its traces.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use tracehound::dev::DevServer;
use tracehound::view::Trace;

use crate::file::{self, MOST_BYTES};
use crate::output::complain;

/// A file of traces.
pub(crate) struct KeptTraces {
    path: PathBuf,
    /// The number of spans that had come when the file was written.
    spans: u64,
    /// The file as this program has read or written it last; `None` if there was none.
    last: Option<Version>,
    /// The problem that the user has been told of.
    problem: Option<String>,
}

/// The facts by which a file that another program has changed is known.
type Version = (u64, Option<std::time::SystemTime>);

impl KeptTraces {
    /// Gives the server the traces of an earlier run. `memory` is the room of the server for spans, in MiB.
    pub(crate) fn open(path: &Path, memory: usize, server: &DevServer) -> Result<Self, String> {
        let last = version(path).map_err(|error| format!("{}: {error}", path.display()))?;
        // A new file may be there already, without content.
        if last.is_some_and(|(length, _)| length > 0) {
            server.add(file::traces_up_to(path, most_bytes(memory))?);
        }
        Ok(Self {
            path: path.to_owned(),
            spans: server.totals().received,
            last,
            problem: None,
        })
    }

    /// Writes the file if spans have come. It is replaced as a whole.
    pub(crate) fn save(&mut self, server: &DevServer) -> Result<(), String> {
        let spans = server.totals().received;
        if spans == self.spans {
            return Ok(());
        }
        let name = self.path.display();
        let failed = |error: io::Error| format!("{name}: {error}");
        if version(&self.path).map_err(failed)? != self.last {
            return Err(format!(
                "{name}: another program has changed it, so it is left as it is"
            ));
        }
        let mut written = self.path.clone().into_os_string();
        written.push(".new");
        fs::write(&written, Trace::json_of(&server.traces()))
            .and_then(|()| fs::rename(&written, &self.path))
            .and_then(|()| version(&self.path))
            .map(|version| self.last = version)
            .map_err(|error| {
                // A part of a file is of no use to anybody.
                let _ = fs::remove_file(&written);
                failed(error)
            })?;
        self.spans = spans;
        Ok(())
    }

    /// Saves, and says once if that is not possible. The disk may have room again later.
    pub(crate) fn save_or_complain(&mut self, server: &DevServer) {
        let problem = self.save(server).err();
        if let Some(text) = problem.as_ref().filter(|_| problem != self.problem) {
            complain(&format!("the traces are not kept: {text}"));
        }
        self.problem = problem;
    }
}

/// Returns the version of a file, or `None` if there is none.
fn version(path: &Path) -> io::Result<Option<Version>> {
    let of = |data: Metadata| (data.len(), data.modified().ok());
    match fs::metadata(path) {
        Ok(data) => Ok(Some(of(data))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns how large a file may be that this program has written. JSON takes more bytes than spans in memory.
fn most_bytes(memory: usize) -> u64 {
    let memory = (memory as u64).saturating_mul(1 << 20);
    memory.saturating_mul(8).max(MOST_BYTES)
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::process;

    use tracehound::dev::{DevOptions, Waterfall};
    use tracehound::diagnostics::Diagnostics;

    use super::*;

    /// A folder that is removed with its value.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = env::temp_dir().join(format!("tracehound-kept-{}-{name}", process::id()));
            fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn server() -> DevServer {
        let options = DevOptions::new().any_ports().waterfall(Waterfall::Never);
        DevServer::start(options.diagnostics(Diagnostics::silent())).expect("a server")
    }

    fn add(server: &DevServer, trace_id: u32) {
        let text = format!(
            r#"{{"traceID": "{trace_id}", "processes": {{"p1": {{"serviceName": "shop"}}}}, "spans": [{{
                "spanID": "1", "operationName": "x", "processID": "p1", "startTime": 1, "duration": 1}}]}}"#
        );
        server.add(Trace::from_json(&text).expect("a trace"));
    }

    fn kept(path: &Path) -> usize {
        file::traces(path).expect("traces").len()
    }

    #[test]
    fn a_file_that_cannot_be_written_is_tried_again() {
        let folder = Folder::new("again");
        let (path, in_the_way) = (folder.0.join("a.json"), folder.0.join("a.json.new"));
        fs::create_dir(&in_the_way).expect("a folder");
        let server = server();
        let mut traces = KeptTraces::open(&path, 32, &server).expect("no file");
        add(&server, 1);
        traces.save_or_complain(&server);
        assert!(traces.problem.is_some() && !path.exists());
        fs::remove_dir(&in_the_way).expect("the folder");
        traces.save_or_complain(&server);
        assert_eq!((&traces.problem, kept(&path)), (&None, 1));
        assert!(!in_the_way.exists());
    }

    #[test]
    fn a_file_that_another_program_has_changed_is_left_alone() {
        let folder = Folder::new("two");
        let path = folder.0.join("a.json");
        let (first, second) = (server(), server());
        let mut of_first = KeptTraces::open(&path, 32, &first).expect("no file");
        let mut of_second = KeptTraces::open(&path, 32, &second).expect("no file");
        add(&first, 1);
        add(&first, 2);
        of_first.save(&first).expect("saved");
        add(&second, 3);
        let problem = of_second.save(&second).expect_err("changed");
        assert!(problem.contains("another program"), "{problem}");
        assert_eq!(kept(&path), 2);
        add(&first, 4);
        of_first.save(&first).expect("its own");
        assert_eq!(kept(&path), 3);
    }

    #[test]
    fn an_empty_file_has_no_traces_and_a_broken_one_is_an_error() {
        let folder = Folder::new("broken");
        let path = folder.0.join("a.json");
        fs::write(&path, "").expect("a file");
        let server = server();
        assert!(KeptTraces::open(&path, 32, &server).is_ok());
        fs::write(&path, "{\"data\": [").expect("a file");
        assert!(KeptTraces::open(&path, 32, &server).is_err());
        assert!(KeptTraces::open(&folder.0, 32, &server).is_err());
    }
}
