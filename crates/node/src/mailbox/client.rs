//! A single request to a hub's mailbox service.

use super::MAIL_SIZE_MAX;
use super::error::MailboxError;
use super::message::{MailId, MailboxReply, MailboxRequest};
use crate::context::Context;
use crate::identity::Identifier;
use crate::route::Route;
use crate::secure_channel::SecureChannel;
use bytes::Bytes;
use postern_env::time::Duration;

/// Worker address of a hub's mailbox service, for secure channels with the hub.
pub const MAILBOX_SERVICE: &str = "mailbox";
/// How long a request waits for its answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Leaves a sealed message for `to` at the hub at the other end of a channel.
pub(crate) async fn deposit(
    context: &Context,
    hub: &SecureChannel,
    to: Identifier,
    sealed: &[u8],
) -> Result<MailId, MailboxError> {
    if sealed.len() > MAIL_SIZE_MAX {
        return Err(MailboxError::TooLarge);
    }
    let request = MailboxRequest::Deposit { to, sealed: sealed.to_vec() };
    ask(context, hub, &request).await?;
    Ok(MailId::of(sealed))
}

/// Sends one request and waits for its answer.
async fn ask(context: &Context, hub: &SecureChannel, request: &MailboxRequest) -> Result<(), MailboxError> {
    /// There is one request, so any number does.
    const NUMBER: u64 = 0;
    let service = Route::from(hub).then(MAILBOX_SERVICE);
    let asked = context.send_and_receive_within::<Bytes>(ANSWER_TIMEOUT, service, request.encode(NUMBER));
    let answer = tokio::select! {
        () = hub.cut() => return Err(MailboxError::NoChannel),
        answer = asked => answer,
    };
    match MailboxReply::decode(answer?.body()) {
        Some(MailboxReply::Answer(NUMBER, outcome)) => MailboxError::check(outcome),
        _ => Err(MailboxError::NotAnswered),
    }
}
