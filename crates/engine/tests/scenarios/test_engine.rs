//! Engines, a hub and services in this process.

use postern_engine::api::{
    Answer, Code, EngineApi, Fault, InletLink, InletView, InvitationId, InviteTo, Request, Secret, ServiceId,
    ServiceKind, Snapshot, Terms,
};
use postern_engine::keys::Passphrase;
use postern_engine::{Engine, EngineOptions, KeychainChoice};
use postern_hub::{Hub, HubConfig};
use postern_testkit::port::{free_port, network_ip};
use postern_testkit::{TIMEOUT, skipped};
use std::net::Ipv4Addr;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An engine with a data directory of its own, that can be stopped and started again.
pub(crate) struct TestEngine {
    pub(crate) home: TempDir,
    keychain: KeychainChoice,
    engine: Option<Engine>,
}

impl TestEngine {
    /// One whose key is lost when it stops.
    pub(crate) async fn with_key_in_memory() -> Self {
        Self::new(KeychainChoice::Memory).await
    }

    /// One whose key is kept in a file.
    pub(crate) async fn with_key_file() -> Self {
        Self::new(KeychainChoice::File(Passphrase::new("open sesame".to_owned()).unwrap())).await
    }

    async fn new(keychain: KeychainChoice) -> Self {
        let mut engine = Self { home: tempfile::tempdir().unwrap(), keychain, engine: None };
        engine.start().await;
        engine
    }

    /// One with another's data directory, or a copy of it, and the other's passphrase.
    pub(crate) async fn from_directory(home: TempDir, other: &Self) -> Self {
        let mut engine = Self { home, keychain: other.keychain.clone(), engine: None };
        engine.start().await;
        engine
    }

    pub(crate) fn options(&self) -> EngineOptions {
        EngineOptions {
            data_dir: self.home.path().to_owned(),
            keychain: self.keychain.clone(),
            listen: Some(format!("{}:0", network_ip().unwrap_or(Ipv4Addr::LOCALHOST.into()))),
        }
    }

    pub(crate) async fn start(&mut self) {
        self.engine = Some(Engine::start(self.options()).await.unwrap());
    }

    pub(crate) async fn stop(&mut self) {
        self.engine.take().unwrap().shutdown().await;
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap()
    }

    pub(crate) async fn request(&self, request: Request) -> Result<Answer, Fault> {
        self.engine().request(request).await
    }

    pub(crate) async fn must_do(&self, request: Request) {
        assert_eq!(self.request(request).await, Ok(Answer::Done));
    }

    pub(crate) async fn set_up(&self, name: &str, hubs: &[&str], this_computer: bool) {
        let hubs = hubs.iter().map(|hub| (*hub).to_owned()).collect();
        self.must_do(Request::SetUp { name: name.into(), hubs, this_computer }).await;
    }

    pub(crate) fn latest(&self) -> Arc<Snapshot> {
        self.engine().snapshot().borrow().clone()
    }

    /// Waits until `look` finds a value in the snapshot.
    pub(crate) async fn wait_for<T>(&self, what: &str, look: impl Fn(&Snapshot) -> Option<T>) -> T {
        let mut snapshots = self.engine().snapshot();
        let seen = async {
            loop {
                if let Some(seen) = look(&snapshots.borrow_and_update()) {
                    return seen;
                }
                snapshots.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(TIMEOUT, seen).await {
            Ok(seen) => seen,
            Err(_) => panic!("timed out after {TIMEOUT:?}, waiting for {what}: {:#?}", self.latest()),
        }
    }

    pub(crate) async fn wait_until_reachable(&self) {
        self.wait_for("addresses", |it| (!it.this_computer.addresses.is_empty()).then_some(())).await;
    }

    pub(crate) async fn wait_until_hubs_up(&self) {
        self.wait_for("hubs up", |it| {
            let up = |hub: &postern_engine::api::HubView| hub.link == postern_engine::api::LinkState::Up;
            it.hubs.iter().all(up).then_some(())
        })
        .await;
    }

    pub(crate) async fn share(&self, name: &str, target: &str) -> ServiceId {
        let request = Request::Share {
            name: name.into(),
            kind: ServiceKind::Tcp,
            target: target.into(),
            path: None,
            description: None,
        };
        match self.request(request).await {
            Ok(Answer::Service { service }) => service,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn invite(&self, service: ServiceId, to: InviteTo) -> (InvitationId, Option<Secret>) {
        let request = Request::Invite { service, to, ask_first: false, valid_for: None, terms: Terms::default() };
        match self.request(request).await {
            Ok(Answer::Invitation { invitation, link }) => (invitation, link),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn link(&self, service: ServiceId) -> Secret {
        self.invite(service, InviteTo::Link { note: None }).await.1.unwrap()
    }

    /// Opens a link and accepts what it offers, at a free port.
    pub(crate) async fn accept(&self, link: &Secret) -> InvitationId {
        let Ok(Answer::Preview { preview }) = self.request(Request::Open { link: link.clone() }).await else {
            panic!("the link cannot be opened")
        };
        assert_eq!(preview.fault, None);
        let port = Some(free_port());
        self.must_do(Request::Accept { invitation: preview.invitation, port }).await;
        preview.invitation
    }

    /// Waits until the only portal is up.
    pub(crate) async fn wait_until_portal_up(&self) -> InletView {
        self.wait_for("the portal up", |it| {
            it.inlets.first().filter(|inlet| matches!(inlet.link, InletLink::Up { .. })).cloned()
        })
        .await
    }

    /// Waits until the only portal is down for this reason.
    pub(crate) async fn wait_until_portal_down(&self, code: Code) -> Fault {
        self.wait_for(&format!("the portal down: {code:?}"), |it| match &it.inlets.first()?.link {
            InletLink::Down { fault, .. } if fault.code == code => Some(fault.clone()),
            _ => None,
        })
        .await
    }

    /// The contents of every file in the data directory.
    pub(crate) fn stored(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.home.path()).unwrap();
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap_or_default()).collect()
    }
}

/// Whether this machine is in a network, so that one engine can dial another directly; says so if not.
pub(crate) fn is_in_network() -> bool {
    let is_in = network_ip().is_some();
    if !is_in {
        skipped("this machine is in no network, and loopback addresses that others name are not dialed");
    }
    is_in
}

/// A hub on a port of its own.
pub(crate) async fn hub() -> (Hub, String) {
    let mut config = HubConfig::default();
    config.listen = "127.0.0.1:0".into();
    let hub = Hub::start(&config).await.unwrap();
    let address = hub.local_addr().to_string();
    (hub, address)
}

/// A service that sends everything back.
pub(crate) async fn echo() -> String {
    serve(|mut socket| async move {
        let (mut from, mut to) = socket.split();
        let _ = tokio::io::copy(&mut from, &mut to).await;
    })
    .await
}

/// A service that never stops sending.
pub(crate) async fn endless() -> String {
    serve(|mut socket| async move { while socket.write_all(&[7; 16 * 1024]).await.is_ok() {} }).await
}

async fn serve<F>(one: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(one(socket));
        }
    });
    address
}

/// Sends a text through a portal and expects it back.
pub(crate) async fn assert_echo(address: &str, text: &str) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut back = vec![0; text.len()];
    tokio::time::timeout(TIMEOUT, socket.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(back, text.as_bytes());
}

/// Whether a portal refuses or ends a connection before it carries anything.
pub(crate) async fn is_refused(address: &str) -> bool {
    let Ok(mut socket) = TcpStream::connect(address).await else { return true };
    let _ = socket.write_all(b"anybody?").await;
    let mut byte = [0];
    !matches!(tokio::time::timeout(TIMEOUT, socket.read(&mut byte)).await.unwrap(), Ok(1))
}
