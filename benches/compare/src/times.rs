//! Times of a piece of work, sorted by the company of its core.

use std::ops::{Add, Mul};

use crate::company::Company;
use crate::figure::{Figure, Quantity};
use crate::median::median;

#[derive(Default)]
pub struct Times {
    all: Vec<f64>,
    alone: Vec<f64>,
    shared: Vec<f64>,
}

impl Times {
    /// Adds a time. `company` is `None` if it changed meanwhile.
    pub fn add(&mut self, time: f64, company: Option<Company>) {
        self.all.push(time);
        match company {
            Some(Company::Alone) => self.alone.push(time),
            Some(Company::Shared) => self.shared.push(time),
            None => {}
        }
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn medians(self) -> Medians {
        let of_many = |times: Vec<f64>| {
            if times.len() < ENOUGH {
                f64::NAN
            } else {
                median(times)
            }
        };
        Medians {
            all: median(self.all),
            alone: of_many(self.alone),
            shared: of_many(self.shared),
        }
    }
}

/// Medians of all times, of those alone on their core and of those that shared it; or sums of such medians. The latter
/// two are NaN if there are too few times to tell, and in a sum if one of its parts is NaN.
#[derive(Clone, Copy)]
pub struct Medians {
    pub all: f64,
    pub alone: f64,
    pub shared: f64,
}

impl Medians {
    /// Returns the medians that are known.
    pub fn figures(self) -> impl Iterator<Item = Figure> {
        let figures = [
            (Quantity::Time, self.all),
            (Quantity::Alone, self.alone),
            (Quantity::Shared, self.shared),
        ];
        figures.into_iter().filter(|(_, number)| !number.is_nan())
    }
}

impl Add for Medians {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            all: self.all + other.all,
            alone: self.alone + other.alone,
            shared: self.shared + other.shared,
        }
    }
}

impl Mul<Medians> for f64 {
    type Output = Medians;

    fn mul(self, medians: Medians) -> Medians {
        Medians {
            all: self * medians.all,
            alone: self * medians.alone,
            shared: self * medians.shared,
        }
    }
}

/// Some times had other company in their middle than at their ends. Among fewer than these they would count too much.
const ENOUGH: usize = 20;

#[cfg(test)]
mod tests {
    use super::{Medians, Times};
    use crate::company::Company::{self, Alone, Shared};
    use crate::figure::{Figure, Quantity};

    #[test]
    fn few_times_give_no_figure() {
        let medians = medians(&[(29.0, Alone, 20), (50.0, Shared, 19)]);
        assert_eq!(
            figures(medians),
            [(Quantity::Time, 29.0), (Quantity::Alone, 29.0)]
        );
    }

    #[test]
    fn a_sum_has_what_all_its_parts_have() {
        let sum = medians(&[(29.0, Alone, 20), (50.0, Shared, 20)])
            + 2.0 * medians(&[(1.0, Alone, 1), (2.0, Shared, 20)]);
        assert_eq!(
            figures(sum),
            [(Quantity::Time, 54.0), (Quantity::Shared, 54.0)]
        );
    }

    #[test]
    fn times_whose_company_changed_are_only_among_all() {
        let mut times = Times::default();
        (0..3).for_each(|_| times.add(40.0, None));
        assert_eq!(figures(times.medians()), [(Quantity::Time, 40.0)]);
    }

    fn medians(times: &[(f64, Company, usize)]) -> Medians {
        let mut sorted = Times::default();
        for &(time, company, count) in times {
            (0..count).for_each(|_| sorted.add(time, Some(company)));
        }
        sorted.medians()
    }

    fn figures(medians: Medians) -> Vec<Figure> {
        medians.figures().collect()
    }
}
