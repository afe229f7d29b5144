use std::{fmt, fs};

/// The memory of a process and the processor time that it has used, at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    resident_kib: u64,
    /// In ticks of a hundredth of a second.
    ticks: u64,
}

impl Sample {
    /// Reads them from `/proc`, one second after the last sample. `None` if the process has ended.
    pub(crate) fn of(process: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // Behind the name, which may hold spaces: user and system time are the 12th and 13th words.
        let (_, words) = stat.rsplit_once(')')?;
        let mut times = words.split_whitespace().skip(11).map(str::parse::<u64>);
        Some(Self {
            resident_kib: resident.split_whitespace().next()?.parse().ok()?,
            ticks: times.next()?.ok()? + times.next()?.ok()?,
        })
    }

    pub(crate) fn mebibytes(&self) -> f64 {
        self.resident_kib as f64 / 1024.0
    }

    /// Returns the percentage of one processor since the sample of a second ago.
    pub(crate) fn share_since(&self, last: Option<&Self>) -> f64 {
        (self.ticks - last.map_or(0, |last| last.ticks)) as f64
    }
}

/// The memory and the processor time of a whole run.
pub(crate) struct Usage {
    highest: f64,
    /// In MiB an hour, over the second half.
    growth: f64,
    /// In percent of one processor.
    share: f64,
}

impl Usage {
    pub(crate) fn of(samples: &[Sample]) -> Self {
        let memory: Vec<f64> = samples.iter().map(Sample::mebibytes).collect();
        let ticks = samples.last().map_or(0, |sample| sample.ticks);
        Self {
            highest: memory.iter().copied().fold(0.0, f64::max),
            growth: slope(&memory[memory.len() / 2..]) * 3_600.0,
            share: ticks as f64 / samples.len().max(1) as f64,
        }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            highest,
            growth,
            share,
        } = self;
        write!(
            f,
            "at most {highest:.1} MiB, growing by {growth:.2} MiB an hour, {share:.1} % of a processor"
        )
    }
}

/// Returns the slope of the straight line that fits values at 0, 1, 2 and so on best.
fn slope(values: &[f64]) -> f64 {
    let middle = (values.len().max(1) - 1) as f64 / 2.0;
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (mut products, mut squares) = (0.0, 0.0);
    for (at, value) in values.iter().enumerate() {
        let from_middle = at as f64 - middle;
        products += from_middle * (value - mean);
        squares += from_middle * from_middle;
    }
    if squares > 0.0 {
        products / squares
    } else {
        0.0
    }
}
