//! The page `BAGGAGE.md`, made of what was measured.

use std::fmt;

use tracehound_interop::{Error, crossdock::Format};

use super::cases::{CASES, Items};

/// What arrived of a case.
#[derive(Clone)]
pub(super) struct Cell {
    /// The name of the client in the crossdock.
    pub(super) peer: &'static str,
    pub(super) is_from_us: bool,
    pub(super) case: &'static str,
    /// What arrived in place of what was sent.
    pub(super) differs: Option<String>,
}

/// All cells of a format.
pub(super) struct Table {
    pub(super) format: Format,
    /// The clients by their names in the crossdock and on the page.
    pub(super) peers: &'static [(&'static str, &'static str)],
    pub(super) cells: Vec<Cell>,
}

/// The whole page.
pub(super) struct Page<'a> {
    pub(super) tables: &'a [Table],
}

/// Why cells differ from what was sent.
struct Reason {
    peers: &'static [&'static str],
    is_from_us: bool,
    cases: &'static [&'static str],
    text: &'static str,
}

impl Reason {
    fn covers(&self, peer: &str, is_from_us: bool, case: &str) -> bool {
        self.is_from_us == is_from_us && self.peers.contains(&peer) && self.cases.contains(&case)
    }
}

/// Returns what arrived, in words, unless it is what was sent.
pub(super) fn difference(sent: &Items, arrived: Result<Items, Error>) -> Option<String> {
    let arrived = match arrived {
        Ok(arrived) if arrived == *sent => return None,
        Ok(arrived) => arrived,
        Err(_) => return Some("the call fails".to_owned()),
    };
    let (Some((key, value)), 1) = (sent.iter().next(), sent.len()) else {
        let kept = sent
            .iter()
            .filter(|(key, value)| arrived.get(*key) == Some(value));
        return Some(format!("{} of {}", kept.count() + 1, sent.len() + 1));
    };
    Some(match arrived.iter().next() {
        None => "nothing".to_owned(),
        Some((other, same)) if same == value => format!("key `{other}`"),
        Some((same, other)) if same == key && other.is_empty() => "an empty value".to_owned(),
        Some((same, other)) if same == key && other.len() <= 40 => format!("`{other}`"),
        Some((same, other)) if same == key && value.starts_with(other) => {
            format!("its first {}", bytes(other))
        }
        Some((other, value)) => format!("key `{other}`, {}", bytes(value)),
    })
}

fn bytes(text: &str) -> String {
    match text.len() {
        length @ 1_000.. => format!("{},{:03} bytes", length / 1_000, length % 1_000),
        length => format!("{length} bytes"),
    }
}

/// Cells of a table that differ in one way for one reason.
struct Group<'a> {
    case: &'static str,
    is_from_us: bool,
    differs: &'a str,
    reason: &'static str,
    /// The clients, as the page names them.
    peers: Vec<&'static str>,
}

impl Table {
    /// Returns the short table in the documentation of the codec.
    pub(super) fn doc(&self) -> String {
        let rows = self.groups().into_iter().map(|group| {
            let (from, to) = group.ways();
            let (case, differs) = (group.case, group.differs);
            format!("/// | {case} | {from} | {to} | {differs} |\n")
        });
        let head = "/// | baggage | from | to | arrives as |\n/// |---|---|---|---|\n".to_owned();
        head + &rows.collect::<String>()
    }

    fn differing(&self) -> impl Iterator<Item = (&Cell, &str)> {
        let cells = self.cells.iter();
        cells.filter_map(|cell| Some((cell, cell.differs.as_deref()?)))
    }

    /// Returns the differing cells in the order of the cases.
    fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for (case, is_from_us, (peer, name)) in self.places() {
            let Some(differs) = self.differs(case, is_from_us, peer) else {
                continue;
            };
            let mut reasons = REASONS.iter();
            let reason = reasons.find(|reason| reason.covers(peer, is_from_us, case));
            let reason = reason.map_or("", |reason| reason.text);
            let is_same = |group: &&mut Group<'_>| {
                let of_group = (group.case, group.is_from_us, group.differs, group.reason);
                of_group == (case, is_from_us, differs, reason)
            };
            match groups.iter_mut().find(is_same) {
                Some(group) => group.peers.push(name),
                None => groups.push(Group {
                    case,
                    is_from_us,
                    differs,
                    reason,
                    peers: vec![name],
                }),
            }
        }
        groups
    }

    fn places(&self) -> impl Iterator<Item = (&'static str, bool, (&'static str, &'static str))> {
        let ways = CASES
            .iter()
            .flat_map(|case| [(case.name, true), (case.name, false)]);
        let peers = self.peers;
        ways.flat_map(move |(case, is_from_us)| {
            peers.iter().map(move |peer| (case, is_from_us, *peer))
        })
    }

    fn differs(&self, case: &str, is_from_us: bool, peer: &str) -> Option<&str> {
        let mut cells = self.cells.iter();
        let place = (peer, is_from_us, case);
        let cell = cells.find(|cell| (cell.peer, cell.is_from_us, cell.case) == place)?;
        cell.differs.as_deref()
    }
}

impl Group<'_> {
    /// Returns the names of the senders and of the receivers.
    fn ways(&self) -> (String, String) {
        let (us, them) = ("this crate".to_owned(), self.peers.join(", "));
        if self.is_from_us {
            (us, them)
        } else {
            (them, us)
        }
    }
}

impl Page<'_> {
    /// Returns the cells without a reason, and the reasons without a cell.
    pub(super) fn problems(&self) -> Vec<String> {
        let differing = || self.tables.iter().flat_map(Table::differing);
        let mut problems = Vec::new();
        for (cell, differs) in differing() {
            let Cell {
                peer,
                is_from_us,
                case,
                ..
            } = *cell;
            if !REASONS
                .iter()
                .any(|reason| reason.covers(peer, is_from_us, case))
            {
                let way = if is_from_us { "to" } else { "from" };
                problems.push(format!(
                    "{case}, {way} {peer}: {differs}, for no known reason"
                ));
            }
        }
        for reason in REASONS {
            for peer in reason.peers {
                for case in reason.cases {
                    let place = (*peer, reason.is_from_us, *case);
                    let is_needed = differing()
                        .any(|(cell, _)| (cell.peer, cell.is_from_us, cell.case) == place);
                    if !is_needed {
                        problems.push(format!("{peer}, {case}: does not need: {}", reason.text));
                    }
                }
            }
        }
        problems
    }
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        for table in self.tables {
            writeln!(f, "\n## {}\n", title(table.format))?;
            f.write_str("| baggage |")?;
            for (_, name) in table.peers {
                write!(f, " to {name} | from {name} |")?;
            }
            writeln!(f, "\n|---|{}", "---|---|".repeat(table.peers.len()))?;
            for case in CASES {
                write!(f, "| {}", case.name)?;
                if let Some(shown) = case.shown() {
                    write!(f, ": `{shown}`")?;
                }
                f.write_str(" |")?;
                for (peer, _) in table.peers {
                    for is_from_us in [true, false] {
                        let differs = table.differs(case.name, is_from_us, peer);
                        write!(f, " {} |", differs.unwrap_or("yes"))?;
                    }
                }
                writeln!(f)?;
            }
            writeln!(
                f,
                "\n| baggage | from | to | arrives as | because |\n|---|---|---|---|---|"
            )?;
            for group in table.groups() {
                let (from, to) = group.ways();
                let (case, differs, reason) = (group.case, group.differs, group.reason);
                writeln!(f, "| {case} | {from} | {to} | {differs} | {reason} |")?;
            }
        }
        Ok(())
    }
}

const fn title(format: Format) -> &'static str {
    match format {
        Format::Jaeger => "Jaeger's headers, to and from Jaeger's clients",
        _ => "W3C's header `baggage`, to and from the SDKs of OpenTelemetry",
    }
}

const HEAD: &str = "\
# Baggage that is hard to carry

What arrives when a service over this crate sends baggage to a service over another client by HTTP, and the other way.
`yes` means that it arrives as it was sent. A second table says who loses the rest. The versions of the clients are
those of [the crossdock](CROSSDOCK.md).

A test measures all of it anew and compares: `cargo test -p tracehound-interop --test crossdock baggage`.
";

/// What is lost, and who loses it. Each entry is needed for each of its clients and cases.
const REASONS: &[Reason] = &[
    Reason {
        peers: &["go"],
        is_from_us: false,
        cases: &["an empty value"],
        text: "the client takes an empty value for the wish to remove the item",
    },
    Reason {
        peers: &["go", "java", "node"],
        is_from_us: false,
        cases: &["4,096 bytes"],
        text: "the client cuts a value to 2,048 bytes when it is set",
    },
    Reason {
        peers: &["go", "java", "node", "python"],
        is_from_us: true,
        cases: &["a key in mixed case"],
        text: "names of HTTP headers have no case, and this crate writes them in lower case",
    },
    Reason {
        peers: &["go", "java", "python"],
        is_from_us: false,
        cases: &["a key in mixed case"],
        text: "names of HTTP headers have no case, and this crate reads keys in lower case, as these clients do",
    },
    Reason {
        peers: &["node"],
        is_from_us: false,
        cases: &["a key in mixed case"],
        text: "the client makes a key lower case when it is set",
    },
    Reason {
        peers: &["otel-node"],
        is_from_us: true,
        cases: &["an empty value"],
        text: "the SDK leaves out an item with an empty value when it reads",
    },
    Reason {
        peers: &["otel-python"],
        is_from_us: false,
        cases: &["a space", "spaces at the ends"],
        text: "the SDK writes a space as a plus sign, which W3C Baggage reads as it is",
    },
    Reason {
        peers: &["otel-python", "otel-rust"],
        is_from_us: true,
        cases: &["spaces at the ends"],
        text: "the SDK trims a value after it has decoded it",
    },
    Reason {
        peers: &["otel-rust"],
        is_from_us: false,
        cases: &["spaces at the ends"],
        text: "the SDK trims a value before it encodes it",
    },
    Reason {
        peers: &["otel-rust"],
        is_from_us: false,
        cases: &["an escape"],
        text: "the SDK writes a percent sign as it is, so the value is taken for an escape",
    },
    Reason {
        peers: &["otel-node", "otel-python"],
        is_from_us: false,
        cases: &["4,096 bytes"],
        text: "the SDK leaves out an item that has more than 4,096 bytes with its key when it writes",
    },
    Reason {
        peers: &["otel-python"],
        is_from_us: true,
        cases: &["4,096 bytes"],
        text: "the SDK leaves out an item that has more than 4,096 bytes with its key when it reads",
    },
];
