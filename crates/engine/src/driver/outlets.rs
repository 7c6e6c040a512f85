//! This person's services: an outlet for each, behind its admission control.
//!
//! In: effects of the core. Admission control exists before the outlet does, so no stream is ever let in without it.

use super::admission::ServiceAdmission;
use super::admission_reports::ReportSender;
use super::node_context::NodeContext;
use crate::api::{Code, Fault, GrantId, ServiceId, UnixMillis};
use crate::core::{AdmissionRule, Event, outlet_address};
use postern_env::time::Duration;
use postern_node::portal::{EndReason, Meter, Outlet, OutletOptions, check_target};
use std::collections::HashMap;
use std::sync::Arc;

/// How long a service may take to accept a connection before it counts as down. Chosen: services run on this machine or in
/// its network.
const TARGET_WITHIN: Duration = Duration::from_secs(5);

/// The outlets that are open, and the admission control of each.
pub(super) struct Outlets {
    admission: HashMap<ServiceId, Arc<ServiceAdmission>>,
    open: HashMap<ServiceId, OpenOutlet>,
    reports: ReportSender,
}

struct OpenOutlet {
    outlet: Outlet,
    target: String,
}

impl Outlets {
    pub(super) fn new(reports: ReportSender) -> Self {
        Self { admission: HashMap::new(), open: HashMap::new(), reports }
    }

    /// Opens a service's outlet, or sets another target for the open one.
    pub(super) fn keep(&mut self, context: &NodeContext, service: ServiceId, target: String) {
        if let Some(open) = self.open.get_mut(&service) {
            if open.target != target {
                open.outlet.retarget(target.as_str());
                open.target = target;
            }
            return;
        }
        let address = outlet_address(service);
        let options = OutletOptions { admission: Some(self.admission(service)), ..OutletOptions::default() };
        let opened = context.node.create_outlet(address.as_str(), target.as_str(), options);
        let exposed = opened.and_then(|outlet| {
            context.node.expose(address.as_str(), &context.listener)?;
            Ok(outlet)
        });
        match exposed {
            Ok(outlet) => drop(self.open.insert(service, OpenOutlet { outlet, target })),
            Err(error) => tracing::error!(%error, "the outlet of a service cannot be opened; the service stays closed"),
        }
    }

    /// Closes a service's outlet, and cuts its streams.
    pub(super) fn remove(&mut self, service: ServiceId, now: UnixMillis) {
        if let Some(admission) = self.admission.remove(&service) {
            admission.set_rules(Vec::new(), now);
        }
        if let Some(open) = self.open.remove(&service) {
            open.outlet.close();
        }
    }

    /// Sets who may use a service from now on; streams of others are cut.
    pub(super) fn set_admission(&mut self, service: ServiceId, rules: Vec<AdmissionRule>, now: UnixMillis) {
        self.admission(service).set_rules(rules, now);
    }

    fn admission(&mut self, service: ServiceId) -> Arc<ServiceAdmission> {
        let new = || ServiceAdmission::new(service, self.reports.clone());
        self.admission.entry(service).or_insert_with(new).clone()
    }

    /// Whether any stream is open.
    pub(super) fn are_live(&self) -> bool {
        self.meters().iter().any(|(_, meter)| meter.live() > 0)
    }

    /// The meter of each grant.
    pub(super) fn meters(&self) -> Vec<(GrantId, Arc<Meter>)> {
        self.admission.values().flat_map(|admission| admission.meters()).collect()
    }
}

/// A health check: connects to a service's target.
pub(super) async fn check(service: ServiceId, target: String) -> Event {
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
