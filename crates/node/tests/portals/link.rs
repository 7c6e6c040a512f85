//! A link between a node and its hub that knows where frames begin, and does once to one of them what nobody but a
//! hostile hub would.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// A frame this long carries a portal's data and nothing else.
const OF_DATA: usize = 1024;
/// Bytes before the fault.
const UNDER_WAY: usize = 3 << 20;

/// What happens to a frame of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Lost,
    Repeated,
    /// Comes behind the next one.
    Overtaken,
}

/// Which way, as the node at the near end sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Out,
    In,
}

pub(crate) struct FaultyLink {
    fault: Fault,
    way: Way,
    happened: AtomicBool,
}

impl FaultyLink {
    /// Takes connections for `target`, and goes wrong once, well into a transfer that way.
    pub(crate) async fn to(target: SocketAddr, fault: Fault, way: Way) -> (Arc<Self>, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let link = Arc::new(Self { fault, way, happened: AtomicBool::new(false) });
        let this = link.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(target).await?;
                near.set_nodelay(true)?;
                far.set_nodelay(true)?;
                let (near, far) = (near.into_split(), far.into_split());
                tokio::spawn(this.clone().carry(near.0, far.1, Way::Out));
                tokio::spawn(this.clone().carry(far.0, near.1, Way::In));
            }
            io::Result::Ok(())
        });
        (link, address)
    }

    /// Whether it has gone wrong.
    pub(crate) fn happened(&self) -> bool {
        self.happened.load(Ordering::Relaxed)
    }

    async fn carry(self: Arc<Self>, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Way) -> io::Result<()> {
        // The version, which is in no frame.
        to.write_u8(from.read_u8().await?).await?;
        let (mut data, mut held) = (0, None);
        loop {
            let frame = read_frame(&mut from).await?;
            data += frame.len();
            if way != self.way || frame.len() < OF_DATA || data < UNDER_WAY || self.happened() {
                to.write_all(&frame).await?;
                continue;
            }
            let frames = match (self.fault, held.take()) {
                (Fault::Lost, _) => Vec::new(),
                (Fault::Repeated, _) => [&frame[..], &frame].concat(),
                (Fault::Overtaken, Some(overtaken)) => [frame, overtaken].concat(),
                (Fault::Overtaken, None) => {
                    held = Some(frame);
                    continue;
                }
            };
            self.happened.store(true, Ordering::Relaxed);
            to.write_all(&frames).await?;
        }
    }
}

/// The length and what it says.
async fn read_frame(from: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let mut frame = length.to_be_bytes().to_vec();
    frame.resize(4 + length as usize, 0);
    from.read_exact(&mut frame[4..]).await?;
    Ok(frame)
}
