//! Allocations that a layer adds to a request.

use tracehound::JaegerTracer;

use self::layers::Layer::{self, Absent, Bare, Carried, Off, Sampled, Unsampled};
use self::layers::{Measure, axum, grpc_client, grpc_server, reqwest};

#[path = "../../benches/layers/mod.rs"]
mod layers;

/// Counts tenths of allocations per request in the steady state. They hide the rare new chunk of a thread queue.
struct Tenths;

impl Measure for Tenths {
    type Figure = u64;

    fn requests<R>(
        self,
        _: &JaegerTracer,
        request: impl Fn() -> R,
        mut work: impl FnMut(R),
    ) -> u64 {
        let (warm_up, count) = (100, 1_000);
        let mut requests: Vec<R> = (0..warm_up + count).map(|_| request()).collect();
        requests.drain(..warm_up).for_each(&mut work);
        let all = || requests.drain(..).for_each(&mut work);
        allocation_counter::measure(all).count_total * 10 / count as u64
    }
}

type Piece = fn(Layer, Tenths) -> u64;

#[test]
fn a_layer_adds_few_allocations_to_a_request() {
    let count = |piece: Piece, layer| piece(layer, Tenths);
    // What a layer adds if the tracer is off, if it drops or keeps the trace, or keeps it and puts the span into the
    // request. axum boxes the body of a layer. With the span the map of extensions grows, which is full with the three
    // entries of axum's router, and gRPC has no map yet. A client writes a header. A future of reqwest-middleware is
    // boxed, reqwest boxes the body of a response three times as it is replaced, and the URL, which is copied, twice.
    let rows: [(&str, Piece, Layer, [u64; 4]); 4] = [
        ("axum", axum, Bare, [1, 1, 1, 3]),
        ("gRPC server", grpc_server, Absent, [0, 0, 0, 3]),
        ("gRPC client", grpc_client, Absent, [0, 1, 1, 1]),
        ("reqwest", reqwest, Absent, [0, 2, 8, 8]),
    ];
    for (name, piece, without, expected) in rows {
        let base = count(piece, without);
        let added = [Off, Unsampled, Sampled, Carried].map(|layer| count(piece, layer) - base);
        assert_eq!(added, expected.map(|whole| whole * 10), "{name}");
    }
}
