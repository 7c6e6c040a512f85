//! The encoding of the messages between engines.
//!
//! ```text
//! message = [ version uint, kind uint, field … ]        CBOR
//! ```
//!
//! | | kinds |
//! |---|---|
//! | [`PeerRequest`] | 0 redeem, 1 seen, 2 decline, 3 sync, 4 give back |
//! | [`PeerResponse`] | 0 granted, 1 pending, 2 refused, 3 grants, 4 done |
//! | [`PeerNotification`] | 0 invitation, 1 withdrawn, 2 knock decided, 3 grant, 4 going offline |
//!
//! A later version may append fields, which are skipped here. An unknown version or kind is refused.

use super::{ContactInfo, GrantStatus, Offer, PeerNotification, PeerRequest, PeerResponse};
use crate::api::{Code, GrantId, InvitationId, MAX_DESCRIPTION, MAX_NAME};
use crate::peer::cbor::{MAX_ADDRESSES, MAX_HOST_PORT, Malformed, Reader, Wire, Writer};

/// The version that is written, and the only one that is read.
const VERSION: u64 = 1;
/// Largest [`PeerRequest`] and [`PeerNotification`], in bytes.
pub const MAX_MESSAGE: usize = 16 * 1024;
/// Largest [`PeerResponse`], in bytes: it holds the offers of [`MAX_GRANTS`] grants.
pub const MAX_ANSWER: usize = 512 * 1024;
/// Most grants in one sync.
pub const MAX_GRANTS: usize = 256;
/// Most hubs in a contact information.
const MAX_HUBS: usize = 8;
/// Longest encoded postal address, in bytes.
const MAX_POSTAL: usize = 4 * 1024;
/// Longest address of an outlet, in bytes.
const MAX_OUTLET: usize = 128;
/// Longest path that a browser opens, in bytes.
const MAX_PATH: usize = 1024;
/// Longest name of a code, in bytes.
const MAX_CODE: usize = 64;

/// The bytes are not a message, or the message does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a message that this version of Postern understands")]
pub struct NotAMessage;

impl From<Malformed> for NotAMessage {
    fn from(_: Malformed) -> Self {
        Self
    }
}

fn encode(
    max: usize,
    kind: u64,
    fields: usize,
    write: impl for<'w> FnOnce(&'w mut Writer) -> &'w mut Writer,
) -> Result<Vec<u8>, NotAMessage> {
    let mut out = Writer::new();
    out.list(2 + fields).number(VERSION).number(kind);
    write(&mut out);
    Some(out.finish()).filter(|bytes| bytes.len() <= max).ok_or(NotAMessage)
}

/// Reads one message; `read` gets its kind and how many fields it has, and tells how many it knew.
fn decode<T>(
    bytes: &[u8],
    max: usize,
    read: impl FnOnce(&mut Reader<'_>, u64) -> Result<(T, u64), Malformed>,
) -> Result<T, NotAMessage> {
    if bytes.len() > max {
        return Err(NotAMessage);
    }
    let mut input = Reader::new(bytes);
    let fields = input.begin()?.checked_sub(2).ok_or(NotAMessage)?;
    if input.number()? != VERSION {
        return Err(NotAMessage);
    }
    let kind = input.number()?;
    let (message, known) = read(&mut input, kind)?;
    input.skip(fields.checked_sub(known).ok_or(NotAMessage)?)?;
    if input.is_at_end() { Ok(message) } else { Err(NotAMessage) }
}

impl PeerRequest {
    /// The message as bytes.
    ///
    /// # Errors
    /// It is larger than [`MAX_MESSAGE`].
    pub fn encode(&self) -> Result<Vec<u8>, NotAMessage> {
        let ticket = |kind, ticket: &InvitationId, secret: &[u8; 32]| {
            encode(MAX_MESSAGE, kind, 2, |out| out.bytes(&ticket.0).bytes(secret))
        };
        match self {
            Self::Redeem { ticket, secret, contact } => {
                encode(MAX_MESSAGE, 0, 3, |out| out.bytes(&ticket.0).bytes(secret).put(contact))
            }
            Self::Seen { ticket: id, secret } => ticket(1, id, secret),
            Self::Decline { ticket: id, secret } => ticket(2, id, secret),
            Self::Sync { grants, contact } => {
                encode(MAX_MESSAGE, 3, 2, |out| out.all(grants, |out, grant| out.bytes(&grant.0)).put(contact))
            }
            Self::GiveBack { grant } => encode(MAX_MESSAGE, 4, 1, |out| out.bytes(&grant.0)),
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// The bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotAMessage> {
        decode(bytes, MAX_MESSAGE, |input, kind| {
            Ok(match kind {
                0 => (Self::Redeem { ticket: invitation(input)?, secret: input.array()?, contact: input.get()? }, 3),
                1 => (Self::Seen { ticket: invitation(input)?, secret: input.array()? }, 2),
                2 => (Self::Decline { ticket: invitation(input)?, secret: input.array()? }, 2),
                3 => (Self::Sync { grants: input.all(MAX_GRANTS, grant)?, contact: input.get()? }, 2),
                4 => (Self::GiveBack { grant: grant(input)? }, 1),
                _ => return Err(Malformed),
            })
        })
    }
}

impl PeerResponse {
    /// The message as bytes.
    ///
    /// # Errors
    /// It is larger than [`MAX_ANSWER`].
    pub fn encode(&self) -> Result<Vec<u8>, NotAMessage> {
        match self {
            Self::Granted(offer, contact) => encode(MAX_ANSWER, 0, 2, |out| out.put(offer).put(contact)),
            Self::Pending => encode(MAX_ANSWER, 1, 0, |out| out),
            Self::Refused(code) => encode(MAX_ANSWER, 2, 1, |out| out.put(code)),
            Self::Grants(grants, contact) => encode(MAX_ANSWER, 3, 2, |out| {
                out.all(grants, |out, (grant, status)| out.list(2).bytes(&grant.0).put(status)).put(contact)
            }),
            Self::Done => encode(MAX_ANSWER, 4, 0, |out| out),
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// The bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotAMessage> {
        decode(bytes, MAX_ANSWER, |input, kind| {
            let status = |input: &mut Reader<'_>| input.fields(2, |input| Ok((grant(input)?, input.get()?)));
            Ok(match kind {
                0 => (Self::Granted(input.get()?, input.get()?), 2),
                1 => (Self::Pending, 0),
                2 => (Self::Refused(input.get()?), 1),
                3 => (Self::Grants(input.all(MAX_GRANTS, status)?, input.get()?), 2),
                4 => (Self::Done, 0),
                _ => return Err(Malformed),
            })
        })
    }
}

impl PeerNotification {
    /// The message as bytes.
    ///
    /// # Errors
    /// It is larger than [`MAX_MESSAGE`].
    pub fn encode(&self) -> Result<Vec<u8>, NotAMessage> {
        match self {
            Self::Invitation {
                ticket,
                secret,
                owner_name,
                reach,
                service_name,
                service_kind,
                description,
                port,
                expires,
            } => encode(MAX_MESSAGE, 0, 9, |out| {
                out.bytes(&ticket.0).bytes(secret).text(owner_name);
                out.all(reach, |out, reach| out.put(reach)).text(service_name).put(service_kind);
                out.optional(description.as_deref(), |out, it| out.text(it));
                out.number((*port).into()).put(expires)
            }),
            Self::Withdrawn { ticket } => encode(MAX_MESSAGE, 1, 1, |out| out.bytes(&ticket.0)),
            Self::KnockDecided { ticket } => encode(MAX_MESSAGE, 2, 1, |out| out.bytes(&ticket.0)),
            Self::Grant { grant, status } => encode(MAX_MESSAGE, 3, 2, |out| out.bytes(&grant.0).put(status)),
            Self::GoingOffline => encode(MAX_MESSAGE, 4, 0, |out| out),
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// The bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotAMessage> {
        decode(bytes, MAX_MESSAGE, |input, kind| {
            Ok(match kind {
                0 => (
                    Self::Invitation {
                        ticket: invitation(input)?,
                        secret: input.array()?,
                        owner_name: input.shown(MAX_NAME)?,
                        reach: input.all(MAX_ADDRESSES, Reader::get)?,
                        service_name: input.shown(MAX_NAME)?,
                        service_kind: input.get()?,
                        description: input.optional(|input| input.shown(MAX_DESCRIPTION))?,
                        port: input.port()?,
                        expires: input.get()?,
                    },
                    9,
                ),
                1 => (Self::Withdrawn { ticket: invitation(input)? }, 1),
                2 => (Self::KnockDecided { ticket: invitation(input)? }, 1),
                3 => (Self::Grant { grant: grant(input)?, status: input.get()? }, 2),
                4 => (Self::GoingOffline, 0),
                _ => return Err(Malformed),
            })
        })
    }
}

fn invitation(input: &mut Reader<'_>) -> Result<InvitationId, Malformed> {
    input.array().map(InvitationId)
}

fn grant(input: &mut Reader<'_>) -> Result<GrantId, Malformed> {
    input.array().map(GrantId)
}

impl Wire for GrantStatus {
    fn write(&self, out: &mut Writer) {
        match self {
            Self::Active(offer) => out.list(2).number(0).put(offer),
            Self::Inactive(code) => out.list(2).number(1).put(code),
        };
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.fields(2, |input| match input.number()? {
            0 => input.get().map(Self::Active),
            1 => input.get().map(Self::Inactive),
            _ => Err(Malformed),
        })
    }
}

impl Wire for Offer {
    fn write(&self, out: &mut Writer) {
        out.list(8).bytes(&self.grant.0).text(&self.outlet).text(&self.service_name).put(&self.service_kind);
        out.optional(self.path.as_deref(), |out, it| out.text(it));
        out.optional(self.description.as_deref(), |out, it| out.text(it));
        out.number(self.port.into()).optional(self.until, |out, it| out.put(&it));
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.fields(8, |input| {
            Ok(Self {
                grant: grant(input)?,
                outlet: input.exact(MAX_OUTLET)?,
                service_name: input.shown(MAX_NAME)?,
                service_kind: input.get()?,
                path: input.optional(|input| input.exact(MAX_PATH))?,
                description: input.optional(|input| input.shown(MAX_DESCRIPTION))?,
                port: input.port()?,
                until: input.optional(Reader::get)?,
            })
        })
    }
}

impl Wire for ContactInfo {
    fn write(&self, out: &mut Writer) {
        out.list(4).text(&self.name).bytes(&self.postal);
        out.all(&self.hubs, |out, hub| out.text(hub));
        out.all(&self.reach, |out, reach| out.put(reach));
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.fields(4, |input| {
            Ok(Self {
                name: input.shown(MAX_NAME)?,
                postal: input.bytes(MAX_POSTAL)?,
                hubs: input.all(MAX_HUBS, |input| input.exact(MAX_HOST_PORT))?,
                reach: input.all(MAX_ADDRESSES, Reader::get)?,
            })
        })
    }
}

/// A code travels as its stable name.
impl Wire for Code {
    fn write(&self, out: &mut Writer) {
        let name = serde_json::to_value(self).ok();
        out.text(name.as_ref().and_then(serde_json::Value::as_str).unwrap_or("failed"));
    }

    /// A code that a later version knows is a failure to this one.
    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let name = input.exact(MAX_CODE)?;
        Ok(serde_json::from_value(serde_json::Value::String(name)).unwrap_or(Self::Failed))
    }
}

#[cfg(test)]
mod tests;
