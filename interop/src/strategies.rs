use std::fs;

use serde_json::Value as Json;

use crate::{
    Backend, Error,
    launch::STRATEGIES,
    query::{escaped, json},
};

impl Backend {
    /// Replaces the file of sampling strategies. The backend reads it again within about a second.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    pub fn write_strategies(&self, strategies: &Json) -> Result<(), Error> {
        // A file that is written in place could be read when it is half written.
        let new = self.dir().join("strategies.new");
        fs::write(&new, strategies.to_string())
            .and_then(|()| fs::rename(&new, self.dir().join(STRATEGIES)))
            .map_err(Error::io("writing strategies"))
    }

    /// Returns the answer to a request for the strategy of a service, at the address and path of an agent.
    ///
    /// # Errors
    ///
    /// [`Error::Http`] if the backend does not answer with JSON.
    pub fn strategy(&self, service: &str) -> Result<Json, Error> {
        let path = format!("/sampling?service={}", escaped(service));
        json(
            &path,
            &self.get(self.endpoints().sampling_http, &path)?.success()?,
        )
    }

    /// Returns the [`strategy`](Self::strategy) once `is_it` accepts it; asks as often as [`trace`](Self::trace).
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] with the last answer if it is never accepted.
    pub fn strategy_when(
        &self,
        service: &str,
        is_it: impl Fn(&Json) -> bool,
    ) -> Result<Json, Error> {
        self.wait(&format!("a strategy of {service}"), || {
            let seen = self.strategy(service)?;
            Ok(if is_it(&seen) {
                Ok(seen)
            } else {
                Err(seen.to_string())
            })
        })
    }
}
