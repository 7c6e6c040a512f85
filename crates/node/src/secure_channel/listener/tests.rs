//! What reaches a listener, message by message, as a connection would deliver it.

use super::super::handshake::{Initiator, Keys};
use super::super::plaintext::{self, PADDING};
use super::super::record::{NONCE_LEN, Sealer};
use super::*;
use crate::core::Limits;
use crate::crypto::TAG_LEN;
use crate::identity::Timestamp;
use crate::origin::{Source, SourceAddress};
use crate::vault::MemoryVault;
use crate::{Context, Node, Route, route};
use postern_testkit::{TIMEOUT, eventually_async, in_time};
use std::net::IpAddr;

mod turns;

/// A node with a listener, and what it sends.
struct Responding {
    node: Node,
    listener: SecureChannelListener,
    sent: Arc<Sent>,
}

/// What was sent over a connection: payloads, and where they came from.
#[derive(Default)]
struct Sent(Mutex<Vec<(Vec<u8>, Route)>>);

impl Endpoint for Sent {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        lock(&self.0).push((message.body.payload().to_vec(), message.full_return_route()));
        Ok(Delivery::default())
    }
}

/// Somebody at the other end of a connection.
struct Initiating {
    key: ChannelKey,
    who: Identifier,
    source: Arc<Source>,
}

impl Initiating {
    async fn from(responding: &Responding, network: u8) -> Self {
        let identity = Identity::create(Arc::new(MemoryVault::in_memory()), Timestamp::now()).await.unwrap();
        let key = ChannelKey::create(&identity, Vec::new()).await.unwrap();
        Self { key, who: identity.identifier(), source: responding.connection(network) }
    }
}

/// A handshake whose third message was not sent.
struct Begun {
    m3: Vec<u8>,
    keys: Keys,
    responder: Route,
}

impl Responding {
    async fn with(limits: Limits, contacts: Option<super::super::IsContact>) -> Self {
        Self::idle_for(limits, contacts, IDLE_TIMEOUT).await
    }

    /// One that strangers' channels may be idle at for this long.
    async fn idle_for(limits: Limits, contacts: Option<super::super::IsContact>, idle: Duration) -> Self {
        let node = Node::with(Arc::new(MemoryVault::in_memory()), limits);
        let identity = node.create_identity().await.unwrap();
        let options = SecureChannelOptions { contacts, ..SecureChannelOptions::trust_anyone() };
        let listener = listen_with(node.core(), &identity, "listener".into(), options, idle).await.unwrap();
        let sent = Arc::new(Sent::default());
        node.core().router.add_endpoint("connection".into(), sent.clone()).unwrap();
        Self { node, listener, sent }
    }

    fn connection(&self, network: u8) -> Arc<Source> {
        self.connection_from(Some(SourceAddress::from(IpAddr::from([192, 0, 2, network]))))
    }

    /// One that was accepted, or made to a hub.
    fn connection_from(&self, address: Option<SourceAddress>) -> Arc<Source> {
        let source = Arc::new(Source { address, ..Source::of_connection("connection".into(), None) });
        self.node.core().router.expose(self.listener.address(), source.origin);
        source
    }

    fn deliver(&self, source: &Arc<Source>, to: &Route, back: &Route, payload: &[u8]) -> Result<(), Undeliverable> {
        self.dispatch(source, to, back, payload).map(drop)
    }

    fn dispatch(
        &self,
        source: &Arc<Source>,
        to: &Route,
        back: &Route,
        payload: &[u8],
    ) -> Result<Delivery, Undeliverable> {
        let mut payload = payload.to_vec();
        let message = BorrowedMessage {
            onward: to.as_ref(),
            return_route: back.as_ref(),
            body: PayloadBuf::exactly(&mut payload),
            source: Some(source),
            depth: 0,
            completion: None,
        };
        self.node.core().router.dispatch(message)
    }

    async fn begin(&self, who: &Initiating) -> Begun {
        let (initiator, m1) = Initiator::new(&who.key.secret).unwrap().write_m1().unwrap();
        self.deliver(&who.source, &route!["listener"], &route!["them"], &m1).unwrap();
        let (m2, responder) = eventually_async("m2", TIMEOUT, || async {
            // Channels that make room say so over the same connection.
            let mut sent = lock(&self.sent.0);
            let m2 = sent.iter().rposition(|(payload, _)| payload.len() > 96)?;
            Some(sent.remove(m2))
        })
        .await;
        let (initiator, _) = initiator.read_m2(&m2).unwrap();
        let (m3, keys) = initiator.write_m3(&who.key.proof).unwrap();
        Begun { m3, keys, responder }
    }

    /// Begins a handshake that nobody goes on with.
    async fn abandon(&self, who: &Initiating) {
        self.begin(who).await;
    }

    async fn open(&self, who: &Initiating) {
        let begun = self.begin(who).await;
        let Self { listener, .. } = self;
        self.deliver(&who.source, &begun.responder, &route!["them"], &begun.m3).unwrap();
        eventually_async("the handshake is over", TIMEOUT, || async {
            let held = lock(&listener.0.held);
            (!begun.responder.as_ref().front().is_some_and(|it| held.handshake_ids.contains_key(it.encoded())))
                .then_some(())
        })
        .await;
    }

    /// No handshake goes on until what this returns is dropped: a runtime of one thread has one for handshakes.
    fn occupy_handshake_threads(&self) -> std::sync::mpsc::Sender<()> {
        let (release, released) = std::sync::mpsc::channel();
        let wait = move || {
            let _ = released.recv();
        };
        super::super::handshake_queue::run(self.node.core(), Stage::Begun, Cause::Local, wait).unwrap();
        release
    }

    fn channels(&self) -> u64 {
        self.node.stats().channels.get()
    }

    async fn until_channels(&self, count: u64) {
        eventually_async("the number of channels", TIMEOUT, || async { (self.channels() == count).then_some(()) })
            .await;
    }

    /// Who has channels with the listener.
    fn peers(&self) -> Vec<Identifier> {
        let channels = lock(&self.listener.0.held).channels.all();
        let open = channels.iter().filter_map(Weak::upgrade).filter(|it| !it.ended().is_cancelled());
        open.map(|it| it.peer().identifier).collect()
    }
}

#[tokio::test]
async fn what_does_not_verify_does_not_end_a_handshake() {
    let responding = Responding::with(Limits::default(), None).await;
    let friend = Initiating::from(&responding, 1).await;
    let begun = responding.begin(&friend).await;
    let mut forged = begun.m3.clone();
    forged[20] ^= 1;
    for payload in [&b"short"[..], &[7; 200], &forged] {
        responding.deliver(&friend.source, &begun.responder, &route!["them"], payload).unwrap();
    }
    responding.deliver(&friend.source, &begun.responder, &route!["them"], &begun.m3).unwrap();
    responding.until_channels(1).await;
    assert_eq!(responding.node.stats().failed_handshakes.get(), 0);
}

#[tokio::test]
async fn the_third_message_counts_only_over_the_connection_of_the_first() {
    let responding = Responding::with(Limits::default(), None).await;
    let friend = Initiating::from(&responding, 1).await;
    let begun = responding.begin(&friend).await;
    let elsewhere = responding.connection(1);
    let refused = responding.deliver(&elsewhere, &begun.responder, &route!["them"], &begun.m3);
    assert_eq!(refused, Err(Undeliverable::Denied));
    responding.deliver(&friend.source, &begun.responder, &route!["them"], &begun.m3).unwrap();
    responding.until_channels(1).await;
}

/// The task that delivers is the one that reads a connection: whatever it computes, everybody else on the connection waits for.
#[tokio::test]
async fn handshakes_are_not_computed_by_who_delivers_them_and_nothing_is_lost_meanwhile() {
    let responding = Responding::with(Limits::default(), None).await;
    let friend = Initiating::from(&responding, 1).await;
    let begun = responding.begin(&friend).await;
    let mut inbox: Context = responding.node.context_at("inbox").unwrap();
    responding.node.expose("inbox", &responding.listener).unwrap();
    let release = responding.occupy_handshake_threads();
    responding.deliver(&friend.source, &begun.responder, &route!["them"], &begun.m3).unwrap();
    let mut sealer = Sealer::new(&begun.keys.send);
    for number in 0..20u8 {
        let mut record = vec![0; NONCE_LEN];
        plaintext::push_header(&mut record, route!["inbox"].as_ref(), None, route![].as_ref(), 1);
        record.push(number);
        record.extend_from_slice(&PADDING);
        let (nonce, tag) = sealer.seal(&mut record[NONCE_LEN..]).unwrap();
        record[..NONCE_LEN].copy_from_slice(&nonce);
        record.extend_from_slice(&tag[..TAG_LEN]);
        responding.deliver(&friend.source, &begun.responder, &route![], &record).unwrap();
    }
    assert_eq!(responding.channels(), 0);
    drop(release);
    for number in 0..20u8 {
        let received = in_time(inbox.receive::<bytes::Bytes>()).await.unwrap();
        assert_eq!(received.body()[..], [number]);
    }
    assert_eq!(responding.channels(), 1);
}

/// Over its own connection a peer may send large messages right behind the handshake; whoever shares one is not held up.
#[tokio::test]
async fn only_the_reader_of_an_accepted_connection_waits_for_a_verification() {
    let responding = Responding::with(Limits::default(), None).await;
    let direct = Initiating::from(&responding, 1).await;
    let begun = responding.begin(&direct).await;
    let taken = responding.dispatch(&direct.source, &begun.responder, &route!["them"], &begun.m3).unwrap();
    in_time(taken.flush_and_wait()).await.unwrap();
    assert_eq!(responding.channels(), 1);

    let mut behind_hub = Initiating::from(&responding, 1).await;
    behind_hub.source = responding.connection_from(None);
    let begun = responding.begin(&behind_hub).await;
    let release = responding.occupy_handshake_threads();
    let taken = responding.dispatch(&behind_hub.source, &begun.responder, &route!["them"], &begun.m3).unwrap();
    in_time(taken.flush_and_wait()).await.unwrap();
    assert_eq!(responding.channels(), 1);
    drop(release);
    responding.until_channels(2).await;
}

/// On the side that began, too.
#[tokio::test]
async fn a_second_message_that_does_not_verify_does_not_end_a_handshake() {
    let initiating = Responding::with(Limits::default(), None).await;
    let hub = initiating.connection_from(None);
    let (peer, begun) = (Initiating::from(&initiating, 1).await, initiating.sent.clone());
    let (node, identity) = (initiating.node.clone(), initiating.node.create_identity().await.unwrap());
    let opened = tokio::spawn(async move {
        node.create_secure_channel(&identity, route!["connection"], SecureChannelOptions::trust_anyone()).await
    });
    let (m1, initiator) = eventually_async("m1", TIMEOUT, || async { lock(&begun.0).pop() }).await;
    let responder = Responder::new(&peer.key.secret).unwrap().read_m1(&m1).unwrap();
    let (_, m2) = responder.write_m2(&peer.key.proof).unwrap();
    let mut forged = m2.clone();
    forged[40] ^= 1;
    for payload in [&b"short"[..], &[7; 200], &forged, &m2] {
        initiating.deliver(&hub, &initiator, &route!["them"], payload).unwrap();
    }
    let channel = in_time(opened).await.unwrap().unwrap();
    assert_eq!(channel.peer().identifier, peer.who);
    assert_eq!(initiating.node.stats().failed_handshakes.get(), 0);
}

#[tokio::test]
async fn a_flood_of_handshakes_from_one_address_evicts_only_its_own() {
    let responding = Responding::with(Limits { handshakes: 8, ..Limits::default() }, None).await;
    let (friend, flood) = (Initiating::from(&responding, 1).await, Initiating::from(&responding, 2).await);
    let begun = responding.begin(&friend).await;
    for _ in 0..40 {
        responding.abandon(&flood).await;
    }
    assert_eq!(responding.node.stats().failed_handshakes.get(), 33);
    responding.deliver(&friend.source, &begun.responder, &route!["them"], &begun.m3).unwrap();
    responding.until_channels(1).await;
}

#[tokio::test]
async fn contacts_get_in_while_strangers_hold_all_they_may() {
    let contacts: Arc<Mutex<Vec<Identifier>>> = Arc::default();
    let known = contacts.clone();
    let is_contact: super::super::IsContact = Arc::new(move |who| lock(&known).contains(who));
    let responding = Responding::with(Limits { channels: 8, ..Limits::default() }, Some(is_contact)).await;
    let stranger = Initiating::from(&responding, 2).await;
    responding.open(&stranger).await;
    let flood = Initiating::from(&responding, 3).await;
    for _ in 0..20 {
        responding.open(&flood).await;
    }
    // A quarter is the contacts', and the stranger who came before the flood is still there.
    responding.until_channels(6).await;
    assert!(responding.peers().contains(&stranger.who));
    for network in 10..14 {
        let friend = Initiating::from(&responding, network).await;
        lock(&contacts).push(friend.who);
        responding.open(&friend).await;
    }
    responding.until_channels(8).await;
    let peers = responding.peers();
    assert!(lock(&contacts).iter().all(|friend| peers.contains(friend)));
}

#[tokio::test]
async fn idle_channels_of_strangers_end_and_others_stay() {
    let contacts: Arc<Mutex<Vec<Identifier>>> = Arc::default();
    let known = contacts.clone();
    let is_contact: super::super::IsContact = Arc::new(move |who| lock(&known).contains(who));
    let responding = Responding::with(Limits::default(), Some(is_contact)).await;
    let (stranger, guest, friend) = (
        Initiating::from(&responding, 1).await,
        Initiating::from(&responding, 2).await,
        Initiating::from(&responding, 3).await,
    );
    lock(&contacts).push(friend.who);
    for who in [&stranger, &guest, &friend] {
        responding.open(who).await;
    }
    responding.until_channels(3).await;
    // What was let in to something, such as a stream, stays whoever it is.
    let channels = lock(&responding.listener.0.held).channels.all();
    let guests = channels.iter().filter_map(Weak::upgrade).find(|it| it.peer().identifier == guest.who).unwrap();
    guests.source().in_use.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut sweep = Sweep { idle: Duration::ZERO, cut: HashMap::new() };
    let begun = time::now();
    while responding.channels() > 2 {
        assert!(begun.elapsed() < TIMEOUT, "the idle one stays");
        sweep.pass(&responding.listener.0, time::now()).await;
    }
    let peers = responding.peers();
    assert!(peers.contains(&friend.who) && peers.contains(&guest.who));
}

#[tokio::test]
async fn an_unused_channel_does_not_wait_long_for_its_initiator_to_come_back() {
    let responding = Responding::with(Limits::default(), None).await;
    let (user, visitor) = (Initiating::from(&responding, 1).await, Initiating::from(&responding, 2).await);
    responding.open(&user).await;
    responding.open(&visitor).await;
    responding.until_channels(2).await;
    let channels: Vec<Arc<Channel>> =
        lock(&responding.listener.0.held).channels.all().iter().filter_map(Weak::upgrade).collect();
    let users = channels.iter().find(|it| it.peer().identifier == user.who).unwrap();
    users.source().in_use.store(true, std::sync::atomic::Ordering::Relaxed);
    let begun = time::now();
    let mut sweep = Sweep { idle: IDLE_TIMEOUT, cut: HashMap::new() };
    let listener = &responding.listener.0;
    sweep.pass(listener, begun).await;
    assert!(sweep.cut.is_empty());
    user.source.ended.cancel();
    visitor.source.ended.cancel();
    sweep.pass(listener, begun).await;
    assert_eq!(sweep.cut.len(), 2);
    sweep.pass(listener, begun + UNUSED_ROUTE_GRACE).await;
    assert_eq!((sweep.cut.len(), responding.channels()), (2, 2));
    sweep.pass(listener, begun + ROUTE_GRACE).await;
    responding.until_channels(1).await;
    assert_eq!(responding.peers(), [user.who]);
    sweep.pass(listener, begun + ROUTE_GRACE + SWEEP).await;
    responding.until_channels(0).await;
}

/// The listener looks for idle channels by itself, also when they are more than it looks at in one go.
#[tokio::test]
async fn idle_channels_of_strangers_end_without_a_question() {
    let contacts: Arc<Mutex<Vec<Identifier>>> = Arc::default();
    let known = contacts.clone();
    let is_contact: super::super::IsContact = Arc::new(move |who| lock(&known).contains(who));
    let responding = Responding::idle_for(Limits::default(), Some(is_contact), SWEEP).await;
    let friend = Initiating::from(&responding, 0).await;
    lock(&contacts).push(friend.who);
    responding.open(&friend).await;
    let stranger = Initiating::from(&responding, 1).await;
    for _ in 0..=SWEEP_AT_ONCE {
        responding.open(&stranger).await;
    }
    responding.until_channels(1).await;
    assert_eq!(responding.peers(), [friend.who]);
}
