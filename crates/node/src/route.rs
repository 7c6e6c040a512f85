//! The way of a message: a [`Route`] is a list of addresses, front first.

use crate::address::{Address, AddressRef};
use crate::wire::cbor;
use std::fmt;

/// Most hops of a route.
pub const MAX_HOPS: usize = 64;

/// A list of addresses, front first (`docs/wire.md` §2).
///
/// It is kept as it is on the wire, so that taking one from a frame or putting one into a frame is a copy.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Route {
    hops: usize,
    encoded: Vec<u8>,
}

impl Route {
    /// The route with no hops.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of hops.
    pub fn len(&self) -> usize {
        self.hops
    }

    /// Whether there is no hop.
    pub fn is_empty(&self) -> bool {
        self.hops == 0
    }

    /// The first hop.
    pub fn front(&self) -> Option<Address> {
        self.as_ref().front().map(Address::from)
    }

    /// The last hop.
    pub fn back(&self) -> Option<Address> {
        self.as_ref().iter().last().map(Address::from)
    }

    /// The hops, front first.
    pub fn iter(&self) -> impl Iterator<Item = Address> + '_ {
        self.as_ref().iter().map(Address::from)
    }

    /// Adds a hop at the end.
    pub fn push_back(&mut self, address: impl Into<Address>) {
        self.encoded.extend_from_slice(address.into().as_ref().encoded());
        self.hops += 1;
    }

    /// Adds a hop at the front.
    pub fn push_front(&mut self, address: impl Into<Address>) {
        self.encoded.splice(..0, address.into().as_ref().encoded().iter().copied());
        self.hops += 1;
    }

    /// Adds all hops of `tail` at the end.
    pub fn append(&mut self, tail: &Route) {
        self.encoded.extend_from_slice(&tail.encoded);
        self.hops += tail.hops;
    }

    /// The same route with `address` as its last hop.
    #[must_use]
    pub fn then(mut self, address: impl Into<Address>) -> Self {
        self.push_back(address);
        self
    }

    pub(crate) fn as_ref(&self) -> RouteRef<'_> {
        RouteRef { hops: self.hops, encoded: &self.encoded }
    }
}

impl<A: Into<Address>> FromIterator<A> for Route {
    fn from_iter<I: IntoIterator<Item = A>>(addresses: I) -> Self {
        addresses.into_iter().fold(Self::new(), Self::then)
    }
}

impl<A: Into<Address>> From<A> for Route {
    fn from(address: A) -> Self {
        Self::new().then(address)
    }
}

impl From<&Route> for Route {
    fn from(route: &Route) -> Self {
        route.clone()
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

/// Builds a [`Route`] from addresses, and from whatever converts to an [`Address`]: texts, connections,
/// secure channels.
///
/// ```
/// use postern_node::route;
/// assert_eq!(route!["hub", "bob", "echoer"].to_string(), "hub => bob => echoer");
/// ```
#[macro_export]
macro_rules! route {
    ($($hop:expr),* $(,)?) => {
        $crate::Route::new()$(.then($crate::Address::from($hop)))*
    };
}

/// A route inside a frame: validated, canonical, not owned.
#[derive(Clone, Copy, Default)]
pub(crate) struct RouteRef<'a> {
    hops: usize,
    encoded: &'a [u8],
}

impl<'a> RouteRef<'a> {
    /// Reads a whole route with its array head in canonical form off the front of `input`.
    pub(crate) fn read(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (hops, start) = cbor::read_head(input, cbor::ARRAY)?;
        if hops > MAX_HOPS {
            return None;
        }
        let mut rest = start;
        for _ in 0..hops {
            rest = AddressRef::read(rest)?.1;
        }
        Some((Self { hops, encoded: &start[..start.len() - rest.len()] }, rest))
    }

    /// Number of hops.
    pub(crate) fn len(self) -> usize {
        self.hops
    }

    /// The addresses without the array head.
    pub(crate) fn encoded(self) -> &'a [u8] {
        self.encoded
    }

    /// The first hop.
    pub(crate) fn front(self) -> Option<AddressRef<'a>> {
        Some(AddressRef::read(self.encoded)?.0)
    }

    /// The route behind the first hop.
    pub(crate) fn rest(self) -> Self {
        match AddressRef::read(self.encoded) {
            Some((_, encoded)) => Self { hops: self.hops - 1, encoded },
            None => self,
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = AddressRef<'a>> {
        let mut encoded = self.encoded;
        std::iter::from_fn(move || {
            let (address, rest) = AddressRef::read(encoded)?;
            encoded = rest;
            Some(address)
        })
    }

    /// The route with `first` before it, owned.
    pub(crate) fn behind(self, first: Option<&Address>) -> Route {
        let mut encoded = Vec::with_capacity(self.encoded.len() + 40);
        if let Some(first) = first {
            encoded.extend_from_slice(first.as_ref().encoded());
        }
        encoded.extend_from_slice(self.encoded);
        Route { hops: self.hops + usize::from(first.is_some()), encoded }
    }
}

impl fmt::Display for RouteRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" => ")?;
            }
            address.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hops_come_and_go_at_the_front() {
        let mut route = route!["b", "c"];
        route.push_front("a");
        assert_eq!(route.to_string(), "a => b => c");
        assert_eq!((route.front(), route.back(), route.len()), (Some("a".into()), Some("c".into()), 3));
        assert_eq!(route.as_ref().rest().behind(Some(&"x".into())), route!["x", "b", "c"]);
        assert_eq!(Route::new().as_ref().rest().len(), 0);
    }

    fn encode(route: &Route) -> Vec<u8> {
        let mut wire = Vec::new();
        cbor::push_head(&mut wire, cbor::ARRAY, route.len());
        wire.extend_from_slice(route.as_ref().encoded());
        wire
    }

    #[test]
    fn snapshots() {
        assert_eq!(hex::encode(encode(&route![])), "80");
        let route = route!["echoer", Address::new(1, "hub:4000")];
        assert_eq!(hex::encode(encode(&route)), "828200466563686f65728201486875623a34303030");
        let long = Route::from_iter(vec!["x"; 24]);
        assert_eq!(hex::encode(encode(&long)), format!("9818{}", "82004178".repeat(24)));
    }

    #[test]
    fn a_route_has_no_more_than_its_most_hops() {
        let route = |hops| encode(&Route::from_iter(vec!["x"; hops]));
        assert!(RouteRef::read(&route(MAX_HOPS)).is_some());
        assert!(RouteRef::read(&route(MAX_HOPS + 1)).is_none());
    }

    proptest! {
        #[test]
        fn round_trip(names in prop::collection::vec(".{0,40}", 0..MAX_HOPS), tail: Vec<u8>) {
            let route: Route = names.iter().map(|name| Address::from(name.as_str())).collect();
            let mut wire = encode(&route);
            for cut in 0..wire.len() {
                prop_assert!(RouteRef::read(&wire[..cut]).is_none());
            }
            wire.extend_from_slice(&tail);
            let (read, rest) = RouteRef::read(&wire).unwrap();
            prop_assert_eq!(read.behind(None), route);
            prop_assert_eq!(rest, &tail[..]);
        }

        #[test]
        fn hostile_input_is_only_refused(data: Vec<u8>) {
            let _ = RouteRef::read(&data);
        }

        #[test]
        fn a_changed_route_is_refused_or_another(
            names in prop::collection::vec(".{0,40}", 1..8), at: prop::sample::Index, to: u8,
        ) {
            let route: Route = names.iter().map(|name| Address::from(name.as_str())).collect();
            let mut wire = encode(&route);
            let at = at.index(wire.len());
            wire[at] = to;
            if let Some((read, rest)) = RouteRef::read(&wire) {
                // Whatever is read is what it would be written as.
                prop_assert_eq!(&[encode(&read.behind(None)), rest.to_vec()].concat(), &wire);
                prop_assert_eq!(read.iter().count(), read.len());
            }
        }
    }
}
