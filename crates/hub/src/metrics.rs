//! The hub's counters as Prometheus text (exposition format 0.0.4).

use crate::mailbox::MailboxStats;
use postern_node::Stats;
use std::fmt::Write;

/// All metrics, each with its help and type.
pub(crate) fn render(stats: &Stats, mailbox: &MailboxStats) -> String {
    let gauges = [
        ("connections", "TCP connections open now", &stats.connections),
        ("relays", "relays registered now", &stats.relays),
        ("channels", "secure channels with the hub itself, open now", &stats.channels),
        ("mailbox_messages", "messages that wait in mailboxes now", &mailbox.messages),
        ("mailbox_bytes", "bytes of those messages", &mailbox.bytes),
        ("mailbox_subscribers", "channels that mailboxes are read over now", &mailbox.subscribers),
    ];
    let counters = [
        ("frames_total", "frames read from nodes", &stats.frames),
        ("bytes_total", "bytes of those frames", &stats.bytes),
        ("relayed_total", "messages that came to a relay by its name", &stats.relayed),
        ("dropped_total", "messages that could not be delivered", &stats.dropped),
        ("refused_total", "connections and relays refused because of a limit or an owner", &stats.refused),
        ("mailbox_deposited_total", "messages that mailboxes have taken", &mailbox.deposited),
        ("mailbox_pushed_total", "messages sent to their recipients, again or not", &mailbox.pushed),
        ("mailbox_acknowledged_total", "messages that their recipients have had", &mailbox.acknowledged),
        ("mailbox_expired_total", "messages that nobody came for", &mailbox.expired),
        ("mailbox_refused_total", "messages that mailboxes have not taken", &mailbox.refused),
    ];
    let mut out = String::new();
    let kinds = gauges.iter().map(|it| ("gauge", it)).chain(counters.iter().map(|it| ("counter", it)));
    for (kind, (name, help, counter)) in kinds {
        let name = format!("postern_hub_{name}");
        // Writing to a String cannot fail.
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {}\n", counter.get());
    }
    out
}
