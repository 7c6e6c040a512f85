//! This person's services: an outlet for each, behind its gate.

use super::NodeContext;
use super::admission::{Reports, ServiceGate};
use crate::api::{Code, Fault, GrantId, ServiceId, UnixMillis};
use crate::core::{AdmissionRule, Event, outlet_address};
use postern_node::portal::{EndReason, Meter, Outlet, OutletOptions, check_target};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a service may take to accept a connection before it counts as down.
const TARGET_WITHIN: Duration = Duration::from_secs(5);

/// The outlets that are open, and their gates, which are there first.
pub(crate) struct Outlets {
    gates: HashMap<ServiceId, Arc<ServiceGate>>,
    open: HashMap<ServiceId, Open>,
    reports: Reports,
}

struct Open {
    outlet: Outlet,
    target: String,
}

impl Outlets {
    pub(crate) fn new(reports: Reports) -> Self {
        Self { gates: HashMap::new(), open: HashMap::new(), reports }
    }

    /// Opens a service's outlet, or points the open one at another target.
    pub(crate) fn keep(&mut self, net: &NodeContext, service: ServiceId, target: String) {
        if let Some(open) = self.open.get_mut(&service) {
            if open.target != target {
                open.outlet.retarget(target.as_str());
                open.target = target;
            }
            return;
        }
        let address = outlet_address(service);
        let options = OutletOptions { admission: Some(self.gate(service)), ..OutletOptions::default() };
        let opened = net.node.create_outlet(address.as_str(), target.as_str(), options);
        let exposed = opened.and_then(|outlet| {
            net.node.expose(address.as_str(), &net.listener)?;
            Ok(outlet)
        });
        match exposed {
            Ok(outlet) => drop(self.open.insert(service, Open { outlet, target })),
            Err(error) => tracing::error!(%error, "a service's outlet cannot be opened"),
        }
    }

    /// Closes a service's outlet, and cuts its streams.
    pub(crate) fn drop_outlet(&mut self, service: ServiceId, now: UnixMillis) {
        if let Some(gate) = self.gates.remove(&service) {
            gate.permit(Vec::new(), now);
        }
        if let Some(open) = self.open.remove(&service) {
            open.outlet.close();
        }
    }

    /// Says who may use a service from now on.
    pub(crate) fn permit(&mut self, service: ServiceId, permitted: Vec<AdmissionRule>, now: UnixMillis) {
        self.gate(service).permit(permitted, now);
    }

    fn gate(&mut self, service: ServiceId) -> Arc<ServiceGate> {
        let new = || ServiceGate::new(service, self.reports.clone());
        self.gates.entry(service).or_insert_with(new).clone()
    }

    /// Whether any stream is open.
    pub(crate) fn are_live(&self) -> bool {
        self.meters().iter().any(|(_, meter)| meter.live() > 0)
    }

    /// What every grant's streams have carried.
    pub(crate) fn meters(&self) -> Vec<(GrantId, Arc<Meter>)> {
        self.gates.values().flat_map(|gate| gate.meters()).collect()
    }
}

/// Connects to a service's target, and tells whether it answered.
pub(crate) async fn check(service: ServiceId, target: String) -> Event {
    let checked = check_target(&target, TARGET_WITHIN).await;
    Event::Health(service, checked.map_err(|reason| Fault::new(Code::ServiceDown, sentence(&target, reason))))
}

fn sentence(target: &str, reason: EndReason) -> String {
    match reason {
        EndReason::Refused => format!("Nothing listens on {target}. Start the service, or change where it is."),
        EndReason::TimedOut => format!("{target} does not answer."),
        _ => format!("{target} cannot be reached. Check its name, and the network."),
    }
}
