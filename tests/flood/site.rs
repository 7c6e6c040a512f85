//! A hub, an owner behind it, and friends who use the owner's service.

use crate::friends::{self, Samples, quantile};
use postern_testkit::{Hub, Person, Process, Service};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

/// What is left of an attack must be gone so long after it.
const RECOVERY_MAX: Duration = Duration::from_secs(60);
/// Friends are measured for so long to see whether they notice anything still.
const RECOVERY_SAMPLE: Duration = Duration::from_secs(5);
/// They may be so much slower than the friends of another hub at the same time.
const RECOVERED_FACTOR: u32 = 2;
/// What a hub holds, at its status port.
const HELD: [&str; 3] = ["connections", "relays", "channels"];
const SERVICE: &str = "echo";

pub(crate) struct Site {
    hub: Hub,
    owner: Person,
    _friends: Vec<Person>,
    /// The last friend, whose program is restarted during attacks.
    latecomer: RefCell<Person>,
    _service: Service,
    /// The local addresses of all friends but the last.
    pub(crate) inlets: Vec<SocketAddr>,
    /// What the hub held before any attack.
    before: BTreeMap<&'static str, u64>,
}

/// The attacker's process.
pub(crate) struct RunningAttack(Process);

impl RunningAttack {
    /// Waits until the attacker has left; what came of it.
    pub(crate) fn ended(self, takes: Duration) -> String {
        let status = self.0.wait(takes + postern_testkit::TIMEOUT);
        assert!(status.success(), "the attack failed: {}", self.0.stderr());
        self.0.stdout().trim().to_owned()
    }
}

impl Site {
    pub(crate) fn start(owner: &str, friends: &[&str]) -> Self {
        let (hub, service) = (Hub::start(), Service::echo());
        let owner = Person::start(&hub, owner);
        owner.share(service.address(), SERVICE);
        let mut friends: Vec<Person> = friends.iter().map(|name| Person::start(&hub, name)).collect();
        let mut inlets: Vec<_> = friends.iter().map(|friend| friend.join(&owner.invite(SERVICE, &[]))).collect();
        inlets.pop();
        let latecomer = RefCell::new(friends.pop().expect("a site has friends"));
        let before = held(&hub);
        Self { hub, owner, _friends: friends, latecomer, _service: service, inlets, before }
    }

    pub(crate) fn attack(&self) -> RunningAttack {
        let snapshot = self.owner.snapshot();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let (owner, service) = (text(&snapshot["me"]["identifier"]), text(&snapshot["services"][0]["id"]));
        let program = std::env::current_exe().expect("a program knows its file");
        let mut attack = Command::new(program);
        attack.args(["attack", &self.hub.address().to_string(), &owner, &service]);
        RunningAttack(Process::spawn(&mut attack))
    }

    /// Ends and starts the last friend's program; how long it takes until their portal works again.
    pub(crate) fn latecomer_comes_back(&self) -> Duration {
        let (mut friend, begun) = (self.latecomer.borrow_mut(), Instant::now());
        friend.restart();
        let _ = friend.wait_until_up(SERVICE);
        begun.elapsed()
    }

    /// How long after now the hub holds no more than before, and its friends are as fast as those of another site, who are
    /// measured at the same time: whatever else the machine does, they have it in common.
    ///
    /// # Errors
    /// What is not as before after [`RECOVERY_MAX`].
    pub(crate) fn recovery(&self, beside: &Self) -> Result<Duration, String> {
        let begun = Instant::now();
        loop {
            let mut others = Samples::default();
            let own = friends::measure(&self.inlets, || {
                others = friends::measure(&beside.inlets, || friends::pause(RECOVERY_SAMPLE));
            });
            let (now, elapsed) = (held(&self.hub), begun.elapsed());
            let is_slow = |of: fn(&Samples) -> &Vec<Duration>| {
                quantile(of(&own), 0.99) > RECOVERED_FACTOR * quantile(of(&others), 0.99)
            };
            let is_slow = is_slow(|it| &it.round_trips) || is_slow(|it| &it.new_streams) || own.failures > 0;
            if now.iter().all(|(what, count)| self.before.get(what).is_some_and(|before| count <= before)) && !is_slow {
                return Ok(elapsed);
            }
            if elapsed > RECOVERY_MAX {
                let before = &self.before;
                return Err(format!("the hub holds {now:?}, and held {before:?}; {own}, and elsewhere {others}"));
            }
        }
    }
}

/// What a hub holds now.
fn held(hub: &Hub) -> BTreeMap<&'static str, u64> {
    let metrics = hub.status("/metrics").map(|(_, body)| body).unwrap_or_default();
    let value = |what: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("postern_hub_{what} ")));
        line.and_then(|value| value.parse().ok()).unwrap_or(u64::MAX)
    };
    HELD.iter().map(|what| (*what, value(what))).collect()
}
