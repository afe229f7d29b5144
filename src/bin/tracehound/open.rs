//! `tracehound open`.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use tracehound::model::TraceId;
use tracehound::view::Trace;

use crate::options::OpenOptions as Options;
use crate::output::{complain, say};
use crate::show::show;
use crate::{CommandResult, Outcome, file};

/// Shows the traces of a file.
pub(crate) fn run(options: &Options) -> CommandResult {
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
    write_private(&path, &trace.html())?;
    say!("{}", path.display());
    let opened = opener(&path).status();
    if !opened.is_ok_and(|status| status.success()) {
        complain("no program has opened the page; open it in a browser");
    }
    Ok(Outcome::Good)
}

/// Writes a new file that only its owner can read. All users may write to the folder, so an attacker may have put a
/// link at the path: it is removed, not followed.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    // Of an earlier call, as a rule. If it stays, the new file cannot be made.
    let _ = fs::remove_file(path);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
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

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process;

    use super::*;

    #[test]
    fn a_page_is_written_to_a_file_of_its_own() {
        let folder = env::temp_dir().join(format!("tracehound-open-{}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (page, other) = (folder.join("page.html"), folder.join("other"));
        fs::write(&other, "precious").expect("a file");
        symlink(&other, &page).expect("a link");
        for text in ["first", "second"] {
            write_private(&page, text).expect("written");
            assert_eq!(fs::read_to_string(&page).expect("the page"), text);
        }
        assert_eq!(fs::read_to_string(&other).expect("a file"), "precious");
        let mode = fs::metadata(&page).expect("the page").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(&folder).expect("the folder");
    }
}
