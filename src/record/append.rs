use std::ptr;

/// Appends to a buffer in which room has been made for all of it: no test and no call for each byte.
pub(super) struct Appender<'a> {
    out: &'a mut Vec<u8>,
    len: usize,
}

impl<'a> Appender<'a> {
    /// Makes room for `room` bytes. What is appended is there once the appender is [finished](Self::finish).
    #[inline(always)]
    pub(super) fn new(out: &'a mut Vec<u8>, room: usize) -> Self {
        if out.capacity() - out.len() < room {
            grow(out, room);
        }
        let len = out.len();
        Self { out, len }
    }

    /// The same where there is room.
    ///
    /// # Safety
    ///
    /// All that is appended fits into the capacity.
    #[inline(always)]
    pub(super) unsafe fn in_place(out: &'a mut Vec<u8>) -> Self {
        let len = out.len();
        Self { out, len }
    }

    /// # Safety
    ///
    /// All that is appended is no more than the `room` that was asked for.
    #[inline(always)]
    pub(super) unsafe fn byte(&mut self, byte: u8) {
        debug_assert!(self.len < self.out.capacity());
        // SAFETY: `len` is within the capacity, by the caller's promise.
        unsafe { self.out.as_mut_ptr().add(self.len).write(byte) };
        self.len += 1;
    }

    /// The bytes of a value that has no padding, as they lie in memory.
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(super) unsafe fn value<T: Copy>(&mut self, value: T) {
        debug_assert!(self.len + size_of::<T>() <= self.out.capacity());
        // SAFETY: as in `byte`. The write needs no alignment.
        unsafe {
            let place = self.out.as_mut_ptr().add(self.len).cast::<T>();
            place.write_unaligned(value);
        }
        self.len += size_of::<T>();
    }

    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(super) unsafe fn array<const N: usize>(&mut self, bytes: [u8; N]) {
        debug_assert!(self.len + N <= self.out.capacity());
        // SAFETY: as in `byte`. An array of bytes has no alignment.
        unsafe {
            self.out
                .as_mut_ptr()
                .add(self.len)
                .cast::<[u8; N]>()
                .write(bytes);
        }
        self.len += N;
    }

    /// The first `len` bytes of an array.
    ///
    /// # Safety
    ///
    /// The whole array fits into the room that was asked for, and `len` is no more than its length.
    #[inline(always)]
    pub(super) unsafe fn part<const N: usize>(&mut self, bytes: [u8; N], len: usize) {
        debug_assert!(len <= N);
        let end = self.len + len;
        // SAFETY: as in `byte`.
        unsafe { self.array(bytes) };
        self.len = end;
    }

    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(super) unsafe fn bytes(&mut self, bytes: &[u8]) {
        debug_assert!(self.len + bytes.len() <= self.out.capacity());
        // SAFETY: as in `byte`. `bytes` cannot overlap with the buffer, which is borrowed mutably.
        unsafe { copy(bytes, self.out.as_mut_ptr().add(self.len)) };
        self.len += bytes.len();
    }

    /// The same for what is mostly long.
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(super) unsafe fn many_bytes(&mut self, bytes: &[u8]) {
        debug_assert!(self.len + bytes.len() <= self.out.capacity());
        // SAFETY: as in `bytes`.
        unsafe {
            let to = self.out.as_mut_ptr().add(self.len);
            ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
        self.len += bytes.len();
    }

    /// An unsigned LEB128 number: at most 10 bytes.
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline]
    pub(super) unsafe fn varint(&mut self, mut value: u64) {
        if value >> 56 != 0 {
            // Random ids and whole words of them: the first eight bytes at once.
            // SAFETY: passed on.
            unsafe { self.array((spread_7(value) | CONTINUED).to_le_bytes()) };
            value >>= 56;
        }
        while value >= 0x80 {
            // SAFETY: passed on.
            unsafe { self.byte(value as u8 | 0x80) };
            value >>= 7;
        }
        // SAFETY: passed on.
        unsafe { self.byte(value as u8) };
    }

    /// A length and the bytes.
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(super) unsafe fn sized_bytes(&mut self, bytes: &[u8]) {
        // SAFETY: passed on.
        unsafe {
            if bytes.len() < 0x80 {
                self.byte(bytes.len() as u8);
            } else {
                self.varint(bytes.len() as u64);
            }
            self.bytes(bytes);
        }
    }

    #[inline(always)]
    pub(super) fn finish(self) {
        // SAFETY: `len` is within the capacity, and the methods above have written all up to it.
        unsafe { self.out.set_len(self.len) };
    }
}

/// The lowest 56 bits, seven in each byte.
///
/// Each step moves the upper half of every group up, by adding a multiple of it: a sum or two of an address.
#[inline(always)]
pub(super) const fn spread_7(value: u64) -> u64 {
    let value = value & 0x00ff_ffff_ffff_ffff;
    let value = value + (value & 0x00ff_ffff_f000_0000) * 0xf;
    let value = value + (value & 0x0fff_c000_0fff_c000) * 3;
    value + (value & 0x3f80_3f80_3f80_3f80)
}

/// The bits that say that another byte follows.
pub(super) const CONTINUED: u64 = 0x8080_8080_8080_8080;

#[cold]
#[inline(never)]
fn grow(out: &mut Vec<u8>, room: usize) {
    out.reserve(room.max(MIN_GROWTH));
}

/// The first tag of a span makes room for the next ones too.
const MIN_GROWTH: usize = 256;

/// Copies all of `from`; what is short, as most keys and values are, without a call.
///
/// # Safety
///
/// `to` may be written for `from.len()` bytes and does not overlap with `from`.
#[inline(always)]
unsafe fn copy(from: &[u8], to: *mut u8) {
    /// Two copies of `N` bytes, from the start and up to the end, that meet or overlap.
    #[inline(always)]
    unsafe fn ends<const N: usize>(from: *const u8, to: *mut u8, len: usize) {
        // SAFETY: the caller has seen that N <= len <= 2 * N.
        unsafe {
            to.cast::<[u8; N]>().write(from.cast::<[u8; N]>().read());
            let (from, to) = (from.add(len - N), to.add(len - N));
            to.cast::<[u8; N]>().write(from.cast::<[u8; N]>().read());
        }
    }
    let (source, len) = (from.as_ptr(), from.len());
    // SAFETY: each branch reads and writes `len` bytes, from the first to the last. The usual lengths come first.
    unsafe {
        match len {
            8..=16 => ends::<8>(source, to, len),
            17..=32 => ends::<16>(source, to, len),
            33..=64 => ends::<32>(source, to, len),
            65.. => ptr::copy_nonoverlapping(source, to, len),
            4..=7 => ends::<4>(source, to, len),
            2..=3 => ends::<2>(source, to, len),
            1 => to.write(source.read()),
            0 => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_definition() {
        let edges = (0..64).flat_map(|shift| [1 << shift, (1 << shift) - 1, u64::MAX >> shift]);
        for value in edges.chain([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]) {
            let mut expected = Vec::new();
            let mut rest = value;
            while rest >= 0x80 {
                expected.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            expected.push(rest as u8);
            let mut out = Vec::new();
            let mut appender = Appender::new(&mut out, 10);
            // SAFETY: a number is at most 10 bytes.
            unsafe { appender.varint(value) };
            appender.finish();
            assert_eq!(out, expected, "{value:#x}");
        }
    }

    #[test]
    fn bytes_of_every_length_are_copied_whole() {
        let from: Vec<u8> = (0..100).collect();
        for len in 0..from.len() {
            let mut out = vec![255];
            let mut appender = Appender::new(&mut out, len + 2);
            // SAFETY: room was made for these.
            unsafe {
                appender.bytes(&from[..len]);
                appender.array([7, 8]);
            }
            appender.finish();
            assert_eq!(out[1..=len], from[..len]);
            assert_eq!(out[len + 1..], [7, 8]);
        }
    }
}
