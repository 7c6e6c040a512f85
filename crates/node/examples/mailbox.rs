//! A mailbox: a sealed message waits at a hub until its recipient is online. The hub can neither read nor forge it.
//!
//! ```sh
//! cargo run -p postern-node --example mailbox
//! ```
//!
//! It prints:
//!
//! ```text
//! Alice left a message; Bob is offline.
//! Bob reads: "See you at eight." Alice sealed it: true
//! The hub has nothing left for Bob.
//! ```

#![allow(clippy::disallowed_methods, reason = "an example is an ordinary program and reaches the system directly")]

use postern_hub::{Hub, HubConfig};
use postern_node::Node;
use postern_node::identity::{KnownIdentities, Timestamp, TrustPolicy};
use postern_node::mailbox::Mail;
use postern_node::sealed::{self, PostalKey};
use postern_node::session::{HubOptions, MailboxSession};
use postern_node::vault::MemoryStore;
use std::error::Error;
use std::time::Duration;

/// What the messages are for. Both sides must use the same context, so a message cannot be taken for another purpose.
const CONTEXT: &[u8] = b"mailbox example 1";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let hub = Hub::start(&HubConfig::parse("listen = '127.0.0.1:0'")?).await?;
    let hub_address = hub.local_addr().to_string();
    // Both pin the hub: it cannot read what is sealed, but it is trusted to keep it.
    let options = || HubOptions { relay: None, trust: TrustPolicy::only([hub.identifier()]) };

    let (alices, bobs) = (Node::new(), Node::new());
    let (alice, bob) = (alices.create_identity().await?, bobs.create_identity().await?);
    let alices_key = PostalKey::open(&alice, &MemoryStore::new(), Timestamp::now()).await?;
    let bobs_key = PostalKey::open(&bob, &MemoryStore::new(), Timestamp::now()).await?;

    // A hub keeps mail only for those who have been there. Bob has, once.
    let bob_at_hub = bobs.keep_connected_as(&bob, &hub_address, options()).await?;
    let mailbox = bobs.keep_mailbox(&bob_at_hub);
    mailbox.watch().wait_for(|state| state.up().is_some()).await?;
    drop((mailbox, bob_at_hub));

    // Alice has got Bob's postal address, for instance when they were online together. It is signed by his identity.
    let to_bob = bobs_key.address().clone().verify(&KnownIdentities::new(), Timestamp::now())?;
    let sealed = sealed::seal(&alices_key, &to_bob, CONTEXT, b"See you at eight.")?;
    let alice_at_hub = alices.keep_connected_as(&alice, &hub_address, options()).await?;
    let channel = alice_at_hub.up().await?.channel.ok_or("there is no channel with the hub")?;
    alices.deposit_mail(&channel, bob.identifier(), &sealed).await?;
    println!("Alice left a message; Bob is offline.");

    // Later Bob connects. The hub knows from his secure channel whose mailbox he may read.
    let bob_at_hub = bobs.keep_connected_as(&bob, &hub_address, options()).await?;
    let mut mailbox = bobs.keep_mailbox(&bob_at_hub);
    let mail = mailbox.next().await.ok_or("the node was stopped")?;
    let opened = sealed::open(&bobs_key, CONTEXT, &mail.sealed, bobs.known_identities(), Timestamp::now())?;
    let is_alice = opened.sender.identifier == alice.identifier();
    println!("Bob reads: {:?} Alice sealed it: {is_alice}", String::from_utf8(opened.message)?);

    // Until the hub has heard that it is acknowledged, the message is delivered to every new session ("at least once").
    mailbox.acknowledge(mail.id);
    while next_within(&mut bobs.keep_mailbox(&bob_at_hub), Duration::from_millis(300)).await.is_some() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("The hub has nothing left for Bob.");

    alices.shutdown().await;
    bobs.shutdown().await;
    hub.stop().await;
    Ok(())
}

/// The next message of a mailbox, if one comes in time.
async fn next_within(mailbox: &mut MailboxSession, timeout: Duration) -> Option<Mail> {
    tokio::time::timeout(timeout, mailbox.next()).await.ok().flatten()
}
