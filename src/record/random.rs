//! Ids: random, per thread, without a lock.

use std::cell::Cell;

use rand::TryRng;
use rand::rngs::SysRng;

use crate::model::SpanId;

thread_local! {
    /// The state of this thread's generator; all zero until it is seeded. Nothing to destroy, so it is always there.
    static STATE: Cell<[u64; 4]> = const { Cell::new([0; 4]) };
}

/// A random number of 63 bits that is not zero: what the Go client uses for ids.
#[inline]
pub(crate) fn random_id() -> SpanId {
    loop {
        if let Some(id) = SpanId::new(next() >> 1) {
            return id;
        }
    }
}

/// xoshiro256++ (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2019).
#[inline]
fn next() -> u64 {
    let mut s = STATE.get();
    if s == [0; 4] {
        s = seed();
    }
    let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
    let shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = s[3].rotate_left(45);
    STATE.set(s);
    result
}

/// Has the calling thread seed its generator anew: it has the state of another one, in the parent of this process. Does
/// nothing but a store.
#[cfg(all(unix, not(miri)))]
pub(super) fn forget_state() {
    STATE.set([0; 4]);
}

#[cold]
fn seed() -> [u64; 4] {
    let mut bytes = [0; 32];
    if SysRng.try_fill_bytes(&mut bytes).is_err() {
        return last_resort();
    }
    let mut words = bytes.as_chunks::<8>().0.iter();
    let seed = [(); 4].map(|()| words.next().map_or(0, |word| u64::from_le_bytes(*word)));
    // From zeros alone the generator never moves.
    if seed == [0; 4] { last_resort() } else { seed }
}

/// Where the system gives no randomness: the time and an address, different in every thread.
#[cold]
fn last_resort() -> [u64; 4] {
    let here = 0u8;
    let mut state = crate::clock::wall_nanos(crate::clock::system_time_now()) as u64
        ^ (&raw const here).addr().rotate_left(32) as u64;
    // SplitMix64, as the generator's authors advise.
    [(); 4].map(|()| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) | 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_of_several_threads_differ_and_have_63_bits() {
        let count = if cfg!(miri) { 100 } else { 10_000 };
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(move || (0..count).map(|_| random_id()).collect::<Vec<_>>())
            })
            .collect();
        let ids: Vec<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic"))
            .collect();
        assert!(ids.iter().all(|id| id.get() >> 63 == 0));
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    }

    #[test]
    fn the_generator_gives_what_its_authors_say() {
        STATE.set([1, 2, 3, 4]);
        let expected = [
            41_943_041,
            58_720_359,
            3_588_806_011_781_223,
            3_591_011_842_654_386,
        ];
        assert_eq!([(); 4].map(|()| next()), expected);
    }

    #[test]
    fn the_last_resort_is_no_fixed_state() {
        assert!(last_resort().iter().all(|word| *word != 0));
        assert_ne!(last_resort(), last_resort());
    }
}
