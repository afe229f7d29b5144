use std::{collections::BTreeMap, fmt};

use serde_json::{Value as Json, json};

use crate::Error;

/// The counts that a program under load reports at its end.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LoadReport {
    /// Spans that the program made.
    pub finished: u64,
    /// Spans that the client reports as sent.
    pub sent: u64,
    /// Spans that the client reports as lost, by cause. Causes without losses are left out.
    pub dropped: BTreeMap<String, u64>,
    /// Spans that were still waiting when the timeout of the close was over.
    pub queued: u64,
    /// The time that making them took, in seconds.
    pub seconds: f64,
}

impl LoadReport {
    /// Returns a report with the counts of a client.
    pub fn new(
        (finished, sent, queued): (u64, u64, u64),
        dropped: impl IntoIterator<Item = (String, u64)>,
        seconds: f64,
    ) -> Self {
        Self {
            finished,
            sent,
            dropped: dropped.into_iter().filter(|(_, n)| *n > 0).collect(),
            queued,
            seconds,
        }
    }

    /// Returns the losses of all causes.
    pub fn lost(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Returns the achieved rate, in spans a second.
    pub fn rate(&self) -> f64 {
        self.finished as f64 / self.seconds.max(f64::EPSILON)
    }

    /// Returns whether every span is sent, lost for a cause or still waiting.
    pub fn adds_up(&self) -> bool {
        self.finished == self.sent + self.lost() + self.queued
    }

    /// Adds the counts of a program that ran at the same time.
    pub fn merge(&mut self, other: &Self) {
        self.finished += other.finished;
        self.sent += other.sent;
        self.queued += other.queued;
        self.seconds = self.seconds.max(other.seconds);
        for (cause, n) in &other.dropped {
            *self.dropped.entry(cause.clone()).or_default() += n;
        }
    }

    /// Returns the line that the programs print.
    pub fn to_json(&self) -> String {
        let Self {
            finished,
            sent,
            dropped,
            queued,
            seconds,
        } = self;
        json!({
            "finished": finished, "sent": sent, "dropped": dropped, "queued": queued,
            "seconds": seconds, "rate": self.rate(),
        })
        .to_string()
    }

    /// Reads the output of a program.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if a count is missing.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let bad = || Error::shape("the report of a load", &text);
        let json: Json = serde_json::from_str(text).map_err(|_| bad())?;
        let count = |name: &str| json[name].as_u64().ok_or_else(bad);
        let dropped = json["dropped"].as_object().ok_or_else(bad)?;
        let dropped = dropped
            .iter()
            .map(|(cause, n)| Some((cause.clone(), n.as_u64()?)))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(bad)?;
        let counts = (count("finished")?, count("sent")?, count("queued")?);
        let seconds = json["seconds"].as_f64().ok_or_else(bad)?;
        Ok(Self::new(counts, dropped, seconds))
    }

    /// Returns the losses as `refused 3, queue_full 1`, or `none`.
    pub fn losses(&self) -> String {
        let losses: Vec<_> = self
            .dropped
            .iter()
            .map(|(cause, n)| format!("{cause} {n}"))
            .collect();
        if losses.is_empty() {
            "none".to_owned()
        } else {
            losses.join(", ")
        }
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "finished {}, sent {}, dropped {}, queued {}, made in {:.2} s",
            self.finished,
            self.sent,
            self.losses(),
            self.queued,
            self.seconds
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_report_reads_back() -> Result<(), Error> {
        let dropped = [("refused".to_owned(), 3), ("too_large".to_owned(), 0)];
        let report = LoadReport::new((10, 6, 1), dropped, 0.5);
        assert!(report.adds_up());
        assert_eq!(report.losses(), "refused 3");
        assert_eq!(LoadReport::from_json(&report.to_json())?, report);
        Ok(())
    }

    #[test]
    fn a_report_without_a_count_is_none() {
        let text = r#"{"finished": 1, "dropped": {}, "queued": 0, "seconds": 1}"#;
        assert!(matches!(
            LoadReport::from_json(text),
            Err(Error::Shape { .. })
        ));
    }
}
