//! What is measured, and what must be reached.

use Bound::{AtLeast, AtMost};

/// One thing that is done to every system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scenario {
    /// Bytes one way.
    Bulk {
        up: bool,
        streams: usize,
    },
    PingPong,
    BesideBulk,
    Connections,
    Idle {
        connections: usize,
    },
    Stalled,
    HalfClose,
    Restart,
    Messages,
}

/// All of them, by the names they are asked for.
pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("up1", Scenario::Bulk { up: true, streams: 1 }),
    ("down1", Scenario::Bulk { up: false, streams: 1 }),
    ("up8", Scenario::Bulk { up: true, streams: 8 }),
    ("down8", Scenario::Bulk { up: false, streams: 8 }),
    ("up64", Scenario::Bulk { up: true, streams: 64 }),
    ("down64", Scenario::Bulk { up: false, streams: 64 }),
    ("ping-pong", Scenario::PingPong),
    ("beside-bulk", Scenario::BesideBulk),
    ("connections", Scenario::Connections),
    ("idle-1000", Scenario::Idle { connections: 1_000 }),
    ("idle-9500", Scenario::Idle { connections: 9_500 }),
    ("stalled", Scenario::Stalled),
    ("half-close", Scenario::HalfClose),
    ("restart", Scenario::Restart),
    ("messages", Scenario::Messages),
];

impl Scenario {
    /// Whether the systems take turns while all are up; otherwise each is put up alone, and anew.
    pub(crate) fn in_turns(self) -> bool {
        matches!(self, Self::Bulk { .. } | Self::PingPong | Self::BesideBulk | Self::Connections)
    }

    /// Whether no core may halt meanwhile, so that waking them up does not drown what is measured.
    pub(crate) fn awake(self) -> bool {
        matches!(self, Self::PingPong | Self::Stalled)
    }
}

/// One figure that a scenario yields.
pub(crate) struct Measure {
    pub(crate) scenario: &'static str,
    /// The name of the value.
    pub(crate) value: &'static str,
    /// What it is, with its unit.
    pub(crate) title: &'static str,
    pub(crate) targets: &'static [Target],
}

/// What a figure of ours must reach: a number, or so many times another system's figure.
pub(crate) struct Target {
    pub(crate) bound: Bound,
    pub(crate) times: Option<&'static str>,
}

/// A limit.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

const fn absolute(bound: Bound) -> Target {
    Target { bound, times: None }
}

const fn times(bound: Bound, system: &'static str) -> Target {
    Target { bound, times: Some(system) }
}

const fn measure(
    scenario: &'static str,
    value: &'static str,
    title: &'static str,
    targets: &'static [Target],
) -> Measure {
    Measure { scenario, value, title, targets }
}

const THROUGHPUT: &[Target] = &[
    times(AtLeast(0.75), "proxy3-64k"),
    times(AtLeast(3.0), "ockam-relay"),
    times(AtLeast(1.35), "ockam-relay-awslc"),
];
const CPU: &[Target] = &[times(AtMost(1.5), "proxy3-64k")];
const EACH: &[Target] = &[absolute(AtMost(16.0))];
const GIVEN_BACK: &[Target] = &[absolute(AtLeast(90.0))];
const PEAK: &[Target] = &[absolute(AtMost(48.0))];
const MESSAGES: &[Target] = &[times(AtLeast(2.0), "ockam-relay-awslc")];

/// Every figure, in the order of the table.
pub(crate) const MEASURES: &[Measure] = &[
    measure("up1", "gbps", "1 stream up, GB/s", THROUGHPUT),
    measure("down1", "gbps", "1 stream down, GB/s", THROUGHPUT),
    measure("up8", "gbps", "8 streams up, GB/s", THROUGHPUT),
    measure("down8", "gbps", "8 streams down, GB/s", THROUGHPUT),
    measure("up64", "gbps", "64 streams up, GB/s", THROUGHPUT),
    measure("down64", "gbps", "64 streams down, GB/s", THROUGHPUT),
    measure("up1", "cpu", "1 stream up, CPU s/GB", CPU),
    measure("down1", "cpu", "1 stream down, CPU s/GB", CPU),
    measure("up8", "cpu", "8 streams up, CPU s/GB", CPU),
    measure("down8", "cpu", "8 streams down, CPU s/GB", CPU),
    measure("up64", "cpu", "64 streams up, CPU s/GB", CPU),
    measure("down64", "cpu", "64 streams down, CPU s/GB", CPU),
    measure("up64", "fairness", "64 streams up, Jain's fairness", &[]),
    measure("down64", "fairness", "64 streams down, Jain's fairness", &[]),
    measure("up64", "peak", "64 streams up, peak memory, MiB", PEAK),
    measure("down64", "peak", "64 streams down, peak memory, MiB", PEAK),
    measure(
        "ping-pong",
        "p50",
        "ping-pong 64 B, p50, µs",
        &[times(AtMost(1.3), "proxy3-64k"), times(AtMost(0.6), "ockam-relay")],
    ),
    measure("ping-pong", "p99", "ping-pong 64 B, p99, µs", &[]),
    measure("beside-bulk", "p50", "ping-pong beside a download, p50, µs", &[absolute(AtMost(300.0))]),
    measure("beside-bulk", "p99", "ping-pong beside a download, p99, µs", &[absolute(AtMost(5_000.0))]),
    measure("beside-bulk", "gbps", "the download beside it, GB/s", &[]),
    measure(
        "connections",
        "rate",
        "new connections, 16 at once, per s",
        &[times(AtLeast(0.8), "proxy3-64k"), times(AtLeast(4.0), "ockam-relay"), times(AtLeast(1.8), "rathole-noise")],
    ),
    measure("connections", "failed", "new connections that failed", &[absolute(AtMost(0.0))]),
    measure("idle-1000", "base", "memory before any connection, MiB", &[]),
    measure("idle-1000", "each", "1,000 idle connections, KiB each", EACH),
    measure("idle-1000", "back", "given back after closing, %", GIVEN_BACK),
    measure("idle-9500", "each", "9,500 idle connections, KiB each", EACH),
    measure("idle-9500", "back", "given back after closing, %", GIVEN_BACK),
    measure("idle-9500", "p50", "ping-pong among 9,500, p50, µs", &[]),
    measure("stalled", "p50", "ping-pong p50 beside 64 stalled, × without", &[absolute(AtMost(1.2))]),
    measure("stalled", "p99", "ping-pong p99 beside 64 stalled, × without", &[absolute(AtMost(2.0))]),
    measure("stalled", "open", "new connection beside 64 stalled, ms", &[absolute(AtMost(1_000.0))]),
    measure("stalled", "grown", "memory taken by 64 stalled, MiB", &[]),
    measure("half-close", "back", "32 MiB echo after a half-close, MiB back", &[absolute(AtLeast(32.0))]),
    measure("restart", "recovered", "first new connection after the hub's restart, ms", &[absolute(AtMost(1_000.0))]),
    measure("restart", "refused", "slowest refusal while the hub is down, ms", &[absolute(AtMost(100.0))]),
    measure("messages", "handshakes", "full handshakes through the hub, per s", &[times(AtLeast(1.2), "ockam-relay")]),
    measure("messages", "echo-64", "echo of 64 B over a channel, per s", MESSAGES),
    measure("messages", "oneway-64", "one-way 64 B over a channel, per s", MESSAGES),
    measure("messages", "echo-32768", "echo of 32 KiB over a channel, per s", MESSAGES),
    measure("messages", "oneway-32768", "one-way 32 KiB over a channel, per s", MESSAGES),
];
