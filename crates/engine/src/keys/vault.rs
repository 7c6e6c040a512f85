//! A keychain as the storage of a node's vault.

use super::Keychain;
use postern_node::vault::{SecretStore, StoreError};
use zeroize::Zeroizing;

impl SecretStore for Keychain {
    async fn put(&self, name: &str, secret: Zeroizing<Vec<u8>>) -> Result<(), StoreError> {
        Self::put(self, name, &secret).await.map_err(StoreError::new)
    }

    async fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        Self::get(self, name).await.map_err(StoreError::new)
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        Self::delete(self, name).await.map_err(StoreError::new)
    }
}
