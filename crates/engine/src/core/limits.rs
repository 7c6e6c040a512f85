//! How much the heart holds, and how long it waits.

/// Services that one person shares.
pub const MAX_SERVICES: usize = 512;
/// Invitations sent, the finished ones included; the oldest finished make room.
pub const MAX_INVITATIONS: usize = 1024;
/// Grants, the ended ones included; the oldest ended make room.
pub const MAX_GRANTS: usize = 2048;
/// Invitations received, with those that were answered; the oldest answered make room.
pub const MAX_RECEIVED: usize = 256;
/// Portals.
pub const MAX_INLETS: usize = 256;
/// People known.
pub const MAX_CONTACTS: usize = 1024;
/// Hubs.
pub const MAX_HUBS: usize = 8;
/// Ways to one person.
pub const MAX_REACH: usize = crate::peer::ticket::MAX_REACH;
/// Mail waiting to be taken by a hub.
pub const MAX_MAIL: usize = 512;
/// Grants asked about in one question.
pub const MAX_SYNC: usize = MAX_INLETS;
/// Questions to others under way at once.
pub const MAX_CALLS: usize = 32;
/// Lengths of histories remembered of people who are no contacts.
pub const MAX_MET: usize = 1024;
/// Refusals written to the receipts in a minute; more are only refused.
pub const MAX_REFUSALS: u32 = 60;

/// Longest `host:port`, in bytes.
pub const MAX_ADDRESS: usize = 259;
/// Longest address of an outlet, in bytes.
pub const MAX_OUTLET: usize = 128;
/// Longest path, in bytes.
pub const MAX_PATH: usize = 512;
/// Longest encoded postal address, in bytes.
pub const MAX_POSTAL: usize = 4096;

/// How long an invitation can be accepted if nothing else is said, and at most; in milliseconds.
pub const VALID_FOR: u64 = 7 * DAY;
/// See [`VALID_FOR`].
pub const MAX_VALID_FOR: u64 = 365 * DAY;
/// The shortest time an invitation can be accepted, in milliseconds.
pub const MIN_VALID_FOR: u64 = MINUTE;

/// First and longest wait before a question or a piece of mail is tried again, in milliseconds.
pub const FIRST_RETRY: u64 = SECOND;
/// See [`FIRST_RETRY`].
pub const LAST_RETRY: u64 = MINUTE;
/// Before an owner who is being asked is asked again, in milliseconds.
pub const ASK_AGAIN: u64 = 30 * SECOND;
/// After this a question or a piece of mail without an answer is taken for lost, in milliseconds.
pub const ANSWER_WITHIN: u64 = 2 * MINUTE;
/// Tries of what is worth telling but not worth waiting for.
pub const MAX_TRIES: u32 = 12;

/// Between two looks at a target that answers, in milliseconds.
pub const CHECK_EVERY: u64 = 30 * SECOND;
/// Between two looks at a target that does not, in milliseconds.
pub const CHECK_DOWN_EVERY: u64 = 5 * SECOND;

/// Between two notices that the hubs, or one portal, were lost, in milliseconds.
pub const NOTICE_EVERY: u64 = MINUTE;
/// Between two notes on disk of when a grant was last used, in milliseconds.
pub const NOTE_USE_EVERY: u64 = MINUTE;

pub(crate) const SECOND: u64 = 1000;
pub(crate) const MINUTE: u64 = 60 * SECOND;
pub(crate) const DAY: u64 = 24 * 60 * MINUTE;
