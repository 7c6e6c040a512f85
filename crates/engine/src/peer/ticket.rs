//! A ticket: an invitation as text, to be sent over any medium.
//!
//! ```text
//! postern://join/<base32>      base32 of   version 01 │ length u16 │ fields (CBOR) │ checksum (4 bytes of SHA-256)
//! fields = [ id, secret, owner, owner's name, [reach …], service's name, kind, port, expires ]
//! ```
//!
//! Base32 (RFC 4648, lower case, no padding) survives what chats, mails and QR codes do to texts: no character of it
//! means anything to them, and case does not matter. The length tells a link that was cut off, the checksum one
//! that was changed; neither protects against anybody. What does is the owner's identifier, which the link names, and the secret.

use crate::api::{Code, Fault, InvitationId, MAX_NAME, Secret, ServiceKind, UnixMillis};
use crate::peer::PeerAddress;
use crate::peer::cbor::{MAX_ADDRESSES, Malformed, Reader, Writer};
use postern_node::identity::Identifier;
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// What a link begins with.
pub const PREFIX: &str = "postern://join/";
/// Longest link, in bytes.
pub const MAX_LINK: usize = 2 * 1024;
/// Most addresses of the owner in one ticket.
pub const MAX_REACH: usize = crate::peer::cbor::MAX_ADDRESSES;
/// Longest text in which a link is searched, in bytes: more than a chat message with a quoted mail.
const MAX_PASTED: usize = 16 * 1024;
const VERSION: u8 = 1;
const HEAD: usize = 3;
const CHECKSUM: usize = 4;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// An invitation as it travels.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The invitation.
    pub id: InvitationId,
    /// The secret that redeems it.
    pub secret: [u8; 32],
    /// Who invites; no other identity is accepted at the addresses.
    pub owner: Identifier,
    /// The owner's name.
    pub owner_name: String,
    /// Where the owner can be reached.
    pub reach: Vec<PeerAddress>,
    /// The service's name.
    pub service_name: String,
    /// The protocol it speaks.
    pub service_kind: ServiceKind,
    /// The service's own port.
    pub port: u16,
    /// Until when it can be accepted.
    pub expires: UnixMillis,
}

impl fmt::Debug for Ticket {
    /// Without its secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("id", &self.id).field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl Ticket {
    /// The link. Where it would be longer than [`MAX_LINK`], the last addresses are left out.
    pub fn encode(&self) -> Secret {
        let mut reach = &self.reach[..self.reach.len().min(MAX_ADDRESSES)];
        loop {
            let link = self.encode_with(reach);
            match reach.split_last() {
                Some((_, fewer)) if link.len() > MAX_LINK => reach = fewer,
                _ => return Secret::new(link.as_str()),
            }
        }
    }

    fn encode_with(&self, reach: &[PeerAddress]) -> Zeroizing<String> {
        let mut out = Writer::new();
        out.list(9).bytes(&self.id.0).bytes(&self.secret).bytes(self.owner.as_bytes()).text(&self.owner_name);
        out.all(reach, |out, reach| out.put(reach)).text(&self.service_name).put(&self.service_kind);
        out.number(self.port.into()).put(&self.expires);
        let fields = Zeroizing::new(out.finish());
        let length = u16::try_from(fields.len()).unwrap_or(u16::MAX);
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD + fields.len() + CHECKSUM));
        bytes.push(VERSION);
        bytes.extend(length.to_be_bytes());
        bytes.extend(fields.iter());
        let checksum = checksum(&bytes);
        bytes.extend(checksum);
        let mut link = Zeroizing::new(String::with_capacity(MAX_LINK + bytes.len()));
        link.push_str(PREFIX);
        push_base32(&mut link, &bytes);
        link
    }

    /// Finds the ticket in a text that a person pasted.
    ///
    /// Around the link there may be anything, and inside it the spaces and line breaks that mail programs put there. `https://…#` in
    /// place of `postern://join/` is understood too.
    ///
    /// # Errors
    /// [`Code::BadTicket`], with a sentence that tells a link that was cut off from one that is none.
    pub fn decode(text: &str) -> Result<Self, Fault> {
        let bad = |sentence: &str| Fault::new(Code::BadTicket, sentence);
        let no_link = "This is not an invitation. One begins with postern://join/; ask for the whole link.";
        let cut_off = "The link is cut off. Copy all of it, or ask for it again.";
        if text.len() > MAX_PASTED {
            return Err(bad(no_link));
        }
        let code = find(text).ok_or_else(|| bad(no_link))?;
        let bytes = from_base32(code);
        let Some(head) = bytes.get(..HEAD) else {
            return Err(bad(if bytes.is_empty() { no_link } else { cut_off }));
        };
        if head[0] != VERSION {
            return Err(bad(
                "The link is damaged, or was made by a newer Postern: update yours, or ask for the link again.",
            ));
        }
        let length = HEAD + usize::from(u16::from_be_bytes([head[1], head[2]]));
        let Some(whole) = bytes.get(..length + CHECKSUM) else { return Err(bad(cut_off)) };
        let (content, sum) = whole.split_at(length);
        if sum != checksum(content) {
            return Err(bad("The link is damaged: a part of it was changed on its way. Ask for it again."));
        }
        Self::read(&content[HEAD..]).map_err(|Malformed| bad("The link is not an invitation. Ask for it again."))
    }

    fn read(fields: &[u8]) -> Result<Self, Malformed> {
        Reader::new(fields).fields(9, |input| {
            Ok(Self {
                id: InvitationId(input.array()?),
                secret: input.array()?,
                owner: Identifier::from_bytes(input.array()?),
                owner_name: input.shown(MAX_NAME)?,
                reach: input.all(MAX_ADDRESSES, Reader::get)?,
                service_name: input.shown(MAX_NAME)?,
                service_kind: input.get()?,
                port: input.port()?,
                expires: input.get()?,
            })
        })
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let digest = Sha256::digest(bytes);
    std::array::from_fn(|at| digest[at])
}

/// What follows the prefix, or the `#` of a web address.
fn find(text: &str) -> Option<&str> {
    // ASCII only, so that places in the one are places in the other.
    let lower = text.to_ascii_lowercase();
    if let Some(at) = lower.find(PREFIX) {
        return Some(&text[at + PREFIX.len()..]);
    }
    let web = lower.find("https://")?;
    let hash = web + lower[web..].find('#')?;
    let code = &text[hash + 1..];
    Some(code.strip_prefix("join/").unwrap_or(code))
}

fn push_base32(out: &mut String, bytes: &[u8]) {
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(ALPHABET[(buffer >> bits) as usize & 31]));
        }
    }
    if bits > 0 {
        out.push(char::from(ALPHABET[(buffer << (5 - bits)) as usize & 31]));
    }
}

/// Reads up to the first character that cannot belong to it, at most [`MAX_LINK`] characters.
fn from_base32(text: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LINK));
    let (mut buffer, mut bits) = (0_u32, 0);
    for it in text.chars().filter(|it| !it.is_whitespace()).take(MAX_LINK) {
        let Some(value) = ALPHABET.iter().position(|letter| it.to_ascii_lowercase() == char::from(*letter)) else {
            break;
        };
        buffer = (buffer << 5) | value as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
        }
        buffer &= 0xff;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ticket() -> Ticket {
        Ticket {
            id: InvitationId([1; 16]),
            secret: [2; 32],
            owner: Identifier::from_bytes([3; 32]),
            owner_name: "Zoë 🌻".into(),
            reach: vec![
                PeerAddress::Direct { address: "192.168.1.7:41022".into() },
                PeerAddress::Hub { address: "hub.example:4000".into(), relay: "r".repeat(20) },
            ],
            service_name: "Größe".into(),
            service_kind: ServiceKind::Http,
            port: 3000,
            expires: UnixMillis(1_700_000_000_000),
        }
    }

    fn message(text: &str) -> String {
        let fault = Ticket::decode(text).unwrap_err();
        assert_eq!(fault.code, Code::BadTicket);
        fault.message
    }

    #[test]
    fn snapshot() {
        let link = ticket().encode();
        assert_eq!(
            link.reveal(),
            concat!(
                "postern://join/",
                "aealfckqaeaqcaibaeaqcaibaeaqcaibafmcaaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcla",
                "qagaydambqgaydambqgaydambqgaydambqgaydambqgaydambqga3jljx4hkza6cpyzo4cqiahcmjzgixdcnryfyys",
                "4nz2gqytamrsqmaxa2dvmixgk6dbnvygyzj2gqydamduojzhe4tsojzhe4tsojzhe4tsojzhe4tsm5dxfq5wyopwka",
                "izbo4bwaaaagf47zliac5yommn",
            )
        );
        assert_eq!(Ticket::decode(link.reveal()).unwrap(), ticket());
    }

    #[test]
    fn base32_is_that_of_rfc_4648() {
        let vectors = [
            ("f", "my"),
            ("fo", "mzxq"),
            ("foo", "mzxw6"),
            ("foob", "mzxw6yq"),
            ("fooba", "mzxw6ytb"),
            ("foobar", "mzxw6ytboi"),
        ];
        for (bytes, expected) in vectors {
            let mut text = String::new();
            push_base32(&mut text, bytes.as_bytes());
            assert_eq!(text, expected);
            assert_eq!(from_base32(expected).as_slice(), bytes.as_bytes());
        }
    }

    #[test]
    fn a_link_is_found_in_what_people_paste() {
        let link = ticket().encode();
        let link = link.reveal();
        let code = link.strip_prefix(PREFIX).unwrap();
        let (front, back) = link.split_at(76);
        for pasted in [
            format!("  {link}\n"),
            format!("\"{link}\""),
            format!("<{link}>."),
            format!("Hi, join here: {link} (see you)"),
            link.to_uppercase(),
            format!("> {front}\r\n  {back}"),
            format!("https://postern.example/join#{code}"),
            format!("https://postern.example/#join/{code}"),
            format!("„{link}“"),
        ] {
            assert_eq!(Ticket::decode(&pasted).as_ref(), Ok(&ticket()), "{pasted}");
        }
    }

    #[test]
    fn a_link_that_is_cut_off_is_said_to_be() {
        let link = ticket().encode();
        let link = link.reveal();
        for end in PREFIX.len() + 2..link.len() {
            assert!(message(&link[..end]).starts_with("The link is cut off."), "{end}");
        }
        for text in ["", "hello", "https://postern.example/", PREFIX, "postern://join/!", "ポスターン"] {
            assert!(message(text).starts_with("This is not an invitation."), "{text}");
        }
        assert!(message(&"postern://join/".repeat(10_000)).starts_with("This is not an invitation."));
    }

    #[test]
    fn a_link_that_was_changed_is_said_to_be() {
        let link = ticket().encode().reveal().to_owned();
        for at in PREFIX.len()..link.len() - 1 {
            let mut changed = link.clone().into_bytes();
            changed[at] = if changed[at] == b'a' { b'b' } else { b'a' };
            // The length itself may say that more should follow, and the version that it is newer.
            message(&String::from_utf8(changed).unwrap());
        }
    }

    #[test]
    fn it_is_never_too_long() {
        let mut long = ticket();
        long.owner_name = "🌻".repeat(MAX_NAME);
        long.service_name = "🌻".repeat(MAX_NAME);
        long.reach = vec![PeerAddress::Hub { address: "h".repeat(250), relay: "r".repeat(64) }; 20];
        let link = long.encode();
        assert!(link.reveal().len() <= MAX_LINK);
        let read = Ticket::decode(link.reveal()).unwrap();
        assert_eq!(read.reach, long.reach[..read.reach.len()]);
        assert_eq!(read.service_name, long.service_name);
    }

    #[test]
    fn debug_shows_no_secret() {
        let text = format!("{:?} {:?}", ticket(), ticket().encode());
        assert!(!text.contains("2, 2") && !text.contains(PREFIX), "{text}");
    }

    proptest! {
        #[test]
        fn tickets_round_trip(
            id: [u8; 16], secret: [u8; 32], owner: [u8; 32], port: u16, expires: u64,
            owner_name in "[^\\p{C}\\p{Z}]{0,80}", service_name in "[a-zäöü€🌻 ]{0,80}", address in "[a-z.:0-9]{0,60}",
        ) {
            let ticket = Ticket {
                id: InvitationId(id), secret, owner: Identifier::from_bytes(owner), owner_name, service_name, port,
                reach: vec![PeerAddress::Direct { address }], service_kind: ServiceKind::Tcp, expires: UnixMillis(expires),
            };
            prop_assert_eq!(Ticket::decode(ticket.encode().reveal()), Ok(ticket));
        }

        #[test]
        fn hostile_texts_are_only_refused(text: String, code in "[a-z2-7]{0,300}", fields in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Ticket::decode(&text);
            let _ = Ticket::decode(&format!("{PREFIX}{code}"));
            let _ = Ticket::read(&fields);
        }
    }
}
