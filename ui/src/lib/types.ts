// Written from the engine's types by `cargo xtask types`. Do not edit.

export type UnixMillis = number;

export type ServiceId = string;

export type InvitationId = string;

export type GrantId = string;

export type InletId = string;

export type Secret = string;

export type Code = "not-set-up" | "already-set-up" | "invalid" | "not-found" | "name-taken" | "port-taken" | "bad-ticket" | "own-invitation" | "already-in" | "ticket-used" | "expired" | "revoked" | "denied" | "asked" | "paused-by-owner" | "paused" | "service-closed" | "service-down" | "owner-offline" | "hub-unreachable" | "no-way-in" | "relay-taken" | "hub-changed" | "not-trusted" | "key-changed" | "blocked" | "cannot-mail" | "too-many" | "keychain-locked" | "keychain-missing" | "keychain-failed" | "wrong-passphrase" | "in-use" | "newer-data" | "damaged-data" | "storage" | "timed-out" | "stopped" | "failed";

export type Fault = { 
/**
 * What it is, for programs.
 */
code: Code, 
/**
 * What it is and what to do next, for people. Holds no secret.
 */
message: string, };

export type Snapshot = { 
/**
 * Who this person is; nothing before they have set up.
 */
me: Me | null, 
/**
 * All of it in one word, for an icon.
 */
status: Status, 
/**
 * Everything is paused.
 */
paused: boolean, 
/**
 * Whether others reach this computer itself, in its network.
 */
this_computer: ThisComputer, 
/**
 * The hubs to meet at.
 */
hubs: Array<HubView>, 
/**
 * What this person shares.
 */
services: Array<ServiceView>, 
/**
 * What others share with this person.
 */
inlets: Array<InletView>, 
/**
 * Invitations to this person that are not portals yet.
 */
invitations: Array<ReceivedView>, 
/**
 * People who ask to be let in now.
 */
knocks: Array<KnockView>, 
/**
 * People this person knows.
 */
contacts: Array<ContactView>, 
/**
 * What can be set.
 */
settings: Settings, 
/**
 * What needs attention and belongs to no single row.
 */
troubles: Array<Fault>, };

export type Status = "idle" | "ready" | "live" | "attention" | "offline" | "paused";

export type Me = { 
/**
 * What others know them by.
 */
identifier: string, 
/**
 * What they call themselves.
 */
name: string, };

export type ThisComputer = { 
/**
 * Whether that is wanted.
 */
on: boolean, 
/**
 * Where it listens, as `address:port`; put into tickets.
 */
addresses: Array<string>, 
/**
 * Why it does not listen although it should.
 */
fault: Fault | null, };

export type HubView = { 
/**
 * `host:port`.
 */
address: string, 
/**
 * How the connection is.
 */
link: LinkState, 
/**
 * Who the hub is, once known.
 */
identifier: string | null, };

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
 * What it speaks.
 */
kind: ServiceKind, 
/**
 * Where it is, as `host:port`.
 */
target: string, 
/**
 * What a browser opens behind the address, for instance `/lab`.
 */
path: string | null, 
/**
 * What friends read about it.
 */
description: string | null, 
/**
 * Off: nobody gets in.
 */
on: boolean, 
/**
 * Whether the target answers.
 */
health: Health, 
/**
 * Who may use it, or might until lately.
 */
people: Array<PersonView>, 
/**
 * Invitations to it that are not grants yet.
 */
invitations: Array<SentView>, 
/**
 * Connections open now.
 */
live: number, 
/**
 * Since when it is shared.
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
 * Whose it is.
 */
person: string, 
/**
 * Their petname.
 */
name: string, 
/**
 * Whether their words were compared.
 */
verified: boolean, 
/**
 * Whether they get in.
 */
state: GrantState, 
/**
 * How long, how many connections.
 */
terms: Terms, 
/**
 * When they last used it.
 */
last_used: UnixMillis | null, 
/**
 * Their connections open now.
 */
live: number, };

export type GrantState = "active" | "paused" | "expired" | "revoked" | "given-back";

export type SentView = { 
/**
 * Its id.
 */
id: InvitationId, 
/**
 * To whom; nobody in particular for a link.
 */
to: string | null, 
/**
 * Their petname, or what the person noted for whom the link is.
 */
name: string | null, 
/**
 * How far it got.
 */
state: SentState, 
/**
 * Whether the owner is asked before the friend is let in.
 */
ask_first: boolean, 
/**
 * What it grants.
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
 * Who shares it.
 */
owner: string, 
/**
 * Their petname.
 */
owner_name: string, 
/**
 * Whether their words were compared.
 */
owner_verified: boolean, 
/**
 * What it is called here.
 */
name: string, 
/**
 * What its owner calls it.
 */
service_name: string, 
/**
 * What it speaks.
 */
kind: ServiceKind, 
/**
 * What its owner says about it.
 */
description: string | null, 
/**
 * The local port.
 */
port: number, 
/**
 * The local address to copy, as `127.0.0.1:5432`.
 */
address: string, 
/**
 * What a browser opens, if it is for a browser.
 */
url: string | null, 
/**
 * Whether it is wanted.
 */
on: boolean, 
/**
 * How it is, and why it is not up.
 */
link: InletLink, 
/**
 * Connections open now.
 */
live: number, 
/**
 * Until when the owner grants it.
 */
expires: UnixMillis | null, };

export type InletLink = { "state": "off" } | { "state": "connecting" } | { "state": "up", 
/**
 * The way it takes.
 */
way: PathKind, 
/**
 * To the owner and back, in milliseconds, once measured.
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
 * Their petname if they are known, else what they call themselves.
 */
owner_name: string, 
/**
 * Whether they are a contact.
 */
owner_known: boolean, 
/**
 * Whether their words were compared.
 */
owner_verified: boolean, 
/**
 * The words both see.
 */
words: string, 
/**
 * The service's name.
 */
service_name: string, 
/**
 * What it speaks.
 */
kind: ServiceKind, 
/**
 * What its owner says about it.
 */
description: string | null, 
/**
 * The local port that would be taken.
 */
port: number, 
/**
 * Until when it can be accepted.
 */
expires: UnixMillis, 
/**
 * How far it got.
 */
state: ReceivedState, };

export type ReceivedState = { "state": "new" } | { "state": "accepting", 
/**
 * What it waits for: the owner offline, a hub unreachable, the owner being asked.
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
 * Who they are.
 */
person: string, 
/**
 * What they call themselves, or their petname.
 */
name: string, 
/**
 * The words both see.
 */
words: string, 
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
 * Who they are.
 */
identifier: string, 
/**
 * What this person calls them.
 */
name: string, 
/**
 * What they call themselves.
 */
own_name: string, 
/**
 * The words both see.
 */
words: string, 
/**
 * Whether the words were compared.
 */
verified: boolean, 
/**
 * Whether they are kept out.
 */
blocked: boolean, 
/**
 * Their key has changed since the words were compared.
 */
key_changed: boolean, 
/**
 * Whether they can be invited without a link.
 */
can_be_mailed: boolean, 
/**
 * Since when they are known.
 */
since: UnixMillis, };

export type KeychainPlace = "os" | "file" | "memory";

export type Settings = { 
/**
 * Where the key rests.
 */
keychain: KeychainPlace, 
/**
 * Where everything that is no secret rests.
 */
data_dir: string, 
/**
 * How long receipts are kept, in days; 0 keeps them for ever.
 */
retention_days: number, 
/**
 * The program's version.
 */
version: string, };

export type Traffic = { 
/**
 * When they were read.
 */
at: UnixMillis, 
/**
 * By grant: what friends move through this person's services.
 */
grants: Array<TrafficFlow<GrantId>>, 
/**
 * By portal: what this person moves.
 */
inlets: Array<TrafficFlow<InletId>>, };

export type TrafficFlow<Id> = { 
/**
 * Through what.
 */
id: Id, 
/**
 * Bytes towards the service, ever.
 */
up_bytes: number, 
/**
 * Bytes from the service, ever.
 */
down_bytes: number, 
/**
 * Bytes per second towards the service, lately.
 */
up_rate: number, 
/**
 * Bytes per second from the service, lately.
 */
down_rate: number, };

export type Notice = { "notice": "invited", 
/**
 * The invitation.
 */
invitation: InvitationId, 
/**
 * Who.
 */
from: string, 
/**
 * To what.
 */
service: string, } | { "notice": "knock", 
/**
 * The invitation they hold.
 */
invitation: InvitationId, 
/**
 * Who.
 */
from: string, 
/**
 * To what.
 */
service: string, } | { "notice": "joined", 
/**
 * The service.
 */
service: ServiceId, 
/**
 * Who.
 */
from: string, 
/**
 * Its name.
 */
name: string, } | { "notice": "declined", 
/**
 * Who.
 */
from: string, 
/**
 * The service's name.
 */
name: string, } | { "notice": "gave-back", 
/**
 * Who.
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
 * Its local address.
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
 * Who.
 */
from: string, };

export type AuditEntry = { 
/**
 * Its number, from 1.
 */
number: number, 
/**
 * When.
 */
at: UnixMillis, 
/**
 * What.
 */
deed: AuditEvent, 
/**
 * SHA-256 of the previous hash and this line, in hexadecimal digits.
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
 * Who, once known.
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
 * Whose.
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
ended: string | null, } | { "deed": "refused", 
/**
 * The service's name, if it was one.
 */
service: string | null, 
/**
 * Who.
 */
person: string | null, 
/**
 * Their name, if known.
 */
name: string | null, 
/**
 * Why.
 */
code: Code, } | { "deed": "portal", 
/**
 * Its name.
 */
portal: string, 
/**
 * Its owner's name.
 */
owner: string, 
/**
 * `added`, `on`, `off`, `removed`, `revoked`.
 */
what: string, } | { "deed": "contact", 
/**
 * Who.
 */
person: string, 
/**
 * Their name.
 */
name: string, 
/**
 * `verified`, `unverified`, `blocked`, `unblocked`, `key-changed`, `forgotten`.
 */
what: string, };

export type Request = { "request": "set-up", 
/**
 * What this person calls themselves.
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
 * Whether.
 */
on: boolean, } | { "request": "set-retention", 
/**
 * In days; 0 for ever.
 */
days: number, } | { "request": "pause-all", 
/**
 * Whether to pause.
 */
on: boolean, } | { "request": "retry" } | { "request": "share", 
/**
 * Its name, as friends see it.
 */
name: string, 
/**
 * What it speaks.
 */
kind: ServiceKind, 
/**
 * `host:port`, or a port of this machine.
 */
target: string, 
/**
 * What a browser opens behind the address.
 */
path: string | null, 
/**
 * What friends read about it.
 */
description: string | null, } | { "request": "change-service", 
/**
 * Which.
 */
service: ServiceId, 
/**
 * What.
 */
patch: ServicePatch, } | { "request": "set-service", 
/**
 * Which.
 */
service: ServiceId, 
/**
 * On or off.
 */
on: boolean, } | { "request": "close-service", 
/**
 * Which.
 */
service: ServiceId, } | { "request": "invite", 
/**
 * To which service.
 */
service: ServiceId, 
/**
 * Whom.
 */
to: InviteTo, 
/**
 * Ask the owner before the friend is let in.
 */
ask_first: boolean, 
/**
 * How long it can be accepted, in seconds; 7 days if absent.
 */
valid_for: number | null, 
/**
 * What it grants.
 */
terms: Terms, } | { "request": "invitation-link", 
/**
 * Which.
 */
invitation: InvitationId, } | { "request": "resend", 
/**
 * Which.
 */
invitation: InvitationId, } | { "request": "revoke-invitation", 
/**
 * Which.
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
 * Which.
 */
grant: GrantId, 
/**
 * The new terms.
 */
terms: Terms, } | { "request": "pause-grant", 
/**
 * Which.
 */
grant: GrantId, 
/**
 * Whether to pause.
 */
on: boolean, } | { "request": "revoke-grant", 
/**
 * Which.
 */
grant: GrantId, } | { "request": "open", 
/**
 * The link.
 */
link: Secret, } | { "request": "accept", 
/**
 * Which.
 */
invitation: InvitationId, 
/**
 * The local port; the proposed one if absent.
 */
port: number | null, } | { "request": "decline", 
/**
 * Which.
 */
invitation: InvitationId, } | { "request": "change-inlet", 
/**
 * Which.
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
 * Which.
 */
inlet: InletId, 
/**
 * On or off.
 */
on: boolean, } | { "request": "remove-inlet", 
/**
 * Which.
 */
inlet: InletId, } | { "request": "rename-contact", 
/**
 * Who.
 */
person: string, 
/**
 * The petname.
 */
name: string, } | { "request": "verify", 
/**
 * Who.
 */
person: string, 
/**
 * Whether they are verified.
 */
verified: boolean, } | { "request": "block", 
/**
 * Who.
 */
person: string, 
/**
 * Whether to block.
 */
on: boolean, } | { "request": "forget", 
/**
 * Who.
 */
person: string, } | { "request": "preview", 
/**
 * The link.
 */
link: Secret, } | { "request": "ports" } | { "request": "log", 
/**
 * Only those below this number, for the next page.
 */
before: number | null, 
/**
 * At most this many, and never more than 1,000.
 */
limit: number, } | { "request": "doctor" } | { "request": "backup", 
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
 * For whom it is meant, as a note to oneself.
 */
note: string | null, } | { "to": "contact", 
/**
 * Who.
 */
person: string, };

export type Terms = { 
/**
 * Until when; for ever if absent.
 */
until: UnixMillis | null, 
/**
 * Only until the owner's Postern is quit.
 */
until_quit: boolean, 
/**
 * Connections at once; as many as the service takes if absent.
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
description: string | null, };

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
 * It.
 */
preview: InvitationPreview, } | { "answer": "ports", 
/**
 * By port.
 */
ports: Array<ListeningPort>, } | { "answer": "receipts", 
/**
 * Newest first.
 */
receipts: Array<AuditEntry>, 
/**
 * Whether every hash of the whole log holds.
 */
intact: boolean, } | { "answer": "findings", 
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
 * What they call themselves, or their petname if known.
 */
owner_name: string, 
/**
 * Whether they are a contact.
 */
owner_known: boolean, 
/**
 * The words both see; nothing before this person has set up.
 */
words: string | null, 
/**
 * The service's name.
 */
service_name: string, 
/**
 * What it speaks.
 */
kind: ServiceKind, 
/**
 * The owner's port, proposed for here.
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
 * The program's name, if the system tells.
 */
program: string | null, 
/**
 * Its process.
 */
process: number | null, 
/**
 * What it most likely speaks.
 */
kind: ServiceKind, 
/**
 * A name to propose.
 */
name: string, };

export type Finding = { 
/**
 * How bad it is.
 */
severity: Severity, 
/**
 * What is looked at: `keychain`, `hub`, `service`, `portal`, `data`, `clock`.
 */
subject: string, 
/**
 * What was found.
 */
message: string, 
/**
 * What to do.
 */
advice: string | null, };

export type Severity = "good" | "warning" | "bad";
