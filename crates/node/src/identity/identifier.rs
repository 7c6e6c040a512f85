use std::{fmt, str::FromStr};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::Error;

/// The name of an identity: the SHA-256 of its first change (`docs/wire.md §6.3`).
///
/// As text, and in serde formats, the letter `I` and 64 lower-case hexadecimal digits; upper-case
/// digits are accepted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(transparent)]
#[serde(into = "String", try_from = "String")]
pub struct Identifier(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 32],
);

impl Identifier {
    /// The identifier with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Identifier {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.strip_prefix('I').ok_or(Error::BadIdentifier)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| Error::BadIdentifier)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Identifier {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Identifier> for String {
    fn from(identifier: Identifier) -> Self {
        identifier.to_string()
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "I{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form() {
        let digits = "00ff".repeat(16);
        let text = format!("I{digits}");
        let identifier: Identifier = text.parse().unwrap();
        assert_eq!(identifier.to_string(), text);
        assert_eq!(serde_json::to_string(&identifier).unwrap(), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Identifier>(&format!("\"{text}\"")).unwrap(), identifier);
        assert_eq!(format!("I{}", digits.to_uppercase()).parse::<Identifier>().unwrap(), identifier);
        let bad = ["", "I", &digits, &text[..64], &format!("{text}00"), &format!("P{digits}"), "Ié"];
        for text in bad {
            assert!(matches!(text.parse::<Identifier>(), Err(Error::BadIdentifier)), "{text}");
        }
    }
}
