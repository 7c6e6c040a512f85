//! Credentials that are kept valid: renewed before they expire, and presented over channels that are open.

use postern_node::identity::{Attributes, Identity};
use postern_node::request::{CredentialIssuer, RequestWorker};
use postern_node::session::{CredentialSource, State};
use postern_node::tcp::TcpListener;
use postern_node::{Address, Context, Node, Routed, SecureChannelOptions, Worker, WorkerError, route};
use postern_testkit::{TIMEOUT, eventually_async};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long credentials last here: they are renewed after half of it.
const LIFETIME: Duration = Duration::from_secs(2);

/// An issuer whose credentials have a number. It refuses while its switch is off.
struct Issuer {
    _node: Node,
    identity: Identity,
    tcp: TcpListener,
    issued: Arc<AtomicU32>,
    refuses: Arc<AtomicU32>,
}

impl Issuer {
    async fn start() -> Self {
        let node = Node::new();
        let (identity, tcp) = (node.create_identity().await.unwrap(), node.tcp_listen("127.0.0.1:0").await.unwrap());
        let (issued, refuses) = (Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
        let (number, refusals) = (issued.clone(), refuses.clone());
        let attributes = move |_: &_| {
            if refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                return None;
            }
            let number = number.fetch_add(1, Ordering::SeqCst) + 1;
            Some(Attributes::new(1).with("number", number.to_string()))
        };
        let worker = CredentialIssuer::new(identity.clone(), LIFETIME, attributes);
        node.start_worker("credential_issuer", RequestWorker::new(worker)).unwrap();
        let options = SecureChannelOptions::trust_anyone();
        let channels = node.create_secure_channel_listener(&identity, "api", options).await.unwrap();
        node.expose("credential_issuer", &channels).unwrap();
        node.expose("api", &tcp).unwrap();
        Self { _node: node, identity, tcp, issued, refuses }
    }

    fn source(&self) -> CredentialSource {
        CredentialSource {
            issuer: self.identity.identifier(),
            listener: route![Address::tcp(self.tcp.local_addr().to_string()), "api"],
            service: "credential_issuer".into(),
        }
    }
}

/// Answers with the number in the sender's credential.
struct Numbers;

impl Worker for Numbers {
    type Message = String;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<String>) -> Result<(), WorkerError> {
        let number = message.attributes().and_then(|it| it.get("number"));
        let number = String::from_utf8_lossy(number.unwrap_or(b"none")).into_owned();
        Ok(context.send(message.return_route().clone(), number).await?)
    }
}

#[tokio::test]
async fn a_credential_is_renewed_and_presented_before_it_expires() {
    let issuer = Issuer::start().await;
    let service = Node::new();
    let (identity, tcp) = (service.create_identity().await.unwrap(), service.tcp_listen("127.0.0.1:0").await.unwrap());
    service.known_identities().pin(issuer.identity.history().clone()).unwrap();
    let mut options = SecureChannelOptions::trust_anyone();
    options.authorities.insert(issuer.identity.identifier());
    let listener = service.create_secure_channel_listener(&identity, "listener", options).await.unwrap();
    service.start_worker("numbers", Numbers).unwrap();
    service.expose("numbers", &listener).unwrap();
    service.expose("listener", &tcp).unwrap();

    let member = Node::new();
    let myself = member.create_identity().await.unwrap();
    let session = member.keep_credential(&myself, issuer.source());
    session.up().await.unwrap();
    let options = SecureChannelOptions::trust_only([identity.identifier()]);
    let route = route![Address::tcp(tcp.local_addr().to_string()), "listener"];
    let channel = member.create_secure_channel(&myself, route, options).await.unwrap();
    let ask = async || {
        let context = member.context().unwrap();
        context.send_and_receive::<String>(route![&channel, "numbers"], "which?").await.unwrap().into_body()
    };
    assert_eq!(ask().await, "none");
    session.present_over(&channel);
    // The third was issued when the first had expired.
    eventually_async("the third credential", TIMEOUT, || async {
        let number = ask().await;
        number.parse().is_ok_and(|number: u32| number >= 3).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_reported_and_the_issuer_asked_again() {
    let issuer = Issuer::start().await;
    issuer.refuses.store(1, Ordering::SeqCst);
    let member = Node::new();
    let session = member.keep_credential(&member.create_identity().await.unwrap(), issuer.source());
    let refused = session.up().await.unwrap_err();
    assert!(refused.to_string().contains("not a member"), "{refused}");
    let mut state = session.watch();
    state.wait_for(|state| state.up().is_some()).await.unwrap();
}

#[tokio::test]
async fn a_credential_counts_until_it_expires_while_the_issuer_refuses() {
    let issuer = Issuer::start().await;
    let member = Node::new();
    let session = member.keep_credential(&member.create_identity().await.unwrap(), issuer.source());
    let obtained = session.up().await.unwrap();
    issuer.refuses.store(u32::MAX, Ordering::SeqCst);
    let mut state = session.watch();
    state.wait_for(|state| matches!(state, State::Down(_))).await.unwrap();
    assert!(postern_node::identity::Timestamp::now() > obtained.expires_at);
    assert_eq!(issuer.issued.load(Ordering::SeqCst), 1);
}
