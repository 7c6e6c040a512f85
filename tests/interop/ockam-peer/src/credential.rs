//! A credential that is presented, and can be replaced while channels are open.

use ockam::identity::models::CredentialAndPurposeKey;
use ockam::identity::{CredentialRetriever, CredentialRetrieverCreator, Identifier};
use ockam::{Address, Context, Result};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::RwLock;

/// What channels present, and the channels that want to hear when it changes.
pub(crate) struct Held {
    credential: RwLock<CredentialAndPurposeKey>,
    channels: Mutex<BTreeSet<Address>>,
}

impl Held {
    pub(crate) fn new(credential: CredentialAndPurposeKey) -> Arc<Self> {
        Arc::new(Self { credential: RwLock::new(credential), channels: Mutex::default() })
    }

    /// Replaces the credential; every open channel presents the new one.
    pub(crate) async fn replace(&self, context: &Context, credential: CredentialAndPurposeKey) -> Result<usize> {
        *self.credential.write().await = credential;
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for channel in &channels {
            context.send(channel.clone(), ()).await?;
        }
        Ok(channels.len())
    }
}

/// Gives every channel the same credential.
pub(crate) struct Presenting(pub(crate) Arc<Held>);

#[ockam_core::async_trait]
impl CredentialRetrieverCreator for Presenting {
    async fn create(&self, _subject: &Identifier) -> Result<Arc<dyn CredentialRetriever>> {
        Ok(Arc::new(Self(self.0.clone())))
    }
}

#[ockam_core::async_trait]
impl CredentialRetriever for Presenting {
    async fn initialize(&self) -> Result<()> {
        Ok(())
    }

    async fn retrieve(&self) -> Result<CredentialAndPurposeKey> {
        Ok(self.0.credential.read().await.clone())
    }

    fn subscribe(&self, address: &Address) -> Result<()> {
        self.0.channels.lock().unwrap_or_else(PoisonError::into_inner).insert(address.clone());
        Ok(())
    }

    fn unsubscribe(&self, address: &Address) -> Result<()> {
        self.0.channels.lock().unwrap_or_else(PoisonError::into_inner).remove(address);
        Ok(())
    }
}
