//! The allocator of the program. It stands alone because every call passes through it, and `weir` itself is built without
//! optimisation, so that a clone has its first binary soon.

/// Records are made by the threads that answer and freed by the one that writes: mimalloc does not
/// make them wait for each other, and is faster besides.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
