//! The machine under random stories: three people, a hub that fails and lies, crashes, clocks that jump.
//!
//! After every transition the invariants of [`InvariantChecker`] must hold; at the end of every story, when the storm is over,
//! friends and owners must agree about every portal.
//!
//! `POSTERN_MODEL_SEED=… POSTERN_MODEL_STORIES=1 cargo test -p postern-engine model` tells one story again.

use super::invariants::InvariantChecker;
use super::simulation::{HUB, InFlight, Simulation, SplitMix64};
use crate::api::*;
use crate::core::{CallId, Event, Record, RecordKey};
use crate::peer::{ContactInfo, GrantStatus, PeerNotification, PeerRequest};
use postern_node::portal::EndReason;

const SEED: u64 = 0x0070_6f73_7465_726e;
const STORIES: u64 = 100;
const TRANSITIONS: u64 = 1_000;

#[test]
fn the_invariants_hold_in_random_stories() {
    let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse::<u64>().ok());
    let seed = number("POSTERN_MODEL_SEED").unwrap_or(SEED);
    let stories = number("POSTERN_MODEL_STORIES").unwrap_or(STORIES);
    let mut totals = Totals::default();
    for story in 0..stories {
        run(seed.wrapping_add(story), &mut totals);
    }
    println!("{totals:?} from seed {seed}");
    assert!(totals.transitions >= stories * TRANSITIONS);
    // A model that never gets anywhere proves nothing.
    let enough = stories as usize;
    assert!(
        stories < STORIES || (totals.granted > enough && totals.up > enough && totals.crashes > enough),
        "{totals:?}"
    );
}

/// What happened in all stories.
#[derive(Debug, Default)]
struct Totals {
    transitions: u64,
    granted: usize,
    up: usize,
    down: usize,
    crashes: usize,
}

fn run(seed: u64, totals: &mut Totals) {
    let mut story = Story::new(seed);
    while story.sim.transitions < TRANSITIONS {
        story.step();
    }
    story.calm();
    totals.transitions += story.sim.transitions;
    totals.crashes += story.crashes;
    for who in 0..3 {
        totals.granted += story.sim.snapshot(who).services.iter().map(|it| it.people.len()).sum::<usize>();
        let inlets = story.sim.snapshot(who).inlets;
        totals.up += inlets.iter().filter(|it| matches!(it.link, InletLink::Up { .. })).count();
        totals.down += inlets.iter().filter(|it| matches!(it.link, InletLink::Down { .. })).count();
    }
}

/// Prints how a story went that failed.
struct Trace {
    seed: u64,
    lines: Vec<String>,
}

impl Drop for Trace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("POSTERN_MODEL_SEED={} POSTERN_MODEL_STORIES=1, at the end:", self.seed);
            let from = self.lines.len().saturating_sub(40);
            self.lines[from..].iter().for_each(|line| println!("  {line}"));
        }
    }
}

struct Story {
    trace: Trace,
    sim: Simulation,
    rng: SplitMix64,
    links: Vec<Secret>,
    crashes: usize,
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut sim = Simulation::new();
        sim.rng = SplitMix64(seed);
        let mut invariants = InvariantChecker::default();
        sim.check = Some(Box::new(move |sim, who| invariants.look(sim, who)));
        Self { trace: Trace { seed, lines: Vec::new() }, sim, rng: SplitMix64(!seed), links: Vec::new(), crashes: 0 }
    }

    fn note(&mut self, line: String) {
        self.trace.lines.push(format!("{:>9} {line}", self.sim.clock));
    }

    fn step(&mut self) {
        if self.rng.one_in(40) {
            // Whoever does something next is killed in the middle of it.
            self.sim.crash_after = Some(self.rng.below(4));
        }
        match self.rng.below(100) {
            0..55 => self.deliver(),
            55..57 => self.fault_of_the_hub(),
            57..59 => self.crash_or_launch(),
            59..66 => self.time(),
            66..70 => self.forge(),
            70..74 => self.use_something(),
            _ => self.request(),
        }
    }

    /// Delivers something under way: perhaps twice, perhaps not, in any order but that of one's own runner.
    fn deliver(&mut self) {
        let at = self.rng.below(self.sim.in_flight.len());
        let own = |message: &InFlight| match message {
            InFlight::Event { event: Event::PeerNotification(..) | Event::CallAnswered(..), .. }
            | InFlight::Ask { .. } => None,
            InFlight::Event { to, .. } => Some(*to),
        };
        let Some(picked) = self.sim.in_flight.get(at) else { return };
        let at = match own(picked) {
            Some(who) => self.sim.in_flight.iter().position(|it| own(it) == Some(who)).unwrap_or(at),
            None => at,
        };
        let Some(message) = self.sim.in_flight.remove(at) else { return };
        let is_own = own(&message).is_some();
        if !is_own && self.rng.one_in(12) {
            return self.lose(message);
        }
        if !is_own && self.rng.one_in(12) {
            self.sim.in_flight.push_back(message.clone());
        }
        self.note(match &message {
            InFlight::Event { to, event, .. } => format!("{} hears {event:?}", self.sim.people[*to].name),
            InFlight::Ask { from, to, message, .. } => {
                format!("{} asks {to}: {message:?}", self.sim.people[*from].name)
            }
        });
        self.sim.deliver(message);
    }

    /// What is lost on the way is found out by whoever waits for an answer.
    fn lose(&mut self, message: InFlight) {
        let late = || Err(Fault::new(Code::TimedOut, "No answer came in time."));
        let event = match message {
            InFlight::Ask { from, incarnation, call, .. } => {
                InFlight::Event { to: from, incarnation, event: Event::CallAnswered(call, late()) }
            }
            InFlight::Event { to, incarnation, event: Event::CallAnswered(call, _) } => {
                InFlight::Event { to, incarnation, event: Event::CallAnswered(call, late()) }
            }
            InFlight::Event { .. } => return,
        };
        self.sim.in_flight.push_back(event);
    }

    fn fault_of_the_hub(&mut self) {
        let up = !self.sim.hub_is_up || self.rng.one_in(3);
        self.note(format!("the hub is up: {up}"));
        self.sim.set_hub(up);
    }

    fn crash_or_launch(&mut self) {
        let who = self.rng.below(3);
        if self.sim.people[who].state.is_none() {
            self.note(format!("{} starts", self.sim.people[who].name));
            self.sim.launch(who);
        } else {
            self.note(format!("{} crashes", self.sim.people[who].name));
            self.sim.crash(who);
            self.crashes += 1;
            if self.rng.one_in(2) {
                self.sim.launch(who);
            }
        }
    }

    fn time(&mut self) {
        if self.rng.one_in(20) {
            let hours = self.rng.below(72) as i64 - 36;
            self.sim.wall_ahead += hours * 3_600_000;
            self.note(format!("the wall clocks jump by {hours} h"));
        }
        let length = [10, 1_500, 40_000, 3_600_000][self.rng.below(4)];
        self.sim.clock += self.rng.below(length) as u64 + 1;
        for who in 0..3 {
            let now = self.sim.now(who);
            let Some(state) = &self.sim.people[who].state else { continue };
            if state.next_wake(now).is_some_and(|at| at <= now.ticks) {
                self.note(format!("{}'s time has come", self.sim.people[who].name));
                self.sim.event(who, Event::Tick);
                let Some(state) = &self.sim.people[who].state else { continue };
                assert!(state.next_wake(now).is_none_or(|at| at > now.ticks), "a_tick_leaves_nothing_due");
            }
        }
    }

    /// Somebody says what is not theirs to say, or the hub what was said before.
    fn forge(&mut self) {
        let (who, liar) = (self.rng.below(3), self.rng.below(3));
        let from = self.sim.people[liar].identifier;
        let contact = ContactInfo { name: "Liar".into(), postal: Vec::new(), hubs: Vec::new(), reach: Vec::new() };
        let grant = self.sim.people.iter().flat_map(|it| it.disk.values()).filter_map(|it| match it {
            Record::Grant(grant) if grant.person != from => Some(grant.id),
            _ => None,
        });
        let grant = self.rng.pick(&grant.collect::<Vec<_>>()).copied();
        let ticket = self.sim.people.iter().flat_map(|it| it.disk.values()).filter_map(|it| match it {
            Record::Invitation(it) => Some(it.id),
            _ => None,
        });
        let ticket = self.rng.pick(&ticket.collect::<Vec<_>>()).copied();
        let call = CallId(1 << 40);
        match (self.rng.below(6), grant, ticket) {
            (0, ..) => {
                let Some((to, from, news)) = self.rng.pick(&self.sim.old_mail).cloned() else { return };
                let Some(to) = self.sim.index(to) else { return };
                self.note(format!("{} gets old mail", self.sim.people[to].name));
                self.sim.own(to, Event::PeerNotification(from, news));
            }
            (1, Some(grant), _) if !self.owns(liar, grant) => {
                self.note(format!(
                    "{} lies to {} about a grant",
                    self.sim.people[liar].name, self.sim.people[who].name
                ));
                let status = GrantStatus::Inactive(Code::Revoked);
                self.sim.event(who, Event::PeerNotification(from, PeerNotification::Grant { grant, status }));
            }
            (2, _, Some(ticket)) if !self.invited(liar, ticket) => {
                self.note(format!("{} withdraws what is not theirs", self.sim.people[liar].name));
                self.sim.event(who, Event::PeerNotification(from, PeerNotification::Withdrawn { ticket }));
            }
            (3, Some(grant), _) => self.ask(liar, call, who, PeerRequest::GiveBack { grant }),
            (4, Some(grant), _) => self.ask(liar, call, who, PeerRequest::Sync { grants: vec![grant], contact }),
            (5, _, Some(ticket)) => {
                let secret = [self.rng.next() as u8; 32];
                self.ask(liar, call, who, PeerRequest::Redeem { ticket, secret, contact });
            }
            _ => {}
        }
    }

    fn ask(&mut self, from: usize, call: CallId, who: usize, message: PeerRequest) {
        let (to, incarnation) = (self.sim.people[who].identifier, self.sim.people[from].incarnation);
        self.note(format!("{} asks what they should not: {message:?}", self.sim.people[from].name));
        self.sim.in_flight.push_back(InFlight::Ask { from, incarnation, call, to, message });
    }

    fn owns(&self, who: usize, grant: GrantId) -> bool {
        self.sim.people[who].disk.contains_key(&RecordKey::Grant(grant))
    }

    fn invited(&self, who: usize, ticket: InvitationId) -> bool {
        self.sim.people[who].disk.contains_key(&RecordKey::Invitation(ticket))
    }

    fn use_something(&mut self) {
        let who = self.rng.below(3);
        if self.rng.one_in(4) {
            self.sim.people[who].target_answers ^= true;
        }
        if self.rng.one_in(8) {
            let port = 5430 + self.rng.below(8) as u16;
            if !self.sim.people[who].taken_ports.remove(&port) {
                self.sim.people[who].taken_ports.insert(port);
            }
        }
        let Some(inlet) = self.pick(who, |it| if let Record::Inlet(it) = it { Some(it.id) } else { None }) else {
            return;
        };
        let answer = self.sim.connect(who, inlet);
        self.note(format!("{} connects: {answer:?}", self.sim.people[who].name));
        if let Ok(grant) = answer
            && let Some(owner) = self.sim.people[who].inlets.get(&inlet).and_then(|it| self.sim.index(it.owner))
        {
            let reason = self.rng.one_in(2).then_some(EndReason::TimedOut);
            self.sim.own(owner, Event::StreamEnded { grant, up_bytes: 1, down_bytes: 2, lasted_ms: 3, reason });
        }
    }

    fn pick<T: Copy>(&mut self, who: usize, which: impl Fn(&Record) -> Option<T>) -> Option<T> {
        let found: Vec<T> = self.sim.people[who].disk.values().filter_map(which).collect();
        self.rng.pick(&found).copied()
    }

    fn request(&mut self) {
        let who = self.rng.below(3);
        if self.sim.people[who].state.is_none() {
            return;
        }
        let Some(request) = self.random_request(who) else { return };
        let id = self.sim.ask(who, request.clone());
        let answer = self.sim.people[who].answers.get(&id).cloned();
        self.note(format!("{}: {request:?} ── {answer:?}", self.sim.people[who].name));
        if let Some(Ok(Answer::Invitation { link: Some(link), .. })) = answer {
            self.links.push(link);
        }
    }

    fn random_request(&mut self, who: usize) -> Option<CoreRequest> {
        let person = self.sim.people[self.rng.below(3)].identifier;
        let service = self.pick(who, |it| if let Record::Service(it) = it { Some(it.id) } else { None });
        let invitation = self.pick(who, |it| if let Record::Invitation(it) = it { Some(it.id) } else { None });
        let grant = self.pick(who, |it| if let Record::Grant(it) = it { Some(it.id) } else { None });
        let received = self.pick(who, |it| if let Record::Received(it) = it { Some(it.id) } else { None });
        let inlet = self.pick(who, |it| if let Record::Inlet(it) = it { Some(it.id) } else { None });
        let on = self.rng.one_in(2);
        Some(match self.rng.below(48) {
            0..3 => self.share(),
            3 => CoreRequest::ChangeService { service: service?, patch: self.patch() },
            4..6 => CoreRequest::SetService { service: service?, on: !self.rng.one_in(3) },
            6 if self.rng.one_in(6) => CoreRequest::CloseService { service: service? },
            7..14 => self.invite(service?, InviteTo::Link { note: None }),
            14..17 => self.invite(service?, InviteTo::Contact { person }),
            17 => CoreRequest::Resend { invitation: invitation? },
            18 => CoreRequest::RevokeInvitation { invitation: invitation? },
            19 => CoreRequest::InvitationLink { invitation: invitation? },
            20..23 => {
                let invitation = self.pick(who, |it| match it {
                    Record::Invitation(it) if it.state == SentState::Knocking => Some(it.id),
                    _ => None,
                })?;
                let answer = [KnockAnswer::Once, KnockAnswer::Always, KnockAnswer::Deny][self.rng.below(3)];
                CoreRequest::AnswerKnock { invitation, answer }
            }
            23 => CoreRequest::ChangeGrant { grant: grant?, terms: self.terms() },
            24 => CoreRequest::PauseGrant { grant: grant?, on },
            25 if self.rng.one_in(3) => CoreRequest::RevokeGrant { grant: grant? },
            26..31 => {
                let last = self.links.len().saturating_sub(4);
                let from = if on { 0 } else { last };
                CoreRequest::Open { link: self.rng.pick(&self.links[from..])?.clone() }
            }
            31..37 => {
                let received = self.pick(who, |it| match it {
                    Record::Received(it) if it.over.is_none() => Some(it.id),
                    _ => None,
                });
                let port = self.rng.one_in(3).then(|| 5430 + self.rng.below(6) as u16);
                CoreRequest::Accept { invitation: received?, port }
            }
            37 => CoreRequest::Decline { invitation: received? },
            38 => {
                let port = on.then(|| 5430 + self.rng.below(6) as u16);
                CoreRequest::ChangeInlet { inlet: inlet?, name: Some("Mine".into()), port }
            }
            39 => CoreRequest::SetInlet { inlet: inlet?, on: !self.rng.one_in(3) },
            40 if self.rng.one_in(2) => CoreRequest::SetInletCheck { inlet: inlet?, on },
            40 if self.rng.one_in(2) => CoreRequest::RemoveInlet { inlet: inlet? },
            41 => CoreRequest::Block { person, on: self.rng.one_in(4) },
            42 => CoreRequest::Forget { person },
            43 => CoreRequest::Verify { person, verified: on, words: None },
            44 => CoreRequest::PauseAll { on: self.rng.one_in(6) },
            45 if self.rng.one_in(6) => CoreRequest::RemoveHub { address: HUB.into() },
            45 => CoreRequest::AddHub { address: HUB.into() },
            46 => CoreRequest::SetThisComputer { on },
            _ => CoreRequest::Retry,
        })
    }

    fn share(&mut self) -> CoreRequest {
        let name = ["Orders", "Notes", "SSH", "Lab"][self.rng.below(4)].to_owned();
        let target = ["5432", "5433", "nas:22", "nonsense", "[::1]:8080"][self.rng.below(5)].to_owned();
        CoreRequest::Share { name, kind: ServiceKind::Http, target, path: None, description: Some("For you".into()) }
    }

    fn patch(&mut self) -> ServicePatch {
        let name = self.rng.one_in(2).then(|| ["Orders", "Sales", ""][self.rng.below(3)].to_owned());
        let target = self.rng.one_in(2).then(|| "5434".to_owned());
        ServicePatch { name, target, ..ServicePatch::default() }
    }

    fn terms(&mut self) -> Terms {
        let wall = self.sim.now(0).wall;
        Terms {
            until: self.rng.one_in(5).then(|| wall.plus(self.rng.below(7_200_000) as u64)),
            until_quit: self.rng.one_in(12),
            connections: self.rng.one_in(6).then_some(2),
        }
    }

    fn invite(&mut self, service: ServiceId, to: InviteTo) -> CoreRequest {
        let valid_for = self.rng.one_in(4).then(|| 60 + self.rng.below(3_600) as u64);
        CoreRequest::Invite { service, to, ask_first: self.rng.one_in(4), valid_for, terms: self.terms() }
    }

    /// The storm is over: everybody is there, nothing is lost any more. All must agree.
    fn calm(&mut self) {
        self.note("calm".to_owned());
        self.sim.crash_after = None;
        self.sim.set_hub(true);
        for who in 0..3 {
            self.sim.people[who].taken_ports.clear();
            self.sim.people[who].target_answers = true;
            if self.sim.people[who].state.is_some() {
                self.sim.crash(who);
            }
            self.sim.launch(who);
        }
        self.sim.run_until_idle();
        for who in 0..3 {
            self.sim.must(who, CoreRequest::AddHub { address: HUB.into() });
            self.sim.must(who, CoreRequest::PauseAll { on: false });
        }
        self.sim.advance(60_000);
        for who in 0..3 {
            self.sim.must(who, CoreRequest::Retry);
        }
        self.sim.advance(600_000);
        for who in 0..3 {
            self.everybody_agrees(who);
        }
    }

    fn everybody_agrees(&self, who: usize) {
        let (snapshot, me) = (self.sim.snapshot(who), &self.sim.people[who]);
        for portal in snapshot.inlets {
            let Some(owner) = self.sim.index(portal.owner).filter(|it| self.sim.is_online(*it)) else { continue };
            let Some(Record::Inlet(inlet)) = me.disk.get(&RecordKey::Inlet(portal.id)) else { panic!("not on disk") };
            let admission = self.sim.people[owner].admission.values().flatten();
            let lets_in = admission
                .into_iter()
                .any(|it| it.grant == inlet.grant && it.person == me.identifier && it.refusal.is_none());
            let own = match &portal.link {
                InletLink::Off => continue,
                InletLink::Connecting => panic!("it is connecting for ever: {portal:?}"),
                InletLink::Up { .. } => None,
                InletLink::Down { fault, .. } => Some(fault.code),
            };
            if matches!(own, Some(Code::Paused))
                || (own == Some(Code::Blocked)
                    && snapshot.contacts.iter().any(|it| it.identifier == portal.owner && it.blocked))
            {
                continue;
            }
            assert_eq!(
                own.is_none(),
                lets_in,
                "{portal:?}\n{:?}",
                self.sim.people[owner].disk.get(&RecordKey::Grant(inlet.grant))
            );
        }
        for received in snapshot.invitations {
            let ReceivedState::Accepting { fault } = &received.state else { continue };
            let is_online = self.sim.index(received.owner).is_some_and(|it| self.sim.is_online(it));
            let code = fault.as_ref().map(|it| it.code);
            assert!(!is_online || code == Some(Code::Asked), "it waits for nothing: {received:?}");
        }
    }
}
