//! What no honest peer does, done to a node: it refuses or ignores it and goes on serving others, whichever implementation
//! it is; and the memory of ours does not grow.

mod connections;
mod portals;
mod proofs;
mod records;
mod relays;

use interop::Peer;
use interop::Side::{self, Ours};
use interop::noise::{Channel, Static};
use interop::wire::Line;
use postern_node::identity::{Identity as LocalIdentity, IdentityProof, Timestamp};
use postern_node::vault::MemoryVault;
use postern_testkit::eventually;
use std::sync::Arc;

/// How much a node's memory may grow during an attack, in bytes: less than what any of the attacks sends.
pub(super) const SLACK: u64 = 3 << 20;

/// A node that answers at `listener`, and a client of the other kind that is served by it all the while.
pub(super) struct Victim {
    pub(super) node: Peer,
    pub(super) address: String,
    pub(super) client: Peer,
}

impl Victim {
    pub(super) fn start(side: Side) -> Self {
        let (node, bob) = Peer::with_identity(side);
        let address = node.tell("listen");
        node.tell("listener listener");
        let (client, _) = Peer::with_identity(side.other());
        client.tell(&format!("connect {address}"));
        assert_eq!(client.tell("channel listener"), bob.identifier);
        // The client's half is open before the node has taken the last message of the handshake.
        node.eventually("channels", "1");
        Self { node, address, client }
    }

    /// Tries something many times, and looks that others were served and that nothing of it was kept. `settle` returns
    /// when the node has seen all of it.
    #[track_caller]
    pub(super) fn endures(&self, times: u32, mut attack: impl FnMut(), settle: impl Fn()) {
        assert_eq!(self.node.side(), Ours, "nothing is promised about the memory of theirs");
        let held = self.node.tell("holds");
        // What the first times make it learn and reserve.
        (0..times / 2).for_each(|_| attack());
        settle();
        assert_eq!(self.client.tell("echo 3"), "3");
        let before = self.node.resident();
        (0..times).for_each(|_| attack());
        settle();
        assert_eq!(self.client.tell("echo 3"), "3");
        let after = self.node.resident();
        eprintln!("{} KiB more", after.saturating_sub(before) / 1024);
        assert!(after < before + SLACK, "from {before} to {after} bytes");
        // Channels wait a minute for who comes back over another connection.
        let wanted = format!("the node to hold {held} again");
        eventually(&wanted, 3 * interop::TIMEOUT, || (self.node.tell("holds") == held).then_some(()));
    }

    /// Whether it answers somebody new.
    #[track_caller]
    pub(super) fn answers(&self) {
        let line = Line::connect(&self.address);
        line.version();
        asks_for_nothing(&line);
    }
}

/// Makes a handshake, is answered, and is refused, so that nothing is kept of it: a third message that does not verify would
/// be ignored until the handshake's time is over.
#[track_caller]
pub(super) fn asks_for_nothing(line: &Line) {
    let _refused = Channel::open(line, &["listener"], "afterwards", &Static::new([9; 32]), &[]);
}

/// A proof of an identity made at `created` that attests `key`.
pub(super) fn proof(created: Timestamp, key: [u8; 32]) -> Vec<u8> {
    let made = async {
        let identity = LocalIdentity::create(Arc::new(MemoryVault::in_memory()), created).await.expect("an identity");
        let attestation = identity.attest_secure_channel_key(key, created).await.expect("an attestation");
        IdentityProof::new(&identity, attestation, Vec::new()).expect("a proof").encode()
    };
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(made)
}

pub(super) fn honest(key: &Static) -> Vec<u8> {
    proof(Timestamp::now(), key.public())
}

/// The text in a record's plaintext, which ends with the BARE text and the empty padding.
pub(super) fn says(plaintext: &[u8], text: &str) -> bool {
    let end = [&[text.len() as u8], text.as_bytes(), &[0x40]].concat();
    plaintext.ends_with(&end)
}
