use std::fmt;

use crate::row::Row;

/// The share of spans that was not stored, with a line per load and a column per client and backend.
///
/// `≠` marks cells in which the client reports another number as sent than was stored.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    loads: Vec<String>,
    columns: Vec<String>,
    /// The share of each load and column.
    cells: Vec<(usize, usize, String)>,
}

impl Summary {
    pub(crate) fn add(&mut self, row: &Row) {
        // `v1 go 600 500/s 1-thread 1-program`
        let mut words = row.name.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (version, client, load) = (word(), word(), word());
        let at =
            |names: &mut Vec<String>, name: String| match names.iter().position(|it| *it == name) {
                Some(at) => at,
                None => {
                    names.push(name);
                    names.len() - 1
                }
            };
        let column = at(&mut self.columns, format!("{version} {client}"));
        let load = at(&mut self.loads, load.to_owned());
        let mark = if row.is_told_right() { "" } else { " ≠" };
        let text = format!("{:.1}{mark}", row.lost_percent());
        self.cells.push((load, column, text));
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| lost % | {} |", self.columns.join(" | "))?;
        writeln!(f, "|---|{}", "--:|".repeat(self.columns.len()))?;
        for (load, name) in self.loads.iter().enumerate() {
            write!(f, "| {name} |")?;
            for column in 0..self.columns.len() {
                let cell = self.cells.iter().find(|it| (it.0, it.1) == (load, column));
                write!(f, " {} |", cell.map_or("", |it| &it.2))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
