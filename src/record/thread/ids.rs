//! Random ids, from a generator of the thread.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

use rand::TryRng;
use rand::rngs::SysRng;

use crate::clock::{WallTime, system_time_now};
use crate::model::SpanId;

thread_local! {
    /// The state of this thread's generator; all zero until it is seeded. It has no destructor, so it is never gone.
    static STATE: [Cell<u64>; 2] = const { [const { Cell::new(0) }; 2] };
    /// The value of `RENEWALS` when the generator was seeded last.
    static RENEWED: Cell<u32> = const { Cell::new(0) };
}

/// The number of times that all threads were asked to seed their generators anew.
static RENEWALS: AtomicU32 = AtomicU32::new(0);

/// Returns a random number of 63 bits that is not zero, as jaeger-client-go uses for ids.
#[inline(always)]
pub(crate) fn random_id() -> SpanId {
    renew_generator();
    match try_random_id() {
        Some(id) => id,
        None => random_id_after_zero(),
    }
}

/// Like [`random_id`], but returns `None` if the generator is not seeded (and, with probability 2⁻⁶³, if it drew zero).
/// Does not ask whether the generator must be seeded anew: a start learns that when it looks for the thread's state.
#[inline(always)]
pub(crate) fn try_random_id() -> Option<SpanId> {
    SpanId::new(next() >> 1)
}

/// Seeds the generator if it is not seeded, and draws again.
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

/// Draws the next number by xoroshiro128++ (Blackman and Vigna, "Scrambled linear pseudorandom number generators",
/// 2019).
///
/// Threads begin at random points of a period of 2^128 - 1, so two of them practically never draw the same numbers.
#[inline(always)]
fn next() -> u64 {
    STATE.with(|state| {
        // Word by word: a load of both words at once would wait for the separate stores.
        let [a, b] = state;
        let (s0, s1) = (a.get(), b.get());
        let mixed = s1 ^ s0;
        a.set(s0.rotate_left(49) ^ mixed ^ (mixed << 21));
        b.set(mixed.rotate_left(28));
        s0.wrapping_add(s1).rotate_left(17).wrapping_add(s0)
    })
}

/// Asks all threads to seed their generators anew.
pub(super) fn renew_all_generators() {
    // Release: pairs with `renew_generator`.
    RENEWALS.fetch_add(1, Ordering::Release);
}

/// Seeds the generator of this thread anew if that was asked for since the last time. Returns whether it was.
#[inline]
pub(crate) fn renew_generator() -> bool {
    let renewals = RENEWALS.load(Ordering::Acquire);
    let is_new = RENEWED.replace(renewals) != renewals;
    if is_new {
        forget_state();
    }
    is_new
}

/// Makes a forked child seed its generator anew, because a thread of the parent has the same state. Only stores to a
/// static.
pub(crate) fn forget_state() {
    STATE.with(|state| state.iter().for_each(|word| word.set(0)));
}

/// Returns a random state that is not all zero.
#[cold]
#[inline(never)]
fn seed() -> [u64; 2] {
    let mut bytes = [0; 16];
    if SysRng.try_fill_bytes(&mut bytes).is_err() {
        return seed_without_system();
    }
    let mut words = bytes.as_chunks::<8>().0.iter();
    let seed = [(); 2].map(|()| words.next().map_or(0, |word| u64::from_le_bytes(*word)));
    // A generator that is all zero draws only zeros.
    if seed == [0; 2] {
        seed_without_system()
    } else {
        seed
    }
}

/// Returns a state made of the time and an address of this thread's stack, for a system that gives no random bytes.
#[cold]
fn seed_without_system() -> [u64; 2] {
    let here = 0u8;
    let mut state = WallTime::nearest_to(system_time_now()).nanos as u64
        ^ (&raw const here).addr().rotate_left(32) as u64;
    // SplitMix64, which the generator's authors recommend for seeding.
    [(); 2].map(|()| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) | 1
    })
}

/// Puts the generator of this thread where it was in another copy of the process.
#[cfg(test)]
pub(crate) fn set_state(words: [u64; 2]) {
    STATE.with(|state| {
        words
            .iter()
            .zip(state)
            .for_each(|(new, word)| word.set(*new))
    });
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
    fn the_generator_draws_the_numbers_of_its_authors() {
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
    fn a_seed_without_the_system_differs_each_time() {
        assert!(seed_without_system().iter().all(|word| *word != 0));
        assert_ne!(seed_without_system(), seed_without_system());
    }
}
