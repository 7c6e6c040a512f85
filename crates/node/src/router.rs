//! The router: which address leads where in this node, and access control: who may send there.
//!
//! A message is either an [`OwnedMessage`] (owned; from and for workers) or a [`BorrowedMessage`] (borrowed from the buffer it
//! was read into). Targets are mailboxes, or [`Endpoint`]s that take a parcel at once, on the task that read it.
//! What an endpoint cannot pass on quickly enough comes back in the [`Delivery`], and the sender waits.

use crate::address::{Address, AddressRef};
use crate::delivery::Delivery;
pub(crate) use crate::endpoint::Endpoint;
use crate::local_message::{BorrowedMessage, Completion, OwnedMessage, PayloadBuf};
use crate::origin::{OriginId, Source};
use crate::sync::{BackpressureGate, lock, read, write};
use crate::undeliverable::Undeliverable;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, RwLock};
use tokio::sync::mpsc;

/// A table with room for more entries than this gives it back when it is nearly empty.
const SHRINK_ABOVE: usize = 256;
/// Local targets a message may pass inside one delivery, so that nested channels cannot exhaust the stack.
const MAX_DEPTH: u8 = 16;

#[derive(Clone)]
enum Target {
    Mailbox(mpsc::Sender<OwnedMessage>),
    Endpoint(Arc<dyn Endpoint>),
}

struct Entry {
    target: Target,
    registration: Registration,
    access: Access,
    exposed_to: HashSet<OriginId>,
}

/// Who may send to an address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    /// This node, and the flows it was opened to.
    Exposed,
    /// Anybody: what is there authenticates every message itself.
    Public,
}

/// Tells one holder of an address from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Registration(OriginId);

/// The address is in use in this node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the address `{0}` is already taken in this node")]
pub struct AddressTaken(pub Address);

/// The table of addresses of one node.
#[derive(Default)]
pub(crate) struct Router {
    entries: RwLock<HashMap<Address, Entry>>,
    /// Which addresses were opened to a flow: undone when the flow ends.
    exposed: Mutex<HashMap<OriginId, HashSet<Address>>>,
    /// Addresses that were opened before anything had them.
    exposed_in_advance: Mutex<HashMap<Address, HashSet<OriginId>>>,
}

impl Router {
    pub(crate) fn add_mailbox(
        &self,
        address: Address,
        mailbox: mpsc::Sender<OwnedMessage>,
    ) -> Result<Registration, AddressTaken> {
        self.add(address, Target::Mailbox(mailbox), Access::Exposed)
    }

    pub(crate) fn add_endpoint(
        &self,
        address: Address,
        endpoint: Arc<dyn Endpoint>,
    ) -> Result<Registration, AddressTaken> {
        self.add(address, Target::Endpoint(endpoint), Access::Exposed)
    }

    /// Adds an endpoint that anybody may send to, as it authenticates every message itself.
    pub(crate) fn add_public_endpoint(
        &self,
        address: Address,
        endpoint: Arc<dyn Endpoint>,
    ) -> Result<Registration, AddressTaken> {
        self.add(address, Target::Endpoint(endpoint), Access::Public)
    }

    fn add(&self, address: Address, target: Target, access: Access) -> Result<Registration, AddressTaken> {
        let registration = Registration(OriginId::fresh());
        let mut entries = write(&self.entries);
        if entries.contains_key(&address) {
            return Err(AddressTaken(address));
        }
        let exposed_to = lock(&self.exposed_in_advance).remove(&address).unwrap_or_default();
        entries.insert(address, Entry { target, registration, access, exposed_to });
        Ok(registration)
    }

    /// Puts another endpoint in the place of the one that has the address.
    pub(crate) fn replace(&self, address: &Address, endpoint: Arc<dyn Endpoint>) {
        let replaced = match write(&self.entries).get_mut(address) {
            Some(entry) => Some(std::mem::replace(&mut entry.target, Target::Endpoint(endpoint))),
            None => None,
        };
        drop(replaced);
    }

    /// Removes an address, whatever has it. Returns whether there was anything.
    pub(crate) fn remove(&self, address: &Address) -> bool {
        self.remove_if(address, |_| true)
    }

    /// Removes an address if it is still that holder's.
    pub(crate) fn release(&self, address: &Address, registration: Registration) -> bool {
        self.remove_if(address, |entry| entry.registration == registration)
    }

    fn remove_if(&self, address: &Address, condition: impl FnOnce(&Entry) -> bool) -> bool {
        // What had the address is dropped behind this statement, not under the lock.
        let removed = {
            let mut entries = write(&self.entries);
            let removed = if entries.get(address).is_some_and(condition) { entries.remove(address) } else { None };
            if is_roomy(entries.len(), entries.capacity()) {
                entries.shrink_to_fit();
            }
            removed
        };
        let Some(entry) = removed else { return false };
        let mut exposed = lock(&self.exposed);
        for origin in &entry.exposed_to {
            if let Some(addresses) = exposed.get_mut(origin) {
                addresses.remove(address);
                if addresses.is_empty() {
                    exposed.remove(origin);
                } else if is_roomy(addresses.len(), addresses.capacity()) {
                    addresses.shrink_to_fit();
                }
            }
        }
        true
    }

    pub(crate) fn contains(&self, address: &Address) -> bool {
        read(&self.entries).contains_key(address)
    }

    /// Lets messages of `flow` reach `address` until either ends. Says whether the address exists.
    pub(crate) fn expose(&self, address: &Address, origin: OriginId) -> bool {
        match read(&self.entries).get(address) {
            None => return false,
            Some(entry) if entry.exposed_to.contains(&origin) => return true,
            Some(_) => {}
        }
        let mut entries = write(&self.entries);
        let Some(entry) = entries.get_mut(address) else { return false };
        entry.exposed_to.insert(origin);
        lock(&self.exposed).entry(origin).or_default().insert(address.clone());
        true
    }

    /// Lets messages of `flow` reach `address`, also when nothing has that address yet: then the next that takes it.
    pub(crate) fn expose_in_advance(&self, address: &Address, origin: OriginId) {
        let mut entries = write(&self.entries);
        match entries.get_mut(address) {
            Some(entry) => entry.exposed_to.insert(origin),
            None => lock(&self.exposed_in_advance).entry(address.clone()).or_default().insert(origin),
        };
        lock(&self.exposed).entry(origin).or_default().insert(address.clone());
    }

    /// Whether messages of `flow` reach `address` because it was opened to it.
    pub(crate) fn is_exposed(&self, address: &Address, origin: OriginId) -> bool {
        read(&self.entries).get(address).is_some_and(|entry| entry.exposed_to.contains(&origin))
    }

    /// Withdraws everything that was opened to `flow`.
    pub(crate) fn withdraw(&self, origin: OriginId) {
        let mut entries = write(&self.entries);
        let mut in_advance = lock(&self.exposed_in_advance);
        for address in lock(&self.exposed).remove(&origin).into_iter().flatten() {
            if let Some(entry) = entries.get_mut(&address) {
                entry.exposed_to.remove(&origin);
            }
            if let Some(origins) = in_advance.get_mut(&address) {
                origins.remove(&origin);
                if origins.is_empty() {
                    in_advance.remove(&address);
                }
            }
        }
    }

    /// Where answers to messages for `address` will come from.
    pub(crate) fn source_of(&self, address: AddressRef<'_>) -> Option<Arc<Source>> {
        let target = read(&self.entries).get(address.encoded())?.target.clone();
        match target {
            Target::Endpoint(endpoint) => endpoint.source(),
            Target::Mailbox(_) => None,
        }
    }

    /// Closes the channel that sends through this address.
    pub(crate) fn close(&self, address: &Address) {
        let target = read(&self.entries).get(address).map(|entry| entry.target.clone());
        if let Some(Target::Endpoint(endpoint)) = target {
            endpoint.close();
        }
    }

    fn find(&self, address: AddressRef<'_>, source: Option<&Arc<Source>>) -> Result<Target, Undeliverable> {
        let entries = read(&self.entries);
        let entry = entries.get(address.encoded()).ok_or(Undeliverable::UnknownAddress)?;
        let allowed = entry.access == Access::Public
            || source.is_none_or(|source| {
                entry.exposed_to.contains(&source.origin)
                    || source.listener.is_some_and(|origin| entry.exposed_to.contains(&origin))
            });
        if allowed { Ok(entry.target.clone()) } else { Err(Undeliverable::Denied) }
    }

    /// The gate that a message which reaches `address` as one of `source`, or of this node, and came from `sender` must wait for,
    /// if it joins the queue of a connection.
    pub(crate) fn gate_of(
        &self,
        address: AddressRef<'_>,
        source: Option<&Arc<Source>>,
        sender: Option<&Address>,
    ) -> Option<Arc<BackpressureGate>> {
        match self.find(address, source).ok()? {
            Target::Endpoint(endpoint) => endpoint.gate(sender),
            Target::Mailbox(_) => None,
        }
    }

    /// Delivers to the front of the onward route.
    pub(crate) fn dispatch(&self, mut message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        if message.depth == MAX_DEPTH {
            return Err(Undeliverable::TooDeep);
        }
        message.depth += 1;
        let front = message.onward.front().ok_or(Undeliverable::NoRoute)?;
        match self.find(front, message.source)? {
            Target::Endpoint(endpoint) => endpoint.deliver(message),
            Target::Mailbox(_) if message.source.is_some() && has_transport_hop(&message) => Err(Undeliverable::Denied),
            Target::Mailbox(mailbox) => offer(&mailbox, message.to_owned_message()),
        }
    }

    /// Delivers an owned message from this node.
    pub(crate) fn dispatch_local(&self, mut message: OwnedMessage) -> Result<Delivery, Undeliverable> {
        let front = message.onward.as_ref().front().ok_or(Undeliverable::NoRoute)?;
        match self.find(front, None)? {
            Target::Mailbox(mailbox) => {
                message.source = None;
                message.completion = message.completion.as_ref().map(Completion::queued);
                offer(&mailbox, message)
            }
            Target::Endpoint(endpoint) => {
                let mut payload = Vec::from(message.payload);
                endpoint.deliver(BorrowedMessage {
                    onward: message.onward.as_ref(),
                    return_route: message.return_route.as_ref(),
                    body: PayloadBuf::exactly(&mut payload),
                    source: None,
                    depth: 1,
                    completion: message.completion.as_ref(),
                })
            }
        }
    }
}

/// Whether a route of the message names a node that a worker would connect to by answering or forwarding it.
fn has_transport_hop(message: &BorrowedMessage<'_>) -> bool {
    let mut hops = message.onward.iter().chain(message.return_route.iter());
    hops.any(|hop| hop.parts().0 != Address::LOCAL)
}

/// Whether a table is so empty that many streams at once would cost memory for ever.
fn is_roomy(entries: usize, room: usize) -> bool {
    room > SHRINK_ABOVE && entries < room / 8
}

fn offer(mailbox: &mpsc::Sender<OwnedMessage>, message: OwnedMessage) -> Result<Delivery, Undeliverable> {
    match mailbox.try_send(message) {
        Ok(()) => Ok(Delivery::default()),
        Err(mpsc::error::TrySendError::Full(message)) => Ok(Delivery::mailbox_full(mailbox, message)),
        Err(mpsc::error::TrySendError::Closed(_)) => Err(Undeliverable::Closed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route;
    use crate::route::{Route, RouteRef};

    fn source(origin: OriginId, listener: Option<OriginId>) -> Arc<Source> {
        Arc::new(Source { origin, ..Source::of_connection("sender".into(), listener) })
    }

    fn send(router: &Router, to: &Route, source: Option<&Arc<Source>>) -> Result<(), Undeliverable> {
        let mut payload = b"hi".to_vec();
        let message = BorrowedMessage {
            onward: to.as_ref(),
            return_route: RouteRef::default(),
            body: PayloadBuf::exactly(&mut payload),
            source,
            depth: 0,
            completion: None,
        };
        router.dispatch(message).map(drop)
    }

    #[test]
    fn remote_sides_reach_only_what_was_exposed_to_them() {
        let (router, origin, listener) = (Router::default(), OriginId::fresh(), OriginId::fresh());
        let (mailbox, mut inbox) = mpsc::channel(4);
        router.add_mailbox("echo".into(), mailbox).unwrap();
        let (to, remote) = (route!["echo"], source(origin, Some(listener)));
        assert_eq!(send(&router, &to, Some(&remote)), Err(Undeliverable::Denied));
        assert_eq!(send(&router, &to, None), Ok(()));
        for exposed in [origin, listener] {
            assert!(router.expose(&"echo".into(), exposed));
            assert_eq!(send(&router, &to, Some(&remote)), Ok(()));
            router.withdraw(exposed);
            assert_eq!(send(&router, &to, Some(&remote)), Err(Undeliverable::Denied));
        }
        assert_eq!(inbox.try_recv().unwrap().return_route, route![]);
        assert_eq!(inbox.try_recv().unwrap().return_route, route!["sender"]);
    }

    #[test]
    fn what_is_exposed_before_it_exists_is_exposed_when_it_does() {
        let (router, origin, another) = (Router::default(), OriginId::fresh(), OriginId::fresh());
        let (mailbox, _inbox) = mpsc::channel(4);
        router.expose_in_advance(&"echo".into(), origin);
        router.expose_in_advance(&"echo".into(), another);
        router.withdraw(another);
        router.add_mailbox("echo".into(), mailbox.clone()).unwrap();
        assert_eq!(send(&router, &route!["echo"], Some(&source(origin, None))), Ok(()));
        assert_eq!(send(&router, &route!["echo"], Some(&source(another, None))), Err(Undeliverable::Denied));
        // What takes the address after it was given back is not exposed to anybody.
        router.remove(&"echo".into());
        router.add_mailbox("echo".into(), mailbox).unwrap();
        assert_eq!(send(&router, &route!["echo"], Some(&source(origin, None))), Err(Undeliverable::Denied));
        router.expose_in_advance(&"later".into(), origin);
        router.withdraw(origin);
        assert!(lock(&router.exposed).is_empty() && lock(&router.exposed_in_advance).is_empty());
    }

    #[test]
    fn transport_hops_that_come_from_outside_are_refused() {
        let (router, origin) = (Router::default(), OriginId::fresh());
        let (mailbox, mut inbox) = mpsc::channel(4);
        router.add_mailbox("hop".into(), mailbox).unwrap();
        router.expose(&"hop".into(), origin);
        let remote = source(origin, None);
        let through = route!["hop", Address::tcp("127.0.0.1:1"), "x"];
        assert_eq!(send(&router, &through, Some(&remote)), Err(Undeliverable::Denied));
        let (onward, back) = (route!["hop"], route![Address::tcp("127.0.0.1:1")]);
        let message = BorrowedMessage {
            onward: onward.as_ref(),
            return_route: back.as_ref(),
            body: PayloadBuf::exactly(&mut []),
            source: Some(&remote),
            depth: 0,
            completion: None,
        };
        assert_eq!(router.dispatch(message).map(drop), Err(Undeliverable::Denied));
        assert!(inbox.try_recv().is_err());
        assert_eq!(send(&router, &through, None), Ok(()));
    }

    #[test]
    fn addresses_are_taken_once_and_forgotten_whole() {
        let (router, origin) = (Router::default(), OriginId::fresh());
        let (mailbox, _inbox) = mpsc::channel(1);
        router.add_mailbox("a".into(), mailbox.clone()).unwrap();
        assert_eq!(router.add_mailbox("a".into(), mailbox.clone()), Err(AddressTaken("a".into())));
        router.expose(&"a".into(), origin);
        assert!(router.remove(&"a".into()) && !router.remove(&"a".into()));
        assert!(lock(&router.exposed).is_empty());
        router.add_mailbox("a".into(), mailbox).unwrap();
        assert_eq!(send(&router, &route!["a"], Some(&source(origin, None))), Err(Undeliverable::Denied));
        assert_eq!(send(&router, &route!["b"], None), Err(Undeliverable::UnknownAddress));
        assert_eq!(send(&router, &route![], None), Err(Undeliverable::NoRoute));
    }
}
