//! Traces on standard output.

use tracehound::view::Trace;

use crate::options::{Format, ShowOptions};
use crate::output::{print, say};
use crate::{CommandResult, Outcome};

/// Prints traces in the form that the user has asked for.
pub(crate) fn show(traces: &[Trace], options: &ShowOptions) -> CommandResult {
    match (options.format, traces) {
        (Format::Text, _) => {
            for trace in traces {
                print(&trace.waterfall(options.columns));
            }
        }
        (Format::Json, [trace]) => say!("{}", trace.json()),
        (Format::Html, [trace]) => print(&trace.html()),
        (Format::Svg, [trace]) => print(&trace.svg()),
        _ => {
            let ids: Vec<_> = traces
                .iter()
                .map(|trace| trace.trace_id.to_string())
                .collect();
            let ids = ids.join(" ");
            return Err(format!("there are several traces; choose one by --id: {ids}").into());
        }
    }
    Ok(Outcome::Good)
}
