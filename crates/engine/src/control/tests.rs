//! A client and a server, with a stand-in for the engine.

use super::*;
use crate::api::{Code, EngineApi, Status};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::sync::{broadcast, watch};

/// An engine that remembers what it was asked, answers `Retry`, and refuses everything else.
struct Stand {
    data_dir: PathBuf,
    asked: Mutex<Vec<Request>>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    traffic: watch::Sender<Arc<Traffic>>,
    notices: broadcast::Sender<Notice>,
}

impl EngineApi for Arc<Stand> {
    fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    fn traffic(&self) -> watch::Receiver<Arc<Traffic>> {
        self.traffic.subscribe()
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    async fn request(&self, request: Request) -> Result<Answer, Fault> {
        self.asked.lock().unwrap().push(request.clone());
        match request {
            Request::Retry => Ok(Answer::Done),
            _ => Err(Fault::new(Code::NotSetUp, "Set up first.")),
        }
    }

    async fn shutdown(&self) {
        unreachable!("a client cannot stop the engine");
    }
}

struct ServedEngine {
    home: TempDir,
    stand: Arc<Stand>,
    raised: Arc<Mutex<Vec<Option<Secret>>>>,
    control: Control,
}

impl ServedEngine {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let stand = Arc::new(Stand {
            data_dir: home.path().to_owned(),
            asked: Mutex::default(),
            snapshot: watch::Sender::default(),
            traffic: watch::Sender::default(),
            notices: broadcast::Sender::new(4),
        });
        let raised = Arc::new(Mutex::new(Vec::new()));
        let control = serve(Arc::clone(&stand), {
            let raised = Arc::clone(&raised);
            move |link| raised.lock().unwrap().push(link)
        });
        Self { control: control.await.unwrap(), home, stand, raised }
    }

    async fn client(&self) -> Client {
        Client::connect(self.home.path()).await.unwrap()
    }
}

#[tokio::test]
async fn requests_are_answered_or_refused_with_the_engines_words() {
    let served = ServedEngine::new().await;
    let mut client = served.client().await;
    assert_eq!(client.process(), std::process::id());
    assert_eq!(client.request(Request::Retry).await.unwrap(), Answer::Done);
    let refused = client.request(Request::Doctor).await.unwrap_err();
    assert!(matches!(&refused, ControlError::Fault(fault) if fault.code == Code::NotSetUp), "{refused:?}");
    assert_eq!(client.request(Request::Retry).await.unwrap(), Answer::Done);
    assert_eq!(*served.stand.asked.lock().unwrap(), [Request::Retry, Request::Doctor, Request::Retry]);
}

#[tokio::test]
async fn who_watches_sees_the_snapshot_and_everything_after_it() {
    let served = ServedEngine::new().await;
    let mut client = served.client().await;
    client.watch().await.unwrap();
    assert_eq!(client.next().await.unwrap(), Some(Watch::Snapshot(Box::default())));
    let notice = Notice::Declined { from: "Ben".into(), name: "wiki".into() };
    served.stand.notices.send(notice.clone()).unwrap();
    assert_eq!(client.next().await.unwrap(), Some(Watch::Notice(notice)));
    let changed = Snapshot { status: Status::Ready, ..Snapshot::default() };
    served.stand.snapshot.send_replace(Arc::new(changed.clone()));
    assert_eq!(client.next().await.unwrap(), Some(Watch::Snapshot(Box::new(changed))));
    served.control.close().await;
    assert_eq!(client.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_second_launch_raises_the_first_with_its_link() {
    let served = ServedEngine::new().await;
    let mut client = served.client().await;
    client.raise(None).await.unwrap();
    client.raise(Some(Secret::new("postern://join/x"))).await.unwrap();
    assert_eq!(*served.raised.lock().unwrap(), [None, Some(Secret::new("postern://join/x"))]);
}

#[tokio::test]
async fn without_an_engine_the_sentence_says_how_to_start_one() {
    let home = tempfile::tempdir().unwrap();
    let none = Client::connect(home.path()).await.unwrap_err();
    assert!(matches!(none, ControlError::NotRunning { .. }), "{none:?}");
    assert!(none.to_string().contains("postern up"), "{none}");

    let served = ServedEngine::new().await;
    let directory = served.home;
    served.control.close().await;
    let gone = Client::connect(directory.path()).await.unwrap_err();
    assert!(matches!(gone, ControlError::NotRunning { .. }), "{gone:?}");
}

#[cfg(unix)]
mod hostile {
    use super::authorization::{LocalUser, serves};
    use super::server::{Connection, ControlServer};
    use super::*;
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::UnixStream;

    /// What is answered to these bytes, up to the end.
    async fn answered(served: &ServedEngine, said: &[u8]) -> String {
        let mut stream = UnixStream::connect(served.home.path().join("control.sock")).await.unwrap();
        // The other side may close before it has taken everything.
        let _ = stream.write_all(said).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn every_call_of_every_user_is_served_as_the_matrix_says() {
        let calls = || {
            let request = Call::Request { request: Request::Retry };
            [request, Call::Watch, Call::Raise { link: None }]
        };
        for user in [LocalUser::Own, LocalUser::Other] {
            for call in calls() {
                let served = ServedEngine::new().await;
                let raised = served.raised.clone();
                let raise = Box::new(move |link| raised.lock().unwrap().push(link));
                let server = ControlServer { engine: served.stand.clone(), raise };
                let (mut client, accepted) = UnixStream::pair().unwrap();
                let line = serde_json::to_string(&call).unwrap();
                client.write_all(format!("{{\"postern\":1}}\n{line}\n").as_bytes()).await.unwrap();
                let serving = tokio::spawn(async move { Connection::new(accepted, user).serve(&server).await });
                let mut answer = BufReader::new(client).lines();
                let greeting = answer.next_line().await.unwrap();
                let is_served = answer.next_line().await.unwrap().is_some();
                drop(answer);
                let _ = serving.await.unwrap();
                let did = !served.stand.asked.lock().unwrap().is_empty() || !served.raised.lock().unwrap().is_empty();
                let allowed = serves(&call, user);
                assert_eq!(is_served, allowed, "{call:?} of {user:?}: {greeting:?}");
                assert!(allowed || !did, "{call:?} of {user:?}");
            }
        }
    }

    #[tokio::test]
    async fn another_version_is_told_ours_and_nothing_else() {
        let served = ServedEngine::new().await;
        let answer =
            answered(&served, b"{\"postern\":2}\n{\"call\":\"request\",\"request\":{\"request\":\"retry\"}}\n").await;
        assert_eq!(answer.lines().count(), 1, "{answer}");
        assert!(answer.starts_with("{\"postern\":1,"), "{answer}");
        assert_eq!(*served.stand.asked.lock().unwrap(), []);
    }

    #[tokio::test]
    async fn noise_is_refused_without_being_repeated_and_harms_nobody() {
        let served = ServedEngine::new().await;
        let hello = b"{\"postern\":1}\n".as_slice();
        let long = vec![b'x'; MAX_CALL + 2];
        for noise in [b"{\"call\":\"swordfish\"}\n".as_slice(), b"\xff\xfe\n", b"[]\n", &long] {
            let answer = answered(&served, &[hello, noise].concat()).await;
            assert!(answer.lines().count() <= 2 && !answer.contains("swordfish"), "{answer}");
            assert!(noise.len() > MAX_CALL || answer.contains("\"say\":\"fault\""), "{answer}");
        }
        for noise in [b"".as_slice(), b"\n", b"GET / HTTP/1.1\r\n\r\n", &long] {
            assert_eq!(answered(&served, noise).await, "");
        }
        assert_eq!(served.client().await.request(Request::Retry).await.unwrap(), Answer::Done);
    }

    #[tokio::test]
    async fn the_longest_call_is_taken() {
        let served = ServedEngine::new().await;
        let name = "n".repeat(MAX_CALL - 100);
        let mut client = served.client().await;
        let refused = client.request(Request::Rename { name }).await.unwrap_err();
        assert!(matches!(refused, ControlError::Fault(_)), "{refused:?}");
        assert_eq!(served.stand.asked.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn more_clients_than_there_is_room_for_are_turned_away() {
        let served = ServedEngine::new().await;
        let mut clients = Vec::new();
        for _ in 0..MAX_CLIENTS {
            clients.push(served.client().await);
        }
        let turned_away = Client::connect(served.home.path()).await.unwrap_err();
        assert!(matches!(turned_away, ControlError::Lost(_)), "{turned_away:?}");
        drop(clients);
        // The places are free as soon as the engine has seen the ends.
        let again = async {
            loop {
                match Client::connect(served.home.path()).await {
                    Ok(client) => return client,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        assert_eq!(again.await.request(Request::Retry).await.unwrap(), Answer::Done);
    }
}
