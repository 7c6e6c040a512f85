//! What a hub can do to a stream that it cannot read: never more than end it.

use super::admission::Door;
use super::link::{Fault, Way};
use super::topology::{Topology, serve};
use postern_node::portal::{EndReason, OutletOptions};
use postern_testkit::in_time;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// Long enough to begin before the fault and to end behind it.
const LENGTH: u64 = 12 << 20;

/// The byte at this place of every transfer: no two windows of it are alike.
fn byte(at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

async fn write(mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    for start in (0..LENGTH).step_by(1 << 16) {
        let chunk: Vec<u8> = (start..start + (1 << 16)).map(byte).collect();
        to.write_all(&chunk).await?;
    }
    to.shutdown().await
}

/// Reads to the end, or to the error, and compares every byte; how many there were.
async fn read(mut from: impl AsyncRead + Unpin) -> (u64, io::Result<()>) {
    let (mut count, mut chunk) = (0, vec![0; 1 << 16]);
    loop {
        match from.read(&mut chunk).await {
            Ok(0) => return (count, Ok(())),
            Ok(read) => {
                let wanted = (count..count + read as u64).map(byte);
                assert!(wanted.eq(chunk[..read].iter().copied()), "wrong bytes behind {count}");
                count += read as u64;
            }
            Err(error) => return (count, Err(error)),
        }
    }
}

/// How a transfer that way ended when `fault` happened to one of its frames: for who received it, and for the owner.
async fn ended(fault: Fault, way: Way) -> ((u64, io::Result<()>), Result<(), EndReason>) {
    let (tell, mut told) = mpsc::unbounded_channel();
    let service = serve(move |mut socket| {
        let tell = tell.clone();
        async move {
            match way {
                Way::Out => drop(tell.send(read(&mut socket).await)),
                Way::In => {
                    // Not before the client is connected: it could then be reset before it knows.
                    socket.read_u8().await?;
                    // An error is the client's to tell of.
                    drop(write(&mut socket).await);
                }
            }
            // Not gone before the client is.
            socket.read_to_end(&mut Vec::new()).await.map(drop)
        }
    });
    let (door, mut seen) = Door::new(8);
    let options = OutletOptions { admission: Some(door.clone()), ..OutletOptions::default() };
    let (topology, link) = Topology::with_link(&service.await, (fault, way), options).await;
    in_time(async {
        let mut client = topology.connect().await;
        let received = match way {
            Way::Out => {
                let _ = write(&mut client).await;
                told.recv().await.unwrap()
            }
            Way::In => {
                client.write_u8(0).await.unwrap();
                read(&mut client).await
            }
        };
        drop(client);
        assert!(link.happened());
        (received, seen.ended.recv().await.unwrap().result)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_or_reordered_frame_ends_the_stream_after_a_correct_prefix() {
    for fault in [Fault::Lost, Fault::Overtaken] {
        for way in [Way::Out, Way::In] {
            let ((count, how), owners) = ended(fault, way).await;
            let how = how.map_err(|error| error.kind());
            assert_eq!(how, Err(io::ErrorKind::ConnectionReset), "{fault:?} {way:?} behind {count}");
            assert!((1..LENGTH).contains(&count), "{fault:?} {way:?} behind {count}");
            assert_eq!(owners, Err(EndReason::Lost), "{fault:?} {way:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duplicated_frame_is_delivered_once() {
    for way in [Way::Out, Way::In] {
        let ((count, how), owners) = ended(Fault::Repeated, way).await;
        how.unwrap();
        assert_eq!((count, owners), (LENGTH, Ok(())), "{way:?}");
    }
}

/// The counter of a stream's messages has 16 bits, and goes on at 0.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_outlives_its_counter() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let service = serve(move |mut socket| {
        let tell = tell.clone();
        async move {
            let _ = tell.send(read(&mut socket).await);
            Ok(())
        }
    });
    let topology = Topology::with_target(&service.await).await;
    in_time(async {
        let mut client = topology.connect().await;
        client.set_nodelay(true).unwrap();
        // Single bytes, so that there are as many messages as possible of as little as possible. What comes back is credit
        // for many at once.
        let mut sent = 0;
        while topology.hub.stats().frames.get() < (1 << 16) + 4096 {
            client.write_u8(byte(sent)).await.unwrap();
            sent += 1;
        }
        client.shutdown().await.unwrap();
        let (count, how) = told.recv().await.unwrap();
        how.unwrap();
        assert_eq!(count, sent);
    })
    .await;
}
