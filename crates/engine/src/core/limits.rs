//! The limits of the core: how much it holds, and how long it waits.

/// Services that the user shares. With every description at its longest, a snapshot of this many stays an eighth of
/// what the control socket carries.
pub const MAX_SERVICES: usize = 512;
/// Invitations sent, finished ones included; the oldest finished ones make room.
pub const MAX_INVITATIONS: usize = 1024;
/// Grants, ended ones included; the oldest ended ones make room.
pub const MAX_GRANTS: usize = 2048;
/// Invitations received, answered ones included; the oldest finished ones make room.
pub const MAX_RECEIVED: usize = 256;
/// Portals.
pub const MAX_INLETS: usize = 256;
/// Labels of owners in the host names of portals, those of former owners included. Each costs the user an accepted invitation;
/// further owners get a label made of their identifier. Four times `MAX_CONTACTS`.
pub const MAX_OWNER_LABELS: usize = 4 * MAX_CONTACTS;
/// Contacts.
pub const MAX_CONTACTS: usize = 1024;
/// Hubs.
pub const MAX_HUBS: usize = 8;
/// Addresses of one person.
pub const MAX_REACH: usize = crate::peer::ticket::MAX_REACH;
/// Pieces of mail that no hub has taken yet.
pub const MAX_MAIL: usize = 512;
/// Grants in one sync.
pub const MAX_SYNC: usize = MAX_INLETS;
/// Calls to other engines under way at once.
pub const MAX_CALLS: usize = 32;
/// Key histories remembered of people who are not contacts.
pub const MAX_MET: usize = 1024;
/// Bytes of these histories. A history with one change has some 130, so all of them fit eight times; strangers with long
/// histories cost no more.
pub const MAX_MET_BYTES: usize = 1024 * 1024;
/// Refusals with an audit entry of their own, per hour; the further ones are counted in one. One a minute is more than honest
/// friends cause, and fills at most 400 kB a day.
pub const MAX_REFUSALS: u32 = 60;
/// Connections of one grant with an audit entry of their own, per hour; the further ones are added up in one. A person who
/// uses a service by hand stays below, and a program that reconnects all the time fills at most 400 kB a day.
pub const MAX_CONNECTION_ENTRIES: u32 = 60;

/// Longest `host:port`, in bytes.
pub const MAX_ADDRESS: usize = 259;
/// Longest address of an outlet, in bytes.
pub const MAX_OUTLET: usize = 128;
/// Longest path, in bytes.
pub const MAX_PATH: usize = 512;
/// Longest address of a page that web links lead to, in bytes.
pub const MAX_WEB_PAGE: usize = 200;
/// Longest encoded postal address, in bytes.
pub const MAX_POSTAL: usize = 4096;

/// How long an invitation can be accepted unless the user chooses otherwise, in milliseconds: a week outlasts a weekend.
pub const VALID_FOR: u64 = 7 * DAY;
/// The longest time an invitation can be accepted, in milliseconds.
pub const MAX_VALID_FOR: u64 = 365 * DAY;
/// The shortest time an invitation can be accepted, in milliseconds.
pub const MIN_VALID_FOR: u64 = MINUTE;

/// The first delay of the exponential backoff of calls and mail, in milliseconds: a short interruption is over by then.
pub const FIRST_RETRY: u64 = SECOND;
/// The longest delay of that backoff, in milliseconds: what waits for somebody for days costs a packet a minute.
pub const LAST_RETRY: u64 = MINUTE;
/// How often an owner who has not answered a knock is polled, in milliseconds. The notification of the answer is the
/// rule; polling covers one that was lost.
pub const ASK_AGAIN: u64 = 30 * SECOND;
/// After this a call, a piece of mail or a health check that was never reported is given up, in milliseconds. The driver
/// reports within seconds; this covers a report that was lost.
pub const ANSWER_WITHIN: u64 = 2 * MINUTE;
/// Attempts of calls and mail that are not required: ten minutes of backoff.
pub const MAX_TRIES: u32 = 12;

/// Between two health checks of a target that is up, in milliseconds.
pub const CHECK_EVERY: u64 = 30 * SECOND;
/// Between two health checks of a target that is down, in milliseconds: soon after it is started, friends see it.
pub const CHECK_DOWN_EVERY: u64 = 5 * SECOND;

/// Between two notices that the hubs, or one portal, went down, in milliseconds: a flapping link must not fill the screen.
pub const NOTICE_EVERY: u64 = MINUTE;
/// Between two writes of when a grant was last used, in milliseconds: the precision in which it is shown.
pub const NOTE_USE_EVERY: u64 = MINUTE;

pub(crate) const SECOND: u64 = 1000;
pub(crate) const MINUTE: u64 = 60 * SECOND;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * 60 * MINUTE;
