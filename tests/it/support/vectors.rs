//! Recordings of published clients, from `tests/vectors/`: what each made of one input.

use serde_json::Value;

/// An input with the outcome of each client.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) input: Value,
    /// The outcomes, by client.
    pub(crate) results: Vec<(String, Value)>,
}

/// Returns the entries of a file.
pub(crate) fn entries(file: &str) -> Vec<Entry> {
    let path = format!("{}/tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect(&path);
    let file: Value = serde_json::from_str(&text).expect(&path);
    let entries = file["entries"].as_array().expect("a list of entries");
    assert!(!entries.is_empty());
    entries
        .iter()
        .map(|entry| Entry {
            name: entry["name"].as_str().expect("a name").to_owned(),
            input: entry["input"].clone(),
            results: entry["results"]
                .as_object()
                .expect("results by client")
                .iter()
                .map(|(client, result)| (client.clone(), result.clone()))
                .collect(),
        })
        .collect()
}

/// Returns the pairs of a header list.
pub(crate) fn pairs(list: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    list.as_array()
        .expect("a list of pairs")
        .iter()
        .map(|pair| (text(&pair[0]), text(&pair[1])))
        .collect()
}

/// A comparison of our outcomes with those of the clients. An entry that differs from every client must have a rule
/// that explains it, and a rule must explain an entry that differs.
pub(crate) struct Differences {
    explained: &'static [(&'static str, &'static str)],
    used: Vec<bool>,
    failures: Vec<String>,
    compared: usize,
}

impl Differences {
    pub(crate) fn explained_by(explained: &'static [(&'static str, &'static str)]) -> Self {
        Self {
            explained,
            used: vec![false; explained.len()],
            failures: Vec::new(),
            compared: 0,
        }
    }

    /// Records whether the entry `name` equals at least one client. `ours` is shown if it does not.
    pub(crate) fn compare(
        &mut self,
        name: &str,
        equals_a_client: bool,
        ours: &dyn std::fmt::Debug,
    ) {
        self.compared += 1;
        let row = self.explained.iter().position(|(entry, _)| *entry == name);
        match (row, equals_a_client) {
            (Some(row), false) => self.used[row] = true,
            (None, true) => {}
            (None, false) => self
                .failures
                .push(format!("{name}: no client has {ours:?}")),
            (Some(_), true) => self
                .failures
                .push(format!("{name}: listed, but a client has {ours:?}")),
        }
    }

    /// Fails unless `count` entries were compared and every difference is explained.
    #[track_caller]
    pub(crate) fn check(mut self, count: usize) {
        for ((entry, _), used) in self.explained.iter().zip(&self.used) {
            if !used {
                self.failures.push(format!("{entry}: listed, but not met"));
            }
        }
        assert!(self.failures.is_empty(), "{:#?}", self.failures);
        assert_eq!(self.compared, count, "entries compared");
    }
}
