//! Ids: random, per thread, without a lock.

use std::cell::Cell;

use rand::TryRng;
use rand::rngs::SysRng;

use crate::clock::{WallTime, system_time_now};
use crate::model::SpanId;

thread_local! {
    /// The state of this thread's generator; all zero until it is seeded. Nothing to destroy, so it is always there.
    static STATE: [Cell<u64>; 2] = const { [const { Cell::new(0) }; 2] };
}

/// A random number of 63 bits that is not zero: what the Go client uses for ids.
#[inline(always)]
pub(crate) fn random_id() -> SpanId {
    match try_random_id() {
        Some(id) => id,
        None => random_id_after_zero(),
    }
}

/// The same if the thread's generator is seeded; now and then none, though it is.
#[inline(always)]
pub(crate) fn try_random_id() -> Option<SpanId> {
    SpanId::new(next() >> 1)
}

/// A generator that is not seeded gives nothing but zeros; another one hardly ever does.
#[cold]
#[inline(never)]
fn random_id_after_zero() -> SpanId {
    STATE.with(|state| {
        if state.iter().all(|word| word.get() == 0) {
            state
                .iter()
                .zip(seed())
                .for_each(|(word, seed)| word.set(seed));
        }
    });
    random_id()
}

/// xoroshiro128++ (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2019). Threads begin anywhere in
/// a period of 2^128, so that two hardly ever come to the same numbers.
#[inline(always)]
fn next() -> u64 {
    STATE.with(|state| {
        // Word by word: what was stored as words and is loaded as a whole has to wait for the stores.
        let [a, b] = state;
        let (s0, s1) = (a.get(), b.get());
        let mixed = s1 ^ s0;
        a.set(s0.rotate_left(49) ^ mixed ^ (mixed << 21));
        b.set(mixed.rotate_left(28));
        s0.wrapping_add(s1).rotate_left(17).wrapping_add(s0)
    })
}

/// Has the calling thread seed its generator anew: it has the state of another one, in the parent of this process. Does
/// nothing but a store.
#[cfg(all(unix, not(miri)))]
pub(crate) fn forget_state() {
    STATE.with(|state| state.iter().for_each(|word| word.set(0)));
}

#[cold]
#[inline(never)]
fn seed() -> [u64; 2] {
    let mut bytes = [0; 16];
    if SysRng.try_fill_bytes(&mut bytes).is_err() {
        return seed_without_system();
    }
    let mut words = bytes.as_chunks::<8>().0.iter();
    let seed = [(); 2].map(|()| words.next().map_or(0, |word| u64::from_le_bytes(*word)));
    // From zeros alone the generator never moves.
    if seed == [0; 2] {
        seed_without_system()
    } else {
        seed
    }
}

/// Where the system gives no randomness: the time and an address, different in every thread.
#[cold]
fn seed_without_system() -> [u64; 2] {
    let here = 0u8;
    let mut state = WallTime::nearest_to(system_time_now()).nanos as u64
        ^ (&raw const here).addr().rotate_left(32) as u64;
    // SplitMix64, as the generator's authors advise.
    [(); 2].map(|()| {
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
        STATE.with(|state| (1..).zip(state).for_each(|(n, word)| word.set(n)));
        let expected = [
            393_217,
            669_327_710_093_319,
            1_732_421_326_133_921_491,
            11_394_790_081_659_126_983,
        ];
        assert_eq!([(); 4].map(|()| next()), expected);
    }

    #[test]
    fn the_last_resort_is_no_fixed_state() {
        assert!(seed_without_system().iter().all(|word| *word != 0));
        assert_ne!(seed_without_system(), seed_without_system());
    }
}
