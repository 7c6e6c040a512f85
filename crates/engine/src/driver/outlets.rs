//! This person's services: an outlet for each, behind its admission control.
//!
//! In: effects of the core. Admission control exists before the outlet does, so no stream is ever let in without it.

use super::admission::ServiceAdmission;
use super::admission_reports::ReportSender;
use super::node_context::NodeContext;
use crate::api::{Code, Fault, GrantId, ServiceId, UnixMillis};
use crate::core::{AdmissionRule, Event, HealthSource, outlet_address};
use crate::listening_ports::table;
use postern_env::task;
use postern_env::time::{self, Duration};
use postern_node::Node;
use postern_node::portal::{EndReason, Meter, Outlet, OutletOptions};
use std::collections::HashMap;
use std::net::SocketAddr;
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

/// A health check: looks whether a program of this machine listens at a service's target; connects to it only if none does, because it
/// may be another machine's.
pub(super) async fn check(node: &Node, service: ServiceId, target: String) -> Event {
    let down = |sentence: String| Event::Health(service, Err(Fault::new(Code::ServiceDown, sentence)));
    match listens_here(node, &target).await {
        Some(address) if node.has_inlet_at(address) => down(format!(
            "{target} is a portal of yours, and connections would go in circles: friends are not connected. Give the address of the service itself."
        )),
        Some(_) => Event::Health(service, Ok(HealthSource::ListeningTable)),
        None => match node.check_target(&target, TARGET_WITHIN).await {
            Ok(()) => Event::Health(service, Ok(HealthSource::Connection)),
            Err(reason) => down(sentence(&target, reason)),
        },
    }
}

async fn listens_here(node: &Node, target: &str) -> Option<SocketAddr> {
    let addresses = time::timeout(TARGET_WITHIN, node.resolve(target)).await.ok()?.ok()?;
    task::spawn_blocking(move || table::first_listening(&addresses)).await.ok()?
}

fn sentence(target: &str, reason: EndReason) -> String {
    match reason {
        EndReason::Refused => format!("Nothing listens on {target}. Start the service, or change where it is."),
        EndReason::TimedOut => format!("{target} does not answer."),
        _ => format!("{target} cannot be reached. Check its name, and the network."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_service_of_this_machine_is_checked_without_a_connection() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let target = listener.local_addr().unwrap().to_string();
        let Event::Health(_, health) = check(&Node::new(), ServiceId([1; 16]), target).await else {
            panic!("another event")
        };
        assert_eq!(health, Ok(HealthSource::ListeningTable));
        assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_portal_of_the_same_engine_is_no_service() {
        let node = Node::new();
        let inlet = node.create_inlet("localhost:0", postern_node::route!["nowhere"]).await.unwrap();
        for host in ["127.0.0.1", "localhost"] {
            let target = format!("{host}:{}", inlet.local_addr().port());
            let Event::Health(_, health) = check(&node, ServiceId([1; 16]), target).await else {
                panic!("another event")
            };
            assert!(health.is_err_and(|fault| fault.message.contains("in circles")), "{host}");
        }
    }

    #[tokio::test]
    async fn where_nobody_listens_the_connection_says_why() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap().to_string();
        drop(listener);
        let Event::Health(_, health) = check(&Node::new(), ServiceId([1; 16]), target).await else {
            panic!("another event")
        };
        assert!(health.is_err_and(|fault| fault.message.starts_with("Nothing listens on")));
    }
}
