//! The probabilistic sampler keeps the traces that those of the published clients keep.

use std::{
    collections::BTreeSet,
    error::Error,
    io::Write,
    iter,
    process::{Command, Stdio},
    thread,
};

use tracehound::{
    model::TraceId,
    sampler::{ProbabilisticSampler, Sampler, SamplingDecision, SamplingRate, SpanView},
};
use tracehound_interop::crossdock::{GO_DECISIONS, JAVA_DECISIONS, Peer};

#[test]
fn the_go_client_keeps_the_same_traces_of_all_ids() -> Result<(), Box<dyn Error>> {
    keeps_the_same_traces(&GO_DECISIONS, u64::MAX)
}

/// Java takes an id above 2^63 for a negative number, and mirrors it. No Jaeger client makes such an id.
#[test]
fn the_java_client_keeps_the_same_traces_of_ids_of_63_bits() -> Result<(), Box<dyn Error>> {
    keeps_the_same_traces(&JAVA_DECISIONS, LOW_63_BITS)
}

fn keeps_the_same_traces(peer: &Peer, greatest: u64) -> Result<(), Box<dyn Error>> {
    if !peer.is_there_or_skipped()? {
        return Ok(());
    }
    let ids = ids(greatest);
    let answers = answers(peer.command()?, &ids)?;
    assert_eq!(answers.len(), PROBABILITIES.len());
    for (probability, answers) in PROBABILITIES.into_iter().zip(answers) {
        assert_eq!(answers.len(), ids.len(), "{probability}");
        let sampler = ProbabilisticSampler::new(SamplingRate::new(probability)?);
        let mut kept = 0;
        for (&id, answer) in ids.iter().zip(answers) {
            let trace_id = TraceId::new(0, id).ok_or("an id is not zero")?;
            let decision = sampler.on_create_span(&SpanView::new(trace_id, "op", true));
            let is_kept = matches!(decision, SamplingDecision::Sample(_));
            assert_eq!(is_kept, answer == b'1', "{id:016x} at {probability}");
            kept += u64::from(is_kept);
        }
        // Both would agree if neither looked at the id.
        let share = kept as f64 / ids.len() as f64;
        assert!(
            (share - probability).abs() < 0.003,
            "{share} at {probability}"
        );
    }
    Ok(())
}

/// Returns a million ids that no pattern joins, and those next to the boundary of each probability.
fn ids(greatest: u64) -> Vec<u64> {
    // With all its low bits zero an id is the only one that Go and Java keep at probability 0. No client makes it.
    let is_asked = |id: &u64| id & LOW_63_BITS != 0 && *id <= greatest;
    let boundaries = PROBABILITIES.map(|probability| (probability * LOW_63_BITS as f64) as u64);
    let near = boundaries.into_iter().flat_map(|boundary| {
        [
            boundary.saturating_sub(1),
            boundary,
            boundary.saturating_add(1),
        ]
    });
    // The same low bits, once without and once with the highest.
    let near = near.flat_map(|id| [id & LOW_63_BITS, id | !LOW_63_BITS]);
    let mut ids: BTreeSet<u64> = near.filter(is_asked).collect();
    let mut state = SEED;
    let random = iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) & greatest
    });
    ids.extend(random.filter(is_asked).take(RANDOM_IDS));
    ids.into_iter().collect()
}

/// Lets the program read the ids, and returns its answers to each probability.
fn answers(mut program: Command, ids: &[u64]) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut child = program
        .args(PROBABILITIES.map(|probability| probability.to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().ok_or("a pipe")?;
    let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_be_bytes()).collect();
    // A full pipe would stop both sides, so one thread writes while the other reads.
    let writing = thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output()?;
    writing.join().expect("no panic in `write_all`")?;
    assert!(output.status.success(), "{}", output.status);
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    Ok(lines.map(<[u8]>::to_vec).collect())
}

const PROBABILITIES: [f64; 10] = [
    0.0,
    1e-9,
    0.001,
    0.01,
    0.1,
    1.0 / 3.0,
    0.5,
    0.9,
    1.0 - f64::EPSILON,
    1.0,
];
const RANDOM_IDS: usize = 1_000_000;
const SEED: u64 = 0x7261_6365_686f_756e;
const LOW_63_BITS: u64 = u64::MAX >> 1;
