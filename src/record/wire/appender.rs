use std::ptr;

/// Appends to a buffer in which room has been made for all of it: no test and no call for each byte.
pub(crate) struct Appender<'a> {
    out: &'a mut Vec<u8>,
    /// Where the next byte goes, in the memory of `out`.
    place: *mut u8,
}

impl<'a> Appender<'a> {
    /// Makes room for `room` bytes. What is appended is there once the appender is [finished](Self::finish).
    #[inline(always)]
    pub(crate) fn new(out: &'a mut Vec<u8>, room: usize) -> Self {
        if out.capacity() - out.len() < room {
            grow(out, room);
        }
        // SAFETY: there is room for that much.
        unsafe { Self::with_room(out) }
    }

    /// The same where there is room.
    ///
    /// # Safety
    ///
    /// All that is appended fits into the capacity.
    #[inline(always)]
    pub(crate) unsafe fn with_room(out: &'a mut Vec<u8>) -> Self {
        let len = out.len();
        // SAFETY: the length is within the capacity.
        let place = unsafe { out.as_mut_ptr().add(len) };
        Self { out, place }
    }

    /// # Safety
    ///
    /// All that is appended is no more than the `room` that was asked for.
    #[inline(always)]
    pub(crate) unsafe fn byte(&mut self, byte: u8) {
        // SAFETY: passed on.
        unsafe { self.value(byte) };
    }

    /// The bytes of a value that has no padding, as they lie in memory.
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(crate) unsafe fn value<T: Copy>(&mut self, value: T) {
        debug_assert!(self.len() + size_of::<T>() <= self.out.capacity());
        // SAFETY: the place is within the capacity, by the caller's promise. The write needs no alignment.
        unsafe {
            self.place.cast::<T>().write_unaligned(value);
            self.place = self.place.add(size_of::<T>());
        }
    }

    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(crate) unsafe fn array<const N: usize>(&mut self, bytes: [u8; N]) {
        // SAFETY: passed on.
        unsafe { self.value(bytes) };
    }

    /// The first `len` of eight bytes. There is room for all eight.
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(crate) unsafe fn word_prefix(&mut self, bytes: u64, len: usize) {
        debug_assert!(len <= 8 && self.len() + 8 <= self.out.capacity());
        // SAFETY: as in `value`.
        unsafe {
            self.place.cast::<u64>().write_unaligned(bytes.to_le());
            self.place = self.place.add(len);
        }
    }

    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(crate) unsafe fn bytes(&mut self, bytes: &[u8]) {
        debug_assert!(self.len() + bytes.len() <= self.out.capacity());
        // SAFETY: as in `value`. `bytes` cannot overlap with the buffer, which is borrowed mutably.
        unsafe {
            copy(bytes, self.place);
            self.place = self.place.add(bytes.len());
        }
    }

    /// The first `len` bytes of an array. There is room for the whole of it.
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline]
    pub(crate) unsafe fn array_prefix<const N: usize>(&mut self, bytes: [u8; N], len: usize) {
        debug_assert!(len <= N && self.len() + N <= self.out.capacity());
        // SAFETY: as in `value`.
        unsafe {
            self.place.cast::<[u8; N]>().write(bytes);
            self.place = self.place.add(len);
        }
    }

    /// [`Self::bytes`] for what is mostly long.
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline]
    pub(crate) unsafe fn long_bytes(&mut self, bytes: &[u8]) {
        debug_assert!(self.len() + bytes.len() <= self.out.capacity());
        // SAFETY: as in `bytes`.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.place, bytes.len());
            self.place = self.place.add(bytes.len());
        }
    }

    /// The eight bytes at either end of `len`, which is from 8 to 16.
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(crate) unsafe fn overlapping(&mut self, first: u64, last: u64, len: usize) {
        debug_assert!((8..=16).contains(&len) && self.len() + len <= self.out.capacity());
        // SAFETY: as in `value`.
        unsafe {
            self.place.cast::<u64>().write_unaligned(first.to_le());
            self.place = self.place.add(len);
            self.place
                .cast::<u64>()
                .sub(1)
                .write_unaligned(last.to_le());
        }
    }

    /// An unsigned LEB128 number. There is room for [`VARINT_BYTES`].
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(crate) unsafe fn varint(&mut self, value: u64) {
        // SAFETY: passed on.
        unsafe {
            if value < 0x80 {
                self.byte(value as u8);
            } else {
                debug_assert!(self.len() + VARINT_BYTES <= self.out.capacity());
                self.place = write_long_varint(self.place, value);
            }
        }
    }

    /// The same for what is nearly always a time of this age, in microseconds: eight bytes.
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(crate) unsafe fn time_varint(&mut self, value: u64) {
        // SAFETY: passed on.
        unsafe {
            if let 1..0x80 = value >> 49 {
                self.value((spread_7(value) | CONTINUED >> 8).to_le());
            } else {
                self.varint(value);
            }
        }
    }

    /// A length and the bytes.
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(crate) unsafe fn sized_bytes(&mut self, bytes: &[u8]) {
        // SAFETY: passed on.
        unsafe {
            self.varint(bytes.len() as u64);
            self.bytes(bytes);
        }
    }

    #[inline(always)]
    pub(crate) fn finish(self) {
        // SAFETY: the length is within the capacity, and the methods above have written all up to it.
        unsafe { self.out.set_len(self.len()) };
    }

    /// The address at which the next byte goes.
    #[inline(always)]
    pub(crate) fn addr(&self) -> usize {
        self.place.addr()
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.addr() - self.out.as_ptr().addr()
    }
}

/// Room for the longest number, and for what is written beyond the end of a shorter one.
pub(crate) const VARINT_BYTES: usize = 16;

/// Writes a number of several bytes and returns the place behind it. Without a loop, whose length would have to be guessed.
///
/// # Safety
///
/// At `place` there is room for [`VARINT_BYTES`].
#[inline(never)]
unsafe fn write_long_varint(place: *mut u8, value: u64) -> *mut u8 {
    let first = spread_7(value);
    let bits = 64 - value.leading_zeros();
    let (first, len) = match bits {
        ..=49 => {
            let len = bits.div_ceil(7);
            (first | CONTINUED & !(u64::MAX << (8 * (len - 1))), len)
        }
        // The time of this age, in microseconds.
        50..=56 => (first | CONTINUED >> 8, 8),
        _ => (first | CONTINUED, bits.div_ceil(7)),
    };
    // SAFETY: eight bytes, and where there are more eight others, of the room for a number.
    unsafe {
        place.cast::<u64>().write_unaligned(first.to_le());
        if len > 8 {
            let rest = value >> 56;
            let rest = spread_7(rest) | (rest >> 7) << 7;
            place.add(8).cast::<u64>().write_unaligned(rest.to_le());
        }
        place.add(len as usize)
    }
}

/// The lowest 56 bits, seven in each byte.
///
/// Each step moves the upper half of every group up, by adding a multiple of it: a sum or two of an address.
#[inline(always)]
pub(crate) const fn spread_7(value: u64) -> u64 {
    let value = value & 0x00ff_ffff_ffff_ffff;
    let value = value + (value & 0x00ff_ffff_f000_0000) * 0xf;
    let value = value + (value & 0x0fff_c000_0fff_c000) * 3;
    value + (value & 0x3f80_3f80_3f80_3f80)
}

/// The bits that say that another byte follows.
pub(crate) const CONTINUED: u64 = 0x8080_8080_8080_8080;

#[cold]
#[inline(never)]
fn grow(out: &mut Vec<u8>, room: usize) {
    out.reserve(room.max(MIN_GROWTH));
}

/// The least room by which a span's buffer grows: the first tag or log makes room for the next ones too.
pub(crate) const MIN_GROWTH: usize = 512;

/// The most memory that a thread keeps for its next span or log. A buffer that has grown beyond this is freed.
pub(crate) const KEPT_BYTES: usize = 16 * 1024;

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
        if len >= 8 {
            match len {
                ..=16 => ends::<8>(source, to, len),
                17..=32 => ends::<16>(source, to, len),
                33..=64 => ends::<32>(source, to, len),
                _ => ptr::copy_nonoverlapping(source, to, len),
            }
        } else if len >= 4 {
            ends::<4>(source, to, len);
        } else {
            match len {
                2..=3 => ends::<2>(source, to, len),
                1 => to.write(source.read()),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_follow_the_leb128_definition() {
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
            let mut appender = Appender::new(&mut out, VARINT_BYTES);
            // SAFETY: there is room for a number.
            unsafe { appender.varint(value) };
            appender.finish();
            assert_eq!(out, expected, "{value:#x}");
            out.clear();
            let mut appender = Appender::new(&mut out, VARINT_BYTES);
            // SAFETY: as before.
            unsafe { appender.time_varint(value) };
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
