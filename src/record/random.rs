//! Ids: random, per thread, without a lock.

use std::cell::RefCell;

use rand::rngs::{SmallRng, SysRng};
use rand::{Rng, SeedableRng, TryRng};

thread_local! {
    static RANDOM: RefCell<Option<SmallRng>> = const { RefCell::new(None) };
}

/// A random number of 63 bits that is not zero: what the Go client uses for ids.
pub(crate) fn random_id() -> u64 {
    loop {
        let id = random() & (i64::MAX as u64);
        if id != 0 {
            return id;
        }
    }
}

fn random() -> u64 {
    RANDOM
        .try_with(|random| {
            let mut random = random.try_borrow_mut().ok()?;
            Some(random.get_or_insert_with(seeded).next_u64())
        })
        .ok()
        .flatten()
        // The thread is torn down: ids are few then.
        .unwrap_or_else(|| seeded().next_u64())
}

fn seeded() -> SmallRng {
    let mut seed = [0; 32];
    match SysRng.try_fill_bytes(&mut seed) {
        Ok(()) => SmallRng::from_seed(seed),
        Err(_) => SmallRng::seed_from_u64(last_resort()),
    }
}

/// Where the system gives no randomness: the time and an address, different in every thread.
#[cold]
fn last_resort() -> u64 {
    let here = 0u8;
    crate::clock::wall_nanos(crate::clock::system_time_now()) as u64
        ^ (&raw const here as usize as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_of_several_threads_differ_and_have_63_bits() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| (0..10_000).map(|_| random_id()).collect::<Vec<_>>()))
            .collect();
        let ids: Vec<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic"))
            .collect();
        assert!(ids.iter().all(|id| *id != 0 && id >> 63 == 0));
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    }
}
