//! The audit log's entries.

use super::{Code, UnixMillis};
use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// An entry of the audit log. The entries form a hash chain: each contains the hash of the one before, so that none can be
/// changed or removed unnoticed by somebody without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AuditEntry {
    /// Its number, from 1.
    #[ts(type = "number")]
    pub number: u64,
    /// When it happened.
    pub at: UnixMillis,
    /// The event.
    pub deed: AuditEvent,
    /// HMAC-SHA-256 of the previous hash and this entry, in hexadecimal digits; SHA-256 of the same where the key was not
    /// there yet.
    pub hash: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "deed", rename_all = "kebab-case")]
pub enum AuditEvent {
    /// A service was shared, changed, paused, resumed or closed.
    Service {
        /// Its name.
        service: String,
        /// `shared`, `changed`, `paused`, `resumed`, `closed`.
        what: String,
    },
    /// An invitation was made, accepted, declined, revoked or expired.
    Invitation {
        /// The service's name.
        service: String,
        /// The person, once known.
        #[ts(type = "string | null")]
        person: Option<Identifier>,
        /// Their name.
        name: Option<String>,
        /// `made`, `knocked`, `accepted`, `declined`, `revoked`, `expired`.
        what: String,
    },
    /// A grant was changed, paused, resumed, revoked, given back, or is over.
    Grant {
        /// The service's name.
        service: String,
        /// The person.
        #[ts(type = "string")]
        person: Identifier,
        /// Their name.
        name: String,
        /// `changed`, `paused`, `resumed`, `revoked`, `given-back`, `expired`.
        what: String,
    },
    /// A connection through one of the user's services ended.
    Connection {
        /// The service's name.
        service: String,
        /// Who used it.
        #[ts(type = "string")]
        person: Identifier,
        /// Their name.
        name: String,
        /// Bytes towards the service.
        #[ts(type = "number")]
        up_bytes: u64,
        /// Bytes from the service.
        #[ts(type = "number")]
        down_bytes: u64,
        /// How long it was open, in milliseconds.
        #[ts(type = "number")]
        lasted_ms: u64,
        /// Why it ended early, if it did.
        ended: Option<String>,
        /// How many connections this entry stands for: after many in one hour, the further ones are added up.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        #[ts(as = "Option<u32>", optional)]
        count: u32,
    },
    /// Somebody was refused.
    Refused {
        /// The service's name, if it was one.
        service: Option<String>,
        /// The person.
        #[ts(type = "string | null")]
        person: Option<Identifier>,
        /// Their name, if known.
        name: Option<String>,
        /// Why.
        code: Code,
        /// How many refusals this entry stands for.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        #[ts(as = "Option<u32>", optional)]
        count: u32,
    },
    /// A portal of the user was added, switched on or off, or removed.
    Portal {
        /// Its name.
        portal: String,
        /// Its owner's name.
        owner: String,
        /// `added`, `on`, `off`, `check-on`, `check-off`, `removed`, `revoked`.
        what: String,
    },
    /// A contact was verified, blocked or unblocked, or their key changed.
    Contact {
        /// The person.
        #[ts(type = "string")]
        person: Identifier,
        /// Their name.
        name: String,
        /// `verified`, `unverified`, `blocked`, `unblocked`, `key-changed`, `forgotten`.
        what: String,
    },
    /// Something about the log itself.
    Log {
        /// `key-started`: entries are authenticated with a key from here on. `restored`: the data is that of a backup.
        /// `unprotected`: Postern was not stopped in order, so the removal of entries from `first` on would not have shown.
        /// `missing`: entries were removed, or an older copy of the file was put back. `replaced`: there are others instead.
        /// `anchor-missing`, `anchor-invalid`: the file that says how far the log reached was removed or changed.
        what: String,
        /// The first entry that this is about.
        #[ts(type = "number | null")]
        first: Option<u64>,
        /// The last.
        #[ts(type = "number | null")]
        last: Option<u64>,
    },
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(count: &u32) -> bool {
    *count == 1
}
