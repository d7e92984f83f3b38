//! Byte budgets are counted in KiB, so that a semaphore's 32-bit permits reach terabytes.

/// `bytes` in KiB, rounded up, at least one.
pub fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX >> 4)
}
