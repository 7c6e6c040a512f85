//! The hub's counters as Prometheus text (exposition format 0.0.4).

use crate::mailbox::MailboxStats;
use crate::stream::StreamStats;
use postern_node::{Counter, Stats};
use std::fmt::Write;

/// Renders all metrics, each with its help text and type.
pub(crate) fn render(stats: &Stats, mailbox: &MailboxStats) -> String {
    let gauges = [
        ("connections", "TCP connections open now", &stats.connections),
        ("relays", "relays registered now", &stats.relays),
        ("channels", "secure channels with the hub itself, open now", &stats.channels),
        ("mailbox_messages", "messages stored in mailboxes now", &mailbox.messages),
        ("mailbox_bytes", "bytes of the messages stored in mailboxes now", &mailbox.bytes),
        ("mailbox_subscribers", "mailbox subscriptions open now", &mailbox.subscribers),
    ];
    let counters = [
        ("frames_total", "frames received from nodes", &stats.frames),
        ("bytes_total", "bytes of the frames received from nodes", &stats.bytes),
        ("relayed_total", "messages that were addressed to a relay", &stats.relayed),
        ("dropped_total", "messages that could not be delivered", &stats.dropped),
        (
            "refused_total",
            "connections and relays refused because of a limit, or because the name has another owner",
            &stats.refused,
        ),
        ("mailbox_deposited_total", "messages stored in mailboxes", &mailbox.deposited),
        ("mailbox_pushed_total", "messages pushed to subscribers, including repetitions", &mailbox.pushed),
        ("mailbox_acknowledged_total", "messages acknowledged by their recipients", &mailbox.acknowledged),
        ("mailbox_expired_total", "messages that expired before they were acknowledged", &mailbox.expired),
        (
            "mailbox_refused_total",
            "mailbox requests refused because of a quota, a rate limit or a failure",
            &mailbox.refused,
        ),
    ];
    let mut out = String::new();
    write_all(&mut out, "", &gauges, &counters);
    out
}

/// Adds the metrics of a stream service, with the kind of service in their names: `stream`, or `kafka_stream`.
pub(crate) fn render_streams(out: &mut String, service: &str, stats: &StreamStats) {
    let gauges = [
        ("streams", "streams there are now", &stats.streams),
        ("partitions", "partitions open now", &stats.partitions),
        ("held_pulls", "pulls that wait for a record now", &stats.held_pulls),
        ("lag", "records behind the last that somebody asked for, over all open partitions", &stats.lag),
    ];
    let counters = [
        ("produced_total", "records stored", &stats.produced),
        ("produced_bytes_total", "bytes of the records stored", &stats.produced_bytes),
        ("consumed_total", "records sent to consumers, including repetitions", &stats.consumed),
        ("consumed_bytes_total", "bytes of the records sent to consumers", &stats.consumed_bytes),
        ("repeated_total", "records pushed again and not stored again", &stats.repeated),
        ("refused_total", "requests refused because of a quota, a rate limit, or whose the stream is", &stats.refused),
        ("errors_total", "requests that the storage failed", &stats.errors),
    ];
    write_all(out, &format!("{service}_"), &gauges, &counters);
}

type Metric<'a> = (&'a str, &'a str, &'a Counter);

fn write_all(out: &mut String, prefix: &str, gauges: &[Metric<'_>], counters: &[Metric<'_>]) {
    let kinds = gauges.iter().map(|it| ("gauge", it)).chain(counters.iter().map(|it| ("counter", it)));
    for (kind, (name, help, counter)) in kinds {
        let name = format!("postern_hub_{prefix}{name}");
        // Writing to a String cannot fail.
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {}\n", counter.get());
    }
}
