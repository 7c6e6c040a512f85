// Written from the engine's types by `cargo xtask types`. Do not edit.

export type UnixMillis = number;

export type ServiceId = string;

export type InvitationId = string;

export type GrantId = string;

export type InletId = string;

export type Secret = string;

export type Code = "not-set-up" | "already-set-up" | "invalid" | "not-found" | "name-taken" | "port-taken" | "bad-ticket" | "own-invitation" | "already-in" | "ticket-used" | "expired" | "revoked" | "denied" | "asked" | "paused-by-owner" | "paused" | "service-closed" | "service-down" | "owner-offline" | "hub-unreachable" | "no-way-in" | "relay-taken" | "hub-changed" | "not-trusted" | "clock-skew" | "key-changed" | "key-refused" | "blocked" | "cannot-mail" | "too-many" | "keychain-locked" | "keychain-missing" | "keychain-failed" | "wrong-passphrase" | "in-use" | "newer-data" | "damaged-data" | "storage" | "timed-out" | "stopped" | "failed";

export type Fault = { 
/**
 * The kind of fault, for programs.
 */
code: Code, 
/**
 * What happened and what to do next, for people. Holds no secret.
 */
message: string, };

export type Snapshot = { 
/**
 * The user; nothing before Postern is set up.
 */
me: Me | null, 
/**
 * The overall status, for an icon.
 */
status: Status, 
/**
 * Whether everything is paused.
 */
paused: boolean, 
/**
 * The direct listener in this computer's network.
 */
this_computer: ThisComputer, 
/**
 * The user's hubs.
 */
hubs: Array<HubView>, 
/**
 * The services that the user shares.
 */
services: Array<ServiceView>, 
/**
 * The portals to services that others share.
 */
inlets: Array<InletView>, 
/**
 * Received invitations that are not portals yet.
 */
invitations: Array<ReceivedView>, 
/**
 * Knocks that wait for an answer.
 */
knocks: Array<KnockView>, 
/**
 * The user's contacts.
 */
contacts: Array<ContactView>, 
/**
 * The settings.
 */
settings: Settings, 
/**
 * Problems that belong to no single row.
 */
troubles: Array<Fault>, };

export type Status = "idle" | "ready" | "live" | "attention" | "offline" | "paused";

export type Me = { 
/**
 * The user's identifier.
 */
identifier: string, 
/**
 * Their own name.
 */
name: string, 
/**
 * Their own verification words, which others compare; nothing until the identity's key is loaded.
 */
words?: string, };

export type ThisComputer = { 
/**
 * Whether it is switched on.
 */
on: boolean, 
/**
 * The addresses at which it listens, as `address:port`; they go into tickets.
 */
addresses: Array<string>, 
/**
 * Why it cannot listen.
 */
fault: Fault | null, };

export type HubView = { 
/**
 * `host:port`.
 */
address: string, 
/**
 * The state of the connection.
 */
link: LinkState, 
/**
 * The hub's identifier, once known.
 */
identifier: string | null, 
/**
 * How many milliseconds its clock is ahead of this computer's, as it says; a hint that decides about nothing.
 */
clock_ahead_ms?: number, };

export type LinkState = { "state": "off" } | { "state": "connecting" } | { "state": "up" } | { "state": "down", 
/**
 * Why.
 */
fault: Fault, 
/**
 * Since when.
 */
since: UnixMillis, };

export type ServiceKind = "tcp" | "http" | "https";

export type ServiceView = { 
/**
 * Its id.
 */
id: ServiceId, 
/**
 * Its name, as friends see it.
 */
name: string, 
/**
 * The protocol it speaks.
 */
kind: ServiceKind, 
/**
 * Its address, as `host:port`.
 */
target: string, 
/**
 * The path that a browser opens, for instance `/lab`.
 */
path: string | null, 
/**
 * The description that friends read.
 */
description: string | null, 
/**
 * What the owner should know: that it is known to trust whoever connects from its own machine.
 */
warning?: string, 
/**
 * False while it is paused for everybody.
 */
on: boolean, 
/**
 * The health of the target.
 */
health: Health, 
/**
 * The people with a grant, ended ones included.
 */
people: Array<PersonView>, 
/**
 * Invitations to it that are not grants yet.
 */
invitations: Array<SentView>, 
/**
 * Open connections.
 */
live: number, 
/**
 * When it was shared.
 */
created: UnixMillis, };

export type Health = { "state": "unknown" } | { "state": "up" } | { "state": "down", 
/**
 * Why.
 */
fault: Fault, 
/**
 * Since when.
 */
since: UnixMillis, };

export type PersonView = { 
/**
 * The grant.
 */
grant: GrantId, 
/**
 * The person.
 */
person: string, 
/**
 * The name shown for them.
 */
name: string, 
/**
 * Whether the verification words were compared.
 */
verified: boolean, 
/**
 * The grant's state.
 */
state: GrantState, 
/**
 * The grant's terms.
 */
terms: Terms, 
/**
 * When they last used it.
 */
last_used: UnixMillis | null, 
/**
 * Their open connections.
 */
live: number, };

export type GrantState = "active" | "paused" | "expired" | "revoked" | "given-back";

export type SentView = { 
/**
 * Its id.
 */
id: InvitationId, 
/**
 * The recipient; nobody in particular for a link.
 */
to: string | null, 
/**
 * The name shown for them, or the user's note.
 */
name: string | null, 
/**
 * Its state.
 */
state: SentState, 
/**
 * Whether redeeming it asks the owner first.
 */
ask_first: boolean, 
/**
 * The terms of the grant.
 */
terms: Terms, 
/**
 * When it was made.
 */
created: UnixMillis, 
/**
 * Until when it can be accepted.
 */
expires: UnixMillis, };

export type SentState = "created" | "delivered" | "seen" | "knocking" | "accepted" | "declined" | "expired" | "revoked";

export type InletView = { 
/**
 * Its id.
 */
id: InletId, 
/**
 * The service's owner.
 */
owner: string, 
/**
 * The name shown for them.
 */
owner_name: string, 
/**
 * Whether the verification words were compared.
 */
owner_verified: boolean, 
/**
 * Its name here.
 */
name: string, 
/**
 * The owner's name for the service.
 */
service_name: string, 
/**
 * The protocol it speaks.
 */
kind: ServiceKind, 
/**
 * The owner's description.
 */
description: string | null, 
/**
 * The local port.
 */
port: number, 
/**
 * The local address for programs, as `127.0.0.1:5432`.
 */
address: string, 
/**
 * The URL, if a browser can open it: with the portal's own host name, or `localhost` without the check.
 */
url: string | null, 
/**
 * The portal's own host name, as `wiki.ann.localhost`; only of a web portal with the check. Browsers and curl resolve it.
 */
host: string | null, 
/**
 * Whether requests of browsers are checked, for web portals: those of other sites do not reach the service. Of `https`
 * portals only the host name follows it.
 */
checked: boolean, 
/**
 * Whether it is switched on.
 */
on: boolean, 
/**
 * Its state, with the reason when it is not up.
 */
link: InletLink, 
/**
 * Open connections.
 */
live: number, 
/**
 * When the grant expires.
 */
expires: UnixMillis | null, 
/**
 * The invitation that it was made of, or that renewed its access; known until Postern stops.
 */
invitation?: InvitationId, };

export type InletLink = { "state": "off" } | { "state": "connecting" } | { "state": "up", 
/**
 * The network path that it uses.
 */
way: PathKind, 
/**
 * The round-trip time to the owner in milliseconds, once measured.
 */
round_trip_ms: number | null, } | { "state": "down", 
/**
 * Why.
 */
fault: Fault, 
/**
 * Since when.
 */
since: UnixMillis, };

export type PathKind = { "by": "direct", 
/**
 * `address:port`.
 */
address: string, } | { "by": "hub", 
/**
 * `host:port`.
 */
address: string, };

export type ReceivedView = { 
/**
 * Its id.
 */
id: InvitationId, 
/**
 * Who invites.
 */
owner: string, 
/**
 * The name shown for the owner: of a contact the petname, else their own.
 */
owner_name: string, 
/**
 * Whether they are a contact.
 */
owner_known: boolean, 
/**
 * Whether the verification words were compared.
 */
owner_verified: boolean, 
/**
 * The owner's verification words. Of somebody who was never met, those of the identity's first key.
 */
words: string, 
/**
 * The name of a contact, not the owner, that the owner's name can be taken for.
 */
looks_like?: string, 
/**
 * The service's name.
 */
service_name: string, 
/**
 * The protocol it speaks.
 */
kind: ServiceKind, 
/**
 * The owner's description.
 */
description: string | null, 
/**
 * The local port that is proposed.
 */
port: number, 
/**
 * Until when it can be accepted.
 */
expires: UnixMillis, 
/**
 * Its state.
 */
state: ReceivedState, };

export type ReceivedState = { "state": "new" } | { "state": "accepting", 
/**
 * What it waits for: the owner is offline, a hub is unreachable, or the owner is being asked.
 */
fault: Fault | null, } | { "state": "over", 
/**
 * Why.
 */
fault: Fault, };

export type KnockView = { 
/**
 * The invitation they hold.
 */
invitation: InvitationId, 
/**
 * Their identifier.
 */
person: string, 
/**
 * The name shown for them.
 */
name: string, 
/**
 * Their verification words; empty while their key history was not seen.
 */
words: string, 
/**
 * The name of a contact, not this person, that their name can be taken for.
 */
looks_like?: string, 
/**
 * Whether they are a contact whose words were compared.
 */
verified?: boolean, 
/**
 * The service.
 */
service: ServiceId, 
/**
 * Its name.
 */
service_name: string, 
/**
 * Since when.
 */
at: UnixMillis, };

export type ContactView = { 
/**
 * Their identifier.
 */
identifier: string, 
/**
 * The name shown for them.
 */
name: string, 
/**
 * Their own name.
 */
own_name: string, 
/**
 * Their verification words; empty while their key history was not seen.
 */
words: string, 
/**
 * Whether the words were compared, for the key that they have now.
 */
verified: boolean, 
/**
 * Whether they are blocked.
 */
blocked: boolean, 
/**
 * Whether their key has changed since the words were compared.
 */
key_changed: boolean, 
/**
 * Why words that were compared once are to be compared again.
 */
verify_again?: VerifyAgain, 
/**
 * Somebody answered with another key of this person than the one that is known, and was refused.
 */
key_refused?: Fault, 
/**
 * Whether they can be invited without a link.
 */
can_be_mailed: boolean, 
/**
 * When they became a contact.
 */
since: UnixMillis, };

export type KeychainPlace = "os" | "file" | "memory";

export type Settings = { 
/**
 * The keychain that holds the key.
 */
keychain: KeychainPlace, 
/**
 * The directory of everything that is stored outside the keychain.
 */
data_dir: string, 
/**
 * How long audit entries are kept, in days; 0 keeps them for ever.
 */
retention_days: number, 
/**
 * The page that web links lead to, as `https://host/path`, if one is set.
 */
web_links?: string, 
/**
 * The program's version.
 */
version: string, };

export type Traffic = { 
/**
 * When they were sampled.
 */
at: UnixMillis, 
/**
 * By grant: traffic of friends through the user's services.
 */
grants: Array<TrafficFlow<GrantId>>, 
/**
 * By portal: the user's own traffic.
 */
inlets: Array<TrafficFlow<InletId>>, };

export type TrafficFlow<Id> = { 
/**
 * The grant or portal.
 */
id: Id, 
/**
 * Bytes towards the service, over all runs.
 */
up_bytes: number, 
/**
 * Bytes from the service, over all runs.
 */
down_bytes: number, 
/**
 * Bytes per second towards the service, over the last sample.
 */
up_rate: number, 
/**
 * Bytes per second from the service, over the last sample.
 */
down_rate: number, };

export type Notice = { "notice": "invited", 
/**
 * The invitation.
 */
invitation: InvitationId, 
/**
 * The name shown for them.
 */
from: string, 
/**
 * The service's name.
 */
service: string, } | { "notice": "knock", 
/**
 * The invitation they hold.
 */
invitation: InvitationId, 
/**
 * The name shown for them.
 */
from: string, 
/**
 * The service's name.
 */
service: string, 
/**
 * Their verification words; nothing if they are not known.
 */
words?: string, 
/**
 * The name of a contact, not this person, that their name can be taken for.
 */
looks_like?: string, 
/**
 * Whether they are a contact whose words were compared.
 */
verified?: boolean, } | { "notice": "joined", 
/**
 * The service.
 */
service: ServiceId, 
/**
 * The name shown for them.
 */
from: string, 
/**
 * Its name.
 */
name: string, } | { "notice": "declined", 
/**
 * The name shown for them.
 */
from: string, 
/**
 * The service's name.
 */
name: string, } | { "notice": "gave-back", 
/**
 * The name shown for them.
 */
from: string, 
/**
 * The service's name.
 */
name: string, } | { "notice": "portal-up", 
/**
 * The portal.
 */
inlet: InletId, 
/**
 * Its name.
 */
name: string, 
/**
 * Its local address, as `host:port`.
 */
address: string, } | { "notice": "portal-down", 
/**
 * The portal.
 */
inlet: InletId, 
/**
 * Its name.
 */
name: string, 
/**
 * Why.
 */
fault: Fault, } | { "notice": "hub-lost", 
/**
 * `host:port`.
 */
address: string, 
/**
 * Why.
 */
fault: Fault, } | { "notice": "hub-back", 
/**
 * `host:port`.
 */
address: string, } | { "notice": "key-changed", 
/**
 * The name shown for them.
 */
from: string, } | { "notice": "key-refused", 
/**
 * The name shown for the contact.
 */
from: string, 
/**
 * What happened and what to do.
 */
fault: Fault, };

export type AuditEntry = { 
/**
 * Its number, from 1.
 */
number: number, 
/**
 * When it happened.
 */
at: UnixMillis, 
/**
 * The event.
 */
deed: AuditEvent, 
/**
 * HMAC-SHA-256 of the previous hash and this entry, in hexadecimal digits; SHA-256 of the same where the key was not
 * there yet.
 */
hash: string, };

export type AuditEvent = { "deed": "service", 
/**
 * Its name.
 */
service: string, 
/**
 * `shared`, `changed`, `paused`, `resumed`, `closed`.
 */
what: string, } | { "deed": "invitation", 
/**
 * The service's name.
 */
service: string, 
/**
 * The person, once known.
 */
person: string | null, 
/**
 * Their name.
 */
name: string | null, 
/**
 * `made`, `knocked`, `accepted`, `declined`, `revoked`, `expired`.
 */
what: string, } | { "deed": "grant", 
/**
 * The service's name.
 */
service: string, 
/**
 * The person.
 */
person: string, 
/**
 * Their name.
 */
name: string, 
/**
 * `changed`, `paused`, `resumed`, `revoked`, `given-back`, `expired`.
 */
what: string, } | { "deed": "connection", 
/**
 * The service's name.
 */
service: string, 
/**
 * Who used it.
 */
person: string, 
/**
 * Their name.
 */
name: string, 
/**
 * Bytes towards the service.
 */
up_bytes: number, 
/**
 * Bytes from the service.
 */
down_bytes: number, 
/**
 * How long it was open, in milliseconds.
 */
lasted_ms: number, 
/**
 * Why it ended early, if it did.
 */
ended: string | null, 
/**
 * How many connections this entry stands for: after many in one hour, the further ones are added up.
 */
count?: number, } | { "deed": "refused", 
/**
 * The service's name, if it was one.
 */
service: string | null, 
/**
 * The person.
 */
person: string | null, 
/**
 * Their name, if known.
 */
name: string | null, 
/**
 * Why.
 */
code: Code, 
/**
 * How many refusals this entry stands for.
 */
count?: number, } | { "deed": "portal", 
/**
 * Its name.
 */
portal: string, 
/**
 * Its owner's name.
 */
owner: string, 
/**
 * `added`, `on`, `off`, `check-on`, `check-off`, `removed`, `revoked`.
 */
what: string, } | { "deed": "contact", 
/**
 * The person.
 */
person: string, 
/**
 * Their name.
 */
name: string, 
/**
 * `verified`, `unverified`, `blocked`, `unblocked`, `key-changed`, `forgotten`.
 */
what: string, } | { "deed": "log", 
/**
 * `key-started`: entries are authenticated with a key from here on. `restored`: the data is that of a backup.
 * `unprotected`: Postern was not stopped in order, so the removal of entries from `first` on would not have shown.
 * `missing`: entries were removed, or an older copy of the file was put back. `replaced`: there are others instead.
 * `anchor-missing`, `anchor-invalid`: the file that says how far the log reached was removed or changed.
 */
what: string, 
/**
 * The first entry that this is about.
 */
first: number | null, 
/**
 * The last.
 */
last: number | null, };

export type Request = { "request": "set-up", 
/**
 * The user's name, as others see it.
 */
name: string, 
/**
 * Hubs, as `host:port`.
 */
hubs: Array<string>, 
/**
 * Whether this computer can be reached directly in its network.
 */
this_computer: boolean, } | { "request": "rename", 
/**
 * The new name.
 */
name: string, } | { "request": "add-hub", 
/**
 * `host:port`.
 */
address: string, } | { "request": "remove-hub", 
/**
 * `host:port`.
 */
address: string, } | { "request": "set-this-computer", 
/**
 * Whether it can.
 */
on: boolean, } | { "request": "set-retention", 
/**
 * In days; 0 for ever.
 */
days: number, } | { "request": "set-web-links", 
/**
 * `https://host/path`; none forgets it.
 */
base: string | null, } | { "request": "pause-all", 
/**
 * Whether to pause.
 */
on: boolean, } | { "request": "retry" } | { "request": "share", 
/**
 * Its name, as friends see it.
 */
name: string, 
/**
 * The protocol it speaks.
 */
kind: ServiceKind, 
/**
 * `host:port`, or a port of this machine.
 */
target: string, 
/**
 * The path that a browser opens.
 */
path: string | null, 
/**
 * The description that friends read.
 */
description: string | null, } | { "request": "change-service", 
/**
 * The service.
 */
service: ServiceId, 
/**
 * The changes.
 */
patch: ServicePatch, } | { "request": "set-service", 
/**
 * The service.
 */
service: ServiceId, 
/**
 * On or off.
 */
on: boolean, } | { "request": "close-service", 
/**
 * The service.
 */
service: ServiceId, } | { "request": "invite", 
/**
 * The service.
 */
service: ServiceId, 
/**
 * The person, or a link.
 */
to: InviteTo, 
/**
 * Whether redeeming it asks the owner first.
 */
ask_first: boolean, 
/**
 * How long it can be accepted, in seconds; 7 days if absent.
 */
valid_for: number | null, 
/**
 * The terms of the grant.
 */
terms: Terms, } | { "request": "invitation-link", 
/**
 * The invitation.
 */
invitation: InvitationId, } | { "request": "resend", 
/**
 * The invitation.
 */
invitation: InvitationId, } | { "request": "revoke-invitation", 
/**
 * The invitation.
 */
invitation: InvitationId, } | { "request": "answer-knock", 
/**
 * The invitation they hold.
 */
invitation: InvitationId, 
/**
 * The answer.
 */
answer: KnockAnswer, } | { "request": "change-grant", 
/**
 * The grant.
 */
grant: GrantId, 
/**
 * The new terms.
 */
terms: Terms, } | { "request": "pause-grant", 
/**
 * The grant.
 */
grant: GrantId, 
/**
 * Whether to pause.
 */
on: boolean, } | { "request": "revoke-grant", 
/**
 * The grant.
 */
grant: GrantId, } | { "request": "open", 
/**
 * The link.
 */
link: Secret, } | { "request": "accept", 
/**
 * The invitation.
 */
invitation: InvitationId, 
/**
 * The local port; the proposed one if absent.
 */
port: number | null, } | { "request": "decline", 
/**
 * The invitation.
 */
invitation: InvitationId, } | { "request": "change-inlet", 
/**
 * The portal.
 */
inlet: InletId, 
/**
 * Its new name.
 */
name: string | null, 
/**
 * Its new port.
 */
port: number | null, } | { "request": "set-inlet", 
/**
 * The portal.
 */
inlet: InletId, 
/**
 * On or off.
 */
on: boolean, } | { "request": "set-inlet-check", 
/**
 * The portal.
 */
inlet: InletId, 
/**
 * On or off.
 */
on: boolean, } | { "request": "remove-inlet", 
/**
 * The portal.
 */
inlet: InletId, } | { "request": "rename-contact", 
/**
 * The person.
 */
person: string, 
/**
 * The petname.
 */
name: string, } | { "request": "verify", 
/**
 * The person.
 */
person: string, 
/**
 * Whether they are verified.
 */
verified: boolean, 
/**
 * The words that the user compared; refused with `key-changed` if they are not the person's. Needed to verify.
 */
words?: string, } | { "request": "block", 
/**
 * The person.
 */
person: string, 
/**
 * Whether to block.
 */
on: boolean, } | { "request": "forget", 
/**
 * The person.
 */
person: string, } | { "request": "preview", 
/**
 * The link.
 */
link: Secret, } | { "request": "ports" } | { "request": "free-port", 
/**
 * The port that is wanted.
 */
port: number, } | { "request": "protocol", 
/**
 * The port.
 */
port: number, } | { "request": "log", 
/**
 * Only entries below this number, for the next page.
 */
before: number | null, 
/**
 * At most this many, and never more than 1,000.
 */
limit: number, } | { "request": "verify-log" } | { "request": "doctor" } | { "request": "backup", 
/**
 * A file that does not exist yet.
 */
path: string, 
/**
 * The passphrase.
 */
passphrase: Secret, };

export type InviteTo = { "to": "link", 
/**
 * The user's note on whom it is meant for.
 */
note: string | null, } | { "to": "web-link", 
/**
 * The user's note on whom it is meant for.
 */
note: string | null, 
/**
 * The page, `https://host/path`; that of the settings if absent.
 */
base: string | null, } | { "to": "contact", 
/**
 * The person.
 */
person: string, };

export type Terms = { 
/**
 * When it expires; never if absent.
 */
until: UnixMillis | null, 
/**
 * Whether it ends when the owner's Postern quits.
 */
until_quit: boolean, 
/**
 * Connections at once; as many as the service accepts if absent.
 */
connections: number | null, };

export type ServicePatch = { 
/**
 * A new name.
 */
name: string | null, 
/**
 * Another kind.
 */
kind: ServiceKind | null, 
/**
 * Another target.
 */
target: string | null, 
/**
 * Another path.
 */
path: string | null, 
/**
 * Another description.
 */
description: string | null, 
/**
 * Whether the target is checked: off for a service that a connection without a request harms.
 */
health_check?: boolean, };

export type KnockAnswer = "once" | "always" | "deny";

export type Answer = { "answer": "done" } | { "answer": "service", 
/**
 * Its id.
 */
service: ServiceId, } | { "answer": "invitation", 
/**
 * Its id.
 */
invitation: InvitationId, 
/**
 * `postern://join/…`; absent when it went to a contact's mailbox.
 */
link: Secret | null, } | { "answer": "preview", 
/**
 * The offer.
 */
preview: InvitationPreview, } | { "answer": "ports", 
/**
 * By port.
 */
ports: Array<ListeningPort>, } | { "answer": "free-port", 
/**
 * The wanted port if nothing uses it now, else the next higher one; nothing if all of the next 100 are in use. No other
 * program is kept from taking it before it is used.
 */
port: number | null, } | { "answer": "protocol", 
/**
 * `tcp` also where it is not known.
 */
kind: ServiceKind, } | { "answer": "receipts", 
/**
 * Newest first.
 */
receipts: Array<AuditEntry>, 
/**
 * Whether the hashes of these entries follow from each other, and the log was what its anchor says when the engine
 * started. `Request::VerifyLog` checks all of it.
 */
intact: boolean, } | { "answer": "log-verified", 
/**
 * Whether nothing is wrong.
 */
intact: boolean, 
/**
 * How many entries there are.
 */
entries: number, 
/**
 * How many of them, from the first on, are authenticated with the identity's key.
 */
authenticated: number, 
/**
 * What is wrong, as sentences.
 */
problems: Array<string>, 
/**
 * What could not be checked or was not protected, as sentences.
 */
remarks: Array<string>, } | { "answer": "findings", 
/**
 * Worst first.
 */
findings: Array<Finding>, };

export type InvitationPreview = { 
/**
 * Its id.
 */
invitation: InvitationId, 
/**
 * Who invites.
 */
owner: string, 
/**
 * The petname of a contact, else the owner's own name.
 */
owner_name: string, 
/**
 * Whether they are a contact.
 */
owner_known: boolean, 
/**
 * The owner's verification words; nothing before the user has set up Postern. Of somebody who was never met, those of the
 * identity's first key.
 */
words: string | null, 
/**
 * The name of a contact, not the owner, that the owner's name can be taken for.
 */
looks_like?: string, 
/**
 * The service's name.
 */
service_name: string, 
/**
 * The protocol it speaks.
 */
kind: ServiceKind, 
/**
 * The service's own port, proposed as the local one.
 */
port: number, 
/**
 * Until when it can be accepted.
 */
expires: UnixMillis, 
/**
 * Why it cannot be accepted, if it cannot.
 */
fault: Fault | null, };

export type ListeningPort = { 
/**
 * The port.
 */
port: number, 
/**
 * `127.0.0.1`, `0.0.0.0`, …
 */
address: string, 
/**
 * The program's name, if the system gives it.
 */
program: string | null, 
/**
 * Its process.
 */
process: number | null, 
/**
 * The protocol that it most likely speaks.
 */
kind: ServiceKind, 
/**
 * A proposed name.
 */
name: string, 
/**
 * What the owner should know before sharing it: that it trusts whoever connects from this machine.
 */
warning?: string, };

export type Finding = { 
/**
 * Its severity.
 */
severity: Severity, 
/**
 * The subject: `keychain`, `contact`, `hub`, `service`, `portal`, `data`, `clock`.
 */
subject: string, 
/**
 * The results of a check for problems.
 */
message: string, 
/**
 * What to do.
 */
advice: string | null, };

export type Severity = "good" | "warning" | "bad";

export type VerifyAgain = "key-changed" | "words-changed";
