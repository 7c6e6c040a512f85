use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use super::{ChangeHistory, Comparison, Error, Identifier};

/// The most bytes of histories remembered for identities that are not pinned.
pub const KNOWN_SIZE_MAX: usize = 16 * 1024 * 1024;
/// What an entry costs beside its encoded history, roughly.
const ENTRY_SIZE: usize = 512;

/// The newest history of every identity that was met, in memory and bounded.
///
/// Pinned histories (authorities, contacts) stay. Of the others, those longest not met are
/// forgotten when [`KNOWN_SIZE_MAX`] is reached; for a forgotten identity an old key, rotated away,
/// is accepted again, so pin the identities that matter.
pub struct KnownIdentities {
    inner: Mutex<Inner>,
    on_refusal: OnceLock<Box<OnRefusal>>,
}

/// Called with the identity, and how the refused history relates to the known one.
type OnRefusal = dyn Fn(Identifier, Comparison) + Send + Sync;

impl Default for KnownIdentities {
    fn default() -> Self {
        Self::new()
    }
}

impl KnownIdentities {
    /// Without any identity.
    pub fn new() -> Self {
        Self::with_size(KNOWN_SIZE_MAX)
    }

    fn with_size(size_max: usize) -> Self {
        let inner = Inner { entries: HashMap::new(), forgettable: BTreeMap::new(), size: 0, size_max, clock: 0 };
        Self { inner: Mutex::new(inner), on_refusal: OnceLock::new() }
    }

    /// The newest known history of an identity.
    pub fn get(&self, identifier: &Identifier) -> Option<Arc<ChangeHistory>> {
        self.inner().entries.get(identifier).map(|entry| entry.history.clone())
    }

    /// Checks a presented history against the known one, storing nothing.
    ///
    /// [`Error::OlderHistory`] or [`Error::ConflictingHistory`] if it must not be accepted.
    pub fn check(&self, history: &ChangeHistory) -> Result<(), Error> {
        self.inner().check(history)
    }

    /// Stores a presented history if it is new or newer; returns what is known now.
    ///
    /// Errors are those of [`check`](Self::check) (`docs/wire.md §6.3`).
    pub fn remember(&self, history: ChangeHistory) -> Result<Arc<ChangeHistory>, Error> {
        self.inner().store(history, false)
    }

    /// Stores a history as [`remember`](Self::remember) does and never forgets it.
    pub fn pin(&self, history: ChangeHistory) -> Result<Arc<ChangeHistory>, Error> {
        self.inner().store(history, true)
    }

    /// Calls a function whenever the holder of a key of a known identity is refused during a handshake, because the
    /// history it presented is older than the known one ([`Comparison::Older`]) or forks from it
    /// ([`Comparison::Conflict`]).
    ///
    /// It is called only when the peer has proved that it holds the key, so a copy of a public history causes no call.
    /// It must not block. The first function that is set stays.
    pub fn on_refusal(&self, function: impl Fn(Identifier, Comparison) + Send + Sync + 'static) {
        // The first one stays.
        let _ = self.on_refusal.set(Box::new(function));
    }

    /// Reports a refusal; any other error is none.
    pub(super) fn report(&self, error: &Error) {
        let (identifier, how) = match error {
            Error::OlderHistory(identifier) => (*identifier, Comparison::Older),
            Error::ConflictingHistory(identifier) => (*identifier, Comparison::Conflict),
            _ => return,
        };
        if let Some(function) = self.on_refusal.get() {
            function(identifier, how);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it is held except a failed allocation, which aborts.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KnownIdentities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.inner().entries.len();
        f.debug_struct("KnownIdentities").field("known", &known).finish_non_exhaustive()
    }
}

struct Inner {
    entries: HashMap<Identifier, Entry>,
    /// Who is not pinned, by when they were met last.
    forgettable: BTreeMap<u64, Identifier>,
    /// What the forgettable ones cost, in bytes.
    size: usize,
    size_max: usize,
    /// Counts meetings.
    clock: u64,
}

struct Entry {
    history: Arc<ChangeHistory>,
    /// When it was met last; `None` once pinned.
    met: Option<u64>,
}

impl Entry {
    fn size(&self) -> usize {
        self.history.encoded_len() + ENTRY_SIZE
    }
}

impl Inner {
    fn check(&self, history: &ChangeHistory) -> Result<(), Error> {
        let identifier = history.identifier();
        let Some(known) = self.entries.get(&identifier) else {
            return Ok(());
        };
        match history.compare(&known.history) {
            Comparison::Equal | Comparison::Newer => Ok(()),
            Comparison::Older => Err(Error::OlderHistory(identifier)),
            Comparison::Conflict => Err(Error::ConflictingHistory(identifier)),
        }
    }

    fn store(&mut self, history: ChangeHistory, pin: bool) -> Result<Arc<ChangeHistory>, Error> {
        self.check(&history)?;
        let identifier = history.identifier();
        let known = self.entries.remove(&identifier);
        let pin = pin || known.as_ref().is_some_and(|known| known.met.is_none());
        if let Some(met) = known.as_ref().and_then(|known| known.met) {
            self.forgettable.remove(&met);
        }
        self.size -= known.filter(|known| known.met.is_some()).map_or(0, |known| known.size());

        self.clock += 1;
        let history = Arc::new(history);
        let entry = Entry { history: history.clone(), met: (!pin).then_some(self.clock) };
        if !pin {
            self.forgettable.insert(self.clock, identifier);
            self.size += entry.size();
        }
        self.entries.insert(identifier, entry);
        self.forget();
        Ok(history)
    }

    fn forget(&mut self) {
        while self.size > self.size_max {
            let Some((_, identifier)) = self.forgettable.pop_first() else {
                break;
            };
            self.size -= self.entries.remove(&identifier).map_or(0, |entry| entry.size());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        identity::{Identity, Timestamp},
        vault::MemoryVault,
    };

    const NOW: Timestamp = Timestamp(1_700_000_000);

    async fn identity() -> Identity {
        Identity::create(Arc::new(MemoryVault::in_memory()), NOW).await.unwrap()
    }

    fn bytes(history: Option<Arc<ChangeHistory>>) -> Option<Vec<u8>> {
        history.map(|history| history.export())
    }

    #[tokio::test]
    async fn newer_replaces_older_and_conflicting_are_refused() {
        let known = KnownIdentities::new();
        let mut identity = identity().await;
        let mut thief = identity.clone();
        let name = identity.identifier();
        let old = identity.history().clone();
        assert!(known.get(&name).is_none());
        known.remember(old.clone()).unwrap();
        known.remember(old.clone()).unwrap();

        identity.rotate(NOW).await.unwrap();
        known.check(identity.history()).unwrap();
        assert_eq!(bytes(known.get(&name)), Some(old.export()));
        known.remember(identity.history().clone()).unwrap();
        assert_eq!(bytes(known.get(&name)), Some(identity.export()));

        assert!(matches!(known.remember(old), Err(Error::OlderHistory(who)) if who == name));
        thief.rotate(NOW).await.unwrap();
        let conflict = known.remember(thief.history().clone());
        assert!(matches!(conflict, Err(Error::ConflictingHistory(who)) if who == name));
        thief.rotate(NOW).await.unwrap();
        let conflict = known.pin(thief.history().clone());
        assert!(matches!(conflict, Err(Error::ConflictingHistory(who)) if who == name));
        assert_eq!(bytes(known.get(&name)), Some(identity.export()));
    }

    #[tokio::test]
    async fn those_longest_not_met_are_forgotten_but_never_the_pinned() {
        let one = identity().await;
        let size = one.history().encoded_len() + ENTRY_SIZE;
        let known = KnownIdentities::with_size(2 * size);
        let (two, three, mut pinned) = (identity().await, identity().await, identity().await);
        known.pin(pinned.history().clone()).unwrap();
        known.remember(one.history().clone()).unwrap();
        known.remember(two.history().clone()).unwrap();
        known.remember(one.history().clone()).unwrap();
        known.remember(three.history().clone()).unwrap();
        assert!(known.get(&one.identifier()).is_some());
        assert!(known.get(&two.identifier()).is_none());
        assert!(known.get(&three.identifier()).is_some());

        pinned.rotate(NOW).await.unwrap();
        known.remember(pinned.history().clone()).unwrap();
        known.pin(one.history().clone()).unwrap();
        for _ in 0..4 {
            known.remember(identity().await.history().clone()).unwrap();
        }
        assert_eq!(bytes(known.get(&pinned.identifier())), Some(pinned.export()));
        assert!(known.get(&one.identifier()).is_some());
        assert!(known.get(&three.identifier()).is_none());
        let inner = known.inner();
        assert_eq!((inner.entries.len(), inner.forgettable.len(), inner.size), (4, 2, 2 * size));
    }
}
