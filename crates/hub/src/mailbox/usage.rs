//! How much of the mailboxes' space is taken from where, and who gives way when it is full.

use postern_env::random;
use postern_node::SourceAddress;
use postern_node::mailbox::MailId;
use sqlx::SqliteConnection;
use std::collections::HashMap;

/// Names where messages come from. It cannot be turned back into an address, and another process gives another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SourceId(pub(super) [u8; 8]);

impl SourceId {
    /// As it was stored.
    pub(super) fn from_row(bytes: &[u8]) -> Self {
        Self(bytes.first_chunk().copied().unwrap_or_default())
    }
}

/// Names source addresses, with a secret of this process.
pub(crate) struct SourceNames(Vec<u8>);

impl SourceNames {
    /// # Errors
    /// The system gives no random numbers.
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self(random::bytes::<32>()?.to_vec()))
    }

    pub(crate) fn name(&self, address: Option<SourceAddress>) -> SourceId {
        let octets = address.map(|address| address.octets()).unwrap_or_default();
        SourceId::from_row(MailId::of(&[&self.0[..], &octets].concat()).as_bytes())
    }
}

/// Messages, and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// What comes from where.
#[derive(Default)]
pub(super) struct Usage(HashMap<SourceId, Share>);

impl Usage {
    pub(super) async fn load(connection: &mut SqliteConnection) -> sqlx::Result<Self> {
        let all = "SELECT source, COUNT(*), SUM(LENGTH(sealed)) FROM mail GROUP BY source";
        Ok(Self::from_rows(sqlx::query_as(all).fetch_all(connection).await?))
    }

    /// Of sources, with their messages and bytes.
    pub(super) fn from_rows(rows: Vec<(Vec<u8>, i64, i64)>) -> Self {
        let share =
            |messages: i64, bytes: i64| Share { messages: messages.unsigned_abs(), bytes: bytes.unsigned_abs() };
        Self(
            rows.into_iter()
                .map(|(source, messages, bytes)| (SourceId::from_row(&source), share(messages, bytes)))
                .collect(),
        )
    }

    pub(super) fn total(&self) -> Share {
        self.0.values().fold(Share::default(), |all, it| Share {
            messages: all.messages + it.messages,
            bytes: all.bytes + it.bytes,
        })
    }

    pub(super) fn add(&mut self, source: SourceId, bytes: u64) {
        let share = self.0.entry(source).or_default();
        share.messages += 1;
        share.bytes += bytes;
    }

    pub(super) fn remove(&mut self, source: SourceId, bytes: u64) {
        let Some(share) = self.0.get_mut(&source) else { return };
        share.messages = share.messages.saturating_sub(1);
        share.bytes = share.bytes.saturating_sub(bytes);
        if share.messages == 0 {
            self.0.remove(&source);
        }
    }

    /// The source that has most, if it has more than `source` will have with another message of so many bytes, in bytes or
    /// in messages. Whoever has most themselves gets no room from others.
    pub(super) fn who_gives_way_to(&self, source: SourceId, bytes: u64) -> Option<SourceId> {
        let mine = self.0.get(&source).copied().unwrap_or_default();
        let has_more = |share: &Share| share.bytes > mine.bytes + bytes || share.messages > mine.messages + 1;
        let others = self.0.iter().filter(|(other, share)| **other != source && has_more(share));
        others.max_by_key(|(other, share)| (share.bytes, share.messages, **other)).map(|(other, _)| *other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    #[test]
    fn names_differ_by_address_and_by_process() {
        let (names, others) = (SourceNames::new().unwrap(), SourceNames::new().unwrap());
        let address = |last: u8| Some(IpAddr::from([192, 0, 2, last]).into());
        assert_eq!(names.name(address(1)), names.name(address(1)));
        assert_ne!(names.name(address(1)), names.name(address(2)));
        assert_ne!(names.name(address(1)), others.name(address(1)));
    }

    #[test]
    fn whoever_has_most_gives_way_and_gets_no_room_from_others() {
        let (flood, friend) = (SourceId([1; 8]), SourceId([2; 8]));
        let mut usage = Usage::default();
        for _ in 0..10 {
            usage.add(flood, 100);
        }
        usage.add(friend, 100);
        assert_eq!(usage.who_gives_way_to(friend, 100), Some(flood));
        assert_eq!(usage.who_gives_way_to(flood, 100), None);
        // Many small messages count as much as large ones.
        assert_eq!(usage.who_gives_way_to(friend, 5_000), Some(flood));
        assert_eq!(usage.total(), Share { messages: 11, bytes: 1_100 });
        (0..10).for_each(|_| usage.remove(flood, 100));
        assert_eq!((usage.who_gives_way_to(friend, 1), usage.total().messages), (None, 1));
    }
}
