//! The machine under random stories: three people, a hub that fails and lies, crashes, clocks that jump.
//!
//! After every transition the invariants of [`Witness`] must hold; at the end of every story, when the storm is over,
//! friends and owners must agree about every portal.
//!
//! `POSTERN_MODEL_SEED=… POSTERN_MODEL_STORIES=1 cargo test -p postern-engine model` tells one story again.

use super::witness::Witness;
use super::world::{Dice, HUB, Parcel, World};
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
    let mut told = Told::default();
    for story in 0..stories {
        tell(seed.wrapping_add(story), &mut told);
    }
    println!("{told:?} from seed {seed}");
    assert!(told.transitions >= stories * TRANSITIONS);
    // A model that never gets anywhere proves nothing.
    let enough = stories as usize;
    assert!(stories < STORIES || (told.granted > enough && told.up > enough && told.crashes > enough), "{told:?}");
}

/// What happened in all stories.
#[derive(Debug, Default)]
struct Told {
    transitions: u64,
    granted: usize,
    up: usize,
    down: usize,
    crashes: usize,
}

fn tell(seed: u64, told: &mut Told) {
    let mut story = Story::new(seed);
    while story.world.transitions < TRANSITIONS {
        story.step();
    }
    story.calm();
    told.transitions += story.world.transitions;
    told.crashes += story.crashes;
    for who in 0..3 {
        told.granted += story.world.snapshot(who).services.iter().map(|it| it.people.len()).sum::<usize>();
        let inlets = story.world.snapshot(who).inlets;
        told.up += inlets.iter().filter(|it| matches!(it.link, InletLink::Up { .. })).count();
        told.down += inlets.iter().filter(|it| matches!(it.link, InletLink::Down { .. })).count();
    }
}

/// Prints how a story went that failed.
struct Diary {
    seed: u64,
    lines: Vec<String>,
}

impl Drop for Diary {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("POSTERN_MODEL_SEED={} POSTERN_MODEL_STORIES=1, at the end:", self.seed);
            let from = self.lines.len().saturating_sub(40);
            self.lines[from..].iter().for_each(|line| println!("  {line}"));
        }
    }
}

struct Story {
    diary: Diary,
    world: World,
    dice: Dice,
    links: Vec<Secret>,
    crashes: usize,
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut world = World::new();
        world.dice = Dice(seed);
        let mut witness = Witness::default();
        world.check = Some(Box::new(move |world, who| witness.look(world, who)));
        Self { diary: Diary { seed, lines: Vec::new() }, world, dice: Dice(!seed), links: Vec::new(), crashes: 0 }
    }

    fn note(&mut self, line: String) {
        self.diary.lines.push(format!("{:>9} {line}", self.world.clock));
    }

    fn step(&mut self) {
        if self.dice.one_in(40) {
            // Whoever does something next is killed in the middle of it.
            self.world.fuse = Some(self.dice.below(4));
        }
        match self.dice.below(100) {
            0..55 => self.deliver(),
            55..57 => self.fault_of_the_hub(),
            57..59 => self.crash_or_launch(),
            59..66 => self.time(),
            66..70 => self.lie(),
            70..74 => self.use_something(),
            _ => self.request(),
        }
    }

    /// Delivers something under way: perhaps twice, perhaps not, in any order but that of one's own runner.
    fn deliver(&mut self) {
        let at = self.dice.below(self.world.parcels.len());
        let own = |parcel: &Parcel| match parcel {
            Parcel::Event { event: Event::PeerNotification(..) | Event::CallAnswered(..), .. } | Parcel::Ask { .. } => {
                None
            }
            Parcel::Event { to, .. } => Some(*to),
        };
        let Some(picked) = self.world.parcels.get(at) else { return };
        let at = match own(picked) {
            Some(who) => self.world.parcels.iter().position(|it| own(it) == Some(who)).unwrap_or(at),
            None => at,
        };
        let Some(parcel) = self.world.parcels.remove(at) else { return };
        let is_own = own(&parcel).is_some();
        if !is_own && self.dice.one_in(12) {
            return self.lose(parcel);
        }
        if !is_own && self.dice.one_in(12) {
            self.world.parcels.push_back(parcel.clone());
        }
        self.note(match &parcel {
            Parcel::Event { to, event, .. } => format!("{} hears {event:?}", self.world.people[*to].name),
            Parcel::Ask { from, to, message, .. } => {
                format!("{} asks {to}: {message:?}", self.world.people[*from].name)
            }
        });
        self.world.deliver(parcel);
    }

    /// What is lost on the way is found out by whoever waits for an answer.
    fn lose(&mut self, parcel: Parcel) {
        let late = || Err(Fault::new(Code::TimedOut, "No answer came in time."));
        let event = match parcel {
            Parcel::Ask { from, life, call, .. } => {
                Parcel::Event { to: from, life, event: Event::CallAnswered(call, late()) }
            }
            Parcel::Event { to, life, event: Event::CallAnswered(call, _) } => {
                Parcel::Event { to, life, event: Event::CallAnswered(call, late()) }
            }
            Parcel::Event { .. } => return,
        };
        self.world.parcels.push_back(event);
    }

    fn fault_of_the_hub(&mut self) {
        let up = !self.world.hub_is_up || self.dice.one_in(3);
        self.note(format!("the hub is up: {up}"));
        self.world.set_hub(up);
    }

    fn crash_or_launch(&mut self) {
        let who = self.dice.below(3);
        if self.world.people[who].state.is_none() {
            self.note(format!("{} starts", self.world.people[who].name));
            self.world.launch(who);
        } else {
            self.note(format!("{} crashes", self.world.people[who].name));
            self.world.crash(who);
            self.crashes += 1;
            if self.dice.one_in(2) {
                self.world.launch(who);
            }
        }
    }

    fn time(&mut self) {
        if self.dice.one_in(20) {
            let hours = self.dice.below(72) as i64 - 36;
            self.world.wall_ahead += hours * 3_600_000;
            self.note(format!("the wall clocks jump by {hours} h"));
        }
        let length = [10, 1_500, 40_000, 3_600_000][self.dice.below(4)];
        self.world.clock += self.dice.below(length) as u64 + 1;
        for who in 0..3 {
            let now = self.world.now(who);
            let Some(state) = &self.world.people[who].state else { continue };
            if state.next_wake(now).is_some_and(|at| at <= now.ticks) {
                self.note(format!("{}'s time has come", self.world.people[who].name));
                self.world.event(who, Event::Tick);
                let Some(state) = &self.world.people[who].state else { continue };
                assert!(state.next_wake(now).is_none_or(|at| at > now.ticks), "a_tick_leaves_nothing_due");
            }
        }
    }

    /// Somebody says what is not theirs to say, or the hub what was said before.
    fn lie(&mut self) {
        let (who, liar) = (self.dice.below(3), self.dice.below(3));
        let from = self.world.people[liar].identifier;
        let card = ContactInfo { name: "Liar".into(), postal: Vec::new(), hubs: Vec::new(), reach: Vec::new() };
        let grant = self.world.people.iter().flat_map(|it| it.disk.values()).filter_map(|it| match it {
            Record::Grant(grant) if grant.person != from => Some(grant.id),
            _ => None,
        });
        let grant = self.dice.pick(&grant.collect::<Vec<_>>()).copied();
        let ticket = self.world.people.iter().flat_map(|it| it.disk.values()).filter_map(|it| match it {
            Record::Invitation(it) => Some(it.id),
            _ => None,
        });
        let ticket = self.dice.pick(&ticket.collect::<Vec<_>>()).copied();
        let call = CallId(1 << 40);
        match (self.dice.below(6), grant, ticket) {
            (0, ..) => {
                let Some((to, from, news)) = self.dice.pick(&self.world.old_mail).cloned() else { return };
                let Some(to) = self.world.index(to) else { return };
                self.note(format!("{} gets old mail", self.world.people[to].name));
                self.world.own(to, Event::PeerNotification(from, news));
            }
            (1, Some(grant), _) if !self.owns(liar, grant) => {
                self.note(format!(
                    "{} lies to {} about a grant",
                    self.world.people[liar].name, self.world.people[who].name
                ));
                let standing = GrantStatus::Inactive(Code::Revoked);
                self.world.event(who, Event::PeerNotification(from, PeerNotification::Grant { grant, standing }));
            }
            (2, _, Some(ticket)) if !self.invited(liar, ticket) => {
                self.note(format!("{} withdraws what is not theirs", self.world.people[liar].name));
                self.world.event(who, Event::PeerNotification(from, PeerNotification::Withdrawn { ticket }));
            }
            (3, Some(grant), _) => self.ask(liar, call, who, PeerRequest::GiveBack { grant }),
            (4, Some(grant), _) => self.ask(liar, call, who, PeerRequest::Sync { grants: vec![grant], card }),
            (5, _, Some(ticket)) => {
                let secret = [self.dice.next() as u8; 32];
                self.ask(liar, call, who, PeerRequest::Redeem { ticket, secret, card });
            }
            _ => {}
        }
    }

    fn ask(&mut self, from: usize, call: CallId, who: usize, message: PeerRequest) {
        let (to, life) = (self.world.people[who].identifier, self.world.people[from].life);
        self.note(format!("{} asks what they should not: {message:?}", self.world.people[from].name));
        self.world.parcels.push_back(Parcel::Ask { from, life, call, to, message });
    }

    fn owns(&self, who: usize, grant: GrantId) -> bool {
        self.world.people[who].disk.contains_key(&RecordKey::Grant(grant))
    }

    fn invited(&self, who: usize, ticket: InvitationId) -> bool {
        self.world.people[who].disk.contains_key(&RecordKey::Invitation(ticket))
    }

    fn use_something(&mut self) {
        let who = self.dice.below(3);
        if self.dice.one_in(4) {
            self.world.people[who].target_answers ^= true;
        }
        if self.dice.one_in(8) {
            let port = 5430 + self.dice.below(8) as u16;
            if !self.world.people[who].taken_ports.remove(&port) {
                self.world.people[who].taken_ports.insert(port);
            }
        }
        let Some(inlet) = self.pick(who, |it| if let Record::Inlet(it) = it { Some(it.id) } else { None }) else {
            return;
        };
        let answer = self.world.connect(who, inlet);
        self.note(format!("{} connects: {answer:?}", self.world.people[who].name));
        if let Ok(grant) = answer
            && let Some(owner) = self.world.people[who].inlets.get(&inlet).and_then(|it| self.world.index(it.owner))
        {
            let reason = self.dice.one_in(2).then_some(EndReason::TimedOut);
            self.world.own(owner, Event::StreamEnded { grant, up_bytes: 1, down_bytes: 2, lasted_ms: 3, reason });
        }
    }

    fn pick<T: Copy>(&mut self, who: usize, which: impl Fn(&Record) -> Option<T>) -> Option<T> {
        let found: Vec<T> = self.world.people[who].disk.values().filter_map(which).collect();
        self.dice.pick(&found).copied()
    }

    fn request(&mut self) {
        let who = self.dice.below(3);
        if self.world.people[who].state.is_none() {
            return;
        }
        let Some(request) = self.wish(who) else { return };
        let id = self.world.ask(who, request.clone());
        let answer = self.world.people[who].answers.get(&id).cloned();
        self.note(format!("{}: {request:?} ── {answer:?}", self.world.people[who].name));
        if let Some(Ok(Answer::Invitation { link: Some(link), .. })) = answer {
            self.links.push(link);
        }
    }

    fn wish(&mut self, who: usize) -> Option<Request> {
        let person = self.world.people[self.dice.below(3)].identifier;
        let service = self.pick(who, |it| if let Record::Service(it) = it { Some(it.id) } else { None });
        let invitation = self.pick(who, |it| if let Record::Invitation(it) = it { Some(it.id) } else { None });
        let grant = self.pick(who, |it| if let Record::Grant(it) = it { Some(it.id) } else { None });
        let received = self.pick(who, |it| if let Record::Received(it) = it { Some(it.id) } else { None });
        let inlet = self.pick(who, |it| if let Record::Inlet(it) = it { Some(it.id) } else { None });
        let on = self.dice.one_in(2);
        Some(match self.dice.below(48) {
            0..3 => self.share(),
            3 => Request::ChangeService { service: service?, patch: self.patch() },
            4..6 => Request::SetService { service: service?, on: !self.dice.one_in(3) },
            6 if self.dice.one_in(6) => Request::CloseService { service: service? },
            7..14 => self.invite(service?, InviteTo::Link { note: None }),
            14..17 => self.invite(service?, InviteTo::Contact { person }),
            17 => Request::Resend { invitation: invitation? },
            18 => Request::RevokeInvitation { invitation: invitation? },
            19 => Request::InvitationLink { invitation: invitation? },
            20..23 => {
                let invitation = self.pick(who, |it| match it {
                    Record::Invitation(it) if it.state == SentState::Knocking => Some(it.id),
                    _ => None,
                })?;
                let answer = [KnockAnswer::Once, KnockAnswer::Always, KnockAnswer::Deny][self.dice.below(3)];
                Request::AnswerKnock { invitation, answer }
            }
            23 => Request::ChangeGrant { grant: grant?, terms: self.terms() },
            24 => Request::PauseGrant { grant: grant?, on },
            25 if self.dice.one_in(3) => Request::RevokeGrant { grant: grant? },
            26..31 => {
                let last = self.links.len().saturating_sub(4);
                let from = if on { 0 } else { last };
                Request::Open { link: self.dice.pick(&self.links[from..])?.clone() }
            }
            31..37 => {
                let received = self.pick(who, |it| match it {
                    Record::Received(it) if it.over.is_none() => Some(it.id),
                    _ => None,
                });
                let port = self.dice.one_in(3).then(|| 5430 + self.dice.below(6) as u16);
                Request::Accept { invitation: received?, port }
            }
            37 => Request::Decline { invitation: received? },
            38 => {
                let port = on.then(|| 5430 + self.dice.below(6) as u16);
                Request::ChangeInlet { inlet: inlet?, name: Some("Mine".into()), port }
            }
            39 => Request::SetInlet { inlet: inlet?, on: !self.dice.one_in(3) },
            40 if self.dice.one_in(4) => Request::RemoveInlet { inlet: inlet? },
            41 => Request::Block { person, on: self.dice.one_in(4) },
            42 => Request::Forget { person },
            43 => Request::Verify { person, verified: on },
            44 => Request::PauseAll { on: self.dice.one_in(6) },
            45 if self.dice.one_in(6) => Request::RemoveHub { address: HUB.into() },
            45 => Request::AddHub { address: HUB.into() },
            46 => Request::SetThisComputer { on },
            _ => Request::Retry,
        })
    }

    fn share(&mut self) -> Request {
        let name = ["Orders", "Notes", "SSH", "Lab"][self.dice.below(4)].to_owned();
        let target = ["5432", "5433", "nas:22", "nonsense", "[::1]:8080"][self.dice.below(5)].to_owned();
        Request::Share { name, kind: ServiceKind::Http, target, path: None, description: Some("For you".into()) }
    }

    fn patch(&mut self) -> ServicePatch {
        let name = self.dice.one_in(2).then(|| ["Orders", "Sales", ""][self.dice.below(3)].to_owned());
        let target = self.dice.one_in(2).then(|| "5434".to_owned());
        ServicePatch { name, target, ..ServicePatch::default() }
    }

    fn terms(&mut self) -> Terms {
        let wall = self.world.now(0).wall;
        Terms {
            until: self.dice.one_in(5).then(|| wall.plus(self.dice.below(7_200_000) as u64)),
            until_quit: self.dice.one_in(12),
            connections: self.dice.one_in(6).then_some(2),
        }
    }

    fn invite(&mut self, service: ServiceId, to: InviteTo) -> Request {
        let valid_for = self.dice.one_in(4).then(|| 60 + self.dice.below(3_600) as u64);
        Request::Invite { service, to, ask_first: self.dice.one_in(4), valid_for, terms: self.terms() }
    }

    /// The storm is over: everybody is there, nothing is lost any more. All must agree.
    fn calm(&mut self) {
        self.note("calm".to_owned());
        self.world.fuse = None;
        self.world.set_hub(true);
        for who in 0..3 {
            self.world.people[who].taken_ports.clear();
            self.world.people[who].target_answers = true;
            if self.world.people[who].state.is_some() {
                self.world.crash(who);
            }
            self.world.launch(who);
        }
        self.world.settle();
        for who in 0..3 {
            self.world.must(who, Request::AddHub { address: HUB.into() });
            self.world.must(who, Request::PauseAll { on: false });
        }
        self.world.pass(60_000);
        for who in 0..3 {
            self.world.must(who, Request::Retry);
        }
        self.world.pass(600_000);
        for who in 0..3 {
            self.everybody_agrees(who);
        }
    }

    fn everybody_agrees(&self, who: usize) {
        let (snapshot, me) = (self.world.snapshot(who), &self.world.people[who]);
        for portal in snapshot.inlets {
            let Some(owner) = self.world.index(portal.owner).filter(|it| self.world.is_met(*it)) else { continue };
            let Some(Record::Inlet(inlet)) = me.disk.get(&RecordKey::Inlet(portal.id)) else { panic!("not on disk") };
            let gates = self.world.people[owner].gates.values().flatten();
            let lets_in = gates
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
                self.world.people[owner].disk.get(&RecordKey::Grant(inlet.grant))
            );
        }
        for received in snapshot.invitations {
            let ReceivedState::Accepting { fault } = &received.state else { continue };
            let is_met = self.world.index(received.owner).is_some_and(|it| self.world.is_met(it));
            let code = fault.as_ref().map(|it| it.code);
            assert!(!is_met || code == Some(Code::Asked), "it waits for nothing: {received:?}");
        }
    }
}
