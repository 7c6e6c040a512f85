//! The decision whether the other end is alive: a function of what was observed, and of the time.

use postern_env::net::SendQueue;
use postern_env::time::{Duration, Instant};

/// A path is dead after so long without a byte and without an acknowledgement, while something is outstanding; and at least after
/// [`ROUND_TRIPS`] of them. Chosen: an outage is reported within 3 s, and TCP has repeated a segment three times by then.
const DEAD_AFTER: Duration = Duration::from_secs(2);
const ROUND_TRIPS: u32 = 4;
/// A longer one counts as this: what was held at the other end is no distance. Chosen: an outage is then found within 24 s, as by
/// the probes of portals; a queue of 190 KB at 256 kbit/s takes as long.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(6);
/// An end whose system acknowledges, but which answers no ping for so long, does not answer: it hangs, or is overloaded. Chosen: longer than
/// a busy machine takes, and nothing is ended for it.
const UNANSWERED_AFTER: Duration = Duration::from_secs(5);
/// Somebody who asks whether the other end answers is told after so long that it does not. Chosen: more than a busy hub takes, and soon
/// enough for a person who waits for the reason of a fault.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// The same as [`DEAD_AFTER`] on systems that do not say what was acknowledged. Chosen: longer than a hub without windows holds a connection
/// with a relay (5 s), as it answers no ping meanwhile.
const DEAD_WITHOUT_QUEUE: Duration = Duration::from_secs(20);
/// While something is outstanding a decision is made so often, and the first ping sent after so long.
pub(super) const TICK: Duration = Duration::from_millis(300);
/// The system is asked about acknowledgements after so long a silence: two ticks, so that one lost segment costs nothing.
const ASK_SYSTEM_AFTER: Duration = Duration::from_millis(600);
/// A connection that was used within [`IN_USE_FOR`] is pinged after so long a silence. Chosen: a path that fails then is found and
/// replaced within 5 s.
const IN_USE_SILENCE: Duration = Duration::from_secs(2);
const IN_USE_FOR: Duration = Duration::from_secs(60);
/// A ping that is not answered is repeated after so long: the last one was acknowledged, and says no more about the path.
const PING_AGAIN: Duration = Duration::from_secs(5);
/// So many pings are sent to an end that never answered one: it may have no `echo`.
const UNANSWERED_MAX: u32 = 2;
/// Pings without an answer whose time is kept: the first, and the last ones. Chosen: 35 s of silence.
const UNANSWERED_KEPT: usize = 8;
/// A decision that comes so much too late was not made by a running process: it was stopped, or the machine slept.
const OVERSLEPT: Duration = Duration::from_secs(1);
/// A wait that only a message ends.
const UNTIL_SENT: Duration = Duration::from_secs(3600);

/// What was observed since the last decision.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// When the last bytes arrived.
    pub(super) heard: Option<Instant>,
    /// The last thing that happened on the connection is that this end sent something.
    pub(super) has_sent: bool,
    /// More than the small messages of an idle portal passed, in either direction.
    pub(super) used: bool,
    /// The last ping that was answered, and when.
    pub(super) answered: Option<(u64, Instant)>,
    /// What the system says, if it was asked.
    pub(super) queue: Option<SendQueue>,
    /// This end reads: it does not hold the connection for a receiver of its own.
    pub(super) is_reading: bool,
    /// More waits to be sent than should.
    pub(super) is_congested: bool,
    /// Somebody asks.
    pub(super) asked: bool,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Alive,
    /// Its system acknowledges, but it does not answer.
    Unanswered,
    /// Nothing arrives there, or nothing comes back.
    Dead,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) verdict: Verdict,
    /// Send this ping.
    pub(super) ping: Option<u64>,
    /// What was sent has arrived, as far as can be known.
    pub(super) is_settled: bool,
    /// Decide again after so long, or when something is sent.
    pub(super) wait: Duration,
}

/// What is known of the other end.
pub(super) struct Liveness {
    heard: Instant,
    /// Since when something has been outstanding, after the last byte that arrived.
    waiting_since: Option<Instant>,
    /// When the system was last known to get acknowledgements.
    acknowledged: Instant,
    queued: u64,
    used: Option<Instant>,
    pings: u64,
    /// The pings that are not answered, and when they were sent; the oldest first.
    pinged: Vec<(u64, Instant)>,
    /// Pings in a row without an answer, by an end that never gave one.
    unanswered: u32,
    /// It has answered a ping.
    echoes: bool,
    round_trip: Duration,
    /// How long nothing had passed when something became outstanding.
    idle: Duration,
    /// When the next decision is due.
    next: Instant,
}

impl Liveness {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            heard: now,
            waiting_since: None,
            acknowledged: now,
            queued: 0,
            used: Some(now),
            pings: 0,
            pinged: Vec::new(),
            unanswered: 0,
            echoes: false,
            round_trip: Duration::ZERO,
            idle: Duration::ZERO,
            next: now,
        }
    }

    /// Whether the next decision depends on what the system says.
    pub(super) fn needs_queue(&self, now: Instant) -> bool {
        self.silence(now).is_some_and(|silence| silence >= ASK_SYSTEM_AFTER)
    }

    /// How long nothing had passed when what is outstanding was sent, if something is.
    pub(super) fn idle_before(&self) -> Option<Duration> {
        self.waiting_since.map(|_| self.idle)
    }

    /// Decides, from what was seen since the last decision.
    pub(super) fn step(&mut self, now: Instant, seen: Seen, keep_alive: Duration) -> Step {
        if seen.used {
            self.used = Some(now);
        }
        let is_late = now.saturating_duration_since(self.next) >= OVERSLEPT;
        self.take_answer(seen.answered, is_late);
        if is_late {
            self.pinged.iter_mut().for_each(|(_, sent)| *sent = now);
        }
        let heard = if is_late || !seen.is_reading { Some(now) } else { seen.heard };
        if let Some(heard) = heard {
            (self.heard, self.acknowledged, self.waiting_since) = (heard, now, None);
        }
        let is_settled = seen.queue.is_some_and(|queue| self.take_queue(now, queue));
        if (seen.has_sent && !is_settled) || !self.pinged.is_empty() {
            self.begin_waiting(now);
        } else {
            self.waiting_since = None;
        }
        let verdict = self.verdict(now, &seen);
        let ping = self.ping(now, &seen, keep_alive);
        let wait = self.wait(now, keep_alive);
        self.next = now + wait;
        Step { verdict, ping, is_settled, wait }
    }

    fn begin_waiting(&mut self, now: Instant) {
        if self.waiting_since.is_none() {
            (self.waiting_since, self.acknowledged) = (Some(now), now);
            self.idle = now.saturating_duration_since(self.heard);
        }
    }

    /// An answer that was waited for while this program, or the machine, stood still says nothing about the path.
    fn take_answer(&mut self, answered: Option<(u64, Instant)>, is_late: bool) {
        let Some((number, at)) = answered else { return };
        let Some(index) = self.pinged.iter().position(|(sent, _)| *sent == number) else { return };
        let sample = at.saturating_duration_since(self.pinged[index].1);
        self.pinged.drain(..=index);
        if !is_late {
            let sample = sample.min(LONGEST_ROUND_TRIP);
            self.round_trip = sample.max((self.round_trip * 7 + sample) / 8);
        }
        (self.echoes, self.unanswered) = (true, 0);
    }

    /// Whether all has arrived there, and nothing more can be known of it.
    fn take_queue(&mut self, now: Instant, queue: SendQueue) -> bool {
        // A probe of a closed window may go unanswered: receivers limit how often they answer.
        let is_repeated = if queue.waits_for_window { queue.repeated > 1 } else { queue.repeated > 0 };
        if queue.bytes < self.queued || queue.bytes == 0 || !is_repeated {
            self.acknowledged = now;
        }
        self.queued = queue.bytes;
        queue.bytes == 0 && !self.echoes
    }

    /// How long nothing has come, while something is outstanding.
    fn silence(&self, now: Instant) -> Option<Duration> {
        Some(now.saturating_duration_since(self.waiting_since?.max(self.heard)))
    }

    /// How long an answer to somebody who asks may take.
    pub(super) fn answer_within(&self) -> Duration {
        self.at_least(ANSWER_WITHIN)
    }

    fn at_least(&self, limit: Duration) -> Duration {
        limit.max(self.round_trip * ROUND_TRIPS)
    }

    fn verdict(&self, now: Instant, seen: &Seen) -> Verdict {
        let Some(silence) = self.silence(now) else { return Verdict::Alive };
        let unanswered = match self.pinged.first() {
            Some((_, first)) if self.echoes => now.saturating_duration_since(*first).min(silence),
            _ => Duration::ZERO,
        };
        let unacknowledged = now.saturating_duration_since(self.acknowledged).min(silence);
        match seen.queue {
            Some(queue) if queue.bytes > 0 && unacknowledged >= self.at_least(DEAD_AFTER) => Verdict::Dead,
            None if !seen.is_congested && unanswered >= self.at_least(DEAD_WITHOUT_QUEUE) => Verdict::Dead,
            // What waits for room at the other end may be held there: that is no fault.
            Some(queue) if queue.bytes > 0 => Verdict::Alive,
            None if seen.is_congested => Verdict::Alive,
            _ if unanswered >= self.at_least(UNANSWERED_AFTER) => Verdict::Unanswered,
            _ => Verdict::Alive,
        }
    }

    /// The ping that is due.
    fn ping(&mut self, now: Instant, seen: &Seen, keep_alive: Duration) -> Option<u64> {
        if let Some((_, last)) = self.pinged.last() {
            let has_arrived = seen.queue.is_none_or(|queue| queue.bytes == 0);
            if now.saturating_duration_since(*last) < PING_AGAIN || !has_arrived {
                return None;
            }
            if !self.echoes {
                self.pinged.clear();
                self.unanswered += 1;
                return None;
            }
            if self.pinged.len() == UNANSWERED_KEPT {
                self.pinged.remove(1);
            }
        } else {
            let due = match self.silence(now) {
                Some(silence) => silence >= TICK,
                None => now.saturating_duration_since(self.heard) >= self.silence_allowed(now, keep_alive),
            };
            if !(seen.asked || due) || !self.may_ping() {
                return None;
            }
        }
        self.pings += 1;
        self.pinged.push((self.pings, now));
        self.begin_waiting(now);
        Some(self.pings)
    }

    fn may_ping(&self) -> bool {
        self.echoes || self.unanswered < UNANSWERED_MAX
    }

    fn silence_allowed(&self, now: Instant, keep_alive: Duration) -> Duration {
        match self.used {
            Some(used) if now.saturating_duration_since(used) < IN_USE_FOR => IN_USE_SILENCE.min(keep_alive),
            _ => keep_alive,
        }
    }

    fn wait(&self, now: Instant, keep_alive: Duration) -> Duration {
        if self.waiting_since.is_some() {
            TICK
        } else if self.may_ping() {
            (self.heard + self.silence_allowed(now, keep_alive)).saturating_duration_since(now).max(TICK)
        } else {
            UNTIL_SENT
        }
    }
}

#[cfg(test)]
mod tests;
