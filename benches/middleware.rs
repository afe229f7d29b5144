//! A program that sends a request through the middleware many times. `.ci/instructions` counts its instructions.
//!
//! ```text
//! middleware --list        prints the names of the pieces
//! middleware NAME TIMES    does a piece, after a warm-up, in a function whose name has `counted_pieces` in it
//! middleware               does every piece a few times
//! ```
//!
//! Each library has a piece without a layer, to subtract from the others, and pieces with a layer: of a tracer that is
//! off, for a caller whose trace is dropped, and for one whose trace is kept; `carried` is the last one
//! with the span in the request. axum boxes what passes a layer, so it has a piece with a layer that does nothing, too. Nothing goes
//! over a socket, the clock stands still, and requests are made before the count begins.

use std::hint::black_box;
use std::time::Duration;

use tracehound::JaegerTracer;

use crate::layers::Layer::{Absent, Bare, Carried, Off, Sampled, Unsampled};
use crate::layers::{Measure, axum, grpc_client, grpc_server, reqwest};
use crate::pieces::{Piece, WARM_UP};

mod layers;
mod pieces;

const PIECES: [Piece; 19] = [
    ("axum-without", |n| axum(Absent, Counted(n))),
    ("axum-bare", |n| axum(Bare, Counted(n))),
    ("axum-off", |n| axum(Off, Counted(n))),
    ("axum-unsampled", |n| axum(Unsampled, Counted(n))),
    ("axum-sampled", |n| axum(Sampled, Counted(n))),
    ("axum-carried", |n| axum(Carried, Counted(n))),
    ("grpc-server-without", |n| grpc_server(Absent, Counted(n))),
    ("grpc-server-off", |n| grpc_server(Off, Counted(n))),
    ("grpc-server-unsampled", |n| {
        grpc_server(Unsampled, Counted(n))
    }),
    ("grpc-server-sampled", |n| grpc_server(Sampled, Counted(n))),
    ("grpc-server-carried", |n| grpc_server(Carried, Counted(n))),
    ("grpc-client-without", |n| grpc_client(Absent, Counted(n))),
    ("grpc-client-off", |n| grpc_client(Off, Counted(n))),
    ("grpc-client-unsampled", |n| {
        grpc_client(Unsampled, Counted(n))
    }),
    ("grpc-client-sampled", |n| grpc_client(Sampled, Counted(n))),
    ("reqwest-without", |n| reqwest(Absent, Counted(n))),
    ("reqwest-off", |n| reqwest(Off, Counted(n))),
    ("reqwest-unsampled", |n| reqwest(Unsampled, Counted(n))),
    ("reqwest-sampled", |n| reqwest(Sampled, Counted(n))),
];

fn main() {
    pieces::main(&PIECES);
}

/// The number of times that a piece is done where it is counted.
struct Counted(u64);

impl Measure for Counted {
    type Figure = ();

    fn requests<R>(self, tracer: &JaegerTracer, request: impl Fn() -> R, mut work: impl FnMut(R)) {
        let mut requests: Vec<R> = (0..WARM_UP + self.0).map(|_| request()).collect();
        for request in requests.drain(..WARM_UP as usize) {
            work(request);
        }
        // Nothing waits for the worker when the count begins.
        let patience = Duration::from_secs(60);
        assert!(tracer.flush(patience).is_complete());
        counted_pieces(requests, work);
        let report = tracer.flush(patience);
        assert!(report.is_complete(), "spans were lost: {report}");
    }
}

#[inline(never)]
fn counted_pieces<R>(requests: Vec<R>, mut work: impl FnMut(R)) {
    for request in requests {
        work(black_box(request));
    }
}
