//! An invitation as text.
//!
//! ```text
//! postern://join/BASE64URL     version · id · secret · owner · kind · port · expires · names · ways to the owner · check
//! ```
//!
//! The owner's identifier is the hash of their key, so the link itself says who must answer. The check (4 bytes of
//! SHA-256) tells a link that was cut or mistyped from one that is wrong; it keeps nobody from making links.

use crate::machine::Reach;
use crate::model::{Code, Fault, InvitationId, Secret, ServiceKind, UnixMillis};
use postern_node::identity::Identifier;
use sha2::{Digest, Sha256};

/// What every link begins with.
pub const PREFIX: &str = "postern://join/";
/// Longest link, in bytes.
pub const MAX_LINK: usize = 4096;
/// Most ways to the owner in one ticket.
pub const MAX_REACH: usize = 16;

const VERSION: u8 = 1;
const CHECK: usize = 4;

/// What a link carries.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The invitation.
    pub id: InvitationId,
    /// What only the invited know.
    pub secret: [u8; 32],
    /// Who invites.
    pub owner: Identifier,
    /// What they call themselves.
    pub owner_name: String,
    /// Where they can be reached.
    pub reach: Vec<Reach>,
    /// The service's name.
    pub service_name: String,
    /// What it speaks.
    pub service_kind: ServiceKind,
    /// Its own port.
    pub port: u16,
    /// Until when it can be accepted.
    pub expires: UnixMillis,
}

impl std::fmt::Debug for Ticket {
    /// Without its secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("id", &self.id).field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl Ticket {
    /// The link.
    pub fn encode(&self) -> Secret {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.id.0);
        bytes.extend_from_slice(&self.secret);
        bytes.extend_from_slice(self.owner.as_bytes());
        bytes.push(match self.service_kind {
            ServiceKind::Tcp => 0,
            ServiceKind::Http => 1,
            ServiceKind::Https => 2,
        });
        bytes.extend_from_slice(&self.port.to_be_bytes());
        bytes.extend_from_slice(&self.expires.0.to_be_bytes());
        put_text(&mut bytes, &self.owner_name);
        put_text(&mut bytes, &self.service_name);
        let reach = &self.reach[..self.reach.len().min(MAX_REACH)];
        bytes.push(reach.len() as u8);
        for way in reach {
            match way {
                Reach::Direct { address } => {
                    bytes.push(0);
                    put_text(&mut bytes, address);
                }
                Reach::Hub { address, relay } => {
                    bytes.push(1);
                    put_text(&mut bytes, address);
                    put_text(&mut bytes, relay);
                }
            }
        }
        let check = Sha256::digest(&bytes);
        bytes.extend_from_slice(&check[..CHECK]);
        Secret::new(format!("{PREFIX}{}", to_base64url(&bytes)))
    }

    /// Reads a link.
    ///
    /// # Errors
    ///
    /// [`Code::BadTicket`] when the text is no link, is cut, or was made by a newer Postern.
    pub fn decode(link: &str) -> Result<Self, Fault> {
        let bad = |sentence: &str| Fault::new(Code::BadTicket, sentence);
        let text = link.trim();
        if text.len() > MAX_LINK {
            return Err(bad("This is too long for an invitation."));
        }
        let Some(text) = text.strip_prefix(PREFIX) else {
            return Err(bad("This is not an invitation: it should begin with postern://join/."));
        };
        let cut = || bad("This invitation is not complete: copy the whole link.");
        let bytes = from_base64url(text.trim_end_matches('/')).ok_or_else(cut)?;
        let (body, check) = bytes.split_at_checked(bytes.len().saturating_sub(CHECK)).ok_or_else(cut)?;
        if check.len() != CHECK || Sha256::digest(body)[..CHECK] != *check {
            return Err(cut());
        }
        match body.first() {
            Some(&VERSION) => Reader(&body[1..]).ticket().ok_or_else(cut),
            _ => Err(bad("This invitation was made by a newer Postern: update to open it.")),
        }
    }
}

/// Longest text in a ticket, in bytes: what its length's one byte can say.
const MAX_TEXT: usize = 255;

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let end = (0..=text.len().min(MAX_TEXT)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    bytes.push(end as u8);
    bytes.extend_from_slice(&text.as_bytes()[..end]);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn text(&mut self) -> Option<String> {
        let [length] = self.array()?;
        String::from_utf8(self.take(usize::from(length))?.to_vec()).ok()
    }

    fn reach(&mut self) -> Option<Reach> {
        match self.array()? {
            [0] => Some(Reach::Direct { address: self.text()? }),
            [1] => Some(Reach::Hub { address: self.text()?, relay: self.text()? }),
            _ => None,
        }
    }

    fn ticket(mut self) -> Option<Ticket> {
        let id = InvitationId(self.array()?);
        let secret = self.array()?;
        let owner = Identifier::from_bytes(self.array()?);
        let service_kind = match self.array()? {
            [0] => ServiceKind::Tcp,
            [1] => ServiceKind::Http,
            [2] => ServiceKind::Https,
            _ => return None,
        };
        let port = u16::from_be_bytes(self.array()?);
        let expires = UnixMillis(u64::from_be_bytes(self.array()?));
        let (owner_name, service_name) = (self.text()?, self.text()?);
        let [count] = self.array()?;
        if usize::from(count) > MAX_REACH {
            return None;
        }
        let reach = (0..count).map(|_| self.reach()).collect::<Option<Vec<_>>>()?;
        let ticket = Ticket { id, secret, owner, owner_name, reach, service_name, service_kind, port, expires };
        self.0.is_empty().then_some(ticket)
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn to_base64url(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().enumerate().fold(0u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for digit in 0..=chunk.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    text
}

fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.as_bytes().chunks(4) {
        let mut bits = 0u32;
        for (at, digit) in chunk.iter().enumerate() {
            bits |= (DIGITS.iter().position(|it| it == digit)? as u32) << (18 - 6 * at);
        }
        let whole = chunk.len().checked_sub(1).filter(|whole| *whole > 0)?;
        let [_, decoded @ ..] = bits.to_be_bytes();
        if decoded[whole..].iter().any(|rest| *rest != 0) {
            return None;
        }
        bytes.extend_from_slice(&decoded[..whole]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            id: InvitationId([1; 16]),
            secret: [2; 32],
            owner: Identifier::from_bytes([3; 32]),
            owner_name: "Ada".into(),
            reach: vec![
                Reach::Direct { address: "192.168.1.2:4000".into() },
                Reach::Hub { address: "hub.example:4000".into(), relay: "ada".into() },
            ],
            service_name: "Orders".into(),
            service_kind: ServiceKind::Http,
            port: 8080,
            expires: UnixMillis(1_700_000_000_000),
        }
    }

    #[test]
    fn links_round_trip() {
        let link = ticket().encode();
        assert_eq!(Ticket::decode(link.reveal()), Ok(ticket()));
        assert_eq!(Ticket::decode(&format!(" {}\n", link.reveal())), Ok(ticket()));
    }

    #[test]
    fn cut_and_changed_links_are_refused() {
        let link = ticket().encode();
        let link = link.reveal();
        for end in 0..link.len() {
            assert_eq!(Ticket::decode(&link[..end]).unwrap_err().code, Code::BadTicket);
        }
        for at in PREFIX.len()..link.len() {
            let mut bytes = link.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert!(Ticket::decode(&String::from_utf8(bytes).unwrap()).is_err());
        }
    }
}
