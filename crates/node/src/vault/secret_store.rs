use zeroize::Zeroizing;

/// Keeps secrets by name for a [`SoftwareVault`](super::SoftwareVault).
///
/// Names are those of [`KeyId`](super::KeyId)s; secrets are at most 128 bytes and opaque. An
/// implementation must not log a secret or leave copies of it behind.
pub trait SecretStore: Send + Sync + 'static {
    /// Stores a secret, replacing what had the name; returns once it is durable.
    fn put(&self, name: &str, secret: Zeroizing<Vec<u8>>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The secret of that name, or `None`.
    fn get(&self, name: &str) -> impl Future<Output = Result<Option<Zeroizing<Vec<u8>>>, StoreError>> + Send;

    /// Removes the secret of that name; removing what is not there is no error.
    fn delete(&self, name: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Why a [`SecretStore`] failed; carries the store's own error, which must not show a secret.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StoreError(Box<dyn std::error::Error + Send + Sync>);

impl StoreError {
    /// Wraps a store's own error, or a text saying what the user can do.
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}
