//! Counts allocations, in front of the allocator that the server uses.
#![allow(
    unsafe_code,
    reason = "an allocator is an unsafe trait; the proof stands at each function"
)]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicU64, Ordering};

use mimalloc::MiMalloc;

static MADE: AtomicU64 = AtomicU64::new(0);

/// Allocations made by this process so far; growing one counts as one.
pub fn so_far() -> u64 {
    MADE.load(Ordering::Relaxed)
}

/// An allocator that counts.
pub struct Counting;

// SAFETY: every call is handed to `MiMalloc` as it came and every result handed back as it is, so whatever that allocator guarantees
// holds here; the counter is atomic, allocates nothing and cannot unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MADE.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        MADE.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        MADE.fetch_add(1, Ordering::Relaxed);
        // SAFETY: `block` came from the functions above, that is, from `MiMalloc`, with this layout.
        unsafe { MiMalloc.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` came from the functions above, that is, from `MiMalloc`, with this layout.
        unsafe { MiMalloc.dealloc(block, layout) }
    }
}
