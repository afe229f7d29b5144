//! `tracehound open`.

use std::env;
use std::path::Path;
use std::process::Command;

use tracehound::model::TraceId;
use tracehound::view::Trace;

use crate::options::OpenOptions;
use crate::output::{complain, say};
use crate::show::show;
use crate::{CommandResult, Outcome, file};

/// Shows the traces of a file.
pub(crate) fn run(options: &OpenOptions) -> CommandResult {
    let name = options.file.display();
    let mut traces = file::traces(&options.file)?;
    if let Some(id) = &options.id {
        let id: TraceId = id.parse().map_err(|_| format!("{id:?} is no trace id"))?;
        traces.retain(|trace| trace.trace_id == id);
    }
    if traces.is_empty() {
        return Err(format!("{name}: there is no such trace").into());
    }
    if options.browser {
        return traces
            .iter()
            .try_fold(Outcome::Good, |_, trace| browse(trace));
    }
    show(&traces, &options.show)
}

/// Writes the page of a trace to a file, and opens it.
fn browse(trace: &Trace) -> CommandResult {
    let path = env::temp_dir().join(format!("tracehound-{}.html", trace.trace_id));
    trace.write_html(&path)?;
    say!("{}", path.display());
    let opened = opener(&path).status();
    if !opened.is_ok_and(|status| status.success()) {
        complain("no program has opened the page; open it in a browser");
    }
    Ok(Outcome::Good)
}

/// Returns the system's command that opens a file.
fn opener(path: &Path) -> Command {
    let (program, arguments): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("cmd", &["/c", "start", ""])
    } else {
        ("xdg-open", &[])
    };
    let mut command = Command::new(program);
    command.args(arguments).arg(path);
    command
}
