use std::process::Command;

use crate::environment::variables;
use crate::propagation::{
    ExtractCarrier, HeaderScan, InjectCarrier, ReadFrom, TextMapReader, TextMapWriter, WriteTo,
};

/// The environment of this process as a carrier, for a program that another one has started.
///
/// A variable stands for the header whose name in upper case, with `_` for `-`, it has: `TRACEPARENT`, `TRACESTATE`
/// and `BAGGAGE`, as OpenTelemetry's specification of environment carriers names them, and `UBER_TRACE_ID`. Values have
/// the coding of HTTP headers.
///
/// A variable's name does not tell `-` from `_`. So a baggage key of its own variable, such as Jaeger's
/// `UBERCTX_USER_ID`, arrives as `user-id`; keys in `BAGGAGE` arrive as they are. If there is an item `user-id`, the
/// variable has its value, and none stands for an item `user_id`.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::propagation::Environment;
/// use tracehound::reporter::NullReporter;
///
/// let tracer = JaegerTracer::builder("nightly").reporter(NullReporter::new()).build()?;
/// let parent = tracer.extract(&Environment::of_this_process()).ok().flatten();
/// let span = tracer.build_span("nightly report").child_of(&parent).start();
/// # span.finish();
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Names in the form of headers, and values.
    variables: Vec<(String, Vec<u8>)>,
}

impl Environment {
    /// Reads the environment of this process. Variables whose names are not UTF-8 are left out.
    pub fn of_this_process() -> Self {
        let variables = variables().filter_map(|(name, value)| {
            Some((header_name(name.to_str()?), value.into_encoded_bytes()))
        });
        Self {
            variables: variables.collect(),
        }
    }
}

impl TextMapReader for Environment {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        for (name, value) in &self.variables {
            scan.offer(name, value);
        }
    }
}

impl ExtractCarrier for Environment {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::HttpHeaders(self)
    }
}

/// The environment of a child process as a carrier, for the program that starts it. [`Environment`] reads it there.
///
/// The child would also inherit what this process was started with; that is removed.
///
/// ```
/// use std::process::Command;
/// use tracehound::prelude::*;
/// use tracehound::propagation::ChildEnvironment;
/// use tracehound::reporter::NullReporter;
///
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let span = tracer.start_span("resize the image");
/// let mut command = Command::new("convert");
/// tracer.inject(&span.context(), &mut ChildEnvironment(&mut command));
/// assert!(command.get_envs().any(|(name, _)| name == "UBER_TRACE_ID"));
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
///
/// For tokio's `Command`, wrap `command.as_std_mut()`.
#[derive(Debug)]
pub struct ChildEnvironment<'c>(pub &'c mut Command);

impl TextMapWriter for ChildEnvironment<'_> {
    /// Fails if the name is not one of a variable, the value holds a zero byte, or the variable of a key with `_` is
    /// that of a key with `-` which is already set.
    fn set(&mut self, key: &str, value: &str) -> bool {
        let is_legal = !key.is_empty() && !key.contains(['=', '\0']) && !value.contains('\0');
        let name = variable_name(key);
        // The reader takes every variable for that of the key with `-`, and would get the value of the other one.
        let is_taken = || {
            let mut variables = self.0.get_envs();
            variables.any(|(known, own)| known == &*name && own.is_some_and(|own| own != value))
        };
        let is_set = is_legal && !(key.contains('_') && is_taken());
        if is_set {
            self.remove_variables(|other| other != name && is_same_header(other, &name));
            self.0.env(name, value);
        }
        is_set
    }

    fn remove_where(&mut self, is_stale: &dyn Fn(&str) -> bool) {
        self.remove_variables(|name| is_stale(&header_name(name)));
    }
}

impl ChildEnvironment<'_> {
    /// Removes variables that the child would get or inherit.
    fn remove_variables(&mut self, is_stale: impl Fn(&str) -> bool) {
        let own = self.0.get_envs().map(|(name, _)| name.to_owned());
        let inherited = variables().map(|(name, _)| name);
        let names = own.chain(inherited);
        let stale: Vec<_> = names
            .filter(|name| is_stale(&name.to_string_lossy()))
            .collect();
        for name in stale {
            self.0.env_remove(name);
        }
    }
}

impl InjectCarrier for ChildEnvironment<'_> {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::HttpHeaders(self)
    }
}

fn variable_name(header: &str) -> String {
    header.to_ascii_uppercase().replace('-', "_")
}

/// Returns whether two variables stand for one header, such as `TRACEPARENT` and `Traceparent`.
fn is_same_header(one: &str, other: &str) -> bool {
    let letter = |byte: u8| match byte {
        b'-' => b'_',
        _ => byte.to_ascii_uppercase(),
    };
    one.bytes().map(letter).eq(other.bytes().map(letter))
}

fn header_name(variable: &str) -> String {
    variable.to_ascii_lowercase().replace('_', "-")
}

// Elsewhere the names of variables have no case.
#[cfg(all(test, unix))]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn variables_of_the_same_header_are_removed_and_others_stay() {
        let mut command = Command::new("true");
        for name in [
            "TraceParent",
            "TRACE-PARENT",
            "Trace_Parent",
            "TRACEPARENTS",
        ] {
            command.env(name, "old");
        }
        assert!(ChildEnvironment(&mut command).set("trace-parent", "new"));
        let variables: BTreeMap<_, _> = command
            .get_envs()
            .filter_map(|(name, value)| name.to_str().zip(Some(value.and_then(|it| it.to_str()))))
            .collect();
        let expected = [
            ("TRACE_PARENT", Some("new")),
            ("TRACE-PARENT", None),
            ("Trace_Parent", None),
            ("TraceParent", Some("old")),
            ("TRACEPARENTS", Some("old")),
        ];
        assert_eq!(variables, BTreeMap::from(expected));
    }
}
