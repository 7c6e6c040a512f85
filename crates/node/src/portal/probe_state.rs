//! What is known from the answers to an inlet's probes: the round trip, and whether the channel is taken for dead.

use postern_env::time::{Duration, Instant};

/// Unanswered probes after which the channel is taken for dead. One is enough when a stream is not answered either.
const PROBES_LOST: u32 = 3;
/// A probe counts so much less while bytes arrive on the connection below: a large record of a stream may be on the way, behind
/// which the answer waits. Chosen: 24 s in all, in which the largest portal message takes 90 kbit/s.
const ARRIVING_SHARE: u32 = 4;
/// An answer may take so many round trips, measured under the load that there was.
const ROUND_TRIPS: u32 = 4;
/// Longest that an answer may take, however slow the path was: chosen, as long as bytes may arrive in vain.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24);
/// Probes whose answers are measured although they come late.
const REMEMBERED: usize = 16;

/// How a probe went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeOutcome {
    /// It was answered, or something else came over the channel.
    Alive,
    /// Many bytes arrived on the connection below, and nothing whole over the channel.
    Arriving,
    /// Nothing came.
    Silent,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChannelState {
    /// It works.
    Alive,
    /// It may be dead.
    Doubtful,
    /// Another channel should be opened beside it.
    Suspect,
    /// It is taken for dead.
    Dead,
}

/// The probes of one inlet.
#[derive(Default)]
pub(super) struct ProbeState {
    asked: u64,
    answered: u64,
    /// When the last probes were sent, the oldest first.
    sent: Vec<(u64, Instant)>,
    /// The last one measured.
    pub(super) round_trip: Option<Duration>,
    /// Bytes that the node's streams had moved when the last answer came.
    pub(super) moved: u64,
    /// A long one of late.
    slow: Duration,
    /// Probes that were lost in a row, in parts of [`ARRIVING_SHARE`].
    lost: u32,
}

impl ProbeState {
    /// The number of the next probe.
    pub(super) fn ask(&mut self, now: Instant) -> u64 {
        self.asked += 1;
        if self.sent.len() == REMEMBERED {
            self.sent.remove(0);
        }
        self.sent.push((self.asked, now));
        self.asked
    }

    /// A probe was answered, in time or not. What was never asked is no answer.
    pub(super) fn answer(&mut self, number: u64, now: Instant) {
        let Some((_, sent)) = self.sent.iter().find(|(asked, _)| *asked == number) else { return };
        let sample = now.saturating_duration_since(*sent);
        self.round_trip = Some(sample);
        let sample = sample.min(LONGEST_TIMEOUT / ROUND_TRIPS);
        self.slow = sample.max((self.slow * 7 + sample) / 8);
        self.answered = self.answered.max(number);
        self.sent.retain(|(asked, _)| *asked > number);
    }

    pub(super) fn is_answered(&self, number: u64) -> bool {
        self.answered >= number
    }

    /// How long an answer may take, which is `shortest` on a fast path.
    pub(super) fn timeout(&self, shortest: Duration) -> Duration {
        shortest.max((self.slow * ROUND_TRIPS).min(LONGEST_TIMEOUT))
    }

    /// Whether a probe was lost since the last that was not.
    pub(super) fn is_doubtful(&self) -> bool {
        self.lost > 0
    }

    /// Begins anew, with another channel.
    pub(super) fn reset(&mut self) {
        (self.lost, self.slow) = (0, Duration::ZERO);
    }

    /// Concludes from a probe; `is_suspicious`: a stream was not answered either.
    pub(super) fn conclude(&mut self, outcome: ProbeOutcome, is_suspicious: bool) -> ChannelState {
        match outcome {
            ProbeOutcome::Alive => self.lost = 0,
            ProbeOutcome::Arriving => self.lost += 1,
            ProbeOutcome::Silent => self.lost += ARRIVING_SHARE,
        }
        if self.lost >= PROBES_LOST * ARRIVING_SHARE {
            self.lost = 0;
            ChannelState::Dead
        } else if is_suspicious && outcome == ProbeOutcome::Silent {
            ChannelState::Suspect
        } else if self.lost > 0 {
            ChannelState::Doubtful
        } else {
            ChannelState::Alive
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_env::time;

    #[test]
    fn three_silent_probes_or_one_and_a_stream_are_enough() {
        let mut state = ProbeState::default();
        assert_eq!(state.conclude(ProbeOutcome::Silent, false), ChannelState::Doubtful);
        assert_eq!(state.conclude(ProbeOutcome::Alive, false), ChannelState::Alive);
        assert_eq!(state.conclude(ProbeOutcome::Silent, true), ChannelState::Suspect);
        assert_eq!(state.conclude(ProbeOutcome::Silent, false), ChannelState::Doubtful);
        assert_eq!(state.conclude(ProbeOutcome::Silent, false), ChannelState::Dead);
        assert!(!state.is_doubtful());
    }

    #[test]
    fn a_channel_is_kept_while_a_large_record_of_it_arrives_but_not_for_ever() {
        let mut state = ProbeState::default();
        for _ in 0..11 {
            assert_eq!(state.conclude(ProbeOutcome::Arriving, true), ChannelState::Doubtful);
        }
        assert_eq!(state.conclude(ProbeOutcome::Arriving, true), ChannelState::Dead);
    }

    #[test]
    fn the_timeout_follows_the_round_trip_also_of_late_answers() {
        let (mut state, start) = (ProbeState::default(), time::now());
        let (shortest, at) = (Duration::from_secs(2), |seconds| start + Duration::from_secs(seconds));
        assert_eq!(state.timeout(shortest), shortest);
        let (first, second) = (state.ask(start), state.ask(at(2)));
        state.answer(first, at(3));
        assert!(state.is_answered(first) && !state.is_answered(second));
        assert_eq!(state.timeout(shortest), Duration::from_secs(12));
        // Neither what was answered before nor what was never asked is measured.
        state.answer(first, at(9));
        state.answer(77, at(9));
        assert_eq!(state.round_trip, Some(Duration::from_secs(3)));
        assert!(!state.is_answered(77));
        for number in 0..100 {
            let asked = state.ask(at(number));
            state.answer(asked, at(number));
        }
        assert_eq!(state.timeout(shortest), shortest);
        let asked = state.ask(start);
        state.answer(asked, at(600));
        assert_eq!(state.timeout(shortest), LONGEST_TIMEOUT);
    }
}
