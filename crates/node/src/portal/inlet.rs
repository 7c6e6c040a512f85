//! The end of a portal on the client's localhost: listens there and carries every connection to an outlet.

use super::error::PortalError;
use super::http::RequestCheck;
use super::inlet_state::{InletInner, InletRoute};
use super::liveness_probe::{LivenessProbe, ProbeReport};
use super::message::EndReason;
use super::meter::Meter;
use super::opening::serve;
use super::own_inlets::{OwnInlet, OwnInlets};
use super::stream::reset;
use crate::address::Address;
use crate::core::Core;
use crate::sync::lock;
use postern_env::descriptors;
use postern_env::net::{self, LoopbackListener, TcpListener, TcpStream};
use postern_env::time::{self, Duration};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, watch};

/// Pause after the system refused to accept, for instance because no file descriptor is left.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// What an inlet does beside carrying connections.
#[derive(Debug, Clone, Default)]
pub struct InletOptions {
    /// Checks every HTTP/1.1 request before it reaches the service, for a service that browsers use. Connections that begin
    /// with anything else are refused then.
    pub request_check: Option<RequestCheck>,
}

/// Listens on a local port and carries every connection to an outlet. Dropping the handle leaves it open.
#[derive(Clone)]
pub struct Inlet(Arc<InletInner>);

impl Inlet {
    /// Where it listens; the real port where port 0 was asked for. Of both loopback addresses, 127.0.0.1.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local
    }

    /// What the last answered probe said. Only kept routes to outlets with the extension are probed.
    pub fn probe(&self) -> ProbeReport {
        ProbeReport { round_trip: lock(&self.0.probe).round_trip }
    }

    /// Follows why we are not served, as the stream was told that was refused or cut last: by the owner's decision, or
    /// because of the service. Nothing again as soon as a stream opens.
    ///
    /// Streams that end for other reasons, such as a lost connection, change nothing.
    pub fn refused(&self) -> watch::Receiver<Option<EndReason>> {
        self.0.refused.subscribe()
    }

    /// What its streams carry.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.0.meter
    }

    /// Closes it, and resets the streams through it.
    pub fn close(&self) {
        self.0.closed.cancel();
    }
}

/// Opens an inlet at a local `host:port`.
pub(crate) async fn open(
    core: &Arc<Core>,
    address: &str,
    route: InletRoute,
    options: InletOptions,
) -> Result<Inlet, PortalError> {
    let (socket, local) = LocalListener::bind(address).await?;
    let registered = core.extension::<OwnInlets>().add(socket.addresses(local));
    let listening = Arc::new(InletInner {
        local,
        request_check: options.request_check,
        closed: core.stopping.child_token(),
        pool: core.extension(),
        core: core.clone(),
        route,
        meter: Arc::default(),
        extended: Mutex::new(None),
        probe: Mutex::default(),
        answered: Notify::new(),
        suspicion: Notify::new(),
        identified: Notify::new(),
        refused: watch::Sender::new(None),
    });
    let probing = Arc::new(LivenessProbe { inlet: listening.clone(), address: Address::random() });
    core.spawn(accept(listening.clone(), socket, registered));
    core.spawn(probing.run());
    Ok(Inlet(listening))
}

/// Where an inlet accepts connections.
enum LocalListener {
    /// On one address.
    One(TcpListener),
    /// On both loopback addresses.
    Loopback(LoopbackListener),
}

impl LocalListener {
    /// Listens at a `host:port`, and says where: `localhost` is both loopback addresses, because programs connect to either.
    async fn bind(address: &str) -> Result<(Self, SocketAddr), PortalError> {
        let port = address.strip_prefix("localhost:").and_then(|port| port.parse().ok());
        if let Some(port) = port {
            let bound = LoopbackListener::bind(port).await;
            let listener = bound
                .map_err(|error| PortalError::Listen { address: error.address.to_string(), source: error.source })?;
            let local = (Ipv4Addr::LOCALHOST, listener.port()).into();
            return Ok((Self::Loopback(listener), local));
        }
        let failed = |source| PortalError::Listen { address: address.to_owned(), source };
        let listener = net::listen(address).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        Ok((Self::One(listener), local))
    }

    /// Everywhere it listens; `local` is one of these places.
    fn addresses(&self, local: SocketAddr) -> Vec<SocketAddr> {
        match self {
            Self::One(_) => vec![local],
            Self::Loopback(_) => vec![local, (Ipv6Addr::LOCALHOST, local.port()).into()],
        }
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match self {
            Self::One(listener) => listener.accept().await,
            Self::Loopback(listener) => listener.accept().await,
        }
    }
}

async fn accept(inlet: Arc<InletInner>, socket: LocalListener, _registered: OwnInlet) {
    let mut is_failing = false;
    loop {
        let accepted = tokio::select! {
            () = inlet.closed.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => {
                is_failing = false;
                admit(&inlet, socket);
            }
            Err(error) => {
                // Once for all attempts that fail in a row: while no file descriptor is left, that is ten a second.
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(%error, "cannot accept connections; they wait until it is possible");
                }
                time::sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

/// Carries a connection, or resets it at once when the limit of streams is reached, few file descriptors are left, or the outlet
/// cannot be reached and no request can be answered.
fn admit(inlet: &Arc<InletInner>, socket: TcpStream) {
    if descriptors::are_scarce(&socket) {
        inlet.core.stats.refused.add(1);
        tracing::debug!("connection refused: few file descriptors are left");
        return reset(&socket);
    }
    let path = inlet.resolve();
    if path.is_none() && inlet.request_check.is_none() {
        tracing::debug!("connection refused: the other side is not connected");
        return reset(&socket);
    }
    let Some(live) = inlet.meter.enter(inlet.core.limits.streams as u64) else {
        inlet.core.stats.refused.add(1);
        return reset(&socket);
    };
    inlet.core.spawn(serve(inlet.clone(), live, socket, path));
}
