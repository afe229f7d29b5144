//! Caches without anything of a contender in them.

use std::fs;
use std::hint::black_box;

/// Memory that is walked through to put all else out of the caches of a core.
pub struct Sweep(Vec<u64>);

impl Sweep {
    /// Memory of four times the largest cache that the kernel names; of 128 MiB where it names none.
    pub fn new() -> Self {
        let bytes = (4 * largest_cache().unwrap_or(32 << 20)).min(MOST_BYTES);
        Self(vec![1; bytes / size_of::<u64>()])
    }

    /// Changes a word of every cache line, so that lines that were changed before have to go back to memory too.
    pub fn sweep(&mut self) {
        for word in self.0.iter_mut().step_by(LINE_BYTES / size_of::<u64>()) {
            *word = word.wrapping_mul(3);
        }
        black_box(&self.0);
    }
}

fn largest_cache() -> Option<usize> {
    let caches = fs::read_dir("/sys/devices/system/cpu/cpu0/cache").ok()?;
    let sizes = caches.filter_map(|cache| {
        let size = fs::read_to_string(cache.ok()?.path().join("size")).ok()?;
        bytes(size.trim())
    });
    sizes.max()
}

/// Reads a size as the kernel writes it: `512K`.
fn bytes(size: &str) -> Option<usize> {
    let units = [("K", 10), ("M", 20), ("G", 30)];
    let (number, shift) = units
        .into_iter()
        .find_map(|(unit, shift)| Some((size.strip_suffix(unit)?, shift)))?;
    number.parse::<usize>().ok()?.checked_shl(shift)
}

const LINE_BYTES: usize = 64;
/// A sweep of this takes some 20 ms.
const MOST_BYTES: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn the_kernel_writes_sizes_with_a_unit() {
        assert_eq!(bytes("512K"), Some(512 << 10));
        assert_eq!(bytes("32M"), Some(32 << 20));
        assert_eq!(bytes("many"), None);
    }
}
