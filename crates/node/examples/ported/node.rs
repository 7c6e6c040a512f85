//! `01-node` and `vault-and-identities`: what there is before anything is sent.

use super::Result;
use postern_node::Node;

/// A node that does nothing.
pub(crate) async fn create_and_stop() -> Result {
    Node::new().shutdown().await;
    Ok(())
}

/// An identity: its key is in the node's vault, and never leaves it.
pub(crate) async fn vault_and_identity() -> Result {
    let node = Node::new();
    let _alice = node.create_identity().await?;
    node.shutdown().await;
    Ok(())
}
