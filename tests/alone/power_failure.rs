//! The power is cut at a hundred random instants, and nothing that was acknowledged is lost.
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

/// Pairs of people, each with a thread of its own.
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

/// One story, as far as it got.
struct Story {
    name: String,
    done: Done,
    link: String,
    port: u16,
}

/// The SplitMix64 generator.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Some time up to `most`.
    fn instant(&mut self, most: Duration) -> Duration {
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
            scope.spawn(move || kill_and_look(Chance(seed.wrapping_add(pair)), hub, service));
        }
    });
}

fn kill_and_look(mut chance: Chance, hub: &Hub, service: &Service) {
    let (mut ann, mut ben) = (Person::start(hub, "Ann"), Person::start(hub, "Ben"));
    // How long a story takes here and now.
    let begun = Instant::now();
    let mut first = Story::new("undisturbed".into());
    first.tell(&ann, &ben, service).unwrap_or_else(|refusal| panic!("undisturbed: {refusal:?}"));
    let lasts = begun.elapsed();

    for kill in 0..KILLS {
        let mut story = Story::new(format!("story {kill}"));
        let (owner, after) = (chance.next().is_multiple_of(2), chance.instant(lasts));
        let victim = if owner { &ann } else { &ben };
        let told = std::thread::scope(|scope| {
            scope.spawn(|| {
                // Nothing to wait for: the instant is the point.
                within(after, || None::<()>);
                victim.process().kill();
            });
            story.tell(&ann, &ben, service)
        });
        let victim = if owner { &mut ann } else { &mut ben };
        victim.kill();
        victim.up();
        eprintln!("{} killed after {after:?}: {:?}, {:?}", victim.name(), story.done, told.err().map(|it| it.code));
        story.must_hold(&ann, &ben);
        story.clear_away(&ann, &ben);
    }
}

impl Story {
    fn new(name: String) -> Self {
        Self { name, done: Done::Nothing, link: String::new(), port: free_port() }
    }

    /// Goes on until everything is done or somebody cannot do it.
    fn tell(&mut self, ann: &Person, ben: &Person, service: &Service) -> Result<(), CommandFailure> {
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
        // Whoever is killed now answers nothing, or half of it.
        let _ = ask(postern_testkit::port::loopback(self.port), b"hello");
        ann.try_run(&["revoke", &format!("{name}/Ben")], "")?;
        self.done = Done::Revoked;
        ann.try_run(&["close", &name], "")?;
        self.done = Done::Closed;
        Ok(())
    }

    /// Both are up again: what was acknowledged must be so. What was asked and not acknowledged may be so as well.
    fn must_hold(&self, ann: &Person, ben: &Person) {
        let (seen, what) = (ann.snapshot(), format!("{} after {:?}", self.name, self.done));
        let mine = find(&seen["services"], &self.name);
        let log = ann.run(&["log"]);
        assert_eq!(log[0]["intact"], true, "{what}: the receipts");
        if self.done == Done::Closed {
            assert!(mine.is_none(), "{what}: the service is back");
            return;
        }
        if self.done == Done::Revoked {
            // It may be closed by now.
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

    /// Leaves as little as possible for the next story.
    fn clear_away(&self, ann: &Person, ben: &Person) {
        let _ = ann.try_run(&["close", &format!("service:{}", self.name)], "");
        let _ = ben.try_run(&["close", &format!("portal:{}", self.name)], "");
    }
}

/// How the friend's access to a service is.
fn state_of(service: &Value) -> Option<&str> {
    service["people"].as_array()?.iter().find(|it| it["name"] == "Ben")?["state"].as_str()
}
