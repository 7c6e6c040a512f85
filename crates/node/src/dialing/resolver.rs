//! The names that a node has resolved, for everything in it that connects: what failed is not asked again for a while, and
//! two who ask at once cause one lookup.

use super::network::NetworkMonitor;
use crate::core::Core;
use crate::sync::lock;
use postern_env::net;
use postern_env::time::{self, Duration, Instant};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// How old an answer may be for a connection that a user waits for. Chosen: the smallest time to live that DNS can give, so
/// that a service which moves is found at once.
pub(crate) const REUSED_BY_CONNECTIONS: Duration = Duration::from_secs(1);
/// The same for streams with a service. Chosen: half of it.
pub(crate) const REUSED_BY_STREAMS: Duration = Duration::from_millis(500);
/// How long streams take a name that did not resolve for one that does not. Chosen: what a container takes to start.
const FAILED_FOR_STREAMS: Duration = Duration::from_secs(2);
/// How old an answer may be for attempts that are repeated by themselves: a hub session, a health check. Chosen: a name is
/// asked for as often as it would be if it did not resolve.
pub(crate) const REUSED_BY_RETRIES: Duration = FAILED_FOR;
/// A name that did not resolve is not asked for again for this long, and twice as long from the second time on, unless the
/// network changes. Chosen: the system asks for two kinds of addresses, several servers and domains; so a machine that has
/// no network asks about 30 questions in 5 minutes at most.
const FAILED_FOR: Duration = Duration::from_secs(30);
/// Names that are remembered. Chosen: more than a person's hubs, services and friends have; about 100 bytes each.
const NAMES_MAX: usize = 256;

/// A name's addresses, with port 0, or why there are none.
type Answer = Result<Arc<[SocketAddr]>, LookupError>;

/// Why a name did not resolve, for all who asked.
#[derive(Debug, Clone)]
struct LookupError {
    kind: io::ErrorKind,
    message: Arc<str>,
}

impl From<io::Error> for LookupError {
    fn from(error: io::Error) -> Self {
        Self { kind: error.kind(), message: error.to_string().into() }
    }
}

impl From<LookupError> for io::Error {
    fn from(error: LookupError) -> Self {
        Self::new(error.kind, error.message.to_string())
    }
}

/// What is known of a name, since a number of changes of the network.
struct Entry {
    changes: u64,
    state: EntryState,
    /// Lookups that failed in a row.
    failures: u32,
}

enum EntryState {
    /// Being looked up. It goes on when those who asked are gone: the system's own lookup cannot be cancelled.
    LookedUp(watch::Receiver<Option<Answer>>),
    Known(Answer, Instant),
}

/// The resolver that everything in a node shares.
#[derive(Default)]
pub(crate) struct Resolver(Arc<Mutex<HashMap<String, Entry>>>);

impl Resolver {
    /// The socket addresses of a `host:port`, in the system's order, from an answer that is at most `reused_for` old. Dropping
    /// the future leaves the lookup to others.
    ///
    /// # Errors
    /// When the name does not resolve, or did not a short while ago.
    pub(crate) async fn resolve(
        &self,
        core: &Arc<Core>,
        address: &str,
        reused_for: Duration,
    ) -> io::Result<Vec<SocketAddr>> {
        let lookup = |host: String| async move { net::resolve((host.as_str(), 0)).await };
        self.resolve_at(time::now(), core, address, reused_for, lookup).await
    }

    /// `now` is when the name is asked for; `lookup` is that of the system, or of a test.
    async fn resolve_at<F>(
        &self,
        now: Instant,
        core: &Arc<Core>,
        address: &str,
        reused_for: Duration,
        lookup: impl FnOnce(String) -> F,
    ) -> io::Result<Vec<SocketAddr>>
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        if let Ok(address) = address.parse() {
            return Ok(vec![address]);
        }
        let (host, port) = split(address)?;
        let changes = core.extension::<NetworkMonitor>().changes();
        let with_port = |answer: Answer| -> io::Result<Vec<SocketAddr>> {
            let mut addresses = answer?.to_vec();
            addresses.iter_mut().for_each(|address| address.set_port(port));
            Ok(addresses)
        };
        let mut answer = {
            let mut names = lock(&self.0);
            match names.get(&host).filter(|entry| entry.changes == changes) {
                Some(Entry { state: EntryState::Known(answer, at), failures, .. })
                    if now.saturating_duration_since(*at) < lifetime(*failures, reused_for) =>
                {
                    return with_port(answer.clone());
                }
                // A lookup that ended without an answer is begun again.
                Some(Entry { state: EntryState::LookedUp(answer), .. }) if answer.has_changed().is_ok() => {
                    answer.clone()
                }
                known => {
                    let failures = known.map_or(0, |entry| entry.failures);
                    make_room(&mut names, now);
                    let (answered, answer) = watch::channel(None);
                    let state = EntryState::LookedUp(answer.clone());
                    names.insert(host.clone(), Entry { changes, state, failures });
                    let (names, lookup) = (self.0.clone(), lookup(host.clone()));
                    let stopping = core.stopping.clone();
                    core.spawn(async move {
                        // A node that stops waits for nobody's name server.
                        let Some(found) = stopping.run_until_cancelled(lookup).await else { return };
                        let found = found.map(Arc::from).map_err(LookupError::from);
                        remember(&names, &host, (changes, now), &found);
                        answered.send_replace(Some(found));
                    });
                    answer
                }
            }
        };
        let interrupted = || io::Error::new(io::ErrorKind::Interrupted, "the lookup of the name was interrupted");
        let answer = answer.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone());
        with_port(answer.ok_or_else(interrupted)?)
    }
}

/// How long an answer is used: one that was found for as long as the caller says, others longer each time.
fn lifetime(failures: u32, reused_for: Duration) -> Duration {
    match failures {
        0 => reused_for,
        // A client waits, and the service may just have started.
        _ if reused_for <= REUSED_BY_STREAMS => FAILED_FOR_STREAMS,
        1 => FAILED_FOR,
        _ => 2 * FAILED_FOR,
    }
}

/// Keeps the answer of a lookup that began at `asked`, unless another was begun because the network changed.
fn remember(names: &Mutex<HashMap<String, Entry>>, host: &str, (changes, asked): (u64, Instant), found: &Answer) {
    let mut names = lock(names);
    let Some(entry) = names.get_mut(host).filter(|entry| entry.changes == changes) else { return };
    entry.failures = if found.is_ok() { 0 } else { entry.failures + 1 };
    entry.state = EntryState::Known(found.clone(), asked);
}

/// Forgets names that nobody needs soon, or else all that are not being looked up.
fn make_room(names: &mut HashMap<String, Entry>, now: Instant) {
    if names.len() < NAMES_MAX {
        return;
    }
    let is_recent = |at: Instant, failures| now.saturating_duration_since(at) < lifetime(failures, REUSED_BY_RETRIES);
    names.retain(|_, entry| match &entry.state {
        EntryState::LookedUp(_) => true,
        EntryState::Known(_, at) => is_recent(*at, entry.failures),
    });
    if names.len() >= NAMES_MAX {
        names.retain(|_, entry| matches!(entry.state, EntryState::LookedUp(_)));
    }
}

/// A `host:port` in its parts; names are the same in either case.
fn split(address: &str) -> io::Result<(String, u16)> {
    let parts = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    match parts {
        Some((host, port)) if !host.is_empty() => Ok((host.to_ascii_lowercase(), port)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not of the form HOST:PORT")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Limits;
    use crate::vault::MemoryVault;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Asked {
        core: Arc<Core>,
        resolver: Resolver,
        lookups: AtomicUsize,
        /// When names are asked for.
        now: Instant,
    }

    impl Asked {
        fn new() -> Self {
            let core = Arc::new(Core::new(Arc::new(MemoryVault::in_memory()), Limits::default()));
            Self { core, resolver: Resolver::default(), lookups: AtomicUsize::new(0), now: time::now() }
        }

        /// Asks for a name that resolves, or does not; how many lookups there were so far.
        async fn ask(&self, name: &str, reused_for: Duration, exists: bool) -> (io::Result<Vec<SocketAddr>>, usize) {
            let answer = self.resolver.resolve_at(self.now, &self.core, name, reused_for, |_| {
                self.lookups.fetch_add(1, Ordering::Relaxed);
                async move {
                    // Others ask meanwhile.
                    tokio::task::yield_now().await;
                    match exists {
                        true => Ok(vec!["192.0.2.1:0".parse().unwrap(), "[2001:db8::1]:0".parse().unwrap()]),
                        false => Err(io::Error::other("no such name")),
                    }
                }
            });
            let answer = answer.await;
            (answer, self.lookups.load(Ordering::Relaxed))
        }
    }

    #[tokio::test]
    async fn a_name_that_fails_is_asked_for_rarely() {
        let mut asked = Asked::new();
        let begun = asked.now;
        while asked.now < begun + Duration::from_secs(300) {
            let (answer, _) = asked.ask("hub.invalid:4000", REUSED_BY_CONNECTIONS, false).await;
            assert_eq!(answer.unwrap_err().to_string(), "no such name");
            asked.now += Duration::from_millis(500);
        }
        assert_eq!(asked.lookups.load(Ordering::Relaxed), 6, "in five minutes");
    }

    #[tokio::test]
    async fn a_change_of_the_network_forgets_failures_and_answers() {
        let asked = Asked::new();
        assert_eq!(asked.ask("a:1", REUSED_BY_RETRIES, false).await.1, 1);
        asked.core.extension::<NetworkMonitor>().announce();
        assert!(matches!(asked.ask("a:1", REUSED_BY_RETRIES, true).await, (Ok(_), 2)));
        asked.core.extension::<NetworkMonitor>().announce();
        assert!(matches!(asked.ask("a:1", REUSED_BY_RETRIES, true).await, (Ok(_), 3)));
    }

    #[tokio::test]
    async fn an_answer_is_reused_for_a_while_for_every_port() {
        let mut asked = Asked::new();
        let (answer, lookups) = asked.ask("Hub.Example:4000", REUSED_BY_RETRIES, true).await;
        assert_eq!(answer.unwrap(), ["192.0.2.1:4000".parse().unwrap(), "[2001:db8::1]:4000".parse().unwrap()]);
        assert_eq!(lookups, 1);
        asked.now += REUSED_BY_CONNECTIONS;
        let (answer, lookups) = asked.ask("hub.example:5000", REUSED_BY_RETRIES, true).await;
        assert_eq!((answer.unwrap()[0].port(), lookups), (5000, 1));
        assert_eq!(asked.ask("hub.example:5000", REUSED_BY_CONNECTIONS, true).await.1, 2);
    }

    #[tokio::test]
    async fn those_who_ask_at_once_cause_one_lookup() {
        let asked = Asked::new();
        let ask = || asked.ask("a:1", REUSED_BY_RETRIES, true);
        // One gives up as soon as the lookup has begun.
        tokio::select! {
            biased;
            _ = ask() => panic!("the lookup takes a while"),
            () = std::future::ready(()) => {}
        }
        let ((one, _), (other, lookups)) = tokio::join!(ask(), ask());
        assert!(one.is_ok() && other.is_ok());
        assert_eq!(lookups, 1, "the lookup of whoever gave up is waited for");
    }

    #[tokio::test]
    async fn few_names_are_remembered_and_addresses_are_not_looked_up() {
        let asked = Asked::new();
        for number in 0..2 * NAMES_MAX {
            let _ = asked.ask(&format!("name{number}:1"), REUSED_BY_RETRIES, false).await;
        }
        assert!(lock(&asked.resolver.0).len() <= NAMES_MAX);
        let before = asked.lookups.load(Ordering::Relaxed);
        for address in ["192.0.2.7:1", "[::1]:1"] {
            assert_eq!(asked.ask(address, REUSED_BY_RETRIES, true).await.0.unwrap(), [address.parse().unwrap()]);
        }
        for nothing in ["localhost", "localhost:port", ":80", ""] {
            let (answer, _) = asked.ask(nothing, REUSED_BY_RETRIES, true).await;
            assert_eq!(answer.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        assert_eq!(asked.lookups.load(Ordering::Relaxed), before);
    }
}
