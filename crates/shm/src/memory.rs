// SPDX-License-Identifier: Apache-2.0
//! Prefetch and 2 MB-page private memory as safe functions.
use std::ptr::NonNull;

/// Size of a huge page.
pub const HUGE_PAGE: usize = 2 << 20;

/// Asks for the cache line of `value`; a hint without effect on the result.
#[inline(always)]
pub fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: prefetching never faults and changes no value; the address is that of a live reference.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(std::ptr::from_ref(value).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

/// Asks for the cache line of `value`, about to be written.
#[inline(always)]
pub fn prefetch_for_write<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as for `prefetch`.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_ET0 }>(std::ptr::from_ref(value).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

/// A type whose all-zero bytes are a value of it and that owns nothing.
pub trait Zeroed: bytemuck::Zeroable {}
impl<T: bytemuck::Zeroable> Zeroed for T {}

/// Private memory of `count` values, zeroed, 2 MB-aligned, in huge pages where the kernel grants them, touched
/// beforehand so that no order pays a page fault.
#[derive(Debug)]
pub struct PrivateMemory<T: Zeroed> {
    start: NonNull<T>,
    count: usize,
    base: *mut libc::c_void,
    length: usize,
}

// SAFETY: the memory is owned like a Box<[T]>.
unsafe impl<T: Zeroed + Send> Send for PrivateMemory<T> {}
// SAFETY: shared access hands out &[T] only.
unsafe impl<T: Zeroed + Sync> Sync for PrivateMemory<T> {}

impl<T: Zeroed> PrivateMemory<T> {
    /// Reserves and touches the memory.
    ///
    /// # Errors
    /// When the operating system has none.
    ///
    /// # Panics
    /// If `T` is aligned to more than 2 MB.
    pub fn new(count: usize) -> std::io::Result<Self> {
        assert!(align_of::<T>() <= HUGE_PAGE, "alignment above a huge page");
        let bytes = count
            .checked_mul(size_of::<T>())
            .and_then(|b| b.max(1).checked_next_multiple_of(HUGE_PAGE))
            .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::OutOfMemory))?;
        let length = bytes + HUGE_PAGE;
        // SAFETY: a fresh anonymous mapping at an address the kernel chooses.
        let base =
            unsafe { libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        let aligned = (base as usize).next_multiple_of(HUGE_PAGE) - base as usize;
        // SAFETY: `aligned` < HUGE_PAGE, so start..start+bytes lies inside the mapping; madvise is a hint, and the
        // writes touch our own fresh pages once each.
        let start = unsafe {
            let start = base.cast::<u8>().add(aligned);
            libc::madvise(start.cast(), bytes, libc::MADV_HUGEPAGE);
            for page in (0..bytes).step_by(4096) {
                start.add(page).write_volatile(0);
            }
            NonNull::new(start.cast::<T>()).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::OutOfMemory))?
        };
        Ok(PrivateMemory { start, count, base, length })
    }
}

impl<T: Zeroed> std::ops::Deref for PrivateMemory<T> {
    type Target = [T];
    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `count` zeroed values of T (Zeroable) lie there, aligned, for the life of `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

impl<T: Zeroed> std::ops::DerefMut for PrivateMemory<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`; `&mut self` makes it the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.count) }
    }
}

impl<T: Zeroed> Drop for PrivateMemory<T> {
    fn drop(&mut self) {
        // SAFETY: base and length are those of our own mapping; T: Zeroable + Copy-like values own nothing
        // (bytemuck::Zeroable types with drop glue would leak, never dangle).
        unsafe { libc::munmap(self.base, self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_memory_is_zeroed_aligned_and_writable() {
        let mut memory = PrivateMemory::<[u64; 8]>::new(100_000).unwrap();
        assert_eq!(memory.as_ptr() as usize % HUGE_PAGE, 0);
        assert!(memory.iter().all(|line| *line == [0; 8]));
        memory[99_999][7] = 5;
        assert_eq!(memory[99_999][7], 5);
        assert_eq!(memory.len(), 100_000);
    }
}
