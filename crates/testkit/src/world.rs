//! The smallest world in which something is shared: a hub, an owner, a friend and a service.

use std::net::SocketAddr;

use crate::{Hub, Person, Service};

/// Ann shares a service under a name, Ben can join it; both are connected to the same hub.
pub struct World {
    /// What both are connected to.
    pub hub: Hub,
    /// The owner.
    pub ann: Person,
    /// The friend.
    pub ben: Person,
    /// What Ann shares: it answers with what it was sent, after the client's end of the stream.
    pub service: Service,
}

impl World {
    /// Starts all of it, and shares the service.
    ///
    /// # Panics
    /// When one of the programs does not start in time.
    #[track_caller]
    #[must_use]
    pub fn sharing(name: &str) -> Self {
        let hub = Hub::start();
        let (ann, ben) = (Person::start(&hub, "Ann"), Person::start(&hub, "Ben"));
        let service = Service::echo_after_end();
        ann.share(service.address(), name);
        Self { hub, ann, ben, service }
    }

    /// As [`sharing`](Self::sharing) does; Ben has joined. Gives the portal's local address as well.
    ///
    /// # Panics
    /// When one of the programs does not start in time, or the portal does not come up.
    #[track_caller]
    #[must_use]
    pub fn joined(name: &str) -> (Self, SocketAddr) {
        let world = Self::sharing(name);
        let address = world.ben.join(&world.ann.invite(name, &[]));
        (world, address)
    }
}
