//! A hundred kills at random instants, as by a power failure: nothing that was acknowledged is lost.
//!
//! ```text
//! share ─► invite ─► join ─► use ─► revoke ─► close        each step is done when its command says so
//!    ╳        ╳        ╳       ╳       ╳        ╳          owner or friend is killed somewhere, and comes back
//! ```
//!
//! `POSTERN_SEED` repeats a run's choices; the instants are only as repeatable as the machine is.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use postern_testkit::client::ask;
use postern_testkit::json::find;
use postern_testkit::person::CommandFailure;
use postern_testkit::port::free_port;
use postern_testkit::{Hub, Person, Service, TIMEOUT, eventually, within};
use serde_json::Value;

use crate::alone;

/// Pairs of owner and friend, each on a thread of its own: enough that kills hit every step.
const PAIRS: u64 = 4;
/// How often one of each pair is killed.
const KILLS: u32 = 25;

/// The last step that was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Done {
    Nothing,
    Shared,
    Invited,
    Accepted,
    Up,
    Revoked,
    Closed,
}

/// The steps for one service, and how far they got.
struct Scenario {
    name: String,
    done: Done,
    link: String,
    port: u16,
}

/// The SplitMix64 generator.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A random duration up to `most`.
    fn duration(&mut self, most: Duration) -> Duration {
        most.mul_f64((self.next() >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

#[test]
fn nothing_acknowledged_is_lost_at_a_hundred_random_kills() {
    let _alone = alone();
    let given = std::env::var("POSTERN_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64);
    eprintln!("POSTERN_SEED={seed}");
    let hub = Hub::start();
    let service = Service::echo_after_end();
    std::thread::scope(|scope| {
        for pair in 0..PAIRS {
            let (hub, service) = (&hub, &service);
            scope.spawn(move || kill_and_check(SplitMix64(seed.wrapping_add(pair)), hub, service));
        }
    });
}

fn kill_and_check(mut random: SplitMix64, hub: &Hub, service: &Service) {
    let (mut ann, mut ben) = (Person::start(hub, "Ann"), Person::start(hub, "Ben"));
    // How long a scenario takes on this machine now: the kills are spread over that.
    let begun = Instant::now();
    let mut first = Scenario::new("undisturbed".into());
    first.run(&ann, &ben, service).unwrap_or_else(|refusal| panic!("undisturbed: {refusal:?}"));
    let lasts = begun.elapsed();

    for kill in 0..KILLS {
        let mut scenario = Scenario::new(format!("scenario {kill}"));
        let (owner, after) = (random.next().is_multiple_of(2), random.duration(lasts));
        let victim = if owner { &ann } else { &ben };
        let outcome = std::thread::scope(|scope| {
            scope.spawn(|| {
                // Waits for time, not for a state: the random instant is what is tested.
                within(after, || None::<()>);
                victim.process().kill();
            });
            scenario.run(&ann, &ben, service)
        });
        let victim = if owner { &mut ann } else { &mut ben };
        victim.kill();
        victim.up();
        eprintln!(
            "{} killed after {after:?}: {:?}, {:?}",
            victim.name(),
            scenario.done,
            outcome.err().map(|it| it.code)
        );
        scenario.assert_acknowledged_state(&ann, &ben);
        scenario.clean_up(&ann, &ben);
    }
}

impl Scenario {
    fn new(name: String) -> Self {
        Self { name, done: Done::Nothing, link: String::new(), port: free_port() }
    }

    /// Runs the steps until all are acknowledged or one fails.
    fn run(&mut self, ann: &Person, ben: &Person, service: &Service) -> Result<(), CommandFailure> {
        let name = self.name.clone();
        ann.try_run(&["share", &service.address().to_string(), "--name", &name], "")?;
        self.done = Done::Shared;
        self.link = ann.try_invite(&name, &[])?;
        self.done = Done::Invited;
        let joined = ben.try_run(&["join", "-", "--port", &self.port.to_string(), "--wait", "5s"], &self.link);
        let said = match &joined {
            Ok(said) => said,
            Err(refusal) => &refusal.events,
        };
        let said = |event: &str| said.iter().any(|it| it["event"] == event);
        if said("accepted") {
            self.done = Done::Accepted;
        }
        if said("up") {
            self.done = Done::Up;
        }
        joined?;
        // The answer may be missing or cut short: one of the two may just be killed.
        let _ = ask(postern_testkit::port::loopback(self.port), b"hello");
        ann.try_run(&["revoke", &format!("{name}/Ben")], "")?;
        self.done = Done::Revoked;
        ann.try_run(&["close", &name], "")?;
        self.done = Done::Closed;
        Ok(())
    }

    /// Both run again: what was acknowledged must hold. What was requested and not acknowledged may hold as well.
    fn assert_acknowledged_state(&self, ann: &Person, ben: &Person) {
        let (seen, what) = (ann.snapshot(), format!("{} after {:?}", self.name, self.done));
        let mine = find(&seen["services"], &self.name);
        let log = ann.run(&["log"]);
        assert_eq!(log[0]["intact"], true, "{what}: the receipts");
        if self.done == Done::Closed {
            assert!(mine.is_none(), "{what}: the service is back");
            return;
        }
        if self.done == Done::Revoked {
            // Closing it may have taken effect without an acknowledgement.
            assert!(mine.is_none_or(|it| state_of(it) != Some("active")), "{what}: {mine:#?}");
            return;
        }
        if self.done == Done::Nothing {
            return;
        }
        let mine = mine.unwrap_or_else(|| panic!("{what}: the service is gone\n{seen:#}"));
        if self.done == Done::Invited {
            let open = mine["invitations"].as_array().unwrap().iter().any(|it| it["state"] != "revoked");
            assert!(open || state_of(mine).is_some(), "{what}: the invitation is gone\n{mine:#}");
            // And its link is good, unless the friend has used it already.
            let port = self.port.to_string();
            match ben.try_run(&["join", "-", "--port", &port, "--wait", "60s"], &self.link) {
                Ok(said) => assert_eq!(said.last().unwrap()["event"], "up", "{what}: {said:?}"),
                Err(refusal) => assert_eq!(refusal.code, "already-in", "{what}: {refusal:?}"),
            }
        }
        if self.done >= Done::Invited {
            eventually(&format!("{what}: the portal, or that it is revoked"), TIMEOUT, || {
                let seen = ann.snapshot();
                let revoked = find(&seen["services"], &self.name).and_then(state_of) == Some("revoked");
                let inlet = find(&ben.snapshot()["inlets"], &self.name).cloned();
                (revoked || inlet.is_some_and(|it| it["link"]["state"] == "up")).then_some(())
            });
        }
    }

    /// Closes what is left, so that it does not slow the next scenario down.
    fn clean_up(&self, ann: &Person, ben: &Person) {
        let _ = ann.try_run(&["close", &format!("service:{}", self.name)], "");
        let _ = ben.try_run(&["close", &format!("portal:{}", self.name)], "");
    }
}

/// The state of the friend's grant to a service.
fn state_of(service: &Value) -> Option<&str> {
    service["people"].as_array()?.iter().find(|it| it["name"] == "Ben")?["state"].as_str()
}
