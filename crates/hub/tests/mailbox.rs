//! Mail through a real hub: delivered to its recipient only, once, also when the hub restarts in between.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]
#![allow(clippy::disallowed_methods, reason = "tests run on the real clock, sockets and files")]

use postern_hub::{Hub, HubConfig};
use postern_node::identity::{Identifier, Identity, KnownIdentities, Timestamp, TrustPolicy};
use postern_node::mailbox::{
    IN_FLIGHT, MAIL_SIZE_MAX, MAILBOX_SERVICE, Mail, MailId, MailboxError, MailboxReply, MailboxRequest, Outcome,
};
use postern_node::sealed::{self, PostalKey, SealedError, VerifiedPostalAddress};
use postern_node::session::{HUB_LISTENER, HubOptions, HubSession, MailboxSession};
use postern_node::vault::MemoryStore;
use postern_node::{
    Context, ContextError, Error, Node, Origin, Result, Routed, SecureChannel, SecureChannelOptions, Worker,
    WorkerError, route,
};
use postern_testkit::{TIMEOUT, in_time};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

mod quotas;

const SHORT: Duration = Duration::from_millis(300);
const CONTEXT: &[u8] = b"test";

fn config(listen: &str, data: Option<&Path>) -> HubConfig {
    let data = data.map(|data| format!("\ndata = '{}'", data.display())).unwrap_or_default();
    HubConfig::parse(&format!("listen = '{listen}'\ndrain_seconds = 0{data}")).unwrap()
}

async fn start(listen: &str, data: Option<&Path>) -> Hub {
    loop {
        // The port of a hub that was just stopped may need a moment.
        match Hub::start(&config(listen, data)).await {
            Ok(hub) => return hub,
            Err(error) if listen.ends_with(":0") => panic!("{error}"),
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// A node with an identity, connected to a hub under it, and the key of its mailbox.
struct MailboxClient {
    node: Node,
    identity: Identity,
    postal: PostalKey,
    session: HubSession,
}

impl MailboxClient {
    async fn at(hub: &str) -> Self {
        let node = Node::new();
        let identity = node.create_identity().await.unwrap();
        let postal = PostalKey::open(&identity, &MemoryStore::new(), Timestamp::now()).await.unwrap();
        let options = HubOptions { relay: None, trust: TrustPolicy::Anyone };
        let session = node.keep_connected_as(&identity, hub, options).await.unwrap();
        let client = Self { node, identity, postal, session };
        client.subscribe_once().await;
        client
    }

    /// Has been here: from now on the hub keeps mail for them.
    async fn subscribe_once(&self) {
        let connection = in_time(self.session.up()).await.unwrap().connection;
        let route = route![&connection, HUB_LISTENER];
        let channel = self.node.create_secure_channel(&self.identity, route, any()).await.unwrap();
        let subscribe = MailboxRequest::Subscribe.encode(1);
        let asked = self.node.context().unwrap();
        let answer =
            asked.send_and_receive_within::<bytes::Bytes>(TIMEOUT, route![&channel, MAILBOX_SERVICE], subscribe);
        let answer = MailboxReply::decode(answer.await.unwrap().body());
        assert_eq!(answer, Some(MailboxReply::Answer(1, Outcome::Done)));
        channel.close();
    }

    fn id(&self) -> Identifier {
        self.identity.identifier()
    }

    fn address(&self) -> VerifiedPostalAddress {
        self.postal.address().clone().verify(&KnownIdentities::new(), Timestamp::now()).unwrap()
    }

    async fn channel(&self) -> SecureChannel {
        let mut states = self.session.watch();
        let up = in_time(states.wait_for(|state| state.up().is_some_and(|up| !up.connection.is_closed()))).await;
        up.unwrap().up().unwrap().channel.clone().unwrap()
    }

    async fn write(&self, to: &Self, text: &str) -> Vec<u8> {
        let sealed = sealed::seal(&self.postal, &to.address(), CONTEXT, text.as_bytes()).unwrap();
        in_time(self.deposit(to.id(), &sealed)).await.unwrap();
        sealed
    }

    async fn deposit(&self, to: Identifier, sealed: &[u8]) -> Result<MailId> {
        self.node.deposit_mail(&self.channel().await, to, sealed).await
    }

    fn mailbox(&self) -> MailboxSession {
        self.node.keep_mailbox(&self.session)
    }

    fn read(&self, mail: &Mail) -> Result<(Identifier, String), SealedError> {
        let opened = sealed::open(&self.postal, CONTEXT, &mail.sealed, self.node.known_identities(), Timestamp::now())?;
        Ok((opened.sender.identifier, String::from_utf8(opened.message).unwrap()))
    }
}

/// The next message, which is acknowledged.
async fn next(person: &MailboxClient, mailbox: &mut MailboxSession) -> (Identifier, String) {
    let mail = in_time(mailbox.next()).await.unwrap();
    mailbox.acknowledge(mail.id);
    person.read(&mail).unwrap()
}

/// Waits until the hub keeps nothing for them any more.
async fn until_empty(person: &MailboxClient) {
    in_time(async {
        let connection = person.session.state().up().unwrap().connection.clone();
        loop {
            let route = route![&connection, HUB_LISTENER];
            let channel = person.node.create_secure_channel(&person.identity, route, any()).await.unwrap();
            let pushed = subscribe(&person.node, &channel).await;
            channel.close();
            if pushed.is_empty() {
                return;
            }
        }
    })
    .await;
}

fn any() -> SecureChannelOptions {
    SecureChannelOptions::trust_anyone()
}

/// What is pushed soon to whoever subscribes over this channel.
async fn subscribe(node: &Node, channel: &SecureChannel) -> Vec<Mail> {
    let mut context = node.context().unwrap();
    node.expose(context.address(), channel).unwrap();
    context.send(route![channel, MAILBOX_SERVICE], MailboxRequest::Subscribe.encode(7)).await.unwrap();
    let mut mail = Vec::new();
    loop {
        match tokio::time::timeout(SHORT, context.receive::<bytes::Bytes>()).await {
            Err(_) => return mail,
            Ok(reply) => match MailboxReply::decode(reply.unwrap().body()) {
                Some(MailboxReply::Mail(it)) => mail.push(it),
                reply => assert_eq!(reply, Some(MailboxReply::Answer(7, Outcome::Done))),
            },
        }
    }
}

#[tokio::test]
async fn mail_waits_for_its_recipient_and_is_pushed_while_they_are_there() {
    let hub = start("127.0.0.1:0", None).await;
    let address = hub.local_addr().to_string();
    let (alice, bob) = (MailboxClient::at(&address).await, MailboxClient::at(&address).await);
    alice.write(&bob, "one").await;
    alice.write(&bob, "two").await;
    let mut mailbox = bob.mailbox();
    assert_eq!(next(&bob, &mut mailbox).await, (alice.id(), "one".into()));
    assert_eq!(next(&bob, &mut mailbox).await, (alice.id(), "two".into()));
    assert_eq!(mailbox.state().up(), Some(&hub.identifier()));
    alice.write(&bob, "three").await;
    assert_eq!(next(&bob, &mut mailbox).await, (alice.id(), "three".into()));
    until_empty(&bob).await;
    // All that one may leave at once.
    for number in 0..30 {
        bob.write(&alice, &number.to_string()).await;
    }
    let mut mailbox = alice.mailbox();
    for number in 0..30 {
        assert_eq!(next(&alice, &mut mailbox).await, (bob.id(), number.to_string()));
    }
    hub.drain().await;
}

#[tokio::test]
async fn unacknowledged_mail_is_delivered_again_and_acknowledged_mail_is_not() {
    let hub = start("127.0.0.1:0", None).await;
    let address = hub.local_addr().to_string();
    let (alice, bob) = (MailboxClient::at(&address).await, MailboxClient::at(&address).await);
    for text in ["kept", "gone"] {
        alice.write(&bob, text).await;
    }
    let mut mailbox = bob.mailbox();
    let kept = in_time(mailbox.next()).await.unwrap();
    let gone = in_time(mailbox.next()).await.unwrap();
    mailbox.acknowledge(gone.id);
    // It is handled before what comes later.
    alice.write(&bob, "late").await;
    let late = in_time(mailbox.next()).await.unwrap();
    drop(mailbox);
    let mut mailbox = bob.mailbox();
    let again = [in_time(mailbox.next()).await.unwrap(), in_time(mailbox.next()).await.unwrap()];
    assert_eq!(again.map(|mail| mail.id), [kept.id, late.id]);
}

#[tokio::test]
async fn a_hub_with_a_data_directory_keeps_mail_and_identity_across_restarts() {
    let data = tempfile::tempdir().unwrap();
    let hub = start("127.0.0.1:0", Some(data.path())).await;
    let (address, identifier) = (hub.local_addr().to_string(), hub.identifier());
    let (alice, bob) = (MailboxClient::at(&address).await, MailboxClient::at(&address).await);
    alice.write(&bob, "before").await;
    let mut states = alice.session.watch();
    hub.stop().await;
    in_time(states.wait_for(|state| state.up().is_none())).await.unwrap();
    let hub = start(&address, Some(data.path())).await;
    assert_eq!(hub.identifier(), identifier);
    let mut mailbox = bob.mailbox();
    assert_eq!(next(&bob, &mut mailbox).await, (alice.id(), "before".into()));
    alice.write(&bob, "after").await;
    assert_eq!(next(&bob, &mut mailbox).await, (alice.id(), "after".into()));
    // A session that stays subscribes again by itself.
    let mut states = mailbox.watch();
    hub.stop().await;
    in_time(states.wait_for(|state| state.up().is_none())).await.unwrap();
    let hub = start(&address, Some(data.path())).await;
    alice.write(&bob, "again").await;
    assert_eq!(next(&bob, &mut mailbox).await, (alice.id(), "again".into()));
    hub.stop().await;
}

#[tokio::test]
async fn only_the_recipient_reads_or_deletes_mail() {
    let hub = start("127.0.0.1:0", None).await;
    let address = hub.local_addr().to_string();
    let (alice, bob, mallory) =
        (MailboxClient::at(&address).await, MailboxClient::at(&address).await, MailboxClient::at(&address).await);
    let sealed = alice.write(&bob, "for Bob").await;
    // Mallory subscribes, and acknowledges what is Bob's: she gets nothing, and it stays.
    let (channel, context) = (mallory.channel().await, mallory.node.context().unwrap());
    assert!(subscribe(&mallory.node, &channel).await.is_empty());
    let acknowledge = MailboxRequest::Acknowledge(MailId::of(&sealed)).encode(1);
    let answer =
        context.send_and_receive_within::<bytes::Bytes>(TIMEOUT, route![&channel, MAILBOX_SERVICE], acknowledge);
    let answer = MailboxReply::decode(answer.await.unwrap().body());
    assert_eq!(answer, Some(MailboxReply::Answer(1, Outcome::Done)));
    // Without a channel there is no mailbox at all.
    let plain = mallory.node.tcp_connect(&address).await.unwrap();
    let asked = MailboxRequest::Subscribe.encode(1);
    let refused = context.send_and_receive_within::<bytes::Bytes>(SHORT, route![&plain, MAILBOX_SERVICE], asked).await;
    assert!(matches!(refused, Err(ContextError::Timeout(_))));
    let mut mailbox = bob.mailbox();
    assert_eq!(next(&bob, &mut mailbox).await, (alice.id(), "for Bob".into()));
    // What was sealed for somebody else does not open, wherever it is left.
    in_time(mallory.deposit(bob.id(), &mallory.write(&alice, "for Alice").await)).await.unwrap();
    let strange = in_time(mailbox.next()).await.unwrap();
    assert!(matches!(bob.read(&strange), Err(SealedError::Forged)));
}

#[tokio::test]
async fn a_replayed_message_is_known_by_its_id() {
    let hub = start("127.0.0.1:0", None).await;
    let address = hub.local_addr().to_string();
    let (alice, bob, mallory) =
        (MailboxClient::at(&address).await, MailboxClient::at(&address).await, MailboxClient::at(&address).await);
    let sealed = alice.write(&bob, "pay").await;
    // The same twice, while it waits, is once.
    in_time(alice.deposit(bob.id(), &sealed)).await.unwrap();
    let mut mailbox = bob.mailbox();
    let open = |mail: &Mail| {
        sealed::open(&bob.postal, CONTEXT, &mail.sealed, bob.node.known_identities(), Timestamp::now()).unwrap().id
    };
    let first = in_time(mailbox.next()).await.unwrap();
    mailbox.acknowledge(first.id);
    until_empty(&bob).await;
    // Somebody who has seen it leaves it again.
    in_time(mallory.deposit(bob.id(), &sealed)).await.unwrap();
    let second = in_time(mailbox.next()).await.unwrap();
    assert_eq!(open(&first), open(&second));
}

/// A hub that answers everything as done, keeps nothing, and pushes what a test makes up.
struct Liar {
    pushes: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Worker for Liar {
    type Message = bytes::Bytes;

    async fn handle_message(
        &mut self,
        context: &mut Context,
        message: Routed<bytes::Bytes>,
    ) -> Result<(), WorkerError> {
        let back = message.return_route().clone();
        let Some((number, request)) = MailboxRequest::decode(message.body()) else { return Ok(()) };
        context.send(back.clone(), MailboxReply::Answer(number, Outcome::Done).encode()).await?;
        if request == MailboxRequest::Subscribe {
            let pushes = self.pushes.lock().unwrap().clone();
            for push in pushes {
                context.send(back.clone(), push).await?;
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_hub_with_wrong_answers_gains_nothing() {
    let node = Node::new();
    let listener = node.tcp_listen("127.0.0.1:0").await.unwrap();
    let identity = node.create_identity().await.unwrap();
    let channels = node.create_secure_channel_listener(&identity, HUB_LISTENER, any()).await.unwrap();
    node.expose(HUB_LISTENER, &listener.origin()).unwrap();
    let pushes = Arc::new(Mutex::new(Vec::new()));
    node.start_worker(MAILBOX_SERVICE, Liar { pushes: pushes.clone() }).unwrap();
    node.expose(MAILBOX_SERVICE, &channels).unwrap();

    let address = listener.local_addr().to_string();
    let (alice, bob, carol) =
        (MailboxClient::at(&address).await, MailboxClient::at(&address).await, MailboxClient::at(&address).await);
    let for_bob = alice.write(&bob, "for Bob").await;
    let for_carol = alice.write(&carol, "for Carol").await;
    // The hub itself, as somebody with an identity of its own.
    let hubs = PostalKey::open(&identity, &MemoryStore::new(), Timestamp::now()).await.unwrap();
    let forged = sealed::seal(&hubs, &bob.address(), CONTEXT, b"it is me, Alice").unwrap();
    let mut altered = for_bob.clone();
    *altered.last_mut().unwrap() ^= 1;
    let mail = |id: &[u8], sealed: &[u8]| {
        MailboxReply::Mail(Mail { id: MailId::of(id), deposited: Timestamp(u64::MAX), sealed: sealed.to_vec() })
            .encode()
    };
    *pushes.lock().unwrap() = vec![
        b"nonsense".to_vec(),
        // Under the name of another, which the client would then acknowledge.
        mail(&for_bob, &for_carol),
        mail(&for_carol, &for_carol),
        mail(&altered, &altered),
        mail(&forged, &forged),
        mail(&for_bob, &for_bob),
        mail(&for_bob, &for_bob),
    ];
    let mut mailbox = bob.mailbox();
    let mut read = Vec::new();
    for _ in 0..4 {
        read.push(bob.read(&in_time(mailbox.next()).await.unwrap()));
    }
    assert!(matches!(&read[0], Err(SealedError::Forged)), "swapped");
    assert!(matches!(&read[1], Err(SealedError::Forged)), "altered");
    // It can write as itself, and is known to be nobody else.
    assert!(matches!(&read[2], Ok((who, _)) if *who == identity.identifier()));
    assert!(matches!(&read[3], Ok((who, text)) if *who == alice.id() && text == "for Bob"));
    // The second copy was not yielded again.
    assert!(tokio::time::timeout(SHORT, mailbox.next()).await.is_err());
}
