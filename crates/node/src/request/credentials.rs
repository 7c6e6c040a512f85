//! The issuer of credentials that members ask, and those who ask it (`docs/wire.md` §6.5).

use super::envelope::{Method, Request, Status};
use super::error::RequestError;
use super::{Reply, RequestHandler};
use crate::context::Context;
use crate::identity::{Attributes, CredentialAndPurposeKey, Identifier, Identity, KnownIdentities, Timestamp};
use crate::message::Routed;
use crate::route::Route;
use postern_env::time::Duration;
use std::collections::BTreeSet;

/// How long before a credential expires it should be replaced: the clock skew that is allowed, and as much for asking.
pub const CREDENTIAL_RENEWAL: Duration = Duration::from_secs(120);

type Members = dyn Fn(&Identifier) -> Option<Attributes> + Send + Sync;

/// Issues credentials to members: `POST /` or `/credential` over a secure channel, as issuers on `ockam` do.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use postern_node::identity::Attributes;
/// use postern_node::request::{CredentialClient, CredentialIssuer, RequestWorker};
/// use postern_node::{Address, Node, SecureChannelOptions, route};
/// use std::time::Duration;
///
/// // A node cannot trust anyone more here than its channel does: the issuer decides by who is at the other end.
/// let (issuers, members) = (Node::new(), Node::new());
/// let (issuer, member) = (issuers.create_identity().await?, members.create_identity().await?);
/// let allowed = member.identifier();
/// let attributes = move |who: &_| (*who == allowed).then(|| Attributes::new(1).with("role", "editor"));
/// let worker = CredentialIssuer::new(issuer.clone(), Duration::from_secs(24 * 3600), attributes);
/// issuers.start_worker("issuer", RequestWorker::new(worker))?;
/// let options = SecureChannelOptions::trust_only([member.identifier()]);
/// let channels = issuers.create_secure_channel_listener(&issuer, "listener", options).await?;
/// issuers.expose("issuer", &channels)?;
/// let tcp = issuers.tcp_listen("127.0.0.1:0").await?;
/// issuers.expose("listener", &tcp)?;
///
/// let route = route![Address::tcp(tcp.local_addr().to_string()), "listener"];
/// let options = SecureChannelOptions::trust_only([issuer.identifier()]);
/// let channel = members.create_secure_channel(&member, route, options).await?;
/// let client = CredentialClient::new(issuer.identifier(), route![&channel, "issuer"]);
/// let credential = client.obtain(&members.context()?, members.known_identities(), member.identifier()).await?;
/// assert!(credential.expires_at > postern_node::identity::Timestamp::now());
/// # Ok(())
/// # }
/// ```
pub struct CredentialIssuer {
    identity: Identity,
    lifetime: Duration,
    members: Box<Members>,
}

impl CredentialIssuer {
    /// An issuer that signs as `identity`, for `lifetime` (whole seconds), the attributes that `members` gives for who asks. It gives
    /// nothing for who is no member, and must not block.
    pub fn new(
        identity: Identity,
        lifetime: Duration,
        members: impl Fn(&Identifier) -> Option<Attributes> + Send + Sync + 'static,
    ) -> Self {
        Self { identity, lifetime, members: Box::new(members) }
    }

    async fn issue(&self, subject: Identifier) -> Reply {
        let Some(attributes) = (self.members)(&subject) else {
            return Reply::refused(Status::Forbidden, "you are not a member");
        };
        match self.identity.issue_credential(subject, attributes, self.lifetime, Timestamp::now()).await {
            Ok(credential) => Reply::ok(credential.encode()),
            Err(error) => {
                tracing::warn!(%subject, %error, "a credential could not be issued");
                Reply::refused(Status::InternalServerError, "the credential could not be issued")
            }
        }
    }
}

impl RequestHandler for CredentialIssuer {
    async fn handle(&mut self, _: &mut Context, request: &Routed<Request>) -> Reply {
        match (request.body().method(), request.body().path(), request.peer()) {
            (_, _, None) => Reply::refused(Status::Unauthorized, "ask over a secure channel"),
            (Method::Post, "" | "/" | "/credential" | "credential", Some(peer)) => self.issue(*peer).await,
            (_, "" | "/" | "/credential" | "credential", _) => Reply::refused(Status::MethodNotAllowed, "use POST"),
            _ => Reply::refused(Status::NotFound, "there is only /credential"),
        }
    }
}

/// A credential that was obtained, and how long it lasts.
#[derive(Debug, Clone)]
pub struct ObtainedCredential {
    /// What is presented to others.
    pub credential: CredentialAndPurposeKey,
    /// What it says.
    pub attributes: Attributes,
    /// The last second it is valid.
    pub expires_at: Timestamp,
}

impl ObtainedCredential {
    /// How long to wait before it should be replaced: until [`CREDENTIAL_RENEWAL`] before it expires, and no less than that for one
    /// that lives shorter, so that an issuer is not asked in a loop.
    pub fn renew_in(&self, now: Timestamp) -> Duration {
        let left = Duration::from_secs(self.expires_at.0.saturating_sub(now.0));
        left.saturating_sub(CREDENTIAL_RENEWAL).max(left / 2)
    }
}

/// Asks an issuer for credentials.
#[derive(Debug, Clone)]
pub struct CredentialClient {
    issuer: Identifier,
    route: Route,
}

impl CredentialClient {
    /// One that asks this issuer along a route: a secure channel with it, and the name of its worker.
    pub fn new(issuer: Identifier, route: impl Into<Route>) -> Self {
        Self { issuer, route: route.into() }
    }

    /// Asks for a credential, and checks that it is the issuer's and about `subject`.
    ///
    /// # Errors
    /// [`RequestError::Refused`] when the issuer does not know `subject`; [`RequestError::Credential`] when what it sends does not count.
    pub async fn obtain(
        &self,
        context: &Context,
        known: &KnownIdentities,
        subject: Identifier,
    ) -> Result<ObtainedCredential, RequestError> {
        let response = context.request(self.route.clone(), Request::post("/")).await?;
        let credential = CredentialAndPurposeKey::decode(response.body().map_or(&[], |body| &body[..]))?;
        let verified = credential.verify(subject, &BTreeSet::from([self.issuer]), known, Timestamp::now())?;
        Ok(ObtainedCredential { credential, attributes: verified.attributes, expires_at: verified.expires_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Attributes;
    use crate::node::Node;
    use crate::request::RequestWorker;
    use crate::route;

    #[tokio::test]
    async fn an_issuer_answers_only_over_a_channel_and_only_what_it_knows() {
        let node = Node::new();
        let issuer = node.create_identity().await.unwrap();
        let worker = CredentialIssuer::new(issuer, Duration::from_secs(60), |_| Some(Attributes::new(1)));
        node.start_worker("issuer", RequestWorker::new(worker)).unwrap();
        let context = node.context().unwrap();
        let refused = context.request(route!["issuer"], Request::post("/")).await.unwrap_err();
        assert!(matches!(refused, RequestError::Refused { status: Status::Unauthorized, .. }), "{refused}");
    }

    #[tokio::test]
    async fn a_credential_is_renewed_in_time_and_never_in_a_loop() {
        let node = Node::new();
        let issuer = node.create_identity().await.unwrap();
        let now = Timestamp::now();
        let credential = issuer.issue_credential(issuer.identifier(), Attributes::new(1), Duration::ZERO, now).await;
        let renewal = |lifetime| {
            let credential = ObtainedCredential {
                credential: credential.as_ref().unwrap().clone(),
                attributes: Attributes::new(1),
                expires_at: now.plus(Duration::from_secs(lifetime)),
            };
            credential.renew_in(now).as_secs()
        };
        assert_eq!((renewal(3_600), renewal(200), renewal(10)), (3_480, 100, 5));
    }
}
