/// Which orders of three services are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Orders {
    /// All `n³`.
    Every,
    /// `n²` of them: each ordered pair of services is once S1 and S2, and once S2 and S3.
    EveryPair,
}

impl Orders {
    /// Returns the orders of `services` services.
    ///
    /// ```
    /// use tracehound_interop::crossdock::Orders;
    ///
    /// assert_eq!(Orders::Every.of(4).len(), 64);
    /// assert_eq!(Orders::EveryPair.of(4).len(), 16);
    /// ```
    pub fn of(self, services: usize) -> Vec<[usize; 3]> {
        let every = || 0..services;
        let pairs = every().flat_map(|s1| every().map(move |s2| (s1, s2)));
        match self {
            Self::Every => pairs
                .flat_map(|(s1, s2)| every().map(move |s3| [s1, s2, s3]))
                .collect(),
            // For each S2, another S1 has another S3.
            Self::EveryPair => pairs
                .map(|(s1, s2)| [s1, s2, (s1 + s2) % services])
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_pair_is_called_at_both_places() {
        for services in 1..9 {
            let orders = Orders::EveryPair.of(services);
            let pairs = |at: usize| -> BTreeSet<_> {
                let pairs = orders.iter().map(|order| (order[at], order[at + 1]));
                pairs.collect()
            };
            assert_eq!([pairs(0).len(), pairs(1).len()], [services * services; 2]);
        }
        let every: BTreeSet<_> = Orders::Every.of(5).into_iter().collect();
        assert_eq!(every.len(), 125);
    }
}
