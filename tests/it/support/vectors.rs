//! What published clients do with the same input, from `tests/vectors/`.

use serde_json::Value;

/// One input with what each client made of it.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) input: Value,
    /// By client.
    pub(crate) results: Vec<(String, Value)>,
}

/// The entries of a file.
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

/// The pairs of a header list.
pub(crate) fn pairs(list: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    list.as_array()
        .expect("a list of pairs")
        .iter()
        .map(|pair| (text(&pair[0]), text(&pair[1])))
        .collect()
}

/// What of the entries differs from every client, and the rule that says so. Unexplained differences, and
/// explanations of what does not differ, are failures.
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

    /// Takes in whether the entry `name` equals one client at least. `ours` is shown where it does not.
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

    /// Fails unless `count` entries were compared and all is as explained.
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
