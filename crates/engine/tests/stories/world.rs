//! People with engines of their own, a hub, and services, in one process.

use postern_engine::api::{
    Answer, Code, EngineApi, Fault, InletLink, InletView, InvitationId, InviteTo, Request, Secret, ServiceId,
    ServiceKind, Snapshot, Terms,
};
use postern_engine::keys::Passphrase;
use postern_engine::{Engine, EngineOptions, KeychainChoice};
use postern_hub::{Hub, HubConfig};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The longest that anything may take here, on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody, whose engine can be stopped and started again.
pub(crate) struct Person {
    pub(crate) home: TempDir,
    keychain: KeychainChoice,
    engine: Option<Engine>,
}

impl Person {
    /// Whose key is gone when they stop.
    pub(crate) async fn passing() -> Self {
        Self::new(KeychainChoice::Memory).await
    }

    /// Whose key stays.
    pub(crate) async fn lasting() -> Self {
        Self::new(KeychainChoice::File(Passphrase::new("open sesame".to_owned()).unwrap())).await
    }

    async fn new(keychain: KeychainChoice) -> Self {
        let mut person = Self { home: tempfile::tempdir().unwrap(), keychain, engine: None };
        person.start().await;
        person
    }

    pub(crate) fn options(&self) -> EngineOptions {
        EngineOptions {
            data_dir: self.home.path().to_owned(),
            keychain: self.keychain.clone(),
            listen: Some("127.0.0.1:0".into()),
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

    pub(crate) async fn ask(&self, request: Request) -> Result<Answer, Fault> {
        self.engine().request(request).await
    }

    pub(crate) async fn done(&self, request: Request) {
        assert_eq!(self.ask(request).await, Ok(Answer::Done));
    }

    pub(crate) async fn set_up(&self, name: &str, hubs: &[&str], this_computer: bool) {
        let hubs = hubs.iter().map(|hub| (*hub).to_owned()).collect();
        self.done(Request::SetUp { name: name.into(), hubs, this_computer }).await;
    }

    pub(crate) fn now(&self) -> Arc<Snapshot> {
        self.engine().snapshot().borrow().clone()
    }

    /// Waits until the snapshot shows something.
    pub(crate) async fn sees<T>(&self, what: &str, look: impl Fn(&Snapshot) -> Option<T>) -> T {
        let mut snapshots = self.engine().snapshot();
        let seen = async {
            loop {
                if let Some(seen) = look(&snapshots.borrow_and_update()) {
                    return seen;
                }
                snapshots.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(PATIENCE, seen).await {
            Ok(seen) => seen,
            Err(_) => panic!("never seen: {what}; at last {:#?}", self.now()),
        }
    }

    pub(crate) async fn is_reachable(&self) {
        self.sees("addresses", |it| (!it.this_computer.addresses.is_empty()).then_some(())).await;
    }

    pub(crate) async fn hubs_are_up(&self) {
        self.sees("hubs up", |it| {
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
        match self.ask(request).await {
            Ok(Answer::Service { service }) => service,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn invite(&self, service: ServiceId, to: InviteTo) -> (InvitationId, Option<Secret>) {
        let request = Request::Invite { service, to, ask_first: false, valid_for: None, terms: Terms::default() };
        match self.ask(request).await {
            Ok(Answer::Invitation { invitation, link }) => (invitation, link),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn link(&self, service: ServiceId) -> Secret {
        self.invite(service, InviteTo::Link { note: None }).await.1.unwrap()
    }

    /// Opens a link and accepts what it offers, at a free port.
    pub(crate) async fn accept(&self, link: &Secret) -> InvitationId {
        let Ok(Answer::Preview { preview }) = self.ask(Request::Open { link: link.clone() }).await else {
            panic!("the link cannot be opened")
        };
        assert_eq!(preview.fault, None);
        let port = Some(free_port());
        self.done(Request::Accept { invitation: preview.invitation, port }).await;
        preview.invitation
    }

    /// Waits until the only portal is up.
    pub(crate) async fn portal_is_up(&self) -> InletView {
        self.sees("the portal up", |it| {
            it.inlets.first().filter(|inlet| matches!(inlet.link, InletLink::Up { .. })).cloned()
        })
        .await
    }

    /// Waits until the only portal is down for this reason.
    pub(crate) async fn portal_is_down(&self, code: Code) -> Fault {
        self.sees(&format!("the portal down: {code:?}"), |it| match &it.inlets.first()?.link {
            InletLink::Down { fault, .. } if fault.code == code => Some(fault.clone()),
            _ => None,
        })
        .await
    }

    /// Everything that the person's engine has written to its directory.
    pub(crate) fn stored(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.home.path()).unwrap();
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap_or_default()).collect()
    }
}

pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
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
pub(crate) async fn says_back(address: &str, text: &str) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut back = vec![0; text.len()];
    tokio::time::timeout(PATIENCE, socket.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(back, text.as_bytes());
}

/// Whether a portal refuses or ends a connection before it carries anything.
pub(crate) async fn is_refused(address: &str) -> bool {
    let Ok(mut socket) = TcpStream::connect(address).await else { return true };
    let _ = socket.write_all(b"anybody?").await;
    let mut byte = [0];
    !matches!(tokio::time::timeout(PATIENCE, socket.read(&mut byte)).await.unwrap(), Ok(1))
}
