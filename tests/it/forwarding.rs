//! A box of a part does what the part does. A method with a default that a box does not forward would be lost in
//! silence, so the sources are compared: each `impl Part for Box<dyn Part>` has every method of `trait Part`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every trait that a box forwards, and the file that has both.
const FORWARDED: [(&str, &str); 7] = [
    ("Sampler", "src/sampler/mod.rs"),
    ("Reporter", "src/reporter/mod.rs"),
    ("Sender", "src/reporter/sender/mod.rs"),
    ("Injector", "src/propagation/mod.rs"),
    ("Extractor", "src/propagation/mod.rs"),
    ("Codec", "src/propagation/mod.rs"),
    ("CustomCodec", "src/propagation/mod.rs"),
];

#[test]
fn a_box_forwards_every_method() {
    for (name, file) in FORWARDED {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let source = fs::read_to_string(path).unwrap();
        let of_trait = methods(&source, |line| {
            line.starts_with(&format!("pub trait {name}"))
        });
        let of_box = methods(&source, |line| {
            line.starts_with(&format!("impl {name} for Box<dyn "))
        });
        assert!(!of_trait.is_empty(), "{name} has methods in {file}");
        assert_eq!(of_trait, of_box, "{name} and its box in {file}");
    }
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
";
    let has = |start: &'static str| methods(source, move |line| line.starts_with(start));
    assert_eq!(has("pub trait Part"), BTreeSet::from(["a", "b"]));
    assert_eq!(has("impl Part for Box"), BTreeSet::from(["a"]));
}

/// The methods of a block that begins at such a line, in a file that rustfmt has formatted.
fn methods(source: &str, begins: impl Fn(&str) -> bool) -> BTreeSet<&str> {
    source
        .lines()
        .skip_while(|line| !begins(line))
        .take_while(|line| *line != "}")
        .filter_map(|line| line.strip_prefix("    fn "))
        .filter_map(|rest| rest.split(['(', '<']).next())
        .collect()
}
