//! Loading or creating the identity, and opening the peer network with it.
//!
//! Runs beside the event loop, because the keychain may ask the user to unlock it, for as long as that takes. Requests that
//! need the identity's keys are deferred meanwhile.

use super::Driver;
use super::node_context::TaskEvent;
use super::peer_network::PeerNetwork;
use crate::api::{Code, Fault};
use crate::core::{Event, Now, OwnIdentity};
use crate::identity::IdentityStore;
use crate::store::LOG_KEY;
use postern_env::task;
use postern_node::identity::{Error as IdentityError, Identifier, Identity, Timestamp};
use postern_node::sealed::PostalKey;
use postern_node::{Limits, Node};
use tokio::sync::mpsc;

/// Purpose of the key that encrypts the secrets of tickets in the database. Part of the stored format.
const TICKETS: &[u8] = b"postern tickets 1";

impl Driver {
    /// Loads the identity, or creates it; the result is a wakeup of the event loop.
    pub(super) fn load_identity(&mut self, create: bool) {
        self.loading_identity = true;
        let (store, loaded) = (self.identity_store.clone(), self.loaded_identity_sender.clone());
        let events = self.event_sender.clone();
        task::spawn(async move {
            // The driver may have stopped.
            let _ = loaded.send(open_network(store, create, events).await).await;
        });
    }

    /// The identity is loaded, or cannot be.
    pub(super) async fn on_identity_loaded(
        &mut self,
        loaded: Result<PeerNetwork, Fault>,
        now: Now,
    ) -> Result<(), Fault> {
        let identity = match loaded {
            Ok(network) => Ok(self.use_network(network, now).await?),
            Err(fault) => Err(fault),
        };
        self.handle(Event::Identity(identity), now).await?;
        self.loading_identity = false;
        self.traffic.mark_unread();
        for (request, response) in std::mem::take(&mut self.deferred_requests) {
            self.handle_core_request(request, response, now).await?;
        }
        Ok(())
    }

    /// Decrypts what is stored for the identity, and uses its network from now on.
    async fn use_network(&mut self, network: PeerNetwork, now: Now) -> Result<OwnIdentity, Fault> {
        let identifier = network.context.identity.identifier();
        let key = network.mail.self_sealing_key(TICKETS).map_err(|error| self.storage_fault(&error.into()))?;
        let secrets = match self.state.is_of(identifier) {
            true => match self.store.unlock(key).await {
                Ok(secrets) => secrets,
                Err(error) => return Err(self.storage_fault(&error)),
            },
            false => Vec::new(),
        };
        self.protect_log(&network, identifier, now).await?;
        let latest_change = *network.context.identity.history().latest_hash().as_bytes();
        let identity = OwnIdentity { identifier, latest_change, postal: network.mail.address(), secrets };
        self.network.get_or_insert(network);
        Ok(identity)
    }
}

impl Driver {
    /// Authenticates the audit log with a key of the identity. A key in memory would be another one after each start.
    async fn protect_log(&mut self, network: &PeerNetwork, owner: Identifier, now: Now) -> Result<(), Fault> {
        if !self.identity_store.is_persistent() || !self.state.is_of(owner) {
            return Ok(());
        }
        let key = network.mail.self_mac_key(LOG_KEY).map_err(|error| self.storage_fault(&error.into()))?;
        self.store.protect_log(key, now.wall).await.map_err(|error| self.storage_fault(&error))
    }
}

async fn open_network(
    store: IdentityStore,
    create: bool,
    events: mpsc::Sender<TaskEvent>,
) -> Result<PeerNetwork, Fault> {
    let identity = match create {
        true => store.load_or_create().await?,
        false => store.load().await?.ok_or_else(|| {
            Fault::new(
                Code::KeychainFailed,
                "The identity of the stored data does not exist any more. Restore a backup, or choose another data directory.",
            )
        })?,
    };
    let key = postal_key(&store, &identity).await?;
    let node = Node::with(store.vault(), Limits::default());
    let cannot = |error: postern_node::Error| Fault::new(Code::Failed, format!("The node cannot be started: {error}."));
    PeerNetwork::open(node, identity, key, events).await.map_err(cannot)
}

async fn postal_key(store: &IdentityStore, identity: &Identity) -> Result<PostalKey, Fault> {
    PostalKey::open(identity, store.keychain(), Timestamp::now()).await.map_err(|error| match error {
        IdentityError::Vault(error) => Fault::new(
            Code::KeychainFailed,
            format!("The keychain does not give the key for mail: {error}. Unlock it and try again."),
        ),
        error => Fault::new(Code::Failed, format!("The key for mail cannot be used: {error}.")),
    })
}
