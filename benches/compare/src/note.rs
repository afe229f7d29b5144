//! Notes on contenders that do not do equal work.

use crate::figure::Quantity;
use crate::sink::Reader;
use crate::task::Task;
use crate::workload::Workload;

/// A note that a contender does less than the others, or more.
pub struct Note {
    contenders: &'static [&'static str],
    tasks: &'static [Task],
    /// The quantities that have the note; empty for all that the task measures.
    quantities: &'static [Quantity],
    pub text: &'static str,
}

impl Note {
    const fn new(
        contenders: &'static [&'static str],
        tasks: &'static [Task],
        text: &'static str,
    ) -> Self {
        Self {
            contenders,
            tasks,
            quantities: &[],
            text,
        }
    }

    const fn at(mut self, quantities: &'static [Quantity]) -> Self {
        self.quantities = quantities;
        self
    }

    pub fn is_about(&self, contender: &str, task: Task, quantity: Quantity) -> bool {
        self.contenders.contains(&contender)
            && self.tasks.contains(&task)
            && (self.quantities.is_empty() || self.quantities.contains(&quantity))
    }
}

pub const NOTES: [Note; 16] = [
    Note::new(
        &["rustracing_jaeger"],
        &[Task::Burst(Workload::Unsampled)],
        "Less work: a span that is not sampled has no context, so the next service is told nothing.",
    ),
    Note::new(
        &["fastrace", "minitrace"],
        REQUESTS,
        "Less work: no baggage is looked for, and no sampler asked. More: numbers are formatted, for every value is \
            a string.",
    ),
    Note::new(
        &["minitrace"],
        &[Task::Burst(Workload::Unsampled)],
        "It has no word for a trace that is not kept.",
    ),
    Note::new(
        &["tracing-opentelemetry"],
        &[
            Task::Burst(Workload::Root),
            Task::Burst(Workload::Child),
            Task::Burst(Workload::Request),
            Task::Swept,
            Task::Burst(Workload::Unsampled),
            Task::Burst(Workload::Trace),
            Task::Burst(Workload::TwoThreads),
        ],
        "More work: spans carry their thread and place in the source as well, and are seen by a subscriber.",
    ),
    Note::new(
        &["tracing-opentelemetry", "rustracing_jaeger"],
        &[Task::Burst(Workload::Off)],
        "Less work: `tracing` without a subscriber looks at one static number and never sees the tag; `rustracing` \
            has no tracer that is off, but a span that is.",
    ),
    Note::new(
        &["opentelemetry", "tracing-opentelemetry"],
        REQUESTS,
        "Less work: the propagator for baggage is another one and is not installed.",
    ),
    Note::new(
        &["opentelemetry", "tracing-opentelemetry"],
        TO_AGENT,
        "More work: OTLP over HTTP, for its exporter to Jaeger has ended; a request waits for its answer, and what \
            was sent is not lost.",
    )
    .at(&[Quantity::Cpu, Quantity::Delivered]),
    Note::new(
        &["opentelemetry", "tracing-opentelemetry"],
        TO_AGENT,
        "It says to its exporter's caller which requests were answered. How many spans its queue dropped is a line in \
            its log when it is shut down.",
    )
    .at(&[Quantity::Sent, Quantity::Dropped]),
    Note::new(
        &["fastrace", "minitrace"],
        TO_AGENT,
        "It writes a line to the log when a datagram cannot be sent.",
    )
    .at(&[Quantity::Sent, Quantity::Dropped]),
    Note::new(
        &["rustracing_jaeger"],
        TO_AGENT,
        "Its reporter returns an error when a datagram cannot be sent. Spans that find the channel full are dropped \
            without a word.",
    )
    .at(&[Quantity::Sent, Quantity::Dropped]),
    Note::new(
        &["fastrace"],
        &[
            Task::Flood(Reader::Fast),
            Task::Flood(Reader::Slow),
            Task::FloodWithin,
        ],
        "Nothing bounds what waits. Most of it is still there when the time is up.",
    )
    .at(&[Quantity::Missing]),
    Note::new(
        &["rustracing_jaeger"],
        TO_AGENT,
        "Its reporter makes a datagram of what it is given: 200 spans here. Its documentation gives it one, and each \
            wakes the thread.",
    )
    .at(&[Quantity::Cpu, Quantity::Delivered]),
    Note::new(
        &["fastrace", "minitrace", "rustracing_jaeger", "opentelemetry", "tracing-opentelemetry"],
        &[Task::FloodWithin],
        "Less work: spans are read, and not encoded.",
    )
    .at(&[Quantity::Delivered]),
    Note::new(
        &["tracehound"],
        &[Task::Encoding],
        "More work: all that its background thread does is in it, so also taking spans out of the queues.",
    ),
    Note::new(
        &["fastrace", "minitrace"],
        &[Task::Encoding],
        "More work: the encoder cannot be called alone, so datagrams of 8000 bytes are sent as well.",
    ),
    Note::new(
        &["opentelemetry", "tracing-opentelemetry"],
        &[Task::Encoding],
        "OTLP in Protobuf; the others' bytes are Thrift's compact protocol.",
    ),
];

const TO_AGENT: &[Task] = &[
    Task::Paced(Reader::Fast),
    Task::Paced(Reader::Slow),
    Task::Flood(Reader::Fast),
    Task::Flood(Reader::Slow),
];

const REQUESTS: &[Task] = &[
    Task::Burst(Workload::Request),
    Task::Swept,
    Task::Burst(Workload::Unsampled),
    Task::Burst(Workload::TwoThreads),
];
