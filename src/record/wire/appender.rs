//! Writes into the reserved room of a buffer.

use std::ptr;

/// Appends to a buffer that has room for everything: no test and no call for each byte.
///
/// The bytes become part of the buffer when the appender is [finished](Self::finish).
pub(crate) struct Appender<'a> {
    out: &'a mut Vec<u8>,
    /// The address of the next byte, in the memory of `out`.
    place: *mut u8,
}

impl<'a> Appender<'a> {
    /// Reserves `room` bytes, and appends to `out`.
    #[inline(always)]
    pub(crate) fn new(out: &'a mut Vec<u8>, room: usize) -> Self {
        if out.capacity() - out.len() < room {
            grow(out, room);
        }
        // SAFETY: that much room is reserved.
        unsafe { Self::with_room(out) }
    }

    /// Appends to `out`, which has enough room already.
    ///
    /// # Safety
    ///
    /// Everything that the caller appends fits into the capacity of `out`.
    #[inline(always)]
    pub(crate) unsafe fn with_room(out: &'a mut Vec<u8>) -> Self {
        let len = out.len();
        // SAFETY: the length is within the capacity.
        let place = unsafe { out.as_mut_ptr().add(len) };
        Self { out, place }
    }

    /// Appends a byte.
    ///
    /// # Safety
    ///
    /// The appended bytes, with the slack that a method names, fit into the reserved room.
    #[inline(always)]
    pub(crate) unsafe fn byte(&mut self, byte: u8) {
        // SAFETY: the caller's promise.
        unsafe { self.value(byte) };
    }

    /// Appends the bytes of a value in memory order. The value has no padding.
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(crate) unsafe fn value<T: Copy>(&mut self, value: T) {
        debug_assert!(self.len() + size_of::<T>() <= self.out.capacity());
        // SAFETY: by the caller's promise the write stays within the capacity. It needs no alignment.
        unsafe {
            self.place.cast::<T>().write_unaligned(value);
            self.place = self.place.add(size_of::<T>());
        }
    }

    /// Appends an array.
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(crate) unsafe fn array<const N: usize>(&mut self, bytes: [u8; N]) {
        // SAFETY: the caller's promise.
        unsafe { self.value(bytes) };
    }

    /// Appends the first `len` of eight bytes. Needs room for all eight.
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

    /// Appends a slice that is mostly short.
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(crate) unsafe fn bytes(&mut self, bytes: &[u8]) {
        debug_assert!(self.len() + bytes.len() <= self.out.capacity());
        // SAFETY: as in `value`. The buffer is borrowed mutably, so `bytes` does not overlap with it.
        unsafe {
            copy(bytes, self.place);
            self.place = self.place.add(bytes.len());
        }
    }

    /// Appends the first `len` bytes of an array. Needs room for the whole array.
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

    /// Appends a slice that is mostly long, with one call to copy it.
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

    /// Appends `len` bytes, from 8 to 16, given as their first eight and their last eight.
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

    /// Appends an unsigned LEB128 number. Needs room for [`VARINT_BYTES`].
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(crate) unsafe fn varint(&mut self, value: u64) {
        // SAFETY: the caller's promise.
        unsafe {
            if value < 0x80 {
                self.byte(value as u8);
            } else {
                debug_assert!(self.len() + VARINT_BYTES <= self.out.capacity());
                self.place = write_long_varint(self.place, value);
            }
        }
    }

    /// Like [`varint`](Self::varint), but fast for numbers of eight bytes, such as today's times in microseconds: from
    /// 1979 to 3111 in zigzag form.
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(crate) unsafe fn time_varint(&mut self, value: u64) {
        // SAFETY: the caller's promise.
        unsafe {
            if let 1..0x80 = value >> 49 {
                self.value((spread_7(value) | CONTINUED >> 8).to_le());
            } else {
                self.varint(value);
            }
        }
    }

    /// Appends the length of a slice, and the slice.
    ///
    /// # Safety
    ///
    /// As [`Self::byte`].
    #[inline(always)]
    pub(crate) unsafe fn sized_bytes(&mut self, bytes: &[u8]) {
        // SAFETY: the caller's promise.
        unsafe {
            self.varint(bytes.len() as u64);
            self.bytes(bytes);
        }
    }

    /// Makes the appended bytes part of the buffer.
    #[inline(always)]
    pub(crate) fn finish(self) {
        // SAFETY: the length is within the capacity, and the methods above have initialized every byte up to it.
        unsafe { self.out.set_len(self.len()) };
    }

    /// Returns the address of the next byte.
    #[inline(always)]
    pub(crate) fn addr(&self) -> usize {
        self.place.addr()
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.addr() - self.out.as_ptr().addr()
    }
}

/// Room for the longest number, including the slack that shorter ones write behind their end.
pub(crate) const VARINT_BYTES: usize = 16;

/// Writes a number of several bytes and returns the address behind it. It has no loop, because processors mispredict
/// where one ends.
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
        // Times in microseconds.
        50..=56 => (first | CONTINUED >> 8, 8),
        _ => (first | CONTINUED, bits.div_ceil(7)),
    };
    // SAFETY: this writes eight bytes, and for long numbers eight more: `VARINT_BYTES` in all.
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

/// Returns the lowest 56 bits of a number, seven in each byte.
///
/// Each step shifts the upper half of every group by adding a multiple of it, which compiles to one or two additions.
#[inline(always)]
pub(crate) const fn spread_7(value: u64) -> u64 {
    let value = value & 0x00ff_ffff_ffff_ffff;
    let value = value + (value & 0x00ff_ffff_f000_0000) * 0xf;
    let value = value + (value & 0x0fff_c000_0fff_c000) * 3;
    value + (value & 0x3f80_3f80_3f80_3f80)
}

/// Returns the number that [`spread_7`] has spread. The highest bit of each byte does not count.
#[inline(always)]
pub(crate) const fn join_7(spread: u64) -> u64 {
    let value = spread & 0x7f7f_7f7f_7f7f_7f7f;
    let value = (value & 0x007f_007f_007f_007f) | (value & 0x7f00_7f00_7f00_7f00) >> 1;
    let value = (value & 0x0000_3fff_0000_3fff) | (value & 0x3fff_0000_3fff_0000) >> 2;
    (value & 0x0fff_ffff) | (value & 0x0fff_ffff_0000_0000) >> 4
}

/// The high bit of each byte, which says that another byte follows.
pub(crate) const CONTINUED: u64 = 0x8080_8080_8080_8080;

/// Appends texts that are mostly short, each behind four bytes, with one look at the room.
#[inline]
pub(crate) fn append_headed<const N: usize>(out: &mut Vec<u8>, parts: [([u8; 4], &[u8]); N]) {
    let room = parts.iter().map(|(head, bytes)| head.len() + bytes.len());
    let mut out = Appender::new(out, room.sum());
    for (head, bytes) in parts {
        // SAFETY: room for the sum of all lengths is reserved.
        unsafe {
            out.array(head);
            out.bytes(bytes);
        }
    }
    out.finish();
}

#[cold]
#[inline(never)]
fn grow(out: &mut Vec<u8>, room: usize) {
    out.reserve(room.max(MIN_GROWTH));
}

/// The least room by which a span's buffer grows. Two short tags fit, and with a slot and its records a span then takes
/// 400 bytes of the C library's memory. From then on the memory doubles, and a slot keeps it for its next spans.
pub(crate) const MIN_GROWTH: usize = 72;

/// The most memory that a thread keeps for its next span or log. A buffer that has grown beyond this is freed.
pub(crate) const KEPT_BYTES: usize = 16 * 1024;

/// Copies all of `from`. Slices of up to 64 bytes, as most keys and values are, need no call.
///
/// # Safety
///
/// `to` is valid for writes of `from.len()` bytes and does not overlap with `from`.
#[inline(always)]
unsafe fn copy(from: &[u8], to: *mut u8) {
    /// Copies the first `N` and the last `N` bytes. The two copies meet or overlap.
    #[inline(always)]
    unsafe fn ends<const N: usize>(from: *const u8, to: *mut u8, len: usize) {
        // SAFETY: the caller has checked that N <= len <= 2 * N.
        unsafe {
            to.cast::<[u8; N]>().write(from.cast::<[u8; N]>().read());
            let (from, to) = (from.add(len - N), to.add(len - N));
            to.cast::<[u8; N]>().write(from.cast::<[u8; N]>().read());
        }
    }
    let (source, len) = (from.as_ptr(), from.len());
    // SAFETY: each branch reads and writes exactly `len` bytes. The most common lengths come first.
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
            // SAFETY: room for a number is reserved.
            unsafe { appender.varint(value) };
            appender.finish();
            assert_eq!(out, expected, "{value:#x}");
            let seven_each = value & u64::MAX >> 8;
            assert_eq!(join_7(spread_7(value)), seven_each, "{value:#x}");
            assert_eq!(join_7(spread_7(value) | CONTINUED), seven_each);
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
            // SAFETY: room for these bytes is reserved.
            unsafe {
                appender.bytes(&from[..len]);
                appender.array([7, 8]);
            }
            appender.finish();
            assert_eq!(out[1..=len], from[..len]);
            assert_eq!(out[len + 1..], [7, 8]);

            let mut headed = vec![255];
            append_headed(&mut headed, [(*b"head", &from[..len]), (*b"next", &[7, 8])]);
            let expected = [&[255], &b"head"[..], &from[..len], b"next", &[7, 8]].concat();
            assert_eq!(headed, expected);
        }
    }
}
