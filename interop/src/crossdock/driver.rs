use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Error,
    crossdock::{Alphabet, Answer, Chain, Service, Transport},
};

/// The result of a run: what three services saw of one trace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// The services in the roles S1, S2 and S3, as places in the list of services.
    pub order: [usize; 3],
    /// Whether S1 was asked to sample.
    pub is_sampled: bool,
    /// The trace as each service saw it.
    pub seen: [Seen; 3],
}

/// A trace as a service saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// The trace id; a shorter one has zeros in front.
    pub trace_id: u128,
    /// The sampling decision.
    pub is_sampled: bool,
    /// The value of the baggage item, or empty.
    pub baggage: String,
}

impl Run {
    /// Lets the first service start a trace that goes through the others.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] if a call fails, a service is not called, or the first one does not start the
    /// trace that it was asked for.
    pub fn drive(
        services: &[Service],
        order: [usize; 3],
        is_sampled: bool,
        alphabet: Alphabet,
    ) -> Result<Self, Error> {
        let chain = Chain::drive(
            &order.map(|place| &services[place]),
            Transport::Http,
            is_sampled,
            alphabet,
        )?;
        let number = chain.seen.len();
        let Ok(seen) = chain.seen.try_into() else {
            unreachable!("{number} of three services were called");
        };
        Ok(Self {
            order,
            is_sampled,
            seen,
        })
    }
}

impl Service {
    /// Posts a request of the protocol and returns the answer.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] if the service fails or answers otherwise.
    pub fn ask(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        request: &impl Serialize,
    ) -> Result<Answer, Error> {
        let json = self.post(path, headers, &json!(request).to_string())?;
        Answer::deserialize(&json).map_err(|error| self.failed(format!("answers {json}: {error}")))
    }
}
