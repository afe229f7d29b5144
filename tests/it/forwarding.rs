//! A type that stands for a part forwards every method to it. A method with a default that it does not forward would be lost
//! in silence, so the sources are compared: each `impl` below has every method of its trait.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const SAMPLER: &str = "src/sampler/mod.rs";
const PRIORITY: &str = "src/sampler/priority.rs";
const REPORTER: &str = "src/reporter/mod.rs";
const COMPOSITE: &str = "src/reporter/composite.rs";
const SENDER: &str = "src/reporter/sender/mod.rs";
const PROPAGATION: &str = "src/propagation/mod.rs";
const TRACER: &str = "src/tracer/mod.rs";

/// A trait and its file; the type that forwards, as its `impl` says, and its file.
const FORWARDED: [(&str, &str, &str, &str); 10] = [
    ("Sampler", SAMPLER, "Box<dyn Sampler>", SAMPLER),
    ("Sampler", SAMPLER, "PrioritySampler", PRIORITY),
    ("Reporter", REPORTER, "Box<dyn Reporter>", REPORTER),
    ("Reporter", REPORTER, "CompositeReporter", COMPOSITE),
    ("Sender", SENDER, "Box<dyn Sender>", SENDER),
    ("Injector", PROPAGATION, "Box<dyn Codec>", PROPAGATION),
    ("Extractor", PROPAGATION, "Box<dyn Codec>", PROPAGATION),
    ("Codec", PROPAGATION, "Box<dyn Codec>", PROPAGATION),
    (
        "CustomCodec",
        PROPAGATION,
        "Box<dyn CustomCodec>",
        PROPAGATION,
    ),
    ("Tracer", TRACER, "$pointer", TRACER),
];

#[test]
fn a_box_of_a_part_forwards_every_method() {
    for (name, file, forwarder, its_file) in FORWARDED {
        let start = format!("pub trait {name}:");
        let of_trait = source(file);
        let of_trait = methods(&of_trait, |line| line.starts_with(&start));
        let end = format!(" {name} for {forwarder} {{");
        let of_forwarder = source(its_file);
        let of_forwarder = methods(&of_forwarder, |line| {
            line.trim_start().starts_with("impl") && line.ends_with(&end)
        });
        assert!(!of_trait.is_empty(), "{name} has methods in {file}");
        assert_eq!(of_trait, of_forwarder, "{name} for {forwarder}");
    }
}

fn source(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[test]
fn a_method_that_is_not_forwarded_is_found() {
    let source = "\
pub trait Part: Send {
    /// fn in_a_comment(&self) {}
    fn a(&self);

    fn b(&mut self) -> bool {
        fn inner() {}
        false
    }
}
impl Part for Box<dyn Part> {
    fn a(&self) {}
}
macro_rules! hand_on {
    () => {
        impl Part for $pointer {
            fn b(&mut self) -> bool {
                false
            }
        }
    };
}
";
    let has = |start: &'static str| methods(source, move |line| line.starts_with(start));
    assert_eq!(has("pub trait Part"), BTreeSet::from(["a", "b"]));
    assert_eq!(has("impl Part for Box"), BTreeSet::from(["a"]));
    assert_eq!(has("        impl Part for $pointer"), BTreeSet::from(["b"]));
}

/// The methods of a block that begins at such a line, perhaps within a macro, in a file that rustfmt has formatted.
fn methods(source: &str, begins: impl Fn(&str) -> bool) -> BTreeSet<&str> {
    let mut lines = source.lines().skip_while(|line| !begins(line)).peekable();
    let first = lines.peek().copied().unwrap_or_default();
    let indent = &first[..first.len() - first.trim_start().len()];
    lines
        .map(|line| line.strip_prefix(indent).unwrap_or(line))
        .take_while(|line| *line != "}")
        .filter_map(|line| line.strip_prefix("    fn "))
        .filter_map(|rest| rest.split(['(', '<']).next())
        .collect()
}
