//! A gate in front of an outlet: what it decides is what happens, at once, and both sides know why.

use super::topology::{Topology, ask, echo, serve};
use postern_node::identity::{Identifier, VerifiedPeer};
use postern_node::portal::{AdmissionPolicy, EndReason, Meter, OutletOptions, Permit, Revocation, StreamEnd};
use postern_node::route;
use postern_testkit::in_time;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// A gate that a test opens and closes.
pub(crate) struct Door {
    closed: Mutex<Option<EndReason>>,
    revocation: Mutex<Revocation>,
    meter: Arc<Meter>,
    max: u64,
    came: mpsc::UnboundedSender<Option<Identifier>>,
    ended: mpsc::UnboundedSender<StreamEnd>,
}

pub(crate) struct Seen {
    came: mpsc::UnboundedReceiver<Option<Identifier>>,
    pub(crate) ended: mpsc::UnboundedReceiver<StreamEnd>,
}

impl Door {
    pub(crate) fn new(max: u64) -> (Arc<Self>, Seen) {
        let ((came, seen_came), (ended, seen_ended)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let (closed, revocation, meter) = Default::default();
        (Arc::new(Self { closed, revocation, meter, max, came, ended }), Seen { came: seen_came, ended: seen_ended })
    }

    /// Refuses whoever comes, and cuts whoever is in.
    fn close(&self, reason: EndReason) {
        *self.closed.lock().unwrap() = Some(reason);
        self.revocation.lock().unwrap().revoke(reason);
    }

    fn open(&self) {
        *self.revocation.lock().unwrap() = Revocation::new();
        *self.closed.lock().unwrap() = None;
    }
}

impl AdmissionPolicy for Door {
    fn admit(&self, peer: Option<&VerifiedPeer>) -> Result<Permit, EndReason> {
        self.came.send(peer.map(|peer| peer.identifier)).unwrap();
        if let Some(reason) = *self.closed.lock().unwrap() {
            return Err(reason);
        }
        let ended = self.ended.clone();
        let permit = Permit::limited(&self.meter, self.max)?.revocable_by(&self.revocation.lock().unwrap());
        Ok(permit.when_ended(move |end| {
            let _ = ended.send(end);
        }))
    }
}

async fn topology(door: &Arc<Door>, target: &str) -> Topology {
    Topology::with(target, OutletOptions { admission: Some(door.clone()), ..OutletOptions::default() }).await
}

async fn is_reset(client: &mut (impl AsyncReadExt + Unpin)) -> bool {
    let mut rest = vec![0; 64 * 1024];
    loop {
        match in_time(client.read(&mut rest)).await {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

#[tokio::test]
async fn the_admission_policy_learns_the_peer_and_how_its_streams_end() {
    let (door, mut seen) = Door::new(8);
    let topology = topology(&door, &echo().await).await;
    for count in [1, 3, 100_000] {
        let mut client = topology.connect().await;
        client.write_all(&vec![7; count]).await.unwrap();
        client.shutdown().await.unwrap();
        let mut back = Vec::new();
        in_time(client.read_to_end(&mut back)).await.unwrap();
        assert_eq!(back.len(), count);
        assert_eq!(in_time(seen.came.recv()).await, Some(Some(topology.friend_is)));
        let end = in_time(seen.ended.recv()).await.unwrap();
        assert_eq!((end.sent, end.received, end.result), (count as u64, count as u64, Ok(())));
    }
    let all = 100_004;
    let inlet = topology.inlet.meter();
    assert_eq!((door.meter.sent(), door.meter.received(), door.meter.live()), (all, all, 0));
    in_time(async {
        while inlet.live() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((inlet.sent(), inlet.received()), (all, all));
    assert_eq!(*topology.inlet.refused().borrow(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoking_cuts_live_streams_at_both_ends_and_says_why() {
    let (door, mut seen) = Door::new(8);
    let (reset, mut resets) = mpsc::unbounded_channel();
    let service = serve(move |mut socket| {
        let reset = reset.clone();
        async move {
            // A reset takes back what was not read yet, the first byte too.
            let kind = socket.read_u8().await;
            if let Ok(b'd') = kind {
                // Down: as fast as it goes, until it ends.
                while socket.write_all(&[7; 32 * 1024]).await.is_ok() {}
            }
            let _ = reset.send(kind.is_err() || is_reset(&mut socket).await);
            Ok(())
        }
    });
    let topology = topology(&door, &service.await).await;
    let mut refused = topology.inlet.refused();
    for reason in [EndReason::Paused, EndReason::Expired, EndReason::Revoked] {
        // One that sends, one that receives, and one that rests.
        let (mut up, mut down, mut idle) =
            (topology.connect().await, topology.connect().await, topology.connect().await);
        up.write_all(b"u").await.unwrap();
        down.write_all(b"d").await.unwrap();
        idle.write_all(b"i").await.unwrap();
        let sending = tokio::spawn(async move {
            loop {
                if let Err(error) = up.write_all(&[7; 32 * 1024]).await {
                    return error.kind();
                }
            }
        });
        down.read_exact(&mut [0; 1 << 20]).await.unwrap();
        in_time(async {
            while door.meter.live() < 3 || door.meter.received() < 1 << 20 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let begun = Instant::now();
        door.close(reason);
        assert!(is_reset(&mut idle).await && is_reset(&mut down).await);
        assert_eq!(in_time(sending).await.unwrap(), io::ErrorKind::ConnectionReset);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        for _ in 0..3 {
            assert_eq!(in_time(seen.ended.recv()).await.unwrap().result, Err(reason));
            in_time(resets.recv()).await.unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        assert_eq!(door.meter.live(), 0);
        in_time(refused.wait_for(|it| *it == Some(reason))).await.unwrap();

        // Nobody comes in meanwhile, and whoever comes again afterwards does.
        assert!(in_time(ask(topology.address(), b'i')).await.is_err());
        door.open();
        let mut again = topology.connect().await;
        again.write_all(b"i").await.unwrap();
        in_time(refused.wait_for(Option::is_none)).await.unwrap();
        drop(again);
        in_time(resets.recv()).await.unwrap();
        in_time(seen.ended.recv()).await.unwrap();
    }
}

#[tokio::test]
async fn an_admission_limit_holds_and_is_reported() {
    let (door, mut seen) = Door::new(2);
    let topology = topology(&door, &echo().await).await;
    let mut refused = topology.inlet.refused();
    let (mut one, mut two) = (topology.connect().await, topology.connect().await);
    for client in [&mut one, &mut two] {
        client.write_u8(7).await.unwrap();
        assert_eq!(in_time(client.read_u8()).await.unwrap(), 7);
    }
    assert!(in_time(ask(topology.address(), 7)).await.is_err());
    in_time(refused.wait_for(|it| *it == Some(EndReason::TooMany))).await.unwrap();
    drop(one);
    in_time(seen.ended.recv()).await.unwrap();
    assert_eq!(in_time(ask(topology.address(), 8)).await.unwrap(), 8);
    in_time(refused.wait_for(Option::is_none)).await.unwrap();
}

#[tokio::test]
async fn a_service_that_is_down_is_distinguished_from_a_refusal() {
    let (door, mut seen) = Door::new(8);
    let nowhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let topology = topology(&door, &nowhere.to_string()).await;
    let mut refused = topology.inlet.refused();
    assert!(in_time(ask(topology.address(), 7)).await.is_err());
    in_time(refused.wait_for(|it| *it == Some(EndReason::Refused))).await.unwrap();
    assert_eq!(in_time(seen.ended.recv()).await.unwrap().result, Err(EndReason::Refused));
    // Where it is now, it is reached.
    topology.outlet.retarget(echo().await);
    assert_eq!(in_time(ask(topology.address(), 8)).await.unwrap(), 8);
    in_time(refused.wait_for(Option::is_none)).await.unwrap();
}

#[tokio::test]
async fn an_outlet_does_not_connect_to_an_inlet_of_its_own_node() {
    let topology = Topology::with_target(&echo().await).await;
    let inlet = topology.owner.create_inlet("127.0.0.1:0", route!["nowhere"]).await.unwrap();
    let target = inlet.local_addr().to_string();
    let mut refused = topology.inlet.refused();
    topology.outlet.retarget(target.as_str());
    assert!(in_time(ask(topology.address(), 7)).await.is_err());
    in_time(refused.wait_for(|it| *it == Some(EndReason::Unreachable))).await.unwrap();
    assert!(topology.owner.has_inlet_at(inlet.local_addr()));
    // To an inlet of another node it does: who shares a portal onwards may do so from another program.
    topology.outlet.retarget(echo().await);
    assert_eq!(in_time(ask(topology.address(), 8)).await.unwrap(), 8);
    inlet.close();
    in_time(async {
        while topology.owner.has_inlet_at(inlet.local_addr()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn changing_the_target_keeps_open_streams() {
    let named = |name: u8| {
        serve(move |mut socket| async move {
            while socket.read_u8().await.is_ok() {
                socket.write_u8(name).await?;
            }
            Ok(())
        })
    };
    let topology = Topology::with_target(&named(1).await).await;
    let mut live = topology.connect().await;
    live.write_u8(0).await.unwrap();
    assert_eq!(in_time(live.read_u8()).await.unwrap(), 1);
    topology.outlet.retarget(named(2).await);
    assert_eq!(in_time(ask(topology.address(), 0)).await.unwrap(), 2);
    live.write_u8(0).await.unwrap();
    assert_eq!(in_time(live.read_u8()).await.unwrap(), 1);
}

#[tokio::test]
async fn an_owner_who_disconnects_has_not_refused() {
    let (door, mut seen) = Door::new(8);
    let topology = topology(&door, &echo().await).await;
    let mut live = topology.connect().await;
    live.write_u8(7).await.unwrap();
    assert_eq!(in_time(live.read_u8()).await.unwrap(), 7);
    topology.owner.shutdown().await;
    assert!(is_reset(&mut live).await);
    assert_eq!(in_time(seen.ended.recv()).await.unwrap().result, Err(EndReason::Stopping));
    assert_eq!(*topology.inlet.refused().borrow(), None);
}
