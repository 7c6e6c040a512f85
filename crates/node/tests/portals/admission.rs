//! A gate in front of an outlet: what it decides is what happens, at once, and both sides know why.

use crate::world::{World, ask, echo, in_time, serve};
use postern_node::identity::{Identifier, VerifiedPeer};
use postern_node::portal::{AdmissionPolicy, EndReason, Meter, OutletOptions, Permit, Revocation, StreamEnd};
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

async fn world(door: &Arc<Door>, target: &str) -> World {
    World::with(target, OutletOptions { admission: Some(door.clone()), ..OutletOptions::default() }).await
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
async fn it_knows_who_comes_and_hears_what_became_of_them() {
    let (door, mut seen) = Door::new(8);
    let world = world(&door, &echo().await).await;
    for count in [1, 3, 100_000] {
        let mut client = world.connect().await;
        client.write_all(&vec![7; count]).await.unwrap();
        client.shutdown().await.unwrap();
        let mut back = Vec::new();
        in_time(client.read_to_end(&mut back)).await.unwrap();
        assert_eq!(back.len(), count);
        assert_eq!(in_time(seen.came.recv()).await, Some(Some(world.friend_is)));
        let end = in_time(seen.ended.recv()).await.unwrap();
        assert_eq!((end.sent, end.received, end.result), (count as u64, count as u64, Ok(())));
    }
    let all = 100_004;
    let inlet = world.inlet.meter();
    assert_eq!((door.meter.sent(), door.meter.received(), door.meter.live()), (all, all, 0));
    in_time(async {
        while inlet.live() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((inlet.sent(), inlet.received()), (all, all));
    assert_eq!(*world.inlet.refused().borrow(), None);
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
    let world = world(&door, &service.await).await;
    let mut refused = world.inlet.refused();
    for reason in [EndReason::Paused, EndReason::Expired, EndReason::Revoked] {
        // One that sends, one that receives, and one that rests.
        let (mut up, mut down, mut idle) = (world.connect().await, world.connect().await, world.connect().await);
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
        assert!(in_time(ask(world.address(), b'i')).await.is_err());
        door.open();
        let mut again = world.connect().await;
        again.write_all(b"i").await.unwrap();
        in_time(refused.wait_for(Option::is_none)).await.unwrap();
        drop(again);
        in_time(resets.recv()).await.unwrap();
        in_time(seen.ended.recv()).await.unwrap();
    }
}

#[tokio::test]
async fn a_limit_of_a_gate_holds_and_is_told() {
    let (door, mut seen) = Door::new(2);
    let world = world(&door, &echo().await).await;
    let mut refused = world.inlet.refused();
    let (mut one, mut two) = (world.connect().await, world.connect().await);
    for client in [&mut one, &mut two] {
        client.write_u8(7).await.unwrap();
        assert_eq!(in_time(client.read_u8()).await.unwrap(), 7);
    }
    assert!(in_time(ask(world.address(), 7)).await.is_err());
    in_time(refused.wait_for(|it| *it == Some(EndReason::TooMany))).await.unwrap();
    drop(one);
    in_time(seen.ended.recv()).await.unwrap();
    assert_eq!(in_time(ask(world.address(), 8)).await.unwrap(), 8);
    in_time(refused.wait_for(Option::is_none)).await.unwrap();
}

#[tokio::test]
async fn a_service_that_is_down_is_told_from_an_owner_who_refuses() {
    let (door, mut seen) = Door::new(8);
    let nowhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let world = world(&door, &nowhere.to_string()).await;
    let mut refused = world.inlet.refused();
    assert!(in_time(ask(world.address(), 7)).await.is_err());
    in_time(refused.wait_for(|it| *it == Some(EndReason::Refused))).await.unwrap();
    assert_eq!(in_time(seen.ended.recv()).await.unwrap().result, Err(EndReason::Refused));
    // Where it is now, it is reached.
    world.outlet.retarget(echo().await);
    assert_eq!(in_time(ask(world.address(), 8)).await.unwrap(), 8);
    in_time(refused.wait_for(Option::is_none)).await.unwrap();
}

#[tokio::test]
async fn another_target_leaves_live_streams_where_they_are() {
    let named = |name: u8| {
        serve(move |mut socket| async move {
            while socket.read_u8().await.is_ok() {
                socket.write_u8(name).await?;
            }
            Ok(())
        })
    };
    let world = World::with_target(&named(1).await).await;
    let mut live = world.connect().await;
    live.write_u8(0).await.unwrap();
    assert_eq!(in_time(live.read_u8()).await.unwrap(), 1);
    world.outlet.retarget(named(2).await);
    assert_eq!(in_time(ask(world.address(), 0)).await.unwrap(), 2);
    live.write_u8(0).await.unwrap();
    assert_eq!(in_time(live.read_u8()).await.unwrap(), 1);
}

#[tokio::test]
async fn an_owner_who_goes_has_not_refused() {
    let (door, mut seen) = Door::new(8);
    let world = world(&door, &echo().await).await;
    let mut live = world.connect().await;
    live.write_u8(7).await.unwrap();
    assert_eq!(in_time(live.read_u8()).await.unwrap(), 7);
    world.owner.shutdown().await;
    assert!(is_reset(&mut live).await);
    assert_eq!(in_time(seen.ended.recv()).await.unwrap().result, Err(EndReason::Stopping));
    assert_eq!(*world.inlet.refused().borrow(), None);
}
