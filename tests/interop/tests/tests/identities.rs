//! Credentials and rotated identities, each side judging the other's.

use interop::{Identity, MIXED, Peer, Side};

struct CredentialCheck {
    server: Peer,
    client: Peer,
    bob: Identity,
    alice: Identity,
    authority: Peer,
    /// The authority's identifier.
    issuer: String,
}

/// A server that believes an authority of the client's kind, and guards an echoer with the attribute `group=friends`.
fn credential_check(asks: Side, answers: Side, issues: Side, kind: &str) -> CredentialCheck {
    let authority = Peer::start(issues);
    let Identity { history, identifier: issuer } = authority.identity(kind);
    let (server, bob) = Peer::with_identity(answers);
    let address = server.tell("listen");
    server.tell(&format!("trust {history}"));
    server.tell("listener listener");
    server.tell("guard group friends");
    let client = Peer::start(asks);
    let alice = client.identity(kind);
    client.tell(&format!("connect {address}"));
    CredentialCheck { server, client, bob, alice, authority, issuer }
}

impl CredentialCheck {
    fn issue(&self, subject: &Identity, attributes: &str) -> String {
        self.authority.tell(&format!("issue {} {attributes}", subject.history))
    }

    #[track_caller]
    fn channel(&self) {
        assert_eq!(self.client.tell("channel listener"), self.bob.identifier);
    }

    #[track_caller]
    fn is_allowed(&self) {
        assert_eq!(self.client.tell("ask guarded hello"), "hello");
        assert_eq!(self.server.tells("allowed"), self.alice.identifier);
    }

    #[track_caller]
    fn is_denied(&self) {
        // There is no negative reply: what the server decided is what counts.
        self.client.tell("say guarded hello");
        assert_eq!(self.server.tells("denied"), self.alice.identifier);
        // An answer would have come before this one.
        assert_eq!(self.client.tell("echo 1"), "1");
        assert!(!self.client.has_told("answered"));
    }
}

#[test]
fn credentials_decide() {
    for (asks, answers) in MIXED {
        // The authority is of the client's kind: what one side issues, the other verifies.
        for kind in ["", "p256"] {
            let check = credential_check(asks, answers, asks, kind);
            let credential = check.issue(&check.alice, "group=friends ockam-role=member a-longer-name=x");
            check.client.tell(&format!("hold {credential}"));
            check.channel();
            check.is_allowed();
        }
    }
}

#[test]
fn an_authoritys_kind_does_not_matter_to_who_presents_its_credential() {
    for (asks, answers) in MIXED {
        let check = credential_check(asks, answers, answers, "");
        let credential = check.issue(&check.alice, "group=friends");
        check.client.tell(&format!("hold {credential}"));
        check.channel();
        check.is_allowed();
    }
}

/// The client asks the other kind's issuer itself: real nodes by the client of their command line.
#[test]
fn a_member_gets_its_credential_from_an_issuer_of_the_other_kind() {
    for (asks, answers) in MIXED {
        let check = credential_check(asks, asks, answers, "");
        let issuer = check.authority.tell("listen");
        check.authority.tell("listener listener");
        check.authority.tell("issuer group=friends");
        check.client.tell(&format!("member {issuer} {}", check.issuer));
        check.channel();
        check.is_allowed();
    }
}

#[test]
fn the_wrong_attribute_does_not_open() {
    for (asks, answers) in MIXED {
        let check = credential_check(asks, answers, asks, "");
        let credential = check.issue(&check.alice, "group=strangers");
        check.client.tell(&format!("hold {credential}"));
        check.channel();
        check.is_denied();
        assert_eq!(check.client.tell("echo 1"), "1");
    }
}

#[test]
fn no_credential_does_not_open() {
    for (asks, answers) in MIXED {
        let check = credential_check(asks, answers, asks, "");
        check.channel();
        check.is_denied();
    }
}

#[test]
fn a_credential_from_somebody_else_does_not_open_and_does_not_fail_the_channel() {
    for (asks, answers) in MIXED {
        let check = credential_check(asks, answers, asks, "");
        let (nobody, _) = Peer::with_identity(asks);
        let credential = nobody.tell(&format!("issue {} group=friends", check.alice.history));
        check.client.tell(&format!("hold {credential}"));
        check.channel();
        check.is_denied();
        assert_eq!(check.client.tell("echo 1"), "1");
    }
}

#[test]
fn a_credential_about_somebody_else_does_not_open() {
    for (asks, answers) in MIXED {
        let check = credential_check(asks, answers, asks, "");
        let (_other, somebody) = Peer::with_identity(asks);
        let credential = check.issue(&somebody, "group=friends");
        check.client.tell(&format!("hold {credential}"));
        check.channel();
        check.is_denied();
    }
}

#[test]
fn a_refreshed_credential_counts_on_the_open_channel() {
    for (asks, answers) in MIXED {
        let check = credential_check(asks, answers, asks, "");
        let before = check.issue(&check.alice, "group=strangers");
        check.client.tell(&format!("hold {before}"));
        check.channel();
        check.is_denied();
        let after = check.issue(&check.alice, "group=friends");
        assert_eq!(check.client.tell(&format!("refresh {after}")), "1");
        check.is_allowed();
        check.server.eventually("channels", "1");
    }
}

#[test]
fn the_server_presents_a_credential_too() {
    for (asks, answers) in MIXED {
        let authority = Peer::start(answers);
        let history = authority.identity("").history;
        let (server, bob) = Peer::with_identity(answers);
        let credential = authority.tell(&format!("issue {} group=servers", bob.history));
        let address = server.tell("listen");
        server.tell(&format!("hold {credential}"));
        server.tell("listener listener");
        let (client, _) = Peer::with_identity(asks);
        client.tell(&format!("trust {history}"));
        client.tell(&format!("connect {address}"));
        assert_eq!(client.tell("channel listener"), bob.identifier);
        assert_eq!(client.tell("peer group"), "servers");
    }
}

/// A real listener replaces what it presents while a channel is open. Ours leaves that to who opened it.
#[test]
fn the_server_refreshes_what_it_presents() {
    let (asks, answers) = (Side::Ours, Side::Real);
    let authority = Peer::start(answers);
    let history = authority.identity("").history;
    let (server, bob) = Peer::with_identity(answers);
    let issue = |group: &str| authority.tell(&format!("issue {} group={group}", bob.history));
    let address = server.tell("listen");
    server.tell(&format!("hold {}", issue("strangers")));
    server.tell("listener listener");
    let (client, _) = Peer::with_identity(asks);
    client.tell(&format!("trust {history}"));
    client.tell(&format!("connect {address}"));
    assert_eq!(client.tell("channel listener"), bob.identifier);
    assert_eq!(client.tell("peer group"), "strangers");
    server.eventually("channels", "1");
    assert_eq!(server.tell(&format!("refresh {}", issue("servers"))), "1");
    client.eventually("peer group", "servers");
    // The way of the channel is as it was.
    assert_eq!(client.tell("echo 3"), "3");
}

const SEED: &str = "4a7d1ed414474e4033ac29ccb8653d9b4a7d1ed414474e4033ac29ccb8653d9b";

#[test]
fn a_rotated_identity_is_followed_and_its_old_history_refused() {
    for (asks, answers) in MIXED {
        // Bob rotates; a thief has his old key.
        let bob = Peer::start(answers);
        let old = bob.identity(SEED);
        let address = bob.tell("listen");
        bob.tell("listener before");
        let thief = Peer::start(answers);
        assert_eq!(thief.tell(&format!("restore {SEED} {}", old.history)), old.identifier);
        let thiefs = thief.tell("listen");
        thief.tell("listener after");

        let (client, _) = Peer::with_identity(asks);
        client.tell(&format!("only {}", old.identifier));
        client.tell(&format!("connect {address}"));
        assert_eq!(client.tell("channel before"), old.identifier);
        let new = bob.tell("rotate");
        assert!(new.len() > old.history.len());
        bob.tell("listener after");
        assert_eq!(client.tell("channel after"), old.identifier);
        assert_eq!(client.tell("echo 2"), "2");
        // Twice, to see that an equal history is fine as well.
        assert_eq!(client.tell("channel after"), old.identifier);

        client.tell(&format!("connect {thiefs}"));
        let reason = client.fails("channel after");
        // Theirs does not say.
        assert!(asks == Side::Real || reason.contains("from before its last key change"), "{reason}");
        // Who has not seen the new one cannot know.
        let (other, _) = Peer::with_identity(asks);
        other.tell(&format!("connect {thiefs}"));
        assert_eq!(other.tell("channel after"), old.identifier);
    }
}

#[test]
fn a_listener_refuses_an_old_history() {
    for (asks, answers) in MIXED {
        let (server, bob) = Peer::with_identity(answers);
        let address = server.tell("listen");
        server.tell("listener listener");
        let alice = Peer::start(asks);
        let old = alice.identity(SEED);
        let thief = Peer::start(asks);
        thief.tell(&format!("restore {SEED} {}", old.history));
        alice.tell("rotate");
        alice.tell(&format!("connect {address}"));
        assert_eq!(alice.tell("channel listener"), bob.identifier);
        assert_eq!(alice.tell("ask whoami"), old.identifier);
        thief.tell(&format!("connect {address}"));
        thief.tell("channel listener");
        thief.fails("echo 1");
        server.eventually("channels", "1");
        // Who has not seen the new history lets the same thief in: it was nothing else that was wrong.
        let (elsewhere, others) = Peer::with_identity(answers);
        let address = elsewhere.tell("listen");
        elsewhere.tell("listener listener");
        thief.tell(&format!("connect {address}"));
        assert_eq!(thief.tell("channel listener"), others.identifier);
        assert_eq!(thief.tell("echo 1"), "1");
    }
}

/// Both sides keep an identity's kind of key when it is rotated, and follow the other's P-256 rotation.
#[test]
fn a_p256_identity_rotates() {
    for (asks, answers) in MIXED {
        let (server, bob) = Peer::with_identity(answers);
        let address = server.tell("listen");
        server.tell("listener listener");
        let alice = Peer::start(asks);
        let identifier = alice.identity("p256").identifier;
        alice.tell(&format!("connect {address}"));
        assert_eq!(alice.tell("channel listener"), bob.identifier);
        alice.tell("rotate");
        assert_eq!(alice.tell("channel listener"), bob.identifier);
        assert_eq!(alice.tell("ask whoami"), identifier);
    }
}
