//! What workers say to each other: a [`Message`] has a payload encoding, and arrives [`Routed`].

use crate::address::Address;
use crate::identity::{Attributes, Identifier, Timestamp};
use crate::local_message::OwnedMessage;
use crate::origin::SourceAddress;
use crate::route::Route;
use crate::wire::bare;
use bytes::Bytes;
use std::sync::atomic::Ordering;

/// A payload is not of the type that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the payload is not a {expected}")]
pub struct DecodeError {
    /// The type that was expected.
    pub expected: &'static str,
}

impl DecodeError {
    /// A failure to read a `T`.
    pub fn of<T>() -> Self {
        Self { expected: std::any::type_name::<T>() }
    }
}

/// Anything that can be a payload (`docs/wire.md` §5.1).
///
/// Texts travel as BARE strings, bytes as they are, and any serde type in BARE: when the type is declared a [`BareMessage`], or
/// when it is wrapped in [`Bare`].
pub trait Message: Sized + Send + 'static {
    /// The payload.
    fn encode(self) -> Bytes;

    /// Reads a payload.
    fn decode(payload: Bytes) -> Result<Self, DecodeError>;
}

impl Message for String {
    fn encode(self) -> Bytes {
        self.as_str().encode_text()
    }

    fn decode(payload: Bytes) -> Result<Self, DecodeError> {
        bare::read_only_string(&payload).map(str::to_owned).ok_or_else(DecodeError::of::<Self>)
    }
}

impl Message for &'static str {
    fn encode(self) -> Bytes {
        self.encode_text()
    }

    fn decode(_: Bytes) -> Result<Self, DecodeError> {
        Err(DecodeError::of::<Self>())
    }
}

trait Text {
    fn encode_text(&self) -> Bytes;
}

impl Text for str {
    fn encode_text(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.len() + bare::MAX_UINT);
        bare::push_data(&mut out, self.as_bytes());
        out.into()
    }
}

/// The payload is empty; any payload is accepted.
impl Message for () {
    fn encode(self) -> Bytes {
        Bytes::new()
    }

    fn decode(_: Bytes) -> Result<Self, DecodeError> {
        Ok(())
    }
}

/// The payload as it is.
impl Message for Bytes {
    fn encode(self) -> Bytes {
        self
    }

    fn decode(payload: Bytes) -> Result<Self, DecodeError> {
        Ok(payload)
    }
}

/// The payload as it is.
impl Message for Vec<u8> {
    fn encode(self) -> Bytes {
        self.into()
    }

    fn decode(payload: Bytes) -> Result<Self, DecodeError> {
        Ok(payload.into())
    }
}

/// A serde type that travels in BARE, as `ockam::Message` types do.
///
/// ```
/// use postern_node::{Bare, Message};
///
/// #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
/// struct Point {
///     x: u8,
///     y: u8,
/// }
///
/// let payload = Bare(Point { x: 1, y: 2 }).encode();
/// assert_eq!(&payload[..], [1, 2]);
/// assert_eq!(Bare::<Point>::decode(payload)?.0, Point { x: 1, y: 2 });
/// # Ok::<(), postern_node::DecodeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bare<T>(pub T);

impl<T> Message for Bare<T>
where
    T: serde::Serialize + serde::de::DeserializeOwned + Send + 'static,
{
    /// A value that BARE cannot express (a map without a known length, for instance) becomes an empty payload.
    fn encode(self) -> Bytes {
        serde_bare::to_vec(&self.0).unwrap_or_default().into()
    }

    fn decode(payload: Bytes) -> Result<Self, DecodeError> {
        serde_bare::from_slice(&payload).map(Self).map_err(|_| DecodeError::of::<T>())
    }
}

/// Makes a serde type of one's own a [`Message`] that travels in BARE, as `ockam::Message` types do.
///
/// ```
/// use postern_node::{BareMessage, Message};
///
/// #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
/// struct Point {
///     x: u8,
///     y: u8,
/// }
///
/// impl BareMessage for Point {}
///
/// assert_eq!(&Point { x: 1, y: 2 }.encode()[..], [1, 2]);
/// ```
pub trait BareMessage: serde::Serialize + serde::de::DeserializeOwned + Send + 'static {}

impl<T: BareMessage> Message for T {
    /// As [`Bare::encode`](Bare).
    fn encode(self) -> Bytes {
        Bare(self).encode()
    }

    fn decode(payload: Bytes) -> Result<Self, DecodeError> {
        Bare::decode(payload).map(|Bare(message)| message)
    }
}

/// A message as it arrived: with the way it came, and from whom.
#[derive(Clone)]
pub struct Routed<M> {
    body: M,
    message: OwnedMessage,
}

impl<M: Message> Routed<M> {
    /// Reads the payload; the message comes back when it is of another type.
    pub(crate) fn decode(message: OwnedMessage) -> Result<Self, Box<(DecodeError, OwnedMessage)>> {
        match M::decode(message.payload.clone()) {
            Ok(body) => Ok(Self { body, message }),
            Err(error) => Err(Box::new((error, message))),
        }
    }

    /// Reads the payload as another type: for what may be one of several.
    ///
    /// # Errors
    /// It is not of that type.
    pub fn decode_as<T: Message>(&self) -> Result<T, DecodeError> {
        T::decode(self.message.payload.clone())
    }
}

impl Routed<Bytes> {
    pub(crate) fn undecoded(message: OwnedMessage) -> Self {
        Self { body: message.payload.clone(), message }
    }
}

impl<M> Routed<M> {
    /// Its body.
    pub fn body(&self) -> &M {
        &self.body
    }

    /// Its body, owned.
    pub fn into_body(self) -> M {
        self.body
    }

    /// The payload as it came.
    pub fn payload(&self) -> &Bytes {
        &self.message.payload
    }

    /// Where answers go.
    pub fn return_route(&self) -> &Route {
        &self.message.return_route
    }

    /// Where it was going; the front is the receiver's own address.
    pub fn onward_route(&self) -> &Route {
        &self.message.onward
    }

    /// The part of [`onward_route`](Self::onward_route) behind the receiver: where a worker in the middle passes it on to.
    pub fn remaining_route(&self) -> Route {
        self.message.onward.as_ref().rest().behind(None)
    }

    pub(crate) fn into_owned_message(self) -> OwnedMessage {
        self.message
    }

    /// The address of the receiver that it came to.
    pub fn address(&self) -> Option<Address> {
        self.message.onward.front()
    }

    /// Whether it came from another node.
    pub(crate) fn is_remote(&self) -> bool {
        self.message.source.is_some()
    }

    /// Who sent it, if it came through a secure channel.
    pub fn peer(&self) -> Option<&Identifier> {
        Some(&self.message.source.as_ref()?.peer.as_ref()?.identifier)
    }

    /// The network address of the connection that it came over, if this node accepted that.
    pub fn source_address(&self) -> Option<SourceAddress> {
        self.message.source.as_ref()?.address
    }

    /// The address of the connection that it came over, right under a channel if it came through one.
    pub fn connection(&self) -> Option<Address> {
        let source = self.message.source.as_ref()?;
        if source.peer.is_some() { source.carrier_address.clone() } else { Some(source.sender.clone()) }
    }

    /// Marks what it came over as in use: it is not closed to make room for others.
    pub fn keep_channel(&self) {
        if let Some(source) = &self.message.source {
            source.in_use.store(true, Ordering::Relaxed);
        }
    }

    /// Waits until nothing more comes the way this came: the channel or the connection has ended. Ends at once for
    /// messages of this node.
    pub fn disconnected(&self) -> impl Future<Output = ()> + Send + 'static + use<M> {
        let source = self.message.source.clone();
        async move {
            if let Some(source) = source {
                tokio::select! {
                    () = source.ended.cancelled() => {}
                    () = source.carrier.cancelled() => {}
                }
            }
        }
    }

    /// The attributes that an authority attests of the sender, if they presented a valid credential.
    pub fn attributes(&self) -> Option<&Attributes> {
        self.message.source.as_ref()?.peer.as_ref()?.attributes(Timestamp::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn snapshots() {
        assert_eq!(hex::encode("hello".encode()), "0568656c6c6f");
        assert_eq!(hex::encode(String::from("hello").encode()), "0568656c6c6f");
        assert_eq!(hex::encode(vec![1u8, 2].encode()), "0102");
        assert_eq!(hex::encode(Bare((7u16, true)).encode()), "070001");
        assert!(().encode().is_empty());
    }

    /// Of everything that BARE writes differently.
    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    enum Whole {
        Nothing,
        Number(u32),
        Named { name: String, values: Vec<i64>, maybe: Option<bool> },
    }

    fn wholes() -> impl Strategy<Value = Whole> {
        let named = (any::<String>(), any::<Vec<i64>>(), any::<Option<bool>>());
        prop_oneof![
            Just(Whole::Nothing),
            any::<u32>().prop_map(Whole::Number),
            named.prop_map(|(name, values, maybe)| Whole::Named { name, values, maybe }),
        ]
    }

    #[test]
    fn what_is_cut_or_no_text_is_refused() {
        let refused = Err(DecodeError::of::<String>());
        for hex in ["", "05", "0568656c6c", "0568656c6c6f00", "01ff", "ffffffffffffffffff01", "8080808080808080808001"]
        {
            assert_eq!(String::decode(hex::decode(hex).unwrap().into()), refused, "{hex}");
        }
        assert_eq!(<&'static str>::decode("hello".encode()), Err(DecodeError::of::<&'static str>()));
        assert_eq!(<()>::decode(Bytes::from_static(b"anything")), Ok(()));
    }

    proptest! {
        #[test]
        fn texts_round_trip(text: String) {
            prop_assert_eq!(String::decode(text.clone().encode()), Ok(text));
        }

        #[test]
        fn bytes_round_trip(data: Vec<u8>) {
            prop_assert_eq!(&data.clone().encode()[..], &data[..]);
            prop_assert_eq!(Vec::<u8>::decode(data.clone().encode()), Ok(data.clone()));
            prop_assert_eq!(Bytes::decode(Bytes::from(data.clone()).encode()), Ok(data.into()));
        }

        #[test]
        fn serde_types_round_trip(whole in wholes()) {
            prop_assert_eq!(Bare::decode(Bare(whole.clone()).encode()), Ok(Bare(whole)));
        }

        #[test]
        fn a_changed_payload_is_refused_or_another(whole in wholes(), text: String, at: prop::sample::Index, to: u8) {
            for payload in [Bare(whole).encode(), text.encode()] {
                let mut payload = payload.to_vec();
                let at = at.index(payload.len());
                let cut = Bytes::copy_from_slice(&payload[..at]);
                prop_assert!(String::decode(cut.clone()).is_err() || cut.len() < payload.len());
                let _ = Bare::<Whole>::decode(cut);
                payload[at] = to;
                let payload = Bytes::from(payload);
                if let Ok(text) = String::decode(payload.clone()) {
                    prop_assert!(text.len() < payload.len());
                }
                let _ = Bare::<Whole>::decode(payload);
            }
        }

        #[test]
        fn hostile_payloads_are_only_refused(data: Vec<u8>) {
            let data = Bytes::from(data);
            let _ = (String::decode(data.clone()), Bare::<(u32, String)>::decode(data.clone()));
            let _ = Bare::<Whole>::decode(data.clone());
            // These are whatever comes.
            prop_assert_eq!(Bytes::decode(data.clone()), Ok(data.clone()));
            prop_assert_eq!(Vec::<u8>::decode(data.clone()), Ok(data.to_vec()));
            prop_assert_eq!(<()>::decode(data), Ok(()));
        }
    }
}
