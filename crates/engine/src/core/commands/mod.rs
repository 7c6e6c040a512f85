//! What the user and other engines ask for, one module per noun.
//!
//! A command checks what it is asked, and changes records through the functions of [`records`](super::records). It
//! keeps nothing up itself and calls no other command: what follows is derived from the records.

mod contacts;
mod grants;
mod hubs;
mod incoming_invitations;
mod inlets;
mod invitations;
mod notifications;
pub(super) mod profile;
mod redemption;
mod services;
pub(super) mod streams;

use crate::api::{Answer, Code, CoreRequest, Fault};
use crate::core::authorization::{self, Verdict};
use crate::core::effect::Effect;
use crate::core::event::RequestId;
use crate::core::records::{Records, audit, inlet, profile as own_profile};
use crate::core::task_request::TaskRequest;
use crate::core::transaction::Transaction;
use crate::peer::{PeerRequest, PeerResponse};
use postern_node::identity::Identifier;

pub(super) use incoming_invitations::preview;
pub(super) use notifications::notified;

/// Carries out a request and answers it: at once, except that setting up is answered when the identity is there.
pub(super) fn request(records: &mut Records, tx: &mut Transaction, id: RequestId, request: CoreRequest) {
    match answer(records, tx, id, request) {
        Ok(None) => {}
        Ok(Some(answer)) => tx.answer(id, Ok(answer)),
        Err(fault) => tx.answer(id, Err(fault)),
    }
}

/// The answer to a request; nothing if it comes later.
fn answer(
    records: &mut Records,
    tx: &mut Transaction,
    id: RequestId,
    request: CoreRequest,
) -> Result<Option<Answer>, Fault> {
    if records.profile.is_none() && !matches!(request, CoreRequest::SetUp { .. }) {
        return Err(Fault::new(Code::NotSetUp, "Postern is not set up yet: choose a name first."));
    }
    match request {
        CoreRequest::SetUp { name, hubs, this_computer } => {
            return profile::set_up(records, tx, id, &name, &hubs, this_computer).map(|()| None);
        }
        CoreRequest::Rename { name } => profile::rename(records, tx, &name)?,
        CoreRequest::AddHub { address } => hubs::add(records, tx, &address)?,
        CoreRequest::RemoveHub { address } => hubs::remove(records, tx, &address)?,
        CoreRequest::SetThisComputer { on } => own_profile::change(records, tx, |it| it.this_computer = on),
        CoreRequest::SetRetention { days } => own_profile::change(records, tx, |it| it.retention_days = days),
        CoreRequest::SetWebLinks { base } => profile::set_web_links(records, tx, base.as_deref())?,
        CoreRequest::PauseAll { on } => own_profile::change(records, tx, |it| it.paused = on),
        CoreRequest::Retry => retry(records, tx),
        CoreRequest::Share { name, kind, target, path, description } => {
            let spec = services::ServiceSpec { name, kind, target, path, description };
            return services::share(records, tx, spec).map(Some);
        }
        CoreRequest::ChangeService { service, patch } => services::change(records, tx, service, patch)?,
        CoreRequest::SetService { service, on } => services::set(records, tx, service, on)?,
        CoreRequest::CloseService { service } => services::close(records, tx, service)?,
        CoreRequest::Invite { service, to, ask_first, valid_for, terms } => {
            let offering = invitations::Offering { ask_first, valid_for, terms };
            return invitations::invite(records, tx, service, to, offering).map(Some);
        }
        CoreRequest::InvitationLink { invitation } => return invitations::link(records, invitation).map(Some),
        CoreRequest::Resend { invitation } => invitations::resend(records, tx, invitation)?,
        CoreRequest::RevokeInvitation { invitation } => invitations::revoke(records, tx, invitation)?,
        CoreRequest::AnswerKnock { invitation, answer } => redemption::answer_knock(records, tx, invitation, answer)?,
        CoreRequest::ChangeGrant { grant, terms } => grants::change(records, tx, grant, terms)?,
        CoreRequest::PauseGrant { grant, on } => grants::pause(records, tx, grant, on)?,
        CoreRequest::RevokeGrant { grant } => grants::revoke(records, tx, grant)?,
        CoreRequest::Open { link } => return incoming_invitations::open(records, tx, &link).map(Some),
        CoreRequest::Accept { invitation, port } => incoming_invitations::accept(records, tx, invitation, port)?,
        CoreRequest::Decline { invitation } => incoming_invitations::decline(records, tx, invitation)?,
        CoreRequest::ChangeInlet { inlet, name, port } => inlets::change(records, tx, inlet, name, port)?,
        CoreRequest::SetInlet { inlet, on } => inlets::set(records, tx, inlet, on)?,
        CoreRequest::SetInletCheck { inlet, on } => inlets::set_check(records, tx, inlet, on)?,
        CoreRequest::RemoveInlet { inlet } => inlets::remove(records, tx, inlet)?,
        CoreRequest::RenameContact { person, name } => contacts::rename(records, tx, person, &name)?,
        CoreRequest::Verify { person, verified, words } => {
            contacts::verify(records, tx, person, verified, words.as_deref())?;
        }
        CoreRequest::Block { person, on } => contacts::block(records, tx, person, on)?,
        CoreRequest::Forget { person } => contacts::forget(records, tx, person)?,
    }
    Ok(Some(Answer::Done))
}

/// Answers another engine's request.
pub(super) fn peer_request(
    records: &mut Records,
    tx: &mut Transaction,
    person: Identifier,
    request: PeerRequest,
) -> PeerResponse {
    let party = records.party_of_request(person, &request);
    if let Verdict::Refused(code) = authorization::of_request(&request, party) {
        let service = records.service_of_ticket(&request);
        audit::refused(records, tx, service, Some(person), code);
        return PeerResponse::Refused(code);
    }
    match request {
        PeerRequest::Redeem { ticket, secret, contact } => {
            redemption::redeem(records, tx, person, ticket, &secret, contact)
        }
        PeerRequest::Seen { ticket, secret } => redemption::seen(records, tx, person, ticket, &secret),
        PeerRequest::Decline { ticket, secret } => redemption::decline(records, tx, person, ticket, &secret),
        PeerRequest::Sync { grants, contact } => grants::sync(records, tx, person, grants, contact),
        PeerRequest::GiveBack { grant } => grants::give_back(records, tx, person, grant),
    }
}

/// Retries everything at once: the user asks for it, the computer woke up, or the network changed.
pub(super) fn retry(records: &mut Records, tx: &mut Transaction) {
    profile::retry(records, tx);
    tx.request(TaskRequest::RetryPeers);
    tx.request(TaskRequest::CheckAllServices);
    inlet::request_sync_of_refused(records, tx);
    tx.effect(Effect::RetryNow);
}
