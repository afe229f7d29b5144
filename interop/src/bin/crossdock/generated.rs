//! `/create_traces`: traces of one span, decided by a sampler of the driver's choice.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use tracehound::{JaegerTracer, metrics::FlushReport, model::tags, prelude::*};

use crate::options::{Options, one_line};

/// The body of `POST /create_traces`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CreateTraces {
    /// The type of the sampler; empty for the remote one.
    #[serde(default, rename = "type")]
    sampler_type: String,
    operation: String,
    #[serde(default)]
    tags: HashMap<String, String>,
    #[serde(default)]
    count: u32,
}

/// The tracers that `/create_traces` uses, one for each type of sampler.
#[derive(Debug)]
pub(crate) struct Generators {
    options: Options,
    tracers: Mutex<HashMap<String, JaegerTracer>>,
}

impl Generators {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            tracers: Mutex::default(),
        }
    }

    /// Makes the spans. Fails if there is no such sampler.
    pub(crate) fn create(&self, request: &CreateTraces) -> Result<(), String> {
        let tracer = self.tracer(match request.sampler_type.as_str() {
            "" => "remote",
            sampler_type => sampler_type,
        })?;
        for _ in 0..request.count.min(MOST_SPANS) {
            let span = tracer.start_span(request.operation.clone());
            for (key, value) in &request.tags {
                if key == tags::SAMPLING_PRIORITY && value == "1" {
                    span.set_tag(key, 1);
                } else {
                    span.set_tag(key, value.as_str());
                }
            }
        }
        Ok(())
    }

    /// Sends the remaining spans and returns what became of all, for each tracer.
    pub(crate) fn close(&self, timeout: Duration) -> Vec<FlushReport> {
        let tracers = self.tracers.lock().unwrap_or_else(PoisonError::into_inner);
        tracers
            .values()
            .map(|tracer| tracer.close(timeout))
            .collect()
    }

    fn tracer(&self, sampler_type: &str) -> Result<JaegerTracer, String> {
        let mut tracers = self.tracers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tracer) = tracers.get(sampler_type) {
            return Ok(tracer.clone());
        }
        let tracer = self.options.tracer_with(sampler_type);
        let tracer = tracer.map_err(|error| one_line(&error))?;
        // Only types that the library knows come here, so there are few.
        tracers.insert(sampler_type.to_owned(), tracer.clone());
        Ok(tracer)
    }
}

const MOST_SPANS: u32 = 10_000;
