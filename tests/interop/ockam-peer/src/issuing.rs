//! Issuing credentials to whoever asks, as the authorities of `ockam` do, and asking for them by its own client.

use crate::node::{Result, wrong};
use ockam::identity::models::{Attributes, CredentialAndPurposeKey};
use ockam::identity::{
    CredentialsCreation, Identifier, RemoteCredentialRetrieverCreator, RemoteCredentialRetrieverInfo, SecureChannels,
};
use ockam::tcp::{TCP, TcpTransport};
use ockam::{Address, Context, Routed, Worker, route};
use ockam_core::SecureChannelLocalInfo;
use ockam_core::api::{Method, Request, Response};
use std::sync::Arc;
use std::time::Duration;

/// Where authorities issue credentials behind their channels.
pub(crate) const SERVICE: &str = "credential_issuer";
/// How long the credentials last.
const LIFETIME: Duration = Duration::from_secs(600);

/// Says the same about everybody.
pub(crate) struct Issuer {
    pub(crate) credentials: Arc<CredentialsCreation>,
    pub(crate) me: Identifier,
    pub(crate) attributes: Attributes,
}

#[ockam::worker]
impl Worker for Issuer {
    type Context = Context;
    type Message = Request<Vec<u8>>;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Request<Vec<u8>>>) -> Result<()> {
        let info = SecureChannelLocalInfo::find_info(message.local_message())?;
        let (subject, back) = (Identifier::from(info.their_identifier()), message.return_route().clone());
        let (header, _) = message.into_body()?.into_parts();
        if header.method() != Some(Method::Post) || !["/", "/credential"].contains(&header.path()) {
            return Err(wrong("that is no request for a credential"));
        }
        let issued = self.credentials.issue_credential(&self.me, &subject, self.attributes.clone(), LIFETIME).await?;
        context.send(back, Response::ok().with_headers(&header).body::<CredentialAndPurposeKey>(issued)).await
    }
}

/// Gives channels the credential that an issuer at this address gives, behind its listener `listener`.
pub(crate) fn retriever(
    context: Context,
    tcp: Arc<TcpTransport>,
    channels: Arc<SecureChannels>,
    (address, issuer): (&str, &str),
) -> Result<Arc<RemoteCredentialRetrieverCreator>> {
    let way = route![Address::new_with_string(TCP, address), "listener"];
    let info = RemoteCredentialRetrieverInfo::create_for_project_member(issuer.try_into()?, way);
    Ok(Arc::new(RemoteCredentialRetrieverCreator::new(context, tcp, channels, info, "members".into())))
}
