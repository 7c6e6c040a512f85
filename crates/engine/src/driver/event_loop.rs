//! The event loop: waits for the next thing that happens, lets the core handle it, and executes what follows.
//!
//! In: commands, events of tasks, reports of admission control, time. Out: effects, then a snapshot, then answers, always in
//! this order. No event is handled while another one is.

use super::direct_listener::DirectListener;
use super::frontend::EngineCommand;
use super::node_context::TaskEvent;
use super::peer_network::PeerNetwork;
use super::persistence::RETRY_WRITE_EVERY;
use super::requests::stopped;
use super::{Driver, seed};
use crate::api::{Code, Fault};
use crate::core::{self, Event, Now};
use postern_env::time::{self, Duration};

/// The clocks and the network are polled this often even if nothing happens. Chosen: the system reports neither a set clock
/// nor a new address in a way that is the same everywhere.
const POLL_EVERY: Duration = Duration::from_secs(30);
/// Audit entries that are written in one transaction at most, while more events are queued. Chosen: one fsync for many
/// streams that open at once.
const MAX_UNWRITTEN: usize = 64;

/// Why the loop woke up.
enum Wakeup {
    Command(Option<EngineCommand>),
    Task(TaskEvent),
    IdentityLoaded(Result<PeerNetwork, Fault>),
    AdmissionReport(Event),
    Timer,
    SampleTraffic,
}

impl Driver {
    /// Runs until it is told to stop, the last handle of the engine is dropped, or the disk fails; returns why it ended.
    pub(crate) async fn run(mut self) -> Fault {
        let ended = loop {
            match self.step().await {
                Ok(true) => {}
                Ok(false) => break stopped(),
                Err(fault) if fault.code == Code::Stopped => break fault,
                Err(fault) => {
                    tracing::error!(%fault, "the stored data cannot be used; the engine stops");
                    self.publish_failure(&fault);
                    break fault;
                }
            }
        };
        self.shut_down(&ended).await;
        ended
    }

    /// Waits for the next thing that happens and handles it; false when the engine is to stop.
    async fn step(&mut self) -> Result<bool, Fault> {
        let wakeup = self.next_wakeup().await;
        let (now, jumped) = self.clock.read();
        if jumped {
            tracing::info!("the clock jumped or the machine slept; everything that waits is tried again");
            self.handle(Event::Resumed, now).await?;
        }
        match wakeup {
            Wakeup::Command(None | Some(EngineCommand::Shutdown)) => return Ok(false),
            Wakeup::Command(Some(EngineCommand::Request(request, response))) => {
                self.on_request(request, response, now).await?;
            }
            Wakeup::Task(TaskEvent { event, handled }) => {
                self.handle(event, now).await?;
                if let Some(handled) = handled {
                    self.flush_audit().await?;
                    // The task may have been cancelled meanwhile.
                    let _ = handled.send(());
                }
            }
            Wakeup::IdentityLoaded(network) => self.on_identity_loaded(network, now).await?,
            Wakeup::AdmissionReport(event) => {
                self.traffic.mark_unread();
                self.handle(event, now).await?;
            }
            Wakeup::Timer => {
                self.poll_environment(now).await?;
                self.handle(Event::Tick, now).await?;
            }
            Wakeup::SampleTraffic => self.sample_traffic(now).await?,
        }
        let more_follows = !self.events.is_empty() || !self.admission_reports.is_empty();
        if !self.answers.is_empty() || !more_follows || self.unwritten_audit.len() >= MAX_UNWRITTEN {
            self.flush_audit().await?;
        }
        self.publish_snapshot(now);
        for (request, answer) in std::mem::take(&mut self.answers) {
            self.send_answer(request, answer);
        }
        Ok(true)
    }

    async fn next_wakeup(&mut self) -> Wakeup {
        let now = self.clock.now();
        let wake = self.state.next_wake(now).and_then(|ticks| self.clock.instant(ticks));
        let latest = time::now() + if self.unwritable.is_some() { RETRY_WRITE_EVERY } else { POLL_EVERY };
        let wake = wake.map_or(latest, |wake| wake.min(latest));
        let sample_at = self.next_traffic_sample();
        tokio::select! {
            command = self.frontends.commands.recv() => Wakeup::Command(command),
            Some(event) = self.events.recv() => Wakeup::Task(event),
            Some(network) = self.loaded_identities.recv() => Wakeup::IdentityLoaded(network),
            Some(event) = self.admission_reports.next() => Wakeup::AdmissionReport(event),
            () = time::sleep_until(wake) => Wakeup::Timer,
            () = time::sleep_until(sample_at), if self.has_traffic() => Wakeup::SampleTraffic,
        }
    }

    /// Lets the core handle an event, executes what follows, and then what follows from that.
    pub(super) async fn handle(&mut self, event: Event, now: Now) -> Result<(), Fault> {
        self.internal_events.push_back(event);
        while let Some(event) = self.internal_events.pop_front() {
            let effects = core::handle(&mut self.state, event, now, seed()?);
            self.execute(effects, now).await?;
        }
        Ok(())
    }

    /// Queues an event for the core, behind the effects that are being executed.
    pub(super) fn enqueue(&mut self, event: Event) {
        self.internal_events.push_back(event);
    }

    /// Looks for what changes without an event: the addresses of this computer, and audit entries that became too old.
    async fn poll_environment(&mut self, now: Now) -> Result<(), Fault> {
        if let Some(addresses) = self.direct_listener.as_mut().and_then(DirectListener::changed_addresses) {
            self.handle(Event::Listening(Ok(addresses)), now).await?;
            self.handle(Event::Resumed, now).await?;
        }
        self.maintain_store(now).await
    }
}
