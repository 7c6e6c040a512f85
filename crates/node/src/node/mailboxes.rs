//! Depositing mail from a [`Node`].

use super::{Node, Result};
use crate::identity::Identifier;
use crate::mailbox::{self, MailId};
use crate::secure_channel::SecureChannel;

impl Node {
    /// Leaves a sealed message for `to` at the hub at the other end of this channel.
    ///
    /// When this returns `Ok` the hub keeps it. Depositing the same bytes again while it waits changes nothing, so after
    /// any error it may be repeated.
    ///
    /// # Errors
    /// [`MailboxError`](crate::mailbox::MailboxError), or the channel has ended.
    pub async fn deposit_mail(&self, hub: &SecureChannel, to: Identifier, sealed: &[u8]) -> Result<MailId> {
        Ok(mailbox::deposit(&self.context()?, hub, to, sealed).await?)
    }
}
