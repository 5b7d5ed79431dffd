//! Counts allocations, and the bytes that are in use, in front of the allocator that the server uses.
#![allow(
    unsafe_code,
    reason = "an allocator is an unsafe trait; the proof stands at each function"
)]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use mimalloc::MiMalloc;

static MADE: AtomicU64 = AtomicU64::new(0);
static IN_USE: AtomicI64 = AtomicI64::new(0);

/// Allocations made by this process so far; growing one counts as one.
pub fn so_far() -> u64 {
    MADE.load(Ordering::Relaxed)
}

/// Bytes in use by this process, as they were asked for.
pub fn in_use() -> i64 {
    IN_USE.load(Ordering::Relaxed)
}

fn made(size: usize) {
    MADE.fetch_add(1, Ordering::Relaxed);
    grown(size, 0);
}

fn grown(to: usize, from: usize) {
    // Neither is above `isize::MAX`.
    IN_USE.fetch_add((to as i64).wrapping_sub(from as i64), Ordering::Relaxed);
}

/// An allocator that counts.
pub struct Counting;

// SAFETY: every call is handed to `MiMalloc` as it came and every result handed back as it is, so whatever that allocator guarantees
// holds here; the counters are atomic, allocate nothing and cannot unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        made(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        made(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        MADE.fetch_add(1, Ordering::Relaxed);
        grown(size, layout.size());
        // SAFETY: `block` came from the functions above, that is, from `MiMalloc`, with this layout.
        unsafe { MiMalloc.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        grown(0, layout.size());
        // SAFETY: `block` came from the functions above, that is, from `MiMalloc`, with this layout.
        unsafe { MiMalloc.dealloc(block, layout) }
    }
}
