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

mod pasted_text;
mod web_link;

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

/// Whether more of a text may complete the link in it: there is none yet, or the last one is cut off.
#[must_use]
pub fn is_incomplete(text: &str) -> bool {
    text.len() < pasted_text::MAX_PASTED && matches!(Ticket::find(text), Err(BadLink::None | BadLink::CutOff))
}

/// Why a text holds no ticket; of several reasons the greatest is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
enum BadLink {
    #[error("This is not an invitation. One begins with postern://join/; ask for the whole link.")]
    None,
    #[error("The link is damaged, or was made by a newer Postern: update yours, or ask for the link again.")]
    OtherVersion,
    #[error("The link is cut off. Copy all of it, or ask for it again.")]
    CutOff,
    #[error("The link is damaged: a part of it was changed on its way. Ask for it again.")]
    Changed,
    #[error("The link is not an invitation. Ask for it again.")]
    Malformed,
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
    /// Around the link there may be anything, also mentions of its beginning, and inside it what mail and chat programs put there: spaces,
    /// line breaks, quotation marks of replies, invisible characters, percent and quoted-printable encoding. `https://…#join/` in place of
    /// `postern://join/` is understood too.
    ///
    /// # Errors
    /// [`Code::BadTicket`], with a sentence that tells a link that was cut off from one that is none.
    pub fn decode(text: &str) -> Result<Self, Fault> {
        Self::find(text).map_err(|bad| Fault::new(Code::BadTicket, bad.to_string()))
    }

    fn find(text: &str) -> Result<Self, BadLink> {
        let mut worst = BadLink::None;
        for variant in pasted_text::variants(text) {
            for code in pasted_text::places(&variant) {
                match Self::decode_at(code) {
                    Ok(ticket) => return Ok(ticket),
                    Err(bad) => worst = worst.max(bad),
                }
            }
        }
        Err(worst)
    }

    /// Reads the ticket that a text begins with.
    fn decode_at(code: &str) -> Result<Self, BadLink> {
        let bytes = from_base32(code);
        let Some(head) = bytes.get(..HEAD) else {
            return Err(if bytes.is_empty() { BadLink::None } else { BadLink::CutOff });
        };
        if head[0] != VERSION {
            return Err(BadLink::OtherVersion);
        }
        let length = HEAD + usize::from(u16::from_be_bytes([head[1], head[2]]));
        let whole = bytes.get(..length + CHECKSUM).ok_or(BadLink::CutOff)?;
        let (content, sum) = whole.split_at(length);
        if sum != checksum(content) {
            return Err(BadLink::Changed);
        }
        Self::read(&content[HEAD..]).map_err(|Malformed| BadLink::Malformed)
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
            // As mail programs quote, wrap and protect it.
            format!("> {front}\n> {back}"),
            format!("> > {front}\n> > {back}\n> > Bye"),
            format!("{front}\u{200b}{back}"),
            format!("{front}\u{ad}{back}"),
            format!("postern://jo\u{200b}in/{code}"),
            format!("{front}=\r\n{back}"),
            format!("postern:/=\n/join/{code}"),
            format!("It begins with postern://join/ and here is yours: {link}"),
            format!("{link}\nThe link begins with postern://join/."),
            format!("https://eur01.safelinks.protection.outlook.com/?url=postern%3A%2F%2Fjoin%2F{code}&data=05%7C01"),
            format!("https://a.example/?u=https%3A%2F%2Fb.example%2F%3Fu%3Dpostern%253A%252F%252Fjoin%252F{code}%26x"),
            format!("https://urldefense.com/v3/__{link}__;!!x$"),
            format!("https://urldefense.proofpoint.com/v2/url?u=postern-3A__join_{code}&d=DwMFaQ"),
            format!("https://www.example/url?q=https://postern.example/join%23{code}&sa=D"),
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
        // The mention of a link does not hide that the link after it, or before it, is cut off.
        let cut = &link[..link.len() - 9];
        for text in
            [format!("postern://join/ begins it: {cut}"), format!("{cut} (all begin with postern://join/ here)")]
        {
            assert!(message(&text).starts_with("The link is cut off."), "{text}");
        }
        assert!(message(&"postern://join/".repeat(10_000)).starts_with("This is not an invitation."));
    }

    #[test]
    fn a_link_that_is_pasted_line_by_line_is_incomplete_up_to_its_end() {
        let link = ticket().encode().reveal().to_owned();
        for end in 0..link.len() {
            assert!(is_incomplete(&link[..end]), "{end}");
        }
        assert!(!is_incomplete(&link) && !is_incomplete(&format!("{link}\nBye")));
        assert!(!is_incomplete(&link.replacen("ckqaea", "ckqaeb", 1)), "what was changed does not become whole");
        assert!(!is_incomplete(&" ".repeat(pasted_text::MAX_PASTED)), "the search ends");
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
