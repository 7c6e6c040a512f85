//! Whether the machine has slept: not asked on these systems, where connections notice by themselves.

/// Does nothing, for ever.
pub(crate) async fn follow(_woken: impl AsyncFn()) {
    std::future::pending().await
}
