use super::*;
use postern_env::time;

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A connection whose other end, and path, a test decides about; decisions are made when they are due.
struct Simulation {
    liveness: Liveness,
    now: Instant,
    start: Instant,
    next: Instant,
    /// The time from a ping to its answer; nothing if none comes.
    echo: Option<Duration>,
    queue: Option<SendQueue>,
    has_sent: bool,
    is_reading: bool,
    is_congested: bool,
    answers: Vec<(u64, Instant)>,
    pings: Vec<Duration>,
}

const ACKNOWLEDGED: SendQueue = SendQueue { bytes: 0, repeated: 0, waits_for_window: false };
const REPEATED: SendQueue = SendQueue { bytes: 9, repeated: 1, waits_for_window: false };

impl Simulation {
    fn new() -> Self {
        let now = time::now();
        Self {
            liveness: Liveness::new(now),
            now,
            start: now,
            next: now,
            echo: Some(Duration::from_millis(10)),
            queue: Some(ACKNOWLEDGED),
            has_sent: false,
            is_reading: true,
            is_congested: false,
            answers: Vec::new(),
            pings: Vec::new(),
        }
    }

    /// Runs for so long; the first verdict that is not that it is alive, and when.
    fn run(&mut self, for_ms: u64) -> Option<(Verdict, Duration)> {
        let until = self.now + Duration::from_millis(for_ms);
        while self.next <= until {
            self.now = self.next;
            let step = self.step(false);
            if step.verdict != Verdict::Alive {
                return Some((step.verdict, self.now - self.start));
            }
        }
        self.now = until;
        None
    }

    fn step(&mut self, used: bool) -> Step {
        let due = self.answers.iter().take_while(|(_, at)| *at <= self.now).count();
        let answered = self.answers.drain(..due).next_back();
        let heard = answered.map(|(_, at)| at);
        if heard.is_some() {
            self.has_sent = false;
        }
        let seen = Seen {
            heard,
            has_sent: self.has_sent,
            used,
            answered,
            queue: self.queue.filter(|_| self.liveness.needs_queue(self.now)),
            is_reading: self.is_reading,
            is_congested: self.is_congested,
            asked: false,
        };
        let step = self.liveness.step(self.now, seen, KEEP_ALIVE);
        if let Some(number) = step.ping {
            self.pings.push(self.now - self.start);
            self.has_sent = true;
            self.answers.extend(self.echo.map(|after| (number, self.now + after)));
        }
        if step.is_settled {
            self.has_sent = false;
        }
        self.next = self.now + step.wait;
        step
    }

    /// Something is sent, which wakes the monitor.
    fn send(&mut self) {
        (self.has_sent, self.next) = (true, self.now);
    }

    fn fail(&mut self) {
        (self.echo, self.queue, self.start) = (None, Some(REPEATED), self.now);
        self.answers.clear();
    }
}

#[test]
fn a_path_that_fails_while_something_is_outstanding_is_dead_within_three_seconds() {
    let mut it = Simulation::new();
    assert_eq!(it.run(5_000), None);
    it.fail();
    it.send();
    let (verdict, after) = it.run(10_000).unwrap();
    assert!(verdict == Verdict::Dead && after >= DEAD_AFTER && after <= Duration::from_millis(2_500), "{after:?}");
}

#[test]
fn a_path_that_fails_while_the_connection_is_used_is_dead_within_five_seconds() {
    for ms in 0..20 {
        let mut it = Simulation::new();
        assert_eq!(it.run(30_000 + 100 * ms), None);
        it.fail();
        let (verdict, after) = it.run(10_000).unwrap();
        assert!(verdict == Verdict::Dead && after <= Duration::from_millis(4_700), "{after:?}");
    }
}

#[test]
fn an_idle_connection_is_pinged_once_in_an_interval_and_its_loss_is_found_then() {
    let mut it = Simulation::new();
    assert_eq!(it.run(90_000), None);
    it.pings.clear();
    assert_eq!(it.run(120_000), None);
    assert!((7..=8).contains(&it.pings.len()), "{:?}", it.pings);
    it.fail();
    let (verdict, after) = it.run(30_000).unwrap();
    assert!(verdict == Verdict::Dead && after <= KEEP_ALIVE + Duration::from_millis(2_500), "{after:?}");
}

#[test]
fn a_receiver_that_reads_nothing_is_slow_and_not_dead() {
    let mut it = Simulation::new();
    assert_eq!(it.run(5_000), None);
    // Its window is closed: the system's probes are acknowledged, a ping waits.
    (it.echo, it.queue) = (None, Some(SendQueue { bytes: 4_000_000, repeated: 1, waits_for_window: true }));
    it.answers.clear();
    it.send();
    assert_eq!(it.run(120_000), None);
    // Then the path fails too.
    it.start = it.now;
    it.queue = Some(SendQueue { bytes: 4_000_000, repeated: 2, waits_for_window: true });
    let (verdict, after) = it.run(10_000).unwrap();
    assert!(verdict == Verdict::Dead && after >= DEAD_AFTER, "{after:?}");
}

#[test]
fn an_end_that_acknowledges_and_does_not_answer_is_reported_and_not_ended() {
    let mut it = Simulation::new();
    assert_eq!(it.run(5_000), None);
    (it.echo, it.start) = (None, it.now);
    it.answers.clear();
    it.send();
    let (verdict, after) = it.run(60_000).unwrap();
    assert!(verdict == Verdict::Unanswered && after >= UNANSWERED_AFTER && after < Duration::from_secs(6), "{after:?}");
    let mut verdicts: Vec<Verdict> = Vec::new();
    for _ in 0..200 {
        it.now = it.next;
        verdicts.push(it.step(false).verdict);
    }
    assert!(!verdicts.contains(&Verdict::Dead));
    // It is asked again, and is back when it answers.
    it.echo = Some(Duration::ZERO);
    assert!((0..40).any(|_| {
        it.now = it.next;
        it.step(false).verdict == Verdict::Alive
    }));
}

#[test]
fn a_slow_path_is_not_dead_while_acknowledgements_come() {
    let mut it = Simulation::new();
    it.echo = Some(Duration::from_secs(8));
    it.queue = Some(SendQueue { bytes: 400_000, repeated: 0, waits_for_window: false });
    for _ in 0..200 {
        it.send();
        assert_eq!(it.run(300), None);
    }
    // And once its round trip is known, silence means less: four times the longest that counts.
    it.fail();
    it.send();
    let (verdict, after) = it.run(60_000).unwrap();
    let longest = LONGEST_ROUND_TRIP * ROUND_TRIPS;
    assert!(verdict == Verdict::Dead && after >= longest && after < longest * 2, "{after:?}");
}

#[test]
fn an_end_without_echo_is_asked_twice_and_known_by_acknowledgements_alone() {
    let mut it = Simulation::new();
    it.echo = None;
    for _ in 0..100 {
        it.send();
        assert_eq!(it.run(3_000), None);
    }
    assert_eq!(it.pings.len(), UNANSWERED_MAX as usize);
    assert_eq!(it.run(3_600_000), None);
    it.fail();
    it.send();
    assert!(matches!(it.run(5_000), Some((Verdict::Dead, _))));
}

#[test]
fn nothing_is_concluded_from_a_silence_while_this_end_did_not_run_or_read() {
    let mut it = Simulation::new();
    assert_eq!(it.run(5_000), None);
    it.fail();
    it.send();
    assert_eq!(it.run(1_000), None);
    // Stopped for a minute: then it waits anew.
    it.next += Duration::from_secs(60);
    it.start = it.next;
    it.now = it.next;
    let (verdict, after) = it.run(10_000).unwrap();
    assert!(verdict == Verdict::Dead && after >= DEAD_AFTER, "{after:?}");

    let mut it = Simulation::new();
    assert_eq!(it.run(5_000), None);
    (it.echo, it.is_reading) = (None, false);
    it.answers.clear();
    it.send();
    assert_eq!(it.run(60_000), None);
}

#[test]
fn without_the_systems_word_pings_decide_unless_more_waits_than_should() {
    let mut it = Simulation::new();
    it.queue = None;
    assert_eq!(it.run(5_000), None);
    (it.echo, it.start, it.is_congested) = (None, it.now, true);
    it.answers.clear();
    it.send();
    assert_eq!(it.run(60_000), None);
    it.is_congested = false;
    let mut verdict = Verdict::Alive;
    while verdict != Verdict::Dead {
        it.now = it.next;
        verdict = it.step(false).verdict;
        assert!(it.now - it.start < Duration::from_secs(100));
    }
}
