//! A simulation of people with their engines' cores, a hub and time. It uses private state of the core, so it stays here.
//!
//! ```text
//! Participant ─ handle ─► effects ─► in flight ─► the other participant's handle
//!   └─ disk: what Save wrote, and nothing else: a crash starts from it
//! ```

use crate::api::*;
use crate::core::{
    AdmissionRule, CallId, Change, Effect, Environment, Event, HealthSource, InletDescription, KeyHistory, Now,
    OwnIdentity, Record, RecordKey, RequestId, State, TicketSecret, handle, outlet_address, start,
};
use crate::peer::PeerAddress;
use crate::peer::{PeerNotification, PeerRequest, PeerResponse};
use postern_node::identity::Identifier;
use postern_node::portal::EndReason;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(super) const HUB: &str = "hub.example:4000";
/// The wall clock when a simulation starts.
pub(super) const START: u64 = 1_800_000_000_000;

/// A splittable pseudorandom number generator (SplitMix64).
pub(super) struct SplitMix64(pub(super) u64);

impl SplitMix64 {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        if of.is_empty() { None } else { of.get(self.below(of.len())) }
    }

    fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        seed.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&self.next().to_le_bytes()));
        seed
    }
}

/// A message or report that has not arrived yet.
#[derive(Clone)]
pub(super) enum InFlight {
    /// From the participant's own driver, or over an open channel.
    Event {
        to: usize,
        incarnation: u32,
        event: Event,
    },
    Ask {
        from: usize,
        incarnation: u32,
        call: CallId,
        to: Identifier,
        message: PeerRequest,
    },
}

pub(super) struct RunningInlet {
    pub(super) owner: Identifier,
    pub(super) outlet: String,
    pub(super) port: u16,
    pub(super) host: Option<String>,
    pub(super) is_up: bool,
    pub(super) description: InletDescription,
}

pub(super) struct Participant {
    pub(super) name: &'static str,
    pub(super) identifier: Identifier,
    /// The hashes of their key history.
    pub(super) keys: Vec<[u8; 32]>,
    /// Nothing while the program does not run.
    pub(super) state: Option<State>,
    pub(super) incarnation: u32,
    started: u64,
    pub(super) disk: BTreeMap<RecordKey, Record>,
    pub(super) admission: BTreeMap<ServiceId, Vec<AdmissionRule>>,
    pub(super) outlets: BTreeSet<ServiceId>,
    pub(super) inlets: BTreeMap<InletId, RunningInlet>,
    pub(super) hubs: BTreeSet<String>,
    pub(super) taken_ports: BTreeSet<u16>,
    pub(super) target_answers: bool,
    /// How the targets are found to be up.
    pub(super) health_source: HealthSource,
    /// Health checks until now.
    pub(super) checks: usize,
    pub(super) notices: Vec<Notice>,
    pub(super) audit: Vec<AuditEvent>,
    pub(super) answers: BTreeMap<RequestId, Result<Answer, Fault>>,
    pub(super) requests: u64,
    /// Requests that a crash left without an answer.
    pub(super) lost: u64,
    /// The histories that the node was told to remember in this run.
    pub(super) pinned: BTreeSet<Vec<u8>>,
    asked: BTreeMap<CallId, (usize, u32, CallId)>,
    calls: u64,
}

pub(super) struct Simulation {
    pub(super) people: Vec<Participant>,
    pub(super) in_flight: VecDeque<InFlight>,
    pub(super) hub_is_up: bool,
    mailbox: Vec<(Identifier, Identifier, PeerNotification)>,
    /// Everything that was ever mailed: a malicious hub may replay it.
    pub(super) old_mail: Vec<(Identifier, Identifier, PeerNotification)>,
    /// Milliseconds since the simulation started; and how far the wall clock is ahead of that.
    pub(super) clock: u64,
    pub(super) wall_ahead: i64,
    pub(super) rng: SplitMix64,
    pub(super) transitions: u64,
    /// The effects of the last transition, and whose it was.
    pub(super) last: (usize, Vec<Effect>),
    /// After how many effects of the next transition its program is killed.
    pub(super) crash_after: Option<usize>,
    /// What must hold after every transition.
    pub(super) check: Option<Check>,
}

/// One refusal, as the driver reports it.
pub(super) fn refused(service: ServiceId, person: Option<Identifier>, refusal: EndReason) -> Event {
    Event::StreamRefused { service, person, refusal, count: 1 }
}

/// Checks the simulation after somebody's transition.
pub(super) type Check = Box<dyn FnMut(&Simulation, usize)>;

pub(super) const ADA: usize = 0;
pub(super) const BEA: usize = 1;
pub(super) const CID: usize = 2;

impl Simulation {
    /// Ada, Bea and Cid, nobody set up.
    pub(super) fn empty(seed: u64) -> Self {
        let person = |(index, name): (usize, &'static str)| Participant {
            name,
            identifier: Identifier::from_bytes([index as u8 + 1; 32]),
            keys: vec![[index as u8 + 1; 32]],
            state: None,
            incarnation: 0,
            started: 0,
            disk: BTreeMap::new(),
            admission: BTreeMap::new(),
            outlets: BTreeSet::new(),
            inlets: BTreeMap::new(),
            hubs: BTreeSet::new(),
            taken_ports: BTreeSet::new(),
            target_answers: true,
            health_source: HealthSource::ListeningTable,
            checks: 0,
            notices: Vec::new(),
            audit: Vec::new(),
            answers: BTreeMap::new(),
            requests: 0,
            lost: 0,
            pinned: BTreeSet::new(),
            asked: BTreeMap::new(),
            calls: 0,
        };
        let mut sim = Self {
            people: ["Ada", "Bea", "Cid"].into_iter().enumerate().map(person).collect(),
            in_flight: VecDeque::new(),
            hub_is_up: true,
            mailbox: Vec::new(),
            old_mail: Vec::new(),
            clock: 0,
            wall_ahead: 0,
            rng: SplitMix64(seed),
            transitions: 0,
            last: (0, Vec::new()),
            crash_after: None,
            check: None,
        };
        (0..3).for_each(|who| sim.launch(who));
        sim
    }

    /// Ada, Bea and Cid, set up and connected.
    pub(super) fn new() -> Self {
        let mut sim = Self::empty(1);
        (0..3).for_each(|who| sim.set_up(who));
        sim
    }

    pub(super) fn set_up(&mut self, who: usize) {
        let name = self.people[who].name.to_owned();
        let request = self.ask(who, CoreRequest::SetUp { name, hubs: vec![HUB.into()], this_computer: false });
        self.run_until_idle();
        assert_eq!(self.people[who].answers[&request], Ok(Answer::Done));
    }

    pub(super) fn now(&self, who: usize) -> Now {
        let wall = (START + self.clock).saturating_add_signed(self.wall_ahead);
        Now { wall: UnixMillis(wall), ticks: self.clock - self.people[who].started }
    }

    /// Starts somebody's program with what is on their disk.
    pub(super) fn launch(&mut self, who: usize) {
        // Secrets come with the key.
        let records = self.people[who].disk.values().cloned().map(|it| with_secret(it, None)).collect();
        let person = &mut self.people[who];
        person.incarnation += 1;
        person.started = self.clock;
        let mut state = State::load(records, Environment::default());
        let (now, seed) = (self.now(who), self.rng.seed());
        let effects = start(&mut state, now, seed);
        self.people[who].state = Some(state);
        self.carry_out(who, effects);
        self.connect_channels();
    }

    /// Kills somebody's program.
    pub(super) fn crash(&mut self, who: usize) {
        let person = &mut self.people[who];
        person.state = None;
        person.incarnation += 1;
        person.admission.clear();
        person.outlets.clear();
        person.inlets.clear();
        person.hubs.clear();
        person.asked.clear();
        person.pinned.clear();
        self.connect_channels();
    }

    pub(super) fn restart(&mut self, who: usize) {
        self.crash(who);
        self.launch(who);
        self.run_until_idle();
    }

    pub(super) fn event(&mut self, who: usize, event: Event) {
        let (now, seed) = (self.now(who), self.rng.seed());
        let Some(state) = &mut self.people[who].state else { return };
        let effects = handle(state, event, now, seed);
        self.transitions += 1;
        self.carry_out(who, effects);
        if let Some(mut check) = self.check.take() {
            check(self, who);
            self.check = Some(check);
        }
    }

    /// Makes a request, and returns its number.
    pub(super) fn ask(&mut self, who: usize, request: CoreRequest) -> RequestId {
        self.people[who].requests += 1;
        let id = RequestId(self.people[who].requests);
        self.event(who, Event::Request(id, request));
        let person = &mut self.people[who];
        let is_lost = person.state.is_none() && !person.answers.contains_key(&id);
        person.lost += u64::from(is_lost);
        id
    }

    /// Makes a request, and returns its answer.
    pub(super) fn request(&mut self, who: usize, request: CoreRequest) -> Result<Answer, Fault> {
        let id = self.ask(who, request);
        self.people[who].answers[&id].clone()
    }

    /// Makes a request that must succeed, and lets everything come to rest.
    pub(super) fn must(&mut self, who: usize, request: CoreRequest) -> Answer {
        let answer = self.request(who, request.clone());
        self.run_until_idle();
        answer.unwrap_or_else(|fault| panic!("{request:?}: {fault:?}"))
    }

    /// Makes a request that must fail, and returns the code.
    pub(super) fn must_fail(&mut self, who: usize, request: CoreRequest) -> Code {
        let fault = self.request(who, request).expect_err("it should have failed");
        assert!(fault.message.len() > 10, "{fault:?} says nothing");
        fault.code
    }

    pub(super) fn snapshot(&self, who: usize) -> Snapshot {
        let state = self.people[who].state.as_ref().expect("runs");
        state.snapshot(self.now(who))
    }

    pub(super) fn preview(&self, who: usize, link: &Secret) -> Result<InvitationPreview, Fault> {
        let state = self.people[who].state.as_ref().expect("runs");
        state.preview(link, self.now(who))
    }

    /// Delivers everything in flight, in order.
    pub(super) fn run_until_idle(&mut self) {
        for _ in 0..10_000 {
            let Some(message) = self.in_flight.pop_front() else { return };
            self.deliver(message);
        }
        panic!("it does not come to rest");
    }

    /// Lets time pass, with every tick that is asked for.
    pub(super) fn advance(&mut self, milliseconds: u64) {
        let end = self.clock + milliseconds;
        loop {
            self.run_until_idle();
            let wakes = (0..self.people.len()).filter_map(|who| {
                let now = self.now(who);
                let wake = self.people[who].state.as_ref()?.next_wake(now)?;
                Some((self.clock + (wake - now.ticks), who))
            });
            match wakes.min() {
                Some((at, who)) if at <= end => {
                    self.clock = at;
                    self.event(who, Event::Tick);
                }
                _ => break,
            }
        }
        self.clock = end;
        (0..self.people.len()).for_each(|who| self.event(who, Event::Tick));
        self.run_until_idle();
    }

    pub(super) fn index(&self, identifier: Identifier) -> Option<usize> {
        self.people.iter().position(|it| it.identifier == identifier)
    }

    /// Whether somebody can be reached over the hub.
    pub(super) fn is_online(&self, who: usize) -> bool {
        self.hub_is_up && self.people[who].hubs.contains(HUB)
    }

    pub(super) fn own(&mut self, to: usize, event: Event) {
        let incarnation = self.people[to].incarnation;
        self.in_flight.push_back(InFlight::Event { to, incarnation, event });
    }

    pub(super) fn set_hub(&mut self, up: bool) {
        if self.hub_is_up == up {
            return;
        }
        self.hub_is_up = up;
        for who in 0..self.people.len() {
            if self.people[who].hubs.contains(HUB) {
                self.report_hub(who);
            }
        }
        self.connect_channels();
    }

    fn report_hub(&mut self, who: usize) {
        if !self.hub_is_up {
            return self.own(who, Event::HubDown(HUB.into(), no_hub()));
        }
        self.own(who, Event::HubUp(HUB.into(), None));
        let me = self.people[who].identifier;
        let (mine, others) = std::mem::take(&mut self.mailbox).into_iter().partition(|(to, ..)| *to == me);
        self.mailbox = others;
        for (_, from, news) in mine {
            self.own(who, Event::PeerNotification(from, news));
        }
    }

    /// Reports to every inlet whether its owner is online.
    fn connect_channels(&mut self) {
        for who in 0..self.people.len() {
            let ids: Vec<InletId> = self.people[who].inlets.keys().copied().collect();
            for id in ids {
                let owner = self.index(self.people[who].inlets[&id].owner);
                let is_up = owner.is_some_and(|it| self.is_online(it));
                let fault = if self.hub_is_up { offline() } else { no_hub() };
                let Some(inlet) = self.people[who].inlets.get_mut(&id) else { continue };
                if std::mem::replace(&mut inlet.is_up, is_up) != is_up {
                    let event = if is_up {
                        Event::InletUp(id, PathKind::Hub { address: HUB.into() })
                    } else {
                        Event::InletDown(id, fault)
                    };
                    self.own(who, event);
                }
            }
        }
    }

    pub(super) fn deliver(&mut self, message: InFlight) {
        match message {
            InFlight::Event { to, incarnation, event } => {
                if self.people[to].incarnation == incarnation {
                    self.event(to, event);
                }
            }
            InFlight::Ask { from, incarnation, call, to, message } => {
                if self.people[from].incarnation != incarnation {
                    return;
                }
                if let Some(owner) = self.index(to).filter(|it| self.is_online(*it)) {
                    let introduced = self.introduction(from);
                    self.event(owner, introduced);
                }
                match self.index(to).filter(|it| self.is_online(*it)) {
                    Some(owner) => {
                        let person = &mut self.people[owner];
                        person.calls += 1;
                        let own = CallId(person.calls);
                        person.asked.insert(own, (from, incarnation, call));
                        let asker = self.people[from].identifier;
                        self.event(owner, Event::PeerRequest(own, asker, message));
                        assert!(!self.people[owner].asked.contains_key(&own), "a question was not answered");
                        if self.people[owner].state.is_none() {
                            let event = Event::CallAnswered(call, Err(offline()));
                            self.in_flight.push_back(InFlight::Event { to: from, incarnation, event });
                        }
                    }
                    None => {
                        let fault = if self.hub_is_up { offline() } else { no_hub() };
                        let event = Event::CallAnswered(call, Err(fault));
                        self.in_flight.push_back(InFlight::Event { to: from, incarnation, event });
                    }
                }
            }
        }
    }

    fn carry_out(&mut self, who: usize, effects: Vec<Effect>) {
        let saves = effects.iter().filter(|it| matches!(it, Effect::Save(_))).count();
        assert!(saves == 0 || (saves == 1 && matches!(effects[0], Effect::Save(_))), "Save comes first, and once");
        let done = self.crash_after.take().map_or(effects.len(), |crash_after| crash_after.min(effects.len()));
        let is_cut_short = done < effects.len();
        self.last = (who, effects.into_iter().take(done).collect());
        for effect in self.last.1.clone() {
            self.do_one(who, effect);
        }
        if is_cut_short {
            self.crash(who);
        }
    }

    fn do_one(&mut self, who: usize, effect: Effect) {
        let (incarnation, me) = (self.people[who].incarnation, self.people[who].identifier);
        let person = &mut self.people[who];
        match effect {
            Effect::Save(changes) => changes.into_iter().for_each(|it| save(&mut person.disk, it)),
            Effect::Audit(deed) => person.audit.push(deed),
            Effect::Answer(id, answer) => {
                assert!(id.0 <= person.requests, "nobody asked");
                assert!(person.answers.insert(id, answer).is_none(), "every_request_is_answered_once");
            }
            Effect::Notify(notice) => person.notices.push(notice),
            Effect::CreateIdentity | Effect::LoadIdentity => {
                let secrets = person.disk.iter().filter_map(|(key, it)| Some((key.clone(), it.secret()?.clone())));
                let secrets = secrets.collect();
                let latest_change = person.keys.last().copied().expect("there is a key");
                let own = OwnIdentity { identifier: me, latest_change, postal: me.as_bytes().to_vec(), secrets };
                self.own(who, Event::Identity(Ok(own)));
            }
            Effect::Listen(on) => {
                let addresses = if on { vec![format!("10.0.0.{}:4000", who + 1)] } else { Vec::new() };
                self.own(who, Event::Listening(Ok(addresses)));
            }
            Effect::KeepHub(hub) => {
                if hub == HUB {
                    person.hubs.insert(hub);
                    self.report_hub(who);
                    self.connect_channels();
                } else {
                    self.own(who, Event::HubDown(hub, no_hub()));
                }
            }
            Effect::DropHub(hub) => {
                person.hubs.remove(&hub);
                self.connect_channels();
            }
            Effect::KeepOutlet { service, .. } => {
                assert!(person.admission.contains_key(&service), "an outlet without a gate");
                person.outlets.insert(service);
            }
            Effect::DropOutlet(service) => {
                person.outlets.remove(&service);
                person.admission.remove(&service);
            }
            Effect::SetAdmission { service, rules } => drop(person.admission.insert(service, rules)),
            Effect::CheckTarget(service, _) => {
                person.checks += 1;
                let down = Fault::new(Code::ServiceDown, "Nothing listens there.");
                let result = if person.target_answers { Ok(person.health_source) } else { Err(down) };
                self.own(who, Event::Health(service, result));
            }
            Effect::KeepInlet { inlet, owner, outlet, port, host, .. } => {
                let is_taken = person.taken_ports.contains(&port);
                let before = person.inlets.remove(&inlet);
                let is_up = before.as_ref().is_some_and(|it| it.is_up);
                let description = before.map(|it| it.description).unwrap_or_default();
                person.inlets.insert(inlet, RunningInlet { owner, outlet, port, host, is_up, description });
                let taken = Fault::new(Code::PortTaken, format!("Port {port} is used by postgres."));
                self.own(who, Event::InletListening(inlet, if is_taken { Err(taken) } else { Ok(port) }));
                let there = self.index(owner).is_some_and(|it| self.is_online(it));
                if !is_up && !there {
                    let fault = if self.hub_is_up { offline() } else { no_hub() };
                    self.own(who, Event::InletDown(inlet, fault));
                }
                self.connect_channels();
            }
            Effect::DropInlet(inlet) => drop(person.inlets.remove(&inlet)),
            Effect::DescribeInlet(inlet, description) => {
                let kept = person.inlets.get_mut(&inlet).expect("what is described is kept");
                kept.description = description;
            }
            Effect::Call { call, to, message, reach } => {
                assert!(
                    !reach.is_empty()
                        && reach.iter().all(|it| matches!(it, PeerAddress::Hub { .. } | PeerAddress::Direct { .. }))
                );
                self.in_flight.push_back(InFlight::Ask { from: who, incarnation, call, to, message });
            }
            Effect::Reply(call, answer) => self.reply(who, call, answer),
            Effect::NotifyPeer(to, news) => {
                if let Some(to) = self.index(to).filter(|to| self.is_online(*to) && self.is_online(who)) {
                    self.own(to, Event::PeerNotification(me, news));
                }
            }
            Effect::SendMail { mail, person: recipient, to, hubs, news } => {
                assert!(!hubs.is_empty());
                let to = Identifier::from_bytes(to.try_into().expect("postal addresses are identifiers here"));
                if to != recipient {
                    let fault = Fault::new(Code::NotTrusted, "The address is somebody else's.");
                    return self.own(who, Event::MailPosted(mail, Err(fault)));
                }
                let taken = self.is_online(who);
                if taken {
                    self.old_mail.push((to, me, news.clone()));
                    match self.index(to).filter(|to| self.is_online(*to)) {
                        Some(to) => self.own(to, Event::PeerNotification(me, news)),
                        None => self.mailbox.push((to, me, news)),
                    }
                }
                self.own(who, Event::MailPosted(mail, if taken { Ok(()) } else { Err(no_hub()) }));
            }
            Effect::PinHistories(histories) => person.pinned.extend(histories),
            Effect::CloseChannels(_) | Effect::CutOff(_) | Effect::ReopenInlet(_) | Effect::RetryNow => {}
        }
    }

    fn reply(&mut self, who: usize, call: CallId, answer: PeerResponse) {
        let (to, incarnation, call) = self.people[who].asked.remove(&call).expect("every question is answered once");
        let event = self.introduction(who);
        self.in_flight.push_back(InFlight::Event { to, incarnation, event });
        self.in_flight.push_back(InFlight::Event { to, incarnation, event: Event::CallAnswered(call, Ok(answer)) });
    }

    /// What a handshake with somebody reports.
    pub(super) fn introduction(&self, who: usize) -> Event {
        let person = &self.people[who];
        Event::PeerIdentified(person.identifier, history(&person.keys))
    }

    /// A program connects to a portal's local port. Returns whether it reached the service.
    pub(super) fn connect(&mut self, who: usize, inlet: InletId) -> Result<GrantId, EndReason> {
        let me = self.people[who].identifier;
        let Some(kept) = self.people[who].inlets.get(&inlet) else { return Err(EndReason::Disconnected) };
        if self.people[who].taken_ports.contains(&kept.port) {
            return Err(EndReason::Disconnected);
        }
        let owner = self.index(kept.owner).filter(|it| self.is_online(*it)).ok_or(EndReason::Disconnected)?;
        let outlet = kept.outlet.clone();
        let person = &self.people[owner];
        let service = person.outlets.iter().copied().find(|it| outlet_address(*it) == outlet);
        let rules = service.and_then(|it| person.admission[&it].iter().find(|it| it.person == me));
        let answer = match rules {
            None => Err(EndReason::NotAllowed),
            Some(it) => it.refusal.map_or(Ok(it.grant), Err),
        };
        match answer {
            Ok(grant) => self.own(owner, Event::StreamOpened(grant)),
            Err(refusal) => {
                if let Some(service) = service {
                    self.own(owner, refused(service, Some(me), refusal));
                }
            }
        }
        self.own(who, Event::InletRefused(inlet, answer.err()));
        answer
    }

    // Building blocks of the tests.

    pub(super) fn share(&mut self, who: usize, name: &str) -> ServiceId {
        let request = CoreRequest::Share {
            name: name.into(),
            kind: ServiceKind::Http,
            target: "5432".into(),
            path: None,
            description: None,
        };
        match self.must(who, request) {
            Answer::Service { service } => {
                // What comes next is younger.
                self.clock += 1;
                service
            }
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn invite(&mut self, who: usize, service: ServiceId) -> (InvitationId, Secret) {
        self.invite_with(who, invitation(service))
    }

    pub(super) fn invite_with(&mut self, who: usize, request: CoreRequest) -> (InvitationId, Secret) {
        match self.must(who, request) {
            Answer::Invitation { invitation, link: Some(link) } => (invitation, link),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn open(&mut self, who: usize, link: &Secret) -> InvitationPreview {
        match self.must(who, CoreRequest::Open { link: link.clone() }) {
            Answer::Preview { preview } => preview,
            other => panic!("{other:?}"),
        }
    }

    /// Ada shares, Bea joins: the service, Bea's portal, and the grant.
    pub(super) fn shared() -> (Self, ServiceId, InletId, GrantId) {
        let mut sim = Self::new();
        let service = sim.share(ADA, "Orders");
        let (id, link) = sim.invite(ADA, service);
        sim.open(BEA, &link);
        sim.must(BEA, CoreRequest::Accept { invitation: id, port: None });
        let inlet = sim.snapshot(BEA).inlets[0].id;
        let grant = sim.snapshot(ADA).services[0].people[0].grant;
        (sim, service, inlet, grant)
    }

    pub(super) fn link(&self, who: usize) -> InletLink {
        self.snapshot(who).inlets[0].link.clone()
    }

    /// Why somebody's first portal is down.
    pub(super) fn why(&self, who: usize) -> Code {
        match self.link(who) {
            InletLink::Down { fault, .. } => {
                assert!(fault.message.len() > 10, "{fault:?} says nothing");
                fault.code
            }
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn is_up(&self, who: usize) -> bool {
        matches!(self.link(who), InletLink::Up { .. })
    }
}

/// A key history of changes with these hashes.
pub(super) fn history(changes: &[[u8; 32]]) -> KeyHistory {
    KeyHistory { changes: changes.to_vec(), encoded: changes.concat() }
}

fn save(disk: &mut BTreeMap<RecordKey, Record>, change: Change) {
    match change {
        Change::Put(record) => {
            let key = record.key();
            let secret = record.secret().or_else(|| disk.get(&key)?.secret()).cloned();
            disk.insert(key, with_secret(record, secret));
        }
        Change::Delete(key) => drop(disk.remove(&key)),
    }
}

/// A record with this secret, if it is one that has any.
fn with_secret(mut record: Record, secret: Option<TicketSecret>) -> Record {
    match &mut record {
        Record::Invitation(it) => it.secret = secret,
        Record::Received(it) => it.secret = secret,
        _ => {}
    }
    record
}

pub(super) fn invitation(service: ServiceId) -> CoreRequest {
    CoreRequest::Invite {
        service,
        to: InviteTo::Link { note: None },
        ask_first: false,
        valid_for: None,
        terms: Terms::default(),
    }
}

fn offline() -> Fault {
    Fault::new(Code::OwnerOffline, "The owner's computer or Postern is off.")
}

fn no_hub() -> Fault {
    Fault::new(Code::HubUnreachable, "The hub cannot be reached.")
}
